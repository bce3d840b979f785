//! `clients`.

use super::{Compiler, names};
use crate::credentials::{ApiKey, Client, ClientIndex, SecretDigest, digest};
use crate::jose::{Key, KeySet, PrivateKey};
use crate::policy::document::{Path, Timestamp};
use crate::policy::raw;
use std::rc::Rc;
use std::time::Duration;

impl Compiler<'_> {
    pub(super) fn clients(&mut self, clients: Vec<raw::Client>, path: &Path) {
        // Growing by doubling would leave holes in a memory that never shrinks.
        let keys = clients.iter().map(|client| client.api_keys.0.len());
        self.clients.reserve_keys(keys.sum());
        for (index, client) in clients.into_iter().enumerate() {
            self.client(client, &path.index(index));
        }
    }

    fn client(&mut self, raw: raw::Client, path: &Path) {
        if raw.id.is_empty() || raw.id.chars().any(char::is_control) {
            self.problem(
                &path.key("id"),
                "a client's id is a text that isn't empty and has no control characters",
            );
        }
        let metadata = match raw.metadata {
            None => serde_json::Value::Null,
            Some(metadata) if metadata.value().is_object() => metadata.into_value(),
            Some(_) => {
                self.problem(&path.key("metadata"), "metadata is a map");
                serde_json::Value::Null
            }
        };
        let secrets = raw.secrets.0.iter().enumerate();
        let secrets = secrets
            .filter_map(|(index, secret)| self.secret(secret, &path.key("secrets").index(index)))
            .collect();
        let signing_secrets = self.signing_secrets(&raw.secrets.0, &path.key("secrets"));
        let keys = raw.public_keys.0.iter().enumerate();
        let keys = keys
            .filter_map(|(index, key)| self.public_key(key, &path.key("public_keys").index(index)))
            .collect();
        self.scope_tokens(&raw.scopes.0, &path.key("scopes"));
        let scopes: Rc<[String]> = raw.scopes.0.into();
        let client = Client {
            id: raw.id.as_str().into(),
            tenant: raw.tenant.as_deref().map(Rc::from),
            scopes: scopes.clone(),
            enabled: raw.enabled.unwrap_or(true),
            metadata: Rc::new(metadata),
            secrets,
            public_keys: KeySet::from_keys(keys),
            signing_secrets,
        };
        let added = self.clients.add(client);
        if added.is_none() {
            self.problem(
                &path.key("id"),
                format!("another client is called \"{}\" already", raw.id),
            );
        }
        // The keys of a second client of that name are looked at all the same.
        let Some(client) = added.or_else(|| Some(self.clients.find(&raw.id)?.0)) else {
            return;
        };
        for (index, key) in raw.api_keys.0.into_iter().enumerate() {
            self.api_key(client, &scopes, key, &path.key("api_keys").index(index));
        }
    }

    fn secret(&mut self, secret: &raw::ClientSecret, path: &Path) -> Option<SecretDigest> {
        let given = [
            ("sha256", secret.sha256.is_some()),
            ("value", secret.value.is_some()),
        ];
        let one = self.exactly_one(path, &given);
        self.check_span(secret.not_before, secret.expires, path);
        let sha256 = match (&secret.sha256, &secret.value) {
            _ if !one => return None,
            (Some(sha256), _) => names::sha256(sha256).or_else(|| {
                self.digest_problem(&path.key("sha256"));
                None
            }),
            (None, value) => value
                .as_ref()
                .map(|value| digest(value.expose().as_bytes())),
        };
        if secret
            .value
            .as_ref()
            .is_some_and(|value| value.expose().is_empty())
        {
            self.problem(&path.key("value"), "an empty secret proves nobody");
        }
        Some(SecretDigest {
            sha256: sha256?,
            not_before: secret.not_before.map(since_epoch),
            expires: secret.expires.map(since_epoch),
            revoked: secret.revoked.unwrap_or(false),
        })
    }

    /// Those of a client's secrets that can sign. What is too short for a key is no problem until
    /// something is to be signed with it.
    fn signing_secrets(&mut self, secrets: &[raw::ClientSecret], path: &Path) -> Vec<PrivateKey> {
        let mut keys = Vec::new();
        for (index, secret) in secrets.iter().enumerate() {
            let Some(value) = &secret.value else {
                continue;
            };
            let value = value.expose().as_bytes();
            let place = path.index(index).key("value");
            self.client_values.push((place, value.len()));
            if secret.revoked == Some(true) {
                continue;
            }
            keys.extend(PrivateKey::from_secret(value).map(|key| {
                key.with_validity(
                    secret.not_before.map(since_epoch),
                    secret.expires.map(since_epoch),
                )
            }));
        }
        keys
    }

    /// A key for assertions; `None` where it has a problem, or is revoked.
    fn public_key(&mut self, raw: &raw::PublicKey, path: &Path) -> Option<Key> {
        self.check_span(raw.not_before, raw.expires, path);
        let given = [("pem", raw.pem.is_some()), ("jwk", raw.jwk.is_some())];
        if !self.exactly_one(path, &given) {
            return None;
        }
        let (place, key) = if let Some(pem) = &raw.pem {
            (path.key("pem"), Key::from_pem(pem.expose()))
        } else if let Some(jwk) = &raw.jwk {
            (path.key("jwk"), Key::from_jwk(jwk.value()))
        } else {
            return None;
        };
        let key = match key {
            Ok(key) if key.is_secret() => {
                self.problem(&place, "expected a public key, found a secret");
                return None;
            }
            Ok(key) => key,
            Err(error) => {
                self.problem(&place, error.to_string());
                return None;
            }
        };
        if raw.revoked.unwrap_or(false) {
            return None;
        }
        let own = raw.kid.as_deref().or(key.kid()).map(str::to_owned);
        let kid = own.unwrap_or_else(|| key.thumbprint());
        Some(key.with_kid(kid).with_validity(
            raw.not_before.map(since_epoch),
            raw.expires.map(since_epoch),
        ))
    }

    fn api_key(&mut self, client: ClientIndex, own: &Rc<[String]>, raw: raw::ApiKey, path: &Path) {
        let scopes = match raw.scopes {
            None => own.clone(),
            Some(scopes) => {
                for scope in &scopes.0 {
                    if !own.contains(scope) {
                        let message = format!(
                            "a key narrows its client's scopes, and \"{scope}\" is none of them; \
                             add it to the client or leave it out"
                        );
                        self.problem(&path.key("scopes"), message);
                    }
                }
                scopes.0.into()
            }
        };
        if raw.id.iter().any(|id| id.chars().any(char::is_control)) {
            self.problem(
                &path.key("id"),
                "a key's id is a text without control characters: it stands in logs",
            );
        }
        self.check_span(raw.not_before, raw.expires, path);
        let Some(digest) = names::sha256(&raw.sha256) else {
            self.digest_problem(&path.key("sha256"));
            return;
        };
        let key = ApiKey {
            id: raw.id.as_deref().map(Rc::from),
            not_before: raw.not_before.map(since_epoch),
            expires: raw.expires.map(since_epoch),
            revoked: raw.revoked.unwrap_or(false),
            ..ApiKey::of(client, scopes)
        };
        if !self.clients.add_key(digest, key) {
            self.problem(
                &path.key("sha256"),
                "another client or key has this digest already",
            );
        }
    }

    fn digest_problem(&mut self, path: &Path) {
        self.problem(
            path,
            "expected a SHA-256 as 64 hex digits; `doorward hash-key` prints it",
        );
    }

    pub(super) fn check_span(
        &mut self,
        not_before: Option<Timestamp>,
        expires: Option<Timestamp>,
        path: &Path,
    ) {
        if let (Some(start), Some(end)) = (not_before, expires)
            && start.unix_seconds >= end.unix_seconds
        {
            self.problem(
                &path.key("expires"),
                "this ends before it begins (`not_before`)",
            );
        }
    }
}

/// A time since the epoch; what lies before it is the epoch itself.
pub(super) fn since_epoch(time: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(time.unix_seconds).unwrap_or(0))
}
