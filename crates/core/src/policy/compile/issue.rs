//! `sign`, `issue` and `publish_keys`: checked in full, so that a policy's mistakes are all
//! told, and refused, since this version doesn't issue tokens yet.

use super::{Compiler, TokenKind};
use crate::expression::Place;
use crate::jose::{Algorithm, Family};
use crate::policy::document::{OneOrMany, Path};
use crate::policy::raw;

impl Compiler<'_> {
    /// Tells that a part of the language is none of this version's.
    pub(super) fn not_yet(&mut self, path: &Path, what: &str) {
        self.problem(
            path,
            format!("\"{what}\" is part of the policy language, but this version of Doorward doesn't do it yet"),
        );
    }

    pub(super) fn sign(&mut self, raw: raw::Sign, path: &Path) -> TokenKind {
        let algorithm = self.algorithm(&raw.algorithm, &path.key("algorithm"));
        let symmetric = algorithm.is_some_and(|algorithm| algorithm.family() == Family::Hmac);
        if raw.keys.0.is_empty() {
            self.problem(&path.key("keys"), "give at least one key to sign with");
        }
        for (index, key) in raw.keys.0.iter().enumerate() {
            let place = path.key("keys").index(index);
            self.sign_key(key, &place);
            let secret = key.secret.is_some() || key.client_secret == Some(true);
            if algorithm.is_some() && secret != symmetric {
                self.problem(
                    &place,
                    "a secret signs with HS256, HS384 or HS512, and a private key with the others",
                );
            }
        }
        if raw.lifetime.0.is_zero() {
            self.problem(
                &path.key("lifetime"),
                "a token that is never good opens nothing",
            );
        }
        for (key, text) in [("issuer", &raw.issuer)] {
            if text.as_ref().is_some_and(String::is_empty) {
                self.problem(&path.key(key), "an empty text says nothing; leave it out");
            }
        }
        self.nonempty(raw.audience.as_ref(), &path.key("audience"));
        if let Some(claims) = &raw.claims {
            self.expression(claims, Place::SignClaims, &path.key("claims"));
        }
        self.not_yet(path, "sign");
        TokenKind::Sign { symmetric }
    }

    fn sign_key(&mut self, raw: &raw::SignKey, path: &Path) {
        let given = [
            ("pem", raw.pem.is_some()),
            ("jwk", raw.jwk.is_some()),
            ("secret", raw.secret.is_some()),
            ("client_secret", raw.client_secret.is_some()),
        ];
        self.exactly_one(path, &given);
        if raw.client_secret.is_some() && raw.kid.is_some() {
            self.problem(
                &path.key("kid"),
                "every client has a secret of its own: there is no one kid",
            );
        }
        if let Some(secret) = &raw.secret {
            self.secret_bytes(secret, &path.key("secret"));
        }
        self.check_span(raw.not_before, raw.expires, path);
    }

    pub(super) fn own_assertion(&mut self, raw: &raw::OwnAssertion, path: &Path) {
        let algorithm = self.algorithm(&raw.algorithm, &path.key("algorithm"));
        if algorithm.is_some_and(|algorithm| algorithm.family() == Family::Hmac) {
            self.problem(
                &path.key("algorithm"),
                "private_key_jwt signs with a private key; ES256 is usual",
            );
        }
        self.sign_key(&raw.key, &path.key("key"));
        if raw.kid.is_some() && raw.key.kid.is_some() {
            self.problem(&path.key("kid"), "the key has a kid already; give it once");
        }
        self.nonempty(raw.audience.as_ref(), &path.key("audience"));
        if raw.lifetime.is_some_and(|lifetime| lifetime.0.is_zero()) {
            self.problem(
                &path.key("lifetime"),
                "an assertion needs some time; 5m is the default",
            );
        }
    }

    pub(super) fn issue(&mut self, raw: raw::Issue, path: &Path) {
        self.signed_token(&raw.token, &path.key("token"));
        let post = match raw.client_auth.as_str() {
            "client_secret_post" => Some("client_secret"),
            "private_key_jwt" => Some("assertion"),
            "client_secret_basic" => None,
            _ => {
                self.problem(
                    &path.key("client_auth"),
                    "expected client_secret_post, client_secret_basic or private_key_jwt",
                );
                None
            }
        };
        let place = path.key("request");
        let request = raw.request.unwrap_or_default();
        let pointers = [
            ("client_id", &request.client_id),
            ("client_secret", &request.client_secret),
            ("assertion", &request.assertion),
            ("grant_type", &request.grant_type),
        ];
        let form = request.form.unwrap_or(false);
        for (name, pointer) in pointers {
            match pointer {
                Some(_) if form => {
                    self.problem(
                        &place.key(name),
                        "a form has the fields of RFC 6749; leave the pointers out",
                    );
                }
                Some(pointer) if !pointer.starts_with('/') => {
                    self.problem(&place.key(name), "expected a JSON pointer, as in /clientId");
                }
                None if !form && post == Some(name) => {
                    let message =
                        format!("say where the body holds it: \"{name}\" is required here");
                    self.problem(&place, message);
                }
                _ => {}
            }
        }
        let assertion = raw.assertion.unwrap_or_default();
        let place = path.key("assertion");
        if let Some(algorithms) = &assertion.algorithms {
            self.algorithms(algorithms, &place.key("algorithms"));
        }
        self.nonempty(assertion.audience.as_ref(), &place.key("audience"));
        if raw.client_auth == "private_key_jwt" && assertion.audience.is_none() {
            self.problem(
                &place,
                "\"audience\" is required here: an assertion for others must not open this",
            );
        }
        if assertion.max_lifetime.is_some_and(|life| life.0.is_zero()) {
            self.problem(
                &place.key("max_lifetime"),
                "this needs some time; leave it out for no bound",
            );
        }
        if !matches!(
            assertion.jti.as_deref(),
            None | Some("optional" | "required")
        ) {
            self.problem(&place.key("jti"), "expected `optional` or `required`");
        }
        if let Some(reply) = &raw.reply {
            self.expression(reply, Place::IssueReply, &path.key("reply"));
        }
        self.not_yet(path, "issue");
    }

    pub(super) fn publish_keys(&mut self, names: &OneOrMany<String>, path: &Path) {
        self.nonempty(Some(names), path);
        for (index, name) in names.0.iter().enumerate() {
            let place = path.index(index);
            if self.signed_token(name, &place) == Some(TokenKind::Sign { symmetric: true }) {
                self.problem(
                    &place,
                    "this token is signed with a secret, which can't be published",
                );
            }
        }
        self.not_yet(path, "publish_keys");
    }

    /// A token by its name, which must be signed here.
    pub(super) fn signed_token(&mut self, name: &str, path: &Path) -> Option<TokenKind> {
        let kind = self.token(name, path)?;
        if matches!(kind, TokenKind::Exchange(_)) {
            self.problem(
                path,
                "this token is obtained elsewhere; name one that is signed here (`sign`)",
            );
        }
        Some(kind)
    }

    fn algorithm(&mut self, name: &str, path: &Path) -> Option<Algorithm> {
        let one = OneOrMany(vec![name.to_owned()]);
        self.algorithms(&one, path).first().copied()
    }

    fn nonempty(&mut self, list: Option<&OneOrMany<String>>, path: &Path) {
        if list.is_some_and(|list| list.0.is_empty()) {
            self.problem(path, "an empty list says nothing; leave it out");
        }
    }
}
