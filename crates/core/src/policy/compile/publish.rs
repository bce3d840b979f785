//! `publish_keys`: key sets, and the metadata documents that lead to them.

use super::{Compiler, TokenKind, names};
use crate::jose::{Family, PrivateKey};
use crate::policy::document::{OneOrMany, Path};
use crate::policy::raw;
use crate::publish::Publication;
use crate::tokens::Signing;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The well-known places of metadata documents: RFC 8414 §3, OpenID Connect Discovery 1.0 §4.
const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// What a policy's rules answer themselves, for metadata documents to tell.
#[derive(Default)]
pub(super) struct Endpoints {
    /// Paths of key sets, and whose keys they hold.
    key_sets: Vec<(String, Vec<String>)>,
    /// Paths of token endpoints.
    issuers: Vec<(String, raw::Issuer)>,
}

impl Endpoints {
    /// Those of these rules whose paths are literal.
    pub(super) fn of(rules: &[raw::Rule]) -> Endpoints {
        let mut endpoints = Endpoints::default();
        for rule in rules {
            let path = rule.matches.path.clone();
            if path.contains(['{', '*']) {
                continue;
            }
            if let Some(issue) = &rule.issue {
                endpoints.issuers.push((path, issue.issuer()));
            } else if let Some(names) = &rule.publish_keys
                && !is_metadata(&path)
            {
                endpoints.key_sets.push((path, names.0.clone()));
            }
        }
        endpoints
    }
}

/// Whether a rule of this path answers with a metadata document.
fn is_metadata(path: &str) -> bool {
    path.starts_with(OAUTH) || path.starts_with(OPENID) || path.ends_with(OPENID)
}

impl Compiler<'_> {
    /// What a rule with this path publishes of the tokens of these names.
    pub(super) fn publish_keys(
        &mut self,
        names: &OneOrMany<String>,
        at: &str,
        path: &Path,
    ) -> Option<Publication> {
        self.nonempty(Some(names), path);
        let mut signings = Vec::new();
        for (index, name) in names.0.iter().enumerate() {
            let place = path.index(index);
            let Some(TokenKind::Sign(index)) = self.signed_token(name, &place) else {
                continue;
            };
            let signing = self.signings.get(index);
            if signing.is_some_and(|signing| signing.algorithm.family() == Family::Hmac) {
                self.problem(
                    &place,
                    "this token is signed with a secret, which can't be published",
                );
                continue;
            }
            signings.push(index);
        }
        if signings.is_empty() {
            return None;
        }
        if let Some(kid) = self.shared_kid(&signings) {
            self.problem(
                path,
                format!(
                    "two different keys would be published as `{kid}`: give each a `kid` of its own"
                ),
            );
            return None;
        }
        match is_metadata(at) {
            true => self.metadata(&names.0, &signings, at, path),
            false => Some(Publication::Keys(self.public_keys(&signings))),
        }
    }

    /// A `kid` of two different keys: a verifier that finds one of them refuses what the other
    /// signed (RFC 7517 §4.5).
    fn shared_kid(&self, signings: &[usize]) -> Option<String> {
        let mut named = BTreeMap::new();
        let signings = signings
            .iter()
            .filter_map(|index| self.signings.get(*index));
        let mut keys = signings.flat_map(Signing::own_keys).map(PrivateKey::key);
        keys.find_map(|key| {
            let (kid, thumbprint) = (key.kid()?, key.thumbprint());
            let first = named.entry(kid).or_insert_with(|| thumbprint.clone());
            (*first != thumbprint).then(|| kid.to_owned())
        })
    }

    fn public_keys(&self, signings: &[usize]) -> Vec<(String, Option<std::time::Duration>)> {
        let mut keys: Vec<(String, Option<std::time::Duration>)> = Vec::new();
        for signing in signings
            .iter()
            .filter_map(|index| self.signings.get(*index))
        {
            for key in signing.own_keys() {
                let Some(Value::Object(mut jwk)) = key.key().to_jwk() else {
                    continue;
                };
                let end = key.key().expires();
                jwk.insert("use".to_owned(), "sig".into());
                jwk.insert("alg".to_owned(), signing.algorithm.name().into());
                if let Some(kid) = key.key().kid() {
                    jwk.insert("kid".to_owned(), kid.into());
                }
                let text = Value::Object(jwk).to_string();
                let end = end.map(|end| end.saturating_add(signing.lifetime));
                // Two tokens may be signed with one key: it is there for the one that lasts longer.
                match keys.iter_mut().find(|(other, _)| *other == text) {
                    Some((_, known)) => *known = known.zip(end).map(|(one, other)| one.max(other)),
                    None => keys.push((text, end)),
                }
            }
        }
        keys
    }

    /// The metadata of an authorization server (RFC 8414 §2) as far as the policy tells it: the
    /// other addresses are those of the policy's rules at the issuer's origin.
    fn metadata(
        &mut self,
        tokens: &[String],
        signings: &[usize],
        at: &str,
        path: &Path,
    ) -> Option<Publication> {
        let signings = signings
            .iter()
            .filter_map(|index| self.signings.get(*index));
        let mut issuers: Vec<&str> = signings
            .clone()
            .map(|signing| signing.issuer.as_deref().unwrap_or_default())
            .collect();
        issuers.dedup();
        let mut algorithms: Vec<&str> = signings.map(|signing| signing.algorithm.name()).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        let url = match issuers.as_slice() {
            [one] => names::url(one),
            _ => None,
        };
        let (Some(url), Some(issuer)) = (url, issuers.first()) else {
            self.problem(
                path,
                "a metadata document is that of one issuer: give these tokens the same `issuer`, a URL",
            );
            return None;
        };
        let origin = format!("{}://{}", url.scheme, url.authority);
        let mut document = Map::new();
        let mut tell = |name: &str, value: Value| document.insert(name.to_owned(), value);
        tell("issuer", json!(issuer));
        let holds_all = |names: &Vec<String>| tokens.iter().all(|name| names.contains(name));
        let sets = &self.endpoints.key_sets;
        let Some((set, _)) = sets.iter().find(|(_, names)| holds_all(names)) else {
            self.problem(
                path,
                "a metadata document leads to a key set: publish the keys of these tokens under a path without variables, too",
            );
            return None;
        };
        tell("jwks_uri", json!(format!("{origin}{set}")));
        tell("response_types_supported", json!([]));
        let issuers = &self.endpoints.issuers;
        let found = issuers.iter().find(|(_, one)| tokens.contains(&one.token));
        if let Some((endpoint, issuer)) = found {
            tell("token_endpoint", json!(format!("{origin}{endpoint}")));
            tell("grant_types_supported", json!(["client_credentials"]));
            tell(
                "token_endpoint_auth_methods_supported",
                json!([issuer.client_auth]),
            );
            if issuer.client_auth == "private_key_jwt" {
                tell(
                    "token_endpoint_auth_signing_alg_values_supported",
                    json!(issuer.algorithms),
                );
            }
        }
        if at.contains(OPENID) {
            // Discovery asks for both, though no one logs in here.
            tell("subject_types_supported", json!(["public"]));
            tell("id_token_signing_alg_values_supported", json!(algorithms));
        }
        Some(Publication::Metadata(Value::Object(document).to_string()))
    }
}
