//! `issue`: token endpoints that are answered here.

use super::{Compiler, TokenKind};
use crate::expression::Place;
use crate::issue::{AssertionRules, ClientAuth, Field, Fields, Issue, Wanted};
use crate::jose::{Algorithm, ClaimRules, Family};
use crate::policy::document::{OneOrMany, Path};
use crate::policy::raw;
use std::time::Duration;

/// How a client proves itself, by its name in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Post,
    Basic,
    Assertion,
}

/// How long an assertion may be good where the policy doesn't say: one with a `jti` keeps its
/// place in the table of used ones for as long, and a full share refuses its other clients.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(24 * 3600);

impl Compiler<'_> {
    pub(super) fn issue(&mut self, raw: raw::Issue, path: &Path) -> Option<Issue> {
        let token = match self.signed_token(&raw.token, &path.key("token")) {
            Some(TokenKind::Sign(index)) => Some(index),
            _ => None,
        };
        let proof = match raw.client_auth.as_str() {
            "client_secret_post" => Some(Proof::Post),
            "client_secret_basic" => Some(Proof::Basic),
            "private_key_jwt" => Some(Proof::Assertion),
            _ => {
                self.problem(
                    &path.key("client_auth"),
                    "expected client_secret_post, client_secret_basic or private_key_jwt",
                );
                None
            }
        };
        let request = raw.request.unwrap_or_default();
        let fields = self.fields(&request, proof, &path.key("request"));
        let assertion = self.assertion(raw.assertion, proof, &path.key("assertion"));
        let reply = raw
            .reply
            .and_then(|reply| self.expression(&reply, Place::IssueReply, &path.key("reply")));
        Some(Issue {
            token: token?,
            client_auth: match proof? {
                Proof::Post => ClientAuth::SecretPost,
                Proof::Basic => ClientAuth::SecretBasic,
                Proof::Assertion => ClientAuth::Assertion(assertion),
            },
            fields,
            reply,
        })
    }

    fn fields(&mut self, raw: &raw::IssueRequest, proof: Option<Proof>, path: &Path) -> Fields {
        let given = [
            ("client_id", Field::ClientId, &raw.client_id),
            ("client_secret", Field::ClientSecret, &raw.client_secret),
            ("assertion", Field::Assertion, &raw.assertion),
            ("grant_type", Field::GrantType, &raw.grant_type),
        ];
        let form = raw.form.unwrap_or(false);
        let mut wanted = Vec::new();
        for (name, field, pointer) in given {
            let place = path.key(name);
            let (needed, useless) = match (field, proof) {
                (Field::ClientId, proof) => (proof == Some(Proof::Post), false),
                (Field::ClientSecret, Some(proof)) => (proof == Proof::Post, proof != Proof::Post),
                (Field::Assertion, Some(proof)) => {
                    (proof == Proof::Assertion, proof != Proof::Assertion)
                }
                _ => (false, false),
            };
            match pointer {
                Some(_) if form => self.problem(
                    &place,
                    "a form has the fields of RFC 6749; leave the pointers out",
                ),
                Some(pointer) if !pointer.starts_with('/') => {
                    self.problem(&place, "expected a JSON pointer, as in /clientId");
                }
                Some(_) if useless => {
                    self.problem(
                        &place,
                        "a client proves itself in another way here (`client_auth`); leave this out",
                    );
                }
                Some(pointer) => wanted.push(Wanted {
                    field,
                    at: pointer.clone(),
                    required: true,
                }),
                None if needed && !form => {
                    let message =
                        format!("say where the body holds it: \"{name}\" is required here");
                    self.problem(path, message);
                }
                None => {}
            }
        }
        if let (true, Some(proof)) = (form, proof) {
            wanted = form_fields(proof);
        }
        Fields { form, wanted }
    }

    fn assertion(
        &mut self,
        raw: Option<raw::CallersAssertion>,
        proof: Option<Proof>,
        path: &Path,
    ) -> AssertionRules {
        if raw.is_some() && matches!(proof, Some(Proof::Post | Proof::Basic)) {
            self.problem(
                path,
                "clients send assertions with `client_auth: private_key_jwt` only; leave this out",
            );
        }
        let raw = raw.unwrap_or_default();
        let algorithms = match &raw.algorithms {
            None => vec![Algorithm::Es256],
            Some(names) => {
                let place = path.key("algorithms");
                let algorithms = self.algorithms(names, &place);
                if algorithms.iter().any(|one| one.family() == Family::Hmac) {
                    self.problem(
                        &place,
                        "an assertion is signed with a client's private key; ES256 is usual",
                    );
                }
                algorithms
            }
        };
        self.nonempty(raw.audience.as_ref(), &path.key("audience"));
        if proof == Some(Proof::Assertion) && raw.audience.is_none() {
            self.problem(
                path,
                "\"audience\" is required here: an assertion for others must not open this",
            );
        }
        if raw.max_lifetime.is_some_and(|life| life.0.is_zero()) {
            self.problem(
                &path.key("max_lifetime"),
                "this needs some time; leave it out for a day",
            );
        }
        let jti_required = match raw.jti.as_deref() {
            None | Some("optional") => false,
            Some("required") => true,
            Some(_) => {
                self.problem(&path.key("jti"), "expected `optional` or `required`");
                false
            }
        };
        let decoys = algorithms.iter().filter_map(|algorithm| {
            let client = self.clients.with_public_keys_for(*algorithm)?;
            Some((*algorithm, client))
        });
        AssertionRules {
            decoys: decoys.collect(),
            algorithms,
            claims: ClaimRules {
                audience: raw.audience.map(|list| list.0).unwrap_or_default(),
                max_lifetime: Some(raw.max_lifetime.map_or(ASSERTION_LIFETIME, |life| life.0)),
                ..ClaimRules::default()
            },
            jti_required,
        }
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

/// The fields of a form (RFC 6749 §2.3.1 and §4.4.2, RFC 7521 §4.2).
fn form_fields(proof: Proof) -> Vec<Wanted> {
    let own: &[(Field, &str, bool)] = match proof {
        Proof::Post => &[
            (Field::ClientId, "/client_id", true),
            (Field::ClientSecret, "/client_secret", true),
            (Field::Forbidden, "/client_assertion", false),
        ],
        Proof::Basic => &[
            (Field::ClientId, "/client_id", false),
            (Field::Forbidden, "/client_secret", false),
            (Field::Forbidden, "/client_assertion", false),
        ],
        Proof::Assertion => &[
            (Field::ClientId, "/client_id", false),
            (Field::Forbidden, "/client_secret", false),
            (Field::AssertionType, "/client_assertion_type", true),
            (Field::Assertion, "/client_assertion", true),
        ],
    };
    let grant = (Field::GrantType, "/grant_type", true);
    let all = [grant].into_iter().chain(own.iter().copied());
    all.map(|(field, at, required)| Wanted {
        field,
        at: at.to_owned(),
        required,
    })
    .collect()
}
