//! Signed tokens and published keys of the simulated provider.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use std::time::Duration;

/// A key of the provider, by its number; the same number is the same key in every run.
pub fn key(number: u64) -> SigningKey {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[0] = 1;
    SigningKey::from_slice(&bytes).unwrap()
}

pub fn sign(number: u64, claims: &Value) -> String {
    let header = json!({"alg": "ES256", "kid": kid(number)});
    let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", text(&header), text(claims));
    let signature: Signature = key(number).sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn kid(number: u64) -> String {
    format!("k{number}")
}

/// The claims of a token that is good until `exp`.
pub fn claims(client: &str, iat: Duration, exp: Duration, serial: u64) -> Value {
    json!({
        "iss": "https://idp.example.com", "sub": client, "client_id": client,
        "iat": iat.as_secs(), "exp": exp.as_secs(), "jti": serial.to_string(),
    })
}

pub fn key_set(numbers: &[u64]) -> String {
    let keys = numbers.iter().map(|number| {
        let point = key(*number).verifying_key().to_sec1_point(false);
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "EC", "crv": "P-256", "kid": kid(*number), "alg": "ES256", "use": "sig",
            "x": part(point.x().unwrap()), "y": part(point.y().unwrap()),
        })
    });
    json!({"keys": keys.collect::<Vec<_>>()}).to_string()
}

/// A claim of a token, unverified.
pub fn claim(token: &str, name: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims.get(name).cloned()
}
