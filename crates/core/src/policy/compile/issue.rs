//! `issue`: checked in full, so that a policy's mistakes are all told, and refused, since this
//! version doesn't issue tokens yet.

use super::{Compiler, TokenKind};
use crate::expression::Place;
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

    pub(super) fn nonempty(&mut self, list: Option<&OneOrMany<String>>, path: &Path) {
        if list.is_some_and(|list| list.0.is_empty()) {
            self.problem(path, "an empty list says nothing; leave it out");
        }
    }
}
