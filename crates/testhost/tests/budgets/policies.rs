//! Policies, and credentials that satisfy them.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use testhost::{Answering, Reply};
use xtask::jwt::{self, Key};

/// The secret of the HS256 tokens; it guards nothing.
const SECRET: &str = "a secret of the budgets, long enough for HS256";

/// A rule for all paths.
pub fn rule(authenticator: &str) -> Value {
    json!({"match": {"path": "/**"}, "authenticate": authenticator})
}

/// Tokens of one algorithm.
pub fn tokens(algorithm: &str) -> Value {
    let key = match algorithm {
        "HS256" => json!({"secret": {"value": SECRET}}),
        _ => {
            let keys = jwt::jwks(&[Key::A]).unwrap();
            let keys = keys["keys"].as_array().unwrap();
            let fits = |jwk: &&Value| jwk["alg"] == algorithm;
            json!({"jwk": keys.iter().find(fits).unwrap()})
        }
    };
    json!({
        "version": 1,
        "authenticators": {"token": {"jwt": {
            "algorithms": [algorithm], "issuer": "https://idp.example.com",
            "audience": "https://api.example.com", "keys": [key],
        }}},
        "rules": [rule("token")],
    })
}

/// The same with a condition and three headers more.
pub fn expressions() -> Value {
    let mut policy = tokens("HS256");
    policy["rules"][0]["authorize"] = json!({
        "allow_if":
            "claims.tenant == 'acme' && 'orders:read' in scopes && request.method == 'GET'",
    });
    policy["identity_headers"] = json!({
        "x-auth-user": "claims.sub",
        "x-auth-client-of": "claims.client_id + '@' + claims.tenant",
        "x-auth-token-id": "claims.jti",
    });
    policy
}

/// A thousand clients with a key each.
pub fn keys() -> Value {
    let clients = (0..1_000).map(|number| {
        let digest = Sha256::digest(api_key(number));
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({"id": format!("client-{number}"), "api_keys": [{"sha256": digest}]})
    });
    json!({
        "version": 1,
        "clients": clients.collect::<Vec<_>>(),
        "authenticators": {"key": {"api_key": {"from": [{"header": "x-api-key"}]}}},
        "rules": [rule("key")],
    })
}

/// The same with 5,000 rules, of which the requests meet the last.
pub fn many_rules() -> Value {
    let mut policy = keys();
    let others = (1..5_000).map(|number| {
        let path = format!("/service-{number}/**");
        json!({"match": {"path": path}, "authenticate": "key"})
    });
    policy["rules"] = others.chain([rule("key")]).collect();
    policy
}

/// Pairs that are exchanged for tokens, which are verified.
pub fn pairs() -> Value {
    let mut policy = tokens("HS256");
    policy["authenticators"]["pair"] = json!({"client_credentials": {
        "from": {"id": {"header": "x-client-id"}, "secret": {"header": "x-client-secret"}},
        "exchange": "idp", "verify": "token", "client_claim": "client_id",
    }});
    policy["tokens"] = json!({"idp": {"exchange": {
        "cluster": "idp", "url": "https://idp.example.com/token", "auth": "client_secret_post",
    }}});
    policy["rules"] = json!([rule("pair")]);
    policy
}

/// The API key of this number.
pub fn api_key(number: usize) -> String {
    format!("ak_budget_{number:08}")
}

/// A token of this number, of some 600 bytes.
pub fn token(algorithm: &str, number: usize) -> String {
    token_with(algorithm, number, 120)
}

/// A token with so long a profile.
pub fn token_with(algorithm: &str, number: usize, profile: usize) -> String {
    let claims = json!({
        "iss": "https://idp.example.com", "aud": "https://api.example.com",
        "sub": format!("user-{number:08}"), "client_id": format!("client-{number:05}"),
        "iat": 1_767_225_600, "exp": 4_102_444_800_u64,
        "jti": format!("6f1d0c7e-53b0-4f0a-9d5e-{number:012x}"),
        "scope": "orders:read orders:write", "tenant": "acme",
        "profile": "p".repeat(profile),
    });
    match algorithm {
        "HS256" => jwt::sign_hs256(&claims, SECRET.as_bytes()).unwrap(),
        _ => jwt::sign(&claims, algorithm.parse().unwrap(), Key::A).unwrap(),
    }
}

/// The token endpoint's answer to a pair: its id is in the body.
pub fn exchanged(body: &[u8]) -> Answering {
    exchanged_with(body, 120)
}

/// The same with so long a profile in the token.
pub fn exchanged_with(body: &[u8], profile: usize) -> Answering {
    let body = String::from_utf8_lossy(body);
    let number = body.split("client_id=client-").nth(1).unwrap();
    let number = number[..5].parse().unwrap();
    let reply = json!({
        "access_token": token_with("HS256", number, profile), "token_type": "Bearer", "expires_in": 3600,
    });
    Answering::Now(Reply::new(200).body(reply.to_string()))
}
