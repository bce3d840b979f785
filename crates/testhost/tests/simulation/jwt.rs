//! Signed tokens and published keys of the simulated provider.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// The number of the gateway's own key.
pub const OWN: u64 = u64::MAX;

thread_local! {
    /// Making a key takes as long as signing with it.
    static KEYS: RefCell<BTreeMap<u64, SigningKey>> = RefCell::default();
}

/// A key of the provider, by its number; the same number is the same key in every run.
pub fn key(number: u64) -> SigningKey {
    let made = || {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        bytes[0] = 1;
        SigningKey::from_slice(&bytes).unwrap()
    };
    KEYS.with_borrow_mut(|keys| keys.entry(number).or_insert_with(made).clone())
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

/// Header and claims of a token that this key signed.
pub fn verified(number: u64, token: &str) -> Option<(Value, Value)> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let signature = Signature::from_slice(&bytes(signature)?).ok()?;
    let key = *key(number).verifying_key();
    key.verify(signed.as_bytes(), &signature).ok()?;
    let value = |text| serde_json::from_slice(&bytes(text)?).ok();
    Some((value(header)?, value(claims)?))
}

/// A key with its private part.
pub fn private_jwk(number: u64) -> Value {
    let key = key(number);
    let mut jwk = public(number);
    jwk["d"] = URL_SAFE_NO_PAD.encode(key.to_bytes()).into();
    jwk
}

fn public(number: u64) -> Value {
    let point = key(number).verifying_key().to_sec1_point(false);
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({
        "kty": "EC", "crv": "P-256",
        "x": part(point.x().unwrap()), "y": part(point.y().unwrap()),
    })
}

pub fn key_set(numbers: &[u64]) -> String {
    let keys = numbers.iter().map(|number| {
        let mut key = public(*number);
        key["kid"] = kid(*number).into();
        key["alg"] = "ES256".into();
        key["use"] = "sig".into();
        key
    });
    json!({"keys": keys.collect::<Vec<_>>()}).to_string()
}

/// A claim of a token, unverified.
pub fn claim(token: &str, name: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    claims.get(name).cloned()
}
