//! `publish_keys`: checked in full, so that a policy's mistakes are all told, and refused, since
//! this version doesn't publish keys yet.

use super::{Compiler, TokenKind};
use crate::jose::Family;
use crate::policy::document::{OneOrMany, Path};

impl Compiler<'_> {
    /// Tells that a part of the language is none of this version's.
    pub(super) fn not_yet(&mut self, path: &Path, what: &str) {
        self.problem(
            path,
            format!("\"{what}\" is part of the policy language, but this version of Doorward doesn't do it yet"),
        );
    }

    pub(super) fn publish_keys(&mut self, names: &OneOrMany<String>, path: &Path) {
        self.nonempty(Some(names), path);
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

    pub(super) fn nonempty(&mut self, list: Option<&OneOrMany<String>>, path: &Path) {
        if list.is_some_and(|list| list.0.is_empty()) {
            self.problem(path, "an empty list says nothing; leave it out");
        }
    }
}
