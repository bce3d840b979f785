//! Private JSON Web Keys (RFC 7518 §6, RFC 8037 §2).

use serde_json::{Map, Value};

use super::{PrivateKey, RsaParts};
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
        "RSA" => {
            if jwk.contains_key("oth") {
                return Err(KeyError::new(
                    "an RSA key has two primes here, without `oth`",
                ));
            }
            PrivateKey::from_rsa(&RsaParts {
                modulus: &bytes(jwk, "n")?,
                exponent: &bytes(jwk, "e")?,
                prime: &bytes(jwk, "p")?,
                other_prime: &bytes(jwk, "q")?,
                prime_exponent: &bytes(jwk, "dp")?,
                other_exponent: &bytes(jwk, "dq")?,
                coefficient: &bytes(jwk, "qi")?,
            })?
        }
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
