//! `authenticators`.

use super::clients::since_epoch;
use super::{Compiler, names};
use crate::authenticate::{
    ApiKeyAuthenticator, Authenticator, ClientCredentials, JwtAuthenticator, PairSource,
};
use crate::credentials::Source;
use crate::expression::{Place, Value};
use crate::jose::{Algorithm, ClaimRules, DEFAULT_MAX_TOKEN_LEN, Key, KeyError, KeySet, Limits};
use crate::keys::RemoteKeys;
use crate::lookup::Lookup;
use crate::policy::document::{MapOr, OneOrMany, Path};
use crate::policy::raw;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::collections::BTreeMap;
use std::time::Duration;
use zeroize::Zeroizing;

const LEEWAY: Duration = Duration::from_secs(30);
const REMOTE_REFRESH: Duration = Duration::from_secs(600);
const REMOTE_TIMEOUT: Duration = Duration::from_secs(2);
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(1);
const LOOKUP_CACHE: Duration = Duration::from_secs(30);
/// A longer token would not fit into the headers that Envoy accepts.
const LONGEST_TOKEN: u64 = 60 * 1024;

impl Compiler<'_> {
    pub(super) fn authenticators(
        &mut self,
        raw: BTreeMap<String, raw::Authenticator>,
        path: &Path,
    ) {
        self.authenticator_names = raw.keys().cloned().collect();
        let kinds: Vec<bool> = raw.values().map(|one| one.jwt.is_some()).collect();
        for (name, authenticator) in raw {
            let place = path.key(&name);
            if matches!(name.as_str(), "none" | "any" | "all" | "") {
                self.problem(
                    &place,
                    "this word has a meaning of its own; choose another name",
                );
            }
            let given = [
                ("jwt", authenticator.jwt.is_some()),
                ("api_key", authenticator.api_key.is_some()),
                (
                    "client_credentials",
                    authenticator.client_credentials.is_some(),
                ),
            ];
            if !self.exactly_one(&place, &given) {
                continue;
            }
            let compiled = if let Some(jwt) = authenticator.jwt {
                self.jwt(jwt, &place.key("jwt")).map(Authenticator::Jwt)
            } else if let Some(api_key) = authenticator.api_key {
                self.api_key_authenticator(api_key, &place.key("api_key"))
                    .map(Authenticator::ApiKey)
            } else if let Some(own) = authenticator.client_credentials {
                self.client_credentials(&name, own, &kinds, &place.key("client_credentials"))
                    .map(Authenticator::ClientCredentials)
            } else {
                None
            };
            // Indices only count in a policy without problems, where none is left out.
            self.authenticators.extend(compiled);
        }
    }

    fn jwt(&mut self, raw: raw::Jwt, path: &Path) -> Option<JwtAuthenticator> {
        let algorithms = self.algorithms(&raw.algorithms, &path.key("algorithms"));
        let (mut keys, mut remotes, mut client_keys) = (Vec::new(), Vec::new(), None);
        let place = path.key("keys");
        match raw.keys {
            MapOr::Other(list) => self.keys(list, &algorithms, &place, &mut keys, &mut remotes),
            MapOr::Map(own) => {
                if raw.client.is_some() {
                    self.problem(
                        &path.key("client"),
                        "`keys: {client: …}` says already which client it is; leave this out",
                    );
                }
                let own = self.client_keys(own, &algorithms, &place.key("client"));
                client_keys = own.map(Box::new);
            }
        }
        let from = match raw.from {
            Some(from) => self.sources(from, &path.key("from")),
            None => {
                let bearer = raw::Source {
                    header: Some("authorization".to_owned()),
                    scheme: Some("Bearer".to_owned()),
                    query: None,
                    cookie: None,
                };
                self.source(bearer, path).into_iter().collect()
            }
        };
        let max_length = raw.max_length.unwrap_or(DEFAULT_MAX_TOKEN_LEN as u64);
        if !(1..=LONGEST_TOKEN).contains(&max_length) {
            self.problem(
                &path.key("max_length"),
                format!("a token's length lies between 1 and {LONGEST_TOKEN} bytes"),
            );
        }
        let audience = raw.audience.map(|list| list.0);
        if audience.as_ref().is_some_and(Vec::is_empty) {
            self.problem(
                &path.key("audience"),
                "name at least one audience, or leave it out",
            );
        }
        let mut expression = |source: Option<_>, place, key: &str| {
            let source = source?;
            self.expression(&source, place, &path.key(key))
        };
        Some(JwtAuthenticator {
            algorithms,
            keys: KeySet::from_keys(keys),
            remotes,
            client_keys,
            rules: ClaimRules {
                issuer: raw.issuer,
                audience: audience.unwrap_or_default(),
                leeway: raw.leeway.map_or(LEEWAY, |leeway| leeway.0),
                require_exp: raw.require_exp.unwrap_or(true),
                max_lifetime: raw.max_lifetime.map(|life| life.0),
                typ: raw.typ.map(|list| list.0).unwrap_or_default(),
                claims: raw
                    .claims
                    .into_iter()
                    .map(|(name, value)| (name, Value::from_json(value.value())))
                    .collect(),
            },
            from,
            max_length: usize::try_from(max_length).unwrap_or(DEFAULT_MAX_TOKEN_LEN),
            client: expression(raw.client, Place::JwtClient, "client"),
            scopes: expression(raw.scopes, Place::JwtScopes, "scopes"),
            tenant: expression(raw.tenant, Place::JwtTenant, "tenant"),
        })
    }

    pub(super) fn algorithms(&mut self, names: &OneOrMany<String>, path: &Path) -> Vec<Algorithm> {
        if names.0.is_empty() {
            self.problem(path, "name at least one algorithm, for instance ES256");
        }
        let mut algorithms = Vec::new();
        for (index, name) in names.0.iter().enumerate() {
            match name.parse() {
                Ok(algorithm) => algorithms.push(algorithm),
                Err(_) => {
                    let known: Vec<String> =
                        Algorithm::ALL.iter().map(ToString::to_string).collect();
                    let message = format!(
                        "no signature algorithm is called \"{name}\"; there are: {}",
                        known.join(", ")
                    );
                    self.problem(&path.index(index), message);
                }
            }
        }
        algorithms
    }

    fn sources(&mut self, sources: OneOrMany<raw::Source>, path: &Path) -> Vec<Source> {
        if sources.0.is_empty() {
            self.problem(path, "name at least one place that may hold the credential");
        }
        let sources = sources.0.into_iter().enumerate();
        sources
            .filter_map(|(index, source)| self.source(source, &path.index(index)))
            .collect()
    }

    fn keys(
        &mut self,
        keys: OneOrMany<raw::Key>,
        algorithms: &[Algorithm],
        path: &Path,
        own: &mut Vec<Key>,
        remotes: &mut Vec<usize>,
    ) {
        if keys.0.is_empty() {
            self.problem(path, "give at least one key");
        }
        for (index, key) in keys.0.into_iter().enumerate() {
            self.key(key, algorithms, &path.index(index), own, remotes);
        }
    }

    fn key(
        &mut self,
        raw: raw::Key,
        algorithms: &[Algorithm],
        path: &Path,
        own: &mut Vec<Key>,
        remotes: &mut Vec<usize>,
    ) {
        let given = [
            ("secret", raw.secret.is_some()),
            ("pem", raw.pem.is_some()),
            ("jwk", raw.jwk.is_some()),
            ("jwks", raw.jwks.is_some()),
            ("remote", raw.remote.is_some()),
            ("token", raw.token.is_some()),
        ];
        if !self.exactly_one(path, &given) {
            return;
        }
        self.check_span(raw.not_before, raw.expires, path);
        let validity = (
            raw.not_before.map(since_epoch),
            raw.expires.map(since_epoch),
        );
        if let Some(name) = &raw.token {
            for key in self.token_keys(name, &path.key("token")) {
                own.extend(self.usable(Ok(key), algorithms, &path.key("token")));
            }
        }
        let is_set = raw.pem.is_none() && raw.jwk.is_none() && raw.secret.is_none();
        let narrowed = raw.kid.is_some() || validity != (None, None);
        if is_set && narrowed {
            self.problem(
                path,
                "kid, not_before and expires stand beside one key, not beside a set",
            );
        }
        if let Some(remote) = raw.remote {
            remotes.extend(self.remote(remote, &path.key("remote")));
            return;
        }
        if let Some(jwks) = raw.jwks {
            own.extend(self.jwks(&jwks.value().to_string(), algorithms, &path.key("jwks")));
            return;
        }
        let (place, key) = if let Some(secret) = &raw.secret {
            let place = path.key("secret");
            let Some(bytes) = self.secret_bytes(secret, &place) else {
                return;
            };
            (place, Key::from_secret(&bytes))
        } else if let Some(pem) = &raw.pem {
            (path.key("pem"), Key::from_pem(pem.expose()))
        } else if let Some(jwk) = &raw.jwk {
            (path.key("jwk"), Key::from_jwk(jwk.value()))
        } else {
            return;
        };
        let key = key
            .map(|key| match raw.kid {
                Some(kid) => key.with_kid(kid),
                None => key,
            })
            .map(|key| key.with_validity(validity.0, validity.1));
        own.extend(self.usable(key, algorithms, &place));
    }

    /// A key of the policy, unless it could never prove a token here.
    fn usable(
        &mut self,
        key: Result<Key, KeyError>,
        algorithms: &[Algorithm],
        path: &Path,
    ) -> Option<Key> {
        let checked = key.and_then(|key| key.check_usable_with(algorithms).map(|()| key));
        // Without a known algorithm the problem stands elsewhere.
        checked
            .map_err(|error| {
                if !algorithms.is_empty() {
                    self.problem(path, error.to_string());
                }
            })
            .ok()
    }

    pub(super) fn secret_bytes(
        &mut self,
        raw: &raw::SecretKey,
        path: &Path,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let given = [
            ("value", raw.value.is_some()),
            ("base64", raw.base64.is_some()),
            ("base64url", raw.base64url.is_some()),
            ("hex", raw.hex.is_some()),
        ];
        if !self.exactly_one(path, &given) {
            return None;
        }
        let (form, bytes) = if let Some(value) = &raw.value {
            ("text", Some(value.expose().as_bytes().to_vec()))
        } else if let Some(text) = &raw.base64 {
            ("base64 with padding", STANDARD.decode(text.expose()).ok())
        } else if let Some(text) = &raw.base64url {
            (
                "base64url without padding",
                URL_SAFE_NO_PAD.decode(text.expose()).ok(),
            )
        } else {
            (
                "hex",
                raw.hex.as_ref().and_then(|text| names::hex(text.expose())),
            )
        };
        if bytes.is_none() {
            self.problem(path, format!("the secret is no {form}"));
        }
        bytes.map(Zeroizing::new)
    }

    fn jwks(&mut self, text: &str, algorithms: &[Algorithm], path: &Path) -> Vec<Key> {
        match KeySet::parse_jwks(text.as_bytes(), Limits::default()) {
            Ok((set, skipped)) => {
                for key in &skipped {
                    let place = path.key("keys").index(key.index);
                    self.problem(&place, key.reason.to_string());
                }
                if !skipped.is_empty() {
                    return Vec::new();
                }
                let keys = set.into_keys();
                if keys.is_empty() {
                    self.problem(path, "the set has no key");
                } else if !algorithms.is_empty()
                    && keys
                        .iter()
                        .all(|key| key.check_usable_with(algorithms).is_err())
                {
                    self.problem(path, "none of the set's keys fits the algorithms");
                }
                keys
            }
            Err(error) => {
                self.problem(path, error.to_string());
                Vec::new()
            }
        }
    }

    fn remote(&mut self, raw: raw::Remote, path: &Path) -> Option<usize> {
        let url = self.url(&raw.url, &path.key("url"))?;
        let settings = RemoteKeys {
            url: raw.url,
            cluster: raw.cluster,
            scheme: url.scheme,
            authority: url.authority,
            path: url.path,
            refresh: raw.refresh.map_or(REMOTE_REFRESH, |time| time.0),
            timeout: raw.timeout.map_or(REMOTE_TIMEOUT, |time| time.0),
        };
        if settings.refresh < Duration::from_secs(1) {
            self.problem(
                &path.key("refresh"),
                "keys are fetched once a second at the most",
            );
        }
        if settings.timeout > Duration::from_secs(60) {
            self.problem(&path.key("timeout"), "this is at most 60s");
        }
        if settings.timeout.is_zero() {
            self.problem(
                &path.key("timeout"),
                "a call needs some time; 2s is the default",
            );
        }
        // Several authenticators may trust one set: it is fetched once.
        let known = self.remotes.iter().position(|other| *other == settings);
        Some(known.unwrap_or_else(|| {
            self.remotes.push(settings);
            self.remotes.len() - 1
        }))
    }

    pub(super) fn url(&mut self, text: &str, path: &Path) -> Option<names::Url> {
        let url = names::url(text);
        if url.is_none() {
            self.problem(
                path,
                "expected a URL, as in https://idp.example.com/oauth2/token",
            );
        }
        url
    }

    fn api_key_authenticator(
        &mut self,
        raw: raw::ApiKeyAuthenticator,
        path: &Path,
    ) -> Option<ApiKeyAuthenticator> {
        Some(ApiKeyAuthenticator {
            from: self.sources(raw.from, &path.key("from")),
            prefix: raw.prefix.unwrap_or_default(),
            require_tenant: raw.require_tenant.and_then(|source| {
                self.expression(&source, Place::RequireTenant, &path.key("require_tenant"))
            }),
        })
    }

    fn client_credentials(
        &mut self,
        name: &str,
        raw: raw::ClientCredentials,
        is_jwt: &[bool],
        path: &Path,
    ) -> Option<ClientCredentials> {
        let from = self.pair_source(raw.from, &path.key("from"));
        let exchange = self.exchange_token(&raw.exchange, false, &path.key("exchange"));
        let names = self.authenticator_names.clone();
        if raw.client_claim.is_some() && raw.verify.is_none() {
            self.problem(
                &path.key("client_claim"),
                "a claim is only known of a verified token: give `verify` too",
            );
        }
        let verify = raw.verify.and_then(|name| {
            let place = path.key("verify");
            let index = self.named("authenticator", &name, &names, &place)?;
            if is_jwt.get(index) != Some(&true) && !self.broken.has("authenticators", &name) {
                self.problem(
                    &place,
                    "a token is verified by a jwt authenticator; name one",
                );
            }
            Some(index)
        });
        let lookup = raw
            .lookup
            .and_then(|lookup| self.lookup(name, lookup, &path.key("lookup")));
        Some(ClientCredentials {
            lookup,
            from: from?,
            exchange: exchange?,
            verify,
            client_claim: raw.client_claim,
        })
    }

    fn lookup(&mut self, name: &str, raw: raw::Lookup, path: &Path) -> Option<Lookup> {
        let url = self.expression(&raw.url, Place::LookupUrl, &path.key("url"));
        let allow_if = raw.allow_if.and_then(|source| {
            self.expression(&source, Place::LookupAllowIf, &path.key("allow_if"))
        });
        let headers = self.call_headers(raw.headers, &path.key("headers"));
        let timeout = raw.timeout.map_or(LOOKUP_TIMEOUT, |time| time.0);
        if timeout > Duration::from_secs(60) {
            self.problem(&path.key("timeout"), "this is at most 60s");
        }
        if timeout.is_zero() {
            self.problem(
                &path.key("timeout"),
                "a call needs some time; 1s is the default",
            );
        }
        Some(Lookup {
            name: name.to_owned(),
            cluster: raw.cluster,
            url: url?,
            headers,
            timeout,
            cache: raw.cache.map_or(LOOKUP_CACHE, |time| time.0),
            allow_if,
        })
    }

    fn pair_source(&mut self, raw: raw::PairSource, path: &Path) -> Option<PairSource> {
        match (raw.basic, raw.id, raw.secret) {
            (Some(true), None, None) => {
                // It is read like any other place, so it is removed like any other.
                self.places.add(&Source::Header {
                    name: "authorization".to_owned(),
                    scheme: None,
                });
                Some(PairSource::Basic)
            }
            (None | Some(false), Some(id), Some(secret)) => {
                let id = self.source(id, &path.key("id"));
                let secret = self.source(secret, &path.key("secret"));
                Some(PairSource::Parts {
                    id: id?,
                    secret: secret?,
                })
            }
            _ => {
                self.problem(path, "give either `id` and `secret`, or `basic: true`");
                None
            }
        }
    }
}
