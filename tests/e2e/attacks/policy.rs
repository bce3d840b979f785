//! The policy under attack, and what is good by it.

use jsonwebtoken::Algorithm;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::forge::{AUDIENCE, Forge, ISSUER, jwks};

pub const HS: Forge = Forge(Algorithm::HS256);
pub const RS: Forge = Forge(Algorithm::RS256);
pub const ES: Forge = Forge(Algorithm::ES256);

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

pub fn policy() -> String {
    let [past, future, revoked, closed, globex] = BAD_KEYS.map(digest);
    let provider =
        json!({"exchange": {"cluster": "provider", "url": "http://auth.example.com/oauth2/token"}});
    let remote = json!({"remote": {"cluster": "provider", "url": "http://auth.example.com/jwks"}});
    let everywhere = json!([{"header": "authorization", "scheme": "Bearer"}, {"header": "x-token"}, {"query": "access_token"}, {"cookie": "token"}]);
    let inline = json!({"algorithms": ["HS256", "RS256", "ES256"], "issuer": ISSUER, "audience": AUDIENCE, "keys": [{"jwks": jwks()}]});
    let with = |name: &str, value: serde_json::Value| {
        let mut jwt = inline.clone();
        jwt[name] = value;
        json!({"jwt": jwt})
    };
    let rule = |path: &str, authenticate: serde_json::Value| json!({"match": {"path": path}, "authenticate": authenticate});
    let allowed = |path: &str, authorize: serde_json::Value| json!({"match": {"path": path}, "authenticate": "token", "authorize": authorize});
    json!({
        "version": 1,
        "clients": [
            {"id": "shop", "tenant": "acme", "scopes": ["orders"], "api_keys": [
                {"id": "good", "sha256": digest(KEY)}, {"id": "past", "sha256": past, "expires": "2020-01-01T00:00:00Z"},
                {"id": "future", "sha256": future, "not_before": "2090-01-01T00:00:00Z"}, {"id": "revoked", "sha256": revoked, "revoked": true}]},
            {"id": "closed", "tenant": "acme", "enabled": false, "api_keys": [{"id": "closed", "sha256": closed}]},
            {"id": "globex", "tenant": "globex", "api_keys": [{"id": "globex", "sha256": globex}]},
        ],
        "authenticators": {
            "token": {"jwt": inline},
            "rsa": {"jwt": {"algorithms": ["RS256"], "issuer": ISSUER, "audience": AUDIENCE, "keys": [{"pem": RS.public_pem()}]}},
            "access": with("typ", json!("at+jwt")),
            "short": with("max_lifetime", json!("1h")),
            "use": with("claims", json!({"token_use": "access"})),
            "client": with("client", json!("claims.client_id")),
            "remote": {"jwt": {"algorithms": ["RS256", "ES256"], "issuer": "https://cognito-idp.example.com/pool", "keys": [remote]}},
            "everywhere": with("from", everywhere),
            "key": {"api_key": {"from": [{"header": "X-Api-Key"}, {"query": "key"}], "prefix": "ak_live_", "require_tenant": "request.host.split('.')[0]"}},
            "pair": {"client_credentials": {"from": {"id": {"header": "x-client-id"}, "secret": {"header": "x-client-secret"}},
                "exchange": "provider", "verify": "remote", "client_claim": "client_id"}},
            "basic": {"client_credentials": {"from": {"basic": true}, "exchange": "provider"}},
        },
        "tokens": {"provider": provider},
        "identity_headers": {"x-auth-subject": "claims.sub"},
        "rules": [
            rule("/public/**", json!("none")), rule("/token/**", json!("token")), rule("/rsa/**", json!("rsa")), rule("/access/**", json!("access")),
            rule("/short/**", json!("short")), rule("/use/**", json!("use")), rule("/client/**", json!("client")), rule("/remote/**", json!("remote")),
            rule("/everywhere/**", json!("everywhere")), rule("/key/**", json!("key")), rule("/pair/**", json!("pair")), rule("/basic/**", json!("basic")),
            rule("/either/**", json!({"any": ["token", "key"]})), rule("/both/**", json!({"all": ["key", "token"]})),
            allowed("/scoped/**", json!({"scopes": ["admin"]})), allowed("/of/{who}/**", json!({"bind": {"who": "claims.sub"}})),
            allowed("/inside/**", json!({"networks": ["10.0.0.0/8"]})),
            {"match": {"path": "/host/**", "hosts": ["api.example.com", "*.shop.example.com"]}, "authenticate": "token"},
            {"match": {"path": "/reading/**", "methods": ["GET"]}, "authenticate": "token"},
        ],
    })
    .to_string()
}
