//! Tokens and keys for tests. The private keys are published in this repository.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// One of the two signing keys that exist for each algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// `kid` a.
    A,
    /// `kid` b.
    B,
}

impl Key {
    /// Its `kid`, the same for both algorithms.
    #[must_use]
    pub fn kid(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// Its ES256 private key in PEM, for libraries other than this one.
    #[must_use]
    pub fn es256_pem(self) -> &'static str {
        match self {
            Self::A => include_str!("../testdata/es256-a.pem"),
            Self::B => include_str!("../testdata/es256-b.pem"),
        }
    }

    /// Its RS256 private key in PEM, for libraries other than this one.
    #[must_use]
    pub fn rs256_pem(self) -> &'static str {
        match self {
            Self::A => include_str!("../testdata/rs256-a.pem"),
            Self::B => include_str!("../testdata/rs256-b.pem"),
        }
    }

    fn signer(self, algorithm: Algorithm) -> Result<EncodingKey> {
        Ok(match (self, algorithm) {
            (Self::A, Algorithm::ES256) => {
                EncodingKey::from_ec_pem(include_bytes!("../testdata/es256-a.pem"))?
            }
            (Self::B, Algorithm::ES256) => {
                EncodingKey::from_ec_pem(include_bytes!("../testdata/es256-b.pem"))?
            }
            (Self::A, _) => EncodingKey::from_rsa_pem(include_bytes!("../testdata/rs256-a.pem"))?,
            (Self::B, _) => EncodingKey::from_rsa_pem(include_bytes!("../testdata/rs256-b.pem"))?,
        })
    }
}

/// Signs these claims by RS256, RS384, RS512, PS256, … or ES256.
pub fn sign(claims: &Value, algorithm: Algorithm, key: Key) -> Result<String> {
    let mut header = Header::new(algorithm);
    header.kid = Some(key.kid().to_owned());
    Ok(jsonwebtoken::encode(
        &header,
        claims,
        &key.signer(algorithm)?,
    )?)
}

/// Signs these claims by HS256.
pub fn sign_hs256(claims: &Value, secret: &[u8]) -> Result<String> {
    Ok(jsonwebtoken::encode(
        &Header::default(),
        claims,
        &EncodingKey::from_secret(secret),
    )?)
}

/// Signs these claims by ES256 with this private key in PEM.
pub fn sign_es256(claims: &Value, pem: &str, kid: Option<&str>) -> Result<String> {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = kid.map(str::to_owned);
    let key = EncodingKey::from_ec_pem(pem.as_bytes())?;
    Ok(jsonwebtoken::encode(&header, claims, &key)?)
}

/// The time as tokens tell it: whole seconds since 1970, UTC.
pub fn now() -> Result<i64> {
    Ok(SystemTime::now()
        .duration_since(UNIX_EPOCH)?
        .as_secs()
        .try_into()?)
}

/// A JWKS with the RS256 and the ES256 key of each.
pub fn jwks(keys: &[Key]) -> Result<Value> {
    let mut published = Vec::new();
    for key in keys {
        for algorithm in [Algorithm::RS256, Algorithm::ES256] {
            let mut jwk = json!(Jwk::from_encoding_key(&key.signer(algorithm)?, algorithm)?);
            // Key ids are unique only within a key type here: a verifier must look at both.
            if let Some(jwk) = jwk.as_object_mut() {
                jwk.insert("kid".to_owned(), json!(key.kid()));
                jwk.insert("use".to_owned(), json!("sig"));
                jwk.insert("alg".to_owned(), json!(algorithm));
            }
            published.push(jwk);
        }
    }
    Ok(json!({ "keys": published }))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, jwk::JwkSet};

    use super::*;

    #[test]
    fn what_is_signed_verifies_with_what_is_published_and_only_with_that() {
        for algorithm in [Algorithm::RS256, Algorithm::ES256] {
            let token = sign(&json!({"exp": 4_000_000_000_u32}), algorithm, Key::A).unwrap();
            for (key, good) in [(Key::A, true), (Key::B, false)] {
                let set: JwkSet = serde_json::from_value(jwks(&[key]).unwrap()).unwrap();
                let same = |jwk: &&jsonwebtoken::jwk::Jwk| {
                    json!(jwk.common.key_algorithm) == json!(algorithm)
                };
                let jwk = set.keys.iter().find(same).unwrap();
                let decoding = DecodingKey::from_jwk(jwk).unwrap();
                let verified =
                    jsonwebtoken::decode::<Value>(&token, &decoding, &Validation::new(algorithm));
                assert_eq!(verified.is_ok(), good, "{algorithm:?} {key:?}");
            }
        }
    }
}
