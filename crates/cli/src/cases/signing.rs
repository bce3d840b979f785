//! Keys and tokens that cases bring along.

use super::Subject;
use crate::mint::{Settings, Signer, Token};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward_core::policy::document::{Duration, Json, Timestamp, suggest};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How long a token lives that doesn't say.
const LIFETIME: std::time::Duration = std::time::Duration::from_secs(3600);

/// Where a key comes from: exactly one of the first three.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySource {
    /// Made anew for this run: ES256, ES384 or EdDSA.
    generate: Option<String>,
    /// A private key in PEM (PKCS#8) or as a JWK; relative to the cases.
    file: Option<PathBuf>,
    /// A shared secret.
    secret: Option<String>,
    /// Default: the key's own, else its name here.
    kid: Option<String>,
}

/// A token that becomes a variable.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenSource {
    /// The key that signs. Default: the authenticator's own secret.
    key: Option<String>,
    /// The policy's jwt authenticator that it is for: what that demands is filled in.
    authenticator: Option<String>,
    /// The client whose secret signs.
    client: Option<String>,
    /// Default: what the key is for.
    algorithm: Option<String>,
    /// Default: the key's own.
    kid: Option<String>,
    /// Default: what the authenticator demands.
    typ: Option<String>,
    /// Claims that go over what is filled in; null takes one away.
    claims: Option<Json>,
    /// How long it lives. Default: an hour.
    expires_in: Option<Duration>,
    /// How long before the case's clock it was made. Default: just then.
    issued_ago: Option<Duration>,
    /// Its signature is broken.
    #[serde(default)]
    forged: bool,
}

/// A key that signs.
pub struct Key {
    source: Source,
    kid: Option<String>,
}

/// What a signer can be made of again: it can't be copied.
enum Source {
    Jwk(Value),
    File(PathBuf),
    Secret(String),
}

impl Key {
    /// Makes or reads a key.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(name: &str, source: KeySource, directory: &Path) -> Result<Key, String> {
        let secret = source.secret.is_some();
        let kid = source.kid.or((!secret).then(|| name.to_owned()));
        let source = match (source.generate, source.file, source.secret) {
            (Some(algorithm), None, None) => Source::Jwk(generate(&algorithm)?),
            (None, Some(file), None) => Source::File(directory.join(file)),
            (None, None, Some(secret)) => Source::Secret(secret),
            _ => return Err("expected exactly one of `generate`, `file`, `secret`".to_owned()),
        };
        let key = Key { source, kid };
        key.signer()?;
        Ok(key)
    }

    /// The public key as a JWK; `None` for a secret.
    pub fn public_jwk(&self) -> Option<Value> {
        self.signer().ok()?.public_jwk()
    }

    fn signer(&self) -> Result<Signer, String> {
        let signer = match &self.source {
            Source::Jwk(jwk) => Signer::of_jwk(jwk).ok_or("this key can't sign")?,
            Source::File(file) => Signer::read(file)?,
            Source::Secret(secret) => Signer::of_secret(secret.as_bytes(), None),
        };
        Ok(match &self.kid {
            Some(kid) => signer.with_kid(kid),
            None => signer,
        })
    }
}

fn generate(algorithm: &str) -> Result<Value, String> {
    let (kty, crv, length) = match algorithm {
        "ES256" => ("EC", "P-256", 32),
        "ES384" => ("EC", "P-384", 48),
        "EdDSA" => ("OKP", "Ed25519", 32),
        _ => {
            return Err(
                "generate: expected ES256, ES384 or EdDSA; an RSA key comes from a `file`"
                    .to_owned(),
            );
        }
    };
    let mut private = vec![0; length];
    getrandom::fill(&mut private).map_err(|error| format!("no randomness: {error}"))?;
    // Below the order of either curve, whatever the rest is.
    if let Some(first) = private.first_mut() {
        *first &= 0x7f;
    }
    Ok(json!({"kty": kty, "crv": crv, "d": URL_SAFE_NO_PAD.encode(private)}))
}

impl TokenSource {
    /// Signs the token, for a case that begins at this time.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn mint(
        self,
        keys: &BTreeMap<String, Key>,
        subject: &Subject,
        clock: Timestamp,
    ) -> Result<String, String> {
        let mut settings = match &self.authenticator {
            Some(name) => Settings::of(&subject.bytes, &subject.variables, name)?,
            None => Settings::default(),
        };
        let signer = match (&self.key, &self.authenticator) {
            (Some(name), _) => match keys.get(name) {
                Some(key) => key.signer()?,
                None => return Err(unknown_key(name, keys.keys())),
            },
            (None, Some(_)) => settings.signer(self.client.as_deref())?,
            (None, None) => {
                return Err("expected `key`, `authenticator`, or both: who signs?".to_owned());
            }
        };
        let algorithm = self.algorithm.as_deref().map(crate::jwks::algorithm);
        let before = self.issued_ago.map_or(0, |ago| ago.0.as_secs());
        let token = Token {
            algorithm: algorithm.transpose()?,
            kid: self.kid,
            typ: self.typ,
            claims: claims(self.claims)?,
            begins: clock
                .unix_seconds
                .saturating_sub(i64::try_from(before).unwrap_or(i64::MAX)),
            lifetime: self.expires_in.map_or(LIFETIME, |life| life.0),
        };
        let token = token.sign(settings, &signer)?;
        Ok(match self.forged {
            true => forged(&token),
            false => token,
        })
    }
}

fn claims(json: Option<Json>) -> Result<Map<String, Value>, String> {
    match json.map(Json::into_value) {
        None => Ok(Map::new()),
        Some(Value::Object(claims)) => Ok(claims),
        Some(_) => Err("claims: expected a map".to_owned()),
    }
}

/// The message about a key that isn't among these.
pub fn unknown_key<'k>(name: &str, keys: impl Iterator<Item = &'k String>) -> String {
    let hint = suggest(name, keys.map(String::as_str));
    let hint = hint.map(|near| format!("; did you mean \"{near}\"?"));
    format!(
        "no key of `keys` is called \"{name}\"{}",
        hint.unwrap_or_default()
    )
}

/// Another signature of the same length: its first character is another.
fn forged(token: &str) -> String {
    let at = token.rfind('.').map_or(0, |dot| dot + 1);
    let (head, signature) = token.split_at_checked(at).unwrap_or((token, ""));
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let rest = signature.get(1..).unwrap_or_default();
    format!("{head}{other}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use doorward_core::jose::Algorithm;

    #[test]
    fn generated_keys_sign_and_have_public_halves() {
        for (algorithm, expected) in [
            ("ES256", Algorithm::Es256),
            ("ES384", Algorithm::Es384),
            ("EdDSA", Algorithm::EdDsa),
        ] {
            let signer = Signer::of_jwk(&generate(algorithm).unwrap()).unwrap();
            assert!(signer.header(Some(expected)).is_ok());
            let jwk = signer.with_kid("k").public_jwk().unwrap();
            assert_eq!((jwk["kid"].as_str(), jwk.get("d")), (Some("k"), None));
        }
        assert!(generate("RS256").is_err());
    }

    #[test]
    fn a_forged_token_differs_in_its_signature_alone() {
        assert_eq!(forged("a.b.Cd"), "a.b.Ad");
        assert_eq!(forged("a.b.Ad"), "a.b.Bd");
    }
}
