//! The policies under which Doorward is measured.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::inputs::{SECRET, api_key};
use crate::jwt::{self, Key};
use crate::module;

/// The issuer of all tokens that the benchmark mints.
pub const ISSUER: &str = "https://idp.example.com";
/// Their audience.
pub const AUDIENCE: &str = "https://api.example.com";
/// Where a policy has more API keys than this, each client has [`SHARED`] of them, else one: so 100,000 keys are
/// within the bounds of a document.
const CLIENTS: usize = 10_000;
const SHARED: usize = 20;

/// The public key of the ES256 or RS256 tokens.
pub fn jwk(algorithm: &str) -> Result<Value> {
    let keys = jwt::jwks(&[Key::A])?;
    let keys = keys.get("keys").and_then(Value::as_array);
    keys.into_iter()
        .flatten()
        .find(|jwk| jwk.get("alg").is_some_and(|alg| alg == algorithm))
        .cloned()
        .with_context(|| format!("no key for {algorithm}"))
}

fn rule(path: &str, authenticator: &str) -> Value {
    json!({"match": {"path": path}, "authenticate": authenticator})
}

/// Tokens of one algorithm.
pub fn tokens(algorithm: &str) -> Result<Value> {
    let key = match algorithm {
        "HS256" => json!({"secret": {"value": SECRET}, "kid": "a"}),
        _ => json!({"jwk": jwk(algorithm)?}),
    };
    let jwt =
        json!({"algorithms": [algorithm], "issuer": ISSUER, "audience": AUDIENCE, "keys": [key]});
    Ok(json!({
        "version": 1,
        "authenticators": {"token": {"jwt": jwt}},
        "rules": [rule("/**", "token")],
    }))
}

/// The same with a condition and three more headers.
pub fn expressions(algorithm: &str) -> Result<Value> {
    let mut policy = tokens(algorithm)?;
    let mut rule = rule("/**", "token");
    let condition = "claims.tenant == 'acme' && 'orders:read' in scopes && request.method == 'GET'";
    if let Some(rule) = rule.as_object_mut() {
        rule.insert("authorize".to_owned(), json!({"allow_if": condition}));
    }
    if let Some(policy) = policy.as_object_mut() {
        policy.insert("rules".to_owned(), json!([rule]));
        let headers = json!({
            "x-auth-user": "claims.sub",
            "x-auth-client-of": "claims.client_id + '@' + claims.tenant",
            "x-auth-token-id": "claims.jti",
        });
        policy.insert("identity_headers".to_owned(), headers);
    }
    Ok(policy)
}

fn clients(keys: usize) -> Vec<Value> {
    let numbers: Vec<_> = (0..keys).collect();
    let of_each = if keys > CLIENTS { SHARED } else { 1 };
    let clients = numbers.chunks(of_each).enumerate();
    clients
        .map(|(number, keys)| {
            let digest = |key: &usize| json!({"sha256": module::hash(api_key(*key).as_bytes())});
            let keys: Vec<_> = keys.iter().map(digest).collect();
            json!({"id": format!("c{number}"), "api_keys": keys})
        })
        .collect()
}

/// This many API keys.
pub fn keys(keys: usize) -> Value {
    json!({
        "version": 1,
        "clients": clients(keys),
        "authenticators": {"key": {"api_key": {"from": [{"header": "x-api-key"}]}}},
        "rules": [rule("/**", "key")],
    })
}

/// This many rules; the last one is what the requests meet.
pub fn rules(rules: usize) -> Value {
    let rules: Vec<_> = (0..rules)
        .map(|number| rule(&format!("/service-{number}/**"), "key"))
        .collect();
    json!({
        "version": 1,
        "clients": clients(100),
        "authenticators": {"key": {"api_key": {"from": [{"header": "x-api-key"}]}}},
        "rules": rules,
    })
}

/// Callers' pairs, exchanged for tokens that are verified.
pub fn exchange(idp: &str, issuer: &str) -> Value {
    let pair = json!({
        "from": {"id": {"header": "x-client-id"}, "secret": {"header": "x-client-secret"}},
        "exchange": "orders", "verify": "token", "client_claim": "client_id",
    });
    let keys = json!([{"remote": {"cluster": "idp", "url": format!("{idp}/jwks")}}]);
    json!({
        "version": 1,
        "authenticators": {
            "pair": {"client_credentials": pair},
            "token": {"jwt": {"algorithms": ["ES256"], "issuer": issuer, "keys": keys}},
        },
        "tokens": {"orders": {"exchange": {"cluster": "idp", "url": format!("{idp}/oauth2/token")}}},
        "rules": [rule("/**", "pair")],
    })
}
