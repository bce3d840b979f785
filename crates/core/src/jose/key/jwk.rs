//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::ec::{Curve, EcKey};
use super::ed::EdKey;
use super::rsa::RsaKey;
use super::{Key, KeyError, Material};
use crate::jose::Algorithm;
use crate::jose::compact::decode;

/// Members that hold the private half of a key (RFC 7518 §6.2.2, §6.3.2).
pub(super) const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

pub(super) fn parse(jwk: &Value) -> Result<Key, KeyError> {
    let Value::Object(jwk) = jwk else {
        return Err(KeyError::new("a JWK must be a JSON object"));
    };
    let kty = required(jwk, "kty")?;
    check_purpose(jwk)?;
    if kty != "oct" && PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
        return Err(KeyError::new(
            "this JWK holds a private key; leave out `d` and what belongs to it",
        ));
    }
    let material = match kty {
        "oct" => return finish(Key::from_secret(&bytes(jwk, "k")?)?, jwk),
        "RSA" => Material::Rsa(Box::new(RsaKey::new(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?)),
        "EC" => {
            let curve = Curve::from_name(required(jwk, "crv")?)
                .ok_or_else(|| KeyError::new("`crv` must be P-256, P-384 or P-521"))?;
            let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
            Material::Ec(Box::new(EcKey::from_coordinates(curve, &x, &y)?))
        }
        "OKP" if required(jwk, "crv")? == "Ed25519" => {
            Material::Ed(Box::new(EdKey::new(&bytes(jwk, "x")?)?))
        }
        "OKP" => return Err(KeyError::new("`crv` must be Ed25519")),
        _ => return Err(KeyError::new("`kty` must be RSA, EC, OKP or oct")),
    };
    finish(Key::new(material), jwk)
}

fn finish(mut key: Key, jwk: &Map<String, Value>) -> Result<Key, KeyError> {
    key.kid = optional(jwk, "kid")?.map(str::to_owned);
    match optional(jwk, "alg")? {
        None => Ok(key),
        Some(name) => {
            let algorithm: Algorithm = name.parse().map_err(|_| {
                KeyError::new("`alg` is none of the signature algorithms known here")
            })?;
            key.with_algorithm(algorithm)
        }
    }
}

/// `use` and `key_ops` (RFC 7517 §4.2, §4.3): absent ones allow everything, both must agree.
fn check_purpose(jwk: &Map<String, Value>) -> Result<(), KeyError> {
    if optional(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(KeyError::new(
            "`use` must be sig: the key is not for signatures",
        ));
    }
    check_operations(jwk, "verify")
}

/// `key_ops`: absent ones allow everything.
pub(super) fn check_operations(jwk: &Map<String, Value>, needed: &str) -> Result<(), KeyError> {
    let Some(operations) = jwk.get("key_ops") else {
        return Ok(());
    };
    let wrong = || {
        KeyError::new(format!(
            "`key_ops` must be a list of different strings with {needed} in it"
        ))
    };
    let operations: Option<Vec<_>> = operations
        .as_array()
        .ok_or_else(wrong)?
        .iter()
        .map(Value::as_str)
        .collect();
    let mut operations = operations.ok_or_else(wrong)?;
    let all = operations.len();
    operations.sort_unstable();
    operations.dedup();
    if operations.len() == all && operations.contains(&needed) {
        Ok(())
    } else {
        Err(wrong())
    }
}

fn optional<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, KeyError> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(KeyError::new(format!("`{name}` must be a string"))),
    }
}

pub(super) fn required<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<&'a str, KeyError> {
    optional(jwk, name)?.ok_or_else(|| KeyError::new(format!("`{name}` is missing")))
}

pub(super) fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    decode(required(jwk, name)?)
        .map(Zeroizing::new)
        .ok_or_else(|| KeyError::new(format!("`{name}` must be base64url without padding")))
}
