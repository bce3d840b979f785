//! One token.

use super::{Settings, Signer};
use doorward_core::jose::Algorithm;
use serde_json::{Map, Value};
use std::time::Duration;

/// What is special about a token; all else comes from the authenticator it is for.
#[derive(Debug)]
pub struct Token {
    /// Default: what the key is for.
    pub algorithm: Option<Algorithm>,
    /// Default: the key's own.
    pub kid: Option<String>,
    /// Default: what the authenticator demands.
    pub typ: Option<String>,
    /// Claims that go over what is filled in; null takes one away.
    pub claims: Map<String, Value>,
    /// When it begins, in seconds since the epoch.
    pub begins: i64,
    /// How long it lives.
    pub lifetime: Duration,
}

impl Token {
    /// Signs it, in compact form.
    ///
    /// # Errors
    /// An algorithm that the key doesn't sign with.
    pub fn sign(self, settings: Settings, signer: &Signer) -> Result<String, String> {
        let mut header = signer.header(self.algorithm.or(settings.algorithm()))?;
        if self.kid.is_some() {
            header.kid = self.kid;
        }
        let typ = self.typ.or(settings.typ);
        if typ.is_some() {
            header.typ = typ;
        }
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let mut claims = settings.claims;
        claims.insert("iat".to_owned(), self.begins.into());
        claims.insert(
            "exp".to_owned(),
            self.begins.saturating_add(lifetime).into(),
        );
        for (name, value) in self.claims {
            match value {
                Value::Null => claims.remove(&name),
                value => claims.insert(name, value),
            };
        }
        jsonwebtoken::encode(&header, &claims, &signer.key)
            .map_err(|error| format!("the token can't be signed: {error}"))
    }
}
