//! Private JSON Web Keys (RFC 7518 §6, RFC 8037 §2).

use serde_json::{Map, Value};

use super::PrivateKey;
use crate::jose::KeyError;
use crate::jose::key::jwk::{PRIVATE, bytes, check_operations, required};
use crate::jose::key::{Key, ec::Curve};

pub(super) fn parse(jwk: &Value) -> Result<PrivateKey, KeyError> {
    let Value::Object(jwk) = jwk else {
        return Err(KeyError::new("a JWK must be a JSON object"));
    };
    check_operations(jwk, "sign")?;
    // Its public half is read as any other's, with all that must hold of one.
    let public: Map<String, Value> = jwk
        .iter()
        .filter(|(name, _)| !PRIVATE.contains(&name.as_str()) && *name != "key_ops")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let public = Key::from_jwk(&Value::Object(public))?;
    let kty = required(jwk, "kty")?;
    if kty != "oct" && !jwk.contains_key("d") {
        return Err(KeyError::new(
            "this JWK is a public key; signing needs the private one, with `d`",
        ));
    }
    let private = match kty {
        "oct" => PrivateKey::from_secret(&bytes(jwk, "k")?)?,
        "RSA" => PrivateKey::from_rsa(&bytes(jwk, "n")?, &bytes(jwk, "e")?, &bytes(jwk, "d")?)?,
        "OKP" => PrivateKey::from_seed(&bytes(jwk, "d")?)?,
        _ => {
            let curve = Curve::from_name(required(jwk, "crv")?)
                .ok_or_else(|| KeyError::new("`crv` must be P-256 or P-384"))?;
            PrivateKey::from_scalar(curve, &bytes(jwk, "d")?)?
        }
    };
    if private.key.thumbprint() != public.thumbprint() {
        return Err(KeyError::new(
            "the private and the public half of the JWK don't belong together",
        ));
    }
    Ok(PrivateKey {
        key: public,
        ..private
    })
}
