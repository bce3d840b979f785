//! `tokens.*.sign`: tokens that are signed here, and the keys that sign.

use super::clients::since_epoch;
use super::{Compiler, TokenKind};
use crate::authenticate::ClientKeys;
use crate::expression::Place;
use crate::jose::{Algorithm, Family, Key, KeyError, PrivateKey};
use crate::policy::document::{OneOrMany, Path};
use crate::policy::raw;
use crate::tokens::{RESERVED, Signing, SigningKeys};
use std::time::Duration;

/// What a token says of its own kind where the policy doesn't (RFC 7519 §5.1).
const TYP: &str = "JWT";
/// The longest `typ`, in bytes: registered media types stay below.
const MAX_TYP: usize = 64;
const SECOND: Duration = Duration::from_secs(1);
const ASSERTION_LIFETIME: Duration = Duration::from_secs(300);
/// Endpoints refuse assertions that live long (RFC 7523 §3).
const MAX_ASSERTION_LIFETIME: Duration = Duration::from_secs(3600);

/// What a list of keys to sign with is.
enum Given {
    Own(Vec<PrivateKey>),
    Clients,
}

impl Compiler<'_> {
    pub(super) fn sign(&mut self, name: String, raw: raw::Sign, path: &Path) -> TokenKind {
        let algorithm = self.algorithm(&raw.algorithm, &path.key("algorithm"));
        let keys = self.sign_keys(raw.keys, algorithm, &path.key("keys"));
        if raw.lifetime.0 < SECOND {
            self.problem(
                &path.key("lifetime"),
                "a token lives for a second at least: its times are whole seconds",
            );
        }
        if raw.issuer.as_ref().is_some_and(String::is_empty) {
            self.problem(
                &path.key("issuer"),
                "an empty text says nothing; leave it out",
            );
        }
        self.nonempty(raw.audience.as_ref(), &path.key("audience"));
        let typ = raw.typ.unwrap_or_else(|| TYP.to_owned());
        let graphic = typ.bytes().all(|byte| byte.is_ascii_graphic());
        if typ.is_empty() || typ.len() > MAX_TYP || !graphic {
            self.problem(&path.key("typ"), "a type is one word, as in `at+jwt`");
        }
        let place = path.key("claims");
        let claims = raw
            .claims
            .and_then(|source| self.expression(&source, Place::SignClaims, &place));
        let named = claims.iter().flat_map(|claims| claims.literal_keys());
        let reserved: Vec<&str> = named.filter(|name| RESERVED.contains(name)).collect();
        for name in reserved.into_iter().map(str::to_owned).collect::<Vec<_>>() {
            let message = format!("`{name}` is set by itself and can't be set here; leave it out");
            self.problem(&place, message);
        }
        let (Some(algorithm), Some(keys)) = (algorithm, keys) else {
            return TokenKind::Broken;
        };
        let keys = match keys {
            Given::Own(keys) => SigningKeys::Own(keys),
            Given::Clients => {
                self.demand_values(algorithm);
                SigningKeys::Client
            }
        };
        self.signings.push(Signing {
            name,
            algorithm,
            keys,
            issuer: raw.issuer,
            audience: raw.audience.map(|list| list.0).unwrap_or_default(),
            lifetime: raw.lifetime.0.max(SECOND),
            typ,
            claims,
        });
        TokenKind::Sign(self.signings.len() - 1)
    }

    fn sign_keys(
        &mut self,
        raw: OneOrMany<raw::SignKey>,
        algorithm: Option<Algorithm>,
        path: &Path,
    ) -> Option<Given> {
        if raw.0.is_empty() {
            self.problem(path, "give at least one key to sign with");
        }
        let own_secrets = raw.0.iter().any(|key| key.client_secret == Some(true));
        if own_secrets && raw.0.len() > 1 {
            self.problem(
                path,
                "beside the client's own secret no other key signs; let it stand alone",
            );
        }
        let count = raw.0.len();
        let mut keys: Vec<PrivateKey> = Vec::new();
        for (index, key) in raw.0.into_iter().enumerate() {
            let place = path.index(index);
            let Some(key) = self.sign_key(key, algorithm, &place) else {
                continue;
            };
            let kid = key.key().kid();
            if kid.is_some() && keys.iter().any(|other| other.key().kid() == kid) {
                self.problem(
                    &place,
                    "another key of this token has the same kid; whoever verifies needs to tell them apart",
                );
            }
            keys.push(key);
        }
        match own_secrets {
            true => Some(Given::Clients),
            // The others' problems are told.
            false => (keys.len() == count).then_some(Given::Own(keys)),
        }
    }

    /// A key that signs. `None` where it has a problem, or is each client's own.
    fn sign_key(
        &mut self,
        raw: raw::SignKey,
        algorithm: Option<Algorithm>,
        path: &Path,
    ) -> Option<PrivateKey> {
        let given = [
            ("pem", raw.pem.is_some()),
            ("jwk", raw.jwk.is_some()),
            ("secret", raw.secret.is_some()),
            ("client_secret", raw.client_secret.is_some()),
        ];
        let one = self.exactly_one(path, &given);
        self.check_span(raw.not_before, raw.expires, path);
        let symmetric = algorithm.map(|algorithm| algorithm.family() == Family::Hmac);
        let secret = raw.secret.is_some() || raw.client_secret.is_some();
        if one && raw.jwk.is_none() && symmetric.is_some_and(|symmetric| secret != symmetric) {
            self.problem(
                path,
                "a secret signs with HS256, HS384 or HS512, and a private key with the others",
            );
            return None;
        }
        if let Some(client_secret) = raw.client_secret {
            if !client_secret {
                self.problem(
                    &path.key("client_secret"),
                    "write `client_secret: true`, or give another key",
                );
            }
            if raw.kid.is_some() || raw.not_before.is_some() || raw.expires.is_some() {
                self.problem(
                    path,
                    "every client has secrets of its own, with their own times and without a kid; leave those out here",
                );
            }
            return None;
        }
        if !one {
            return None;
        }
        let (place, key) = if let Some(secret) = &raw.secret {
            let place = path.key("secret");
            let bytes = self.secret_bytes(secret, &place)?;
            (place, PrivateKey::from_secret(&bytes))
        } else if let Some(pem) = &raw.pem {
            (path.key("pem"), PrivateKey::from_pem(pem.expose()))
        } else if let Some(jwk) = &raw.jwk {
            (path.key("jwk"), PrivateKey::from_jwk(jwk.value()))
        } else {
            return None;
        };
        let checked = key.and_then(|key| match algorithm {
            Some(algorithm) => key.check_signs(algorithm).map(|()| key),
            // Its own problem was told.
            None => Ok(key),
        });
        let key = match checked {
            Ok(key) => key,
            Err(error) => {
                self.problem(&place, error.to_string());
                return None;
            }
        };
        let kid = match (raw.kid, key.key()) {
            (Some(kid), _) => Some(kid),
            (None, public) if public.kid().is_some() => None,
            // A secret's thumbprint would let its reader try guesses (RFC 7638 §7).
            (None, public) if public.is_secret() => None,
            (None, public) => Some(public.thumbprint()),
        };
        let key = match kid {
            Some(kid) => key.with_kid(kid),
            None => key,
        };
        Some(key.with_validity(
            raw.not_before.map(since_epoch),
            raw.expires.map(since_epoch),
        ))
    }

    /// The keys that prove what a token's keys sign, by the token's name.
    pub(super) fn token_keys(&mut self, name: &str, path: &Path) -> Vec<Key> {
        let Some(TokenKind::Sign(index)) = self.signed_token(name, path) else {
            return Vec::new();
        };
        let Some(signing) = self.signings.get(index) else {
            return Vec::new();
        };
        let (algorithm, lifetime) = (signing.algorithm, signing.lifetime);
        let verifying = |key: &PrivateKey| key.verifying(lifetime)?.with_algorithm(algorithm);
        let keys: Result<Vec<Key>, KeyError> = signing.own_keys().iter().map(verifying).collect();
        match keys {
            Ok(keys) if keys.is_empty() => self.problem(
                path,
                "this token is signed with each client's own secret; write `keys: {client: …}` with the claim that names the client",
            ),
            Ok(keys) => return keys,
            Err(error) => self.problem(path, error.to_string()),
        }
        Vec::new()
    }

    /// Each client's own keys, chosen by what an unproven token says.
    pub(super) fn client_keys(
        &mut self,
        raw: raw::ClientKeys,
        algorithms: &[Algorithm],
        path: &Path,
    ) -> Option<ClientKeys> {
        let client = self.expression(&raw.client, Place::JwtKeysClient, path)?;
        let secrets = algorithms.iter().copied();
        let secrets = secrets.filter(|algorithm| algorithm.family() == Family::Hmac);
        if let Some(shortest) = secrets.min_by_key(|algorithm| algorithm.hash().size()) {
            self.demand_values(shortest);
        }
        ClientKeys::new(client, algorithms, &self.clients).ok()
    }

    /// What proves a client of the gateway's own to a token endpoint (RFC 7523 §2.2).
    pub(super) fn own_assertion(
        &mut self,
        token: &str,
        client: &str,
        endpoint: &str,
        raw: raw::OwnAssertion,
        path: &Path,
    ) -> Option<Signing> {
        let algorithm = self.algorithm(&raw.algorithm, &path.key("algorithm"));
        if algorithm.is_some_and(|algorithm| algorithm.family() == Family::Hmac) {
            self.problem(
                &path.key("algorithm"),
                "private_key_jwt signs with a private key; ES256 is usual",
            );
            return None;
        }
        if raw.kid.is_some() && raw.key.kid.is_some() {
            self.problem(&path.key("kid"), "the key has a kid already; give it once");
        }
        let key = self.sign_key(raw.key, algorithm, &path.key("key"));
        let key = match raw.kid {
            Some(kid) => key.map(|key| key.with_kid(kid)),
            None => key,
        };
        self.nonempty(raw.audience.as_ref(), &path.key("audience"));
        let lifetime = raw
            .lifetime
            .map_or(ASSERTION_LIFETIME, |lifetime| lifetime.0);
        if !(SECOND..=MAX_ASSERTION_LIFETIME).contains(&lifetime) {
            self.problem(
                &path.key("lifetime"),
                "an assertion lives from 1s to 1h; 5m is the default",
            );
        }
        let audience = raw.audience.map(|list| list.0);
        Some(Signing {
            name: token.to_owned(),
            algorithm: algorithm?,
            keys: SigningKeys::Own(vec![key?]),
            issuer: Some(client.to_owned()),
            audience: audience.unwrap_or_else(|| vec![endpoint.to_owned()]),
            lifetime,
            typ: TYP.to_owned(),
            claims: None,
        })
    }

    /// Clients' secrets serve `algorithm`: each that is given as a `value` must be long enough.
    pub(super) fn demand_values(&mut self, algorithm: Algorithm) {
        let needed = algorithm.hash().size();
        let short = self.client_values.iter();
        let short: Vec<_> = short
            .filter(|(_, length)| *length < needed)
            .cloned()
            .collect();
        for (place, length) in short {
            let message = format!(
                "this policy uses clients' secrets with {algorithm}, which needs at least {needed} bytes, and this one has {length}; \
                 give a longer one, or its `sha256` where the client has no use for such tokens"
            );
            self.problem(&place, message);
        }
        self.client_values.retain(|(_, length)| *length >= needed);
    }

    pub(super) fn algorithm(&mut self, name: &str, path: &Path) -> Option<Algorithm> {
        let one = OneOrMany(vec![name.to_owned()]);
        self.algorithms(&one, path).first().copied()
    }
}
