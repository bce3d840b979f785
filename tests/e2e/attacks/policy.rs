//! The policy under attack, and what is good by it.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use xtask::jwt;

use crate::forge::{AUDIENCE, Forge, ISSUER, jwks};

pub const HS: Forge = Forge(Algorithm::HS256);
pub const RS: Forge = Forge(Algorithm::RS256);
pub const ES: Forge = Forge(Algorithm::ES256);

/// The issuer whose keys are fetched.
pub const POOL: &str = "https://cognito-idp.example.com/pool";

pub const KEY: &str = "ak_live_attacked_good";
/// Keys that were good, will be, or are of others.
pub const BAD_KEYS: [&str; 5] = [
    "ak_live_attacked_past",
    "ak_live_attacked_future",
    "ak_live_attacked_revoked",
    "ak_live_attacked_closed",
    "ak_live_attacked_globex",
];
/// A client's id and secret.
pub const PAIR: (&str, &str) = ("shop-1", "s3cr:t/% +&=");

fn digest(key: &str) -> String {
    Sha256::digest(key)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// An authenticator for the three algorithms, whose keys stand in the policy, with one more setting.
fn inline_with(name: &str, value: Value) -> Value {
    let mut jwt = json!({
        "algorithms": ["HS256", "RS256", "ES256"], "issuer": ISSUER, "audience": AUDIENCE,
        "keys": [{"jwks": jwks()}],
    });
    jwt[name] = value;
    json!({"jwt": jwt})
}

/// Key ids of the fetched set whose keys sign well and still prove nothing.
pub const USELESS_KIDS: [(&str, &str); 6] = [
    ("for-encryption", "a key with `use` enc"),
    ("of-odd-use", "a key with a `use` that is no text"),
    ("to-sign", "a key whose `key_ops` lack verify"),
    ("for-ps256", "a key with another `alg`"),
    ("of-no-algorithm", "a key with an `alg` of no signature"),
    ("as-secret", "a secret in a public set"),
];

/// The set that is fetched: the provider's keys, a good one of ours, and those that prove nothing.
pub fn fetched_keys() -> Value {
    let rsa = |kid: &str, member: &str, value: Value| {
        let mut jwk = RS.jwk();
        jwk["kid"] = json!(kid);
        jwk[member] = value;
        jwk
    };
    let mut secret = HS.jwk();
    secret["kid"] = json!("as-secret");
    let mut set = jwt::jwks(&[jwt::Key::A]).unwrap();
    set["keys"].as_array_mut().unwrap().extend([
        rsa("good", "key_ops", json!(["verify"])),
        rsa("for-encryption", "use", json!("enc")),
        rsa("of-odd-use", "use", json!(["sig"])),
        rsa("to-sign", "key_ops", json!(["sign"])),
        rsa("for-ps256", "alg", json!("PS256")),
        rsa("of-no-algorithm", "alg", json!("RSA-OAEP-256")),
        secret,
    ]);
    set
}

fn authenticators() -> Value {
    let everywhere = json!([
        {"header": "authorization", "scheme": "Bearer"}, {"header": "x-token"},
        {"query": "access_token"}, {"cookie": "token"},
    ]);
    let remote = json!({"cluster": "provider", "url": "http://auth.example.com/jwks"});
    json!({
        "token": inline_with("leeway", json!("30s")),
        "rsa": {"jwt": {
            "algorithms": ["RS256"], "issuer": ISSUER, "audience": AUDIENCE,
            "keys": [{"pem": RS.public_pem()}],
        }},
        "access": inline_with("typ", json!("at+jwt")),
        "short": inline_with("max_lifetime", json!("1h")),
        "use": inline_with("claims", json!({"token_use": "access"})),
        "client": inline_with("client", json!("claims.client_id")),
        "remote": {"jwt": {
            "algorithms": ["RS256", "ES256"], "issuer": POOL,
            "keys": [{"remote": remote}],
        }},
        "everywhere": inline_with("from", everywhere),
        "key": {"api_key": {
            "from": [{"header": "X-Api-Key"}, {"query": "key"}], "prefix": "ak_live_",
            "require_tenant": "request.host.split('.')[0]",
        }},
        "pair": {"client_credentials": {
            "from": {"id": {"header": "x-client-id"}, "secret": {"header": "x-client-secret"}},
            "exchange": "provider", "verify": "remote", "client_claim": "client_id",
        }},
        "basic": {"client_credentials": {"from": {"basic": true}, "exchange": "provider"}},
    })
}

fn clients() -> Value {
    let [past, future, revoked, closed, globex] = BAD_KEYS.map(digest);
    json!([
        {"id": "shop", "tenant": "acme", "scopes": ["orders"], "api_keys": [
            {"id": "good", "sha256": digest(KEY)},
            {"id": "past", "sha256": past, "expires": "2020-01-01T00:00:00Z"},
            {"id": "future", "sha256": future, "not_before": "2090-01-01T00:00:00Z"},
            {"id": "revoked", "sha256": revoked, "revoked": true},
        ]},
        {"id": "closed", "tenant": "acme", "enabled": false, "api_keys": [{"sha256": closed}]},
        {"id": "globex", "tenant": "globex", "api_keys": [{"sha256": globex}]},
    ])
}

/// A rule for each authenticator under its own name, and some more.
fn rules(authenticators: &Value) -> Value {
    let names = authenticators.as_object().unwrap().keys();
    let own =
        |name: &String| json!({"match": {"path": format!("/{name}/**")}, "authenticate": name});
    let mut rules: Vec<_> = names.map(own).collect();
    let mut more = json!([
        {"match": {"path": "/public/**"}, "authenticate": "none"},
        {"match": {"path": "/either/**"}, "authenticate": {"any": ["token", "key"]}},
        {"match": {"path": "/both/**"}, "authenticate": {"all": ["key", "token"]}},
        {"match": {"path": "/scoped/**"}, "authenticate": "token",
            "authorize": {"scopes": ["admin"]}},
        {"match": {"path": "/of/{who}/**"}, "authenticate": "token",
            "authorize": {"bind": {"who": "claims.sub"}}},
        {"match": {"path": "/inside/**"}, "authenticate": "token",
            "authorize": {"networks": ["10.0.0.0/8"]}},
        {"match": {"path": "/host/**", "hosts": ["api.example.com", "*.shop.example.com"]},
            "authenticate": "token"},
        {"match": {"path": "/reading/**", "methods": ["GET"]}, "authenticate": "token"},
    ]);
    rules.append(more.as_array_mut().unwrap());
    json!(rules)
}

pub fn policy() -> String {
    let authenticators = authenticators();
    let endpoint = json!({"cluster": "provider", "url": "http://auth.example.com/oauth2/token"});
    json!({
        "version": 1,
        "clients": clients(),
        "rules": rules(&authenticators),
        "authenticators": authenticators,
        "tokens": {"provider": {"exchange": endpoint}},
        "identity_headers": {"x-auth-subject": "claims.sub"},
    })
    .to_string()
}
