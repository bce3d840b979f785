//! Tokens and key sets, signed by another implementation.
//!
//! The key was made for the tests of the JOSE room and guards nothing.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

const PRIVATE: &str = include_str!("../../src/jose/tests/pem/p256.pem");
const PUBLIC: &str = include_str!("../../src/jose/tests/pem/p256.pub.pem");

/// A token signed with the P-256 key, under this `kid`.
pub fn es256(kid: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = kid.map(str::to_owned);
    let key = EncodingKey::from_ec_pem(PRIVATE.as_bytes()).unwrap();
    encode(&header, claims, &key).unwrap()
}

/// A token signed with a shared secret.
pub fn hs256(secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

/// A key set with the P-256 key under each of these ids.
pub fn jwks(kids: &[&str]) -> String {
    let keys: Vec<Value> = kids.iter().map(|kid| jwk(Some(kid))).collect();
    json!({"keys": keys}).to_string()
}

/// The P-256 key as a JWK.
pub fn jwk(kid: Option<&str>) -> Value {
    let body: String = PUBLIC
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let der = STANDARD.decode(body).unwrap();
    // An uncompressed point ends the SPKI of a P-256 key.
    let (x, y) = der[der.len() - 64..].split_at(32);
    let mut jwk = json!({
        "kty": "EC", "crv": "P-256",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    });
    if let Some(kid) = kid {
        jwk["kid"] = json!(kid);
    }
    jwk
}

/// Breaks a token's signature, and nothing else.
pub fn forged(token: &str) -> String {
    let (head, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[10] ^= 1;
    format!("{head}.{}", URL_SAFE_NO_PAD.encode(bytes))
}
