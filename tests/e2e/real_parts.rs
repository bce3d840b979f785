//! A real OAuth server and a real client's library.

use serde_json::json;
use xtask::idp::OidcClient;
use xtask::jwt::{self, Key};
use xtask::pyjwt;

use crate::config::Listener;
use crate::gateway::{GATEWAY, assert_passed, assert_refused};

pub fn clients() -> Vec<OidcClient> {
    vec![
        OidcClient::new("real-rsa", "s3cr:t/% +&="),
        OidcClient::new("real-ec", "another").es256(),
        OidcClient::new("real-scoped", "scoped").scopes(&["orders"]),
    ]
}

pub fn listeners(issuer: &str) -> Vec<Listener> {
    let keys = jwt::jwks(&[Key::A]).unwrap();
    let policy = format!(
        r#"
version: 1
authenticators:
  real-token:
    jwt:
      algorithms: [RS256, ES256]
      issuer: {issuer}
      keys: [{{remote: {{cluster: idp, url: "{issuer}/jwks"}}}}]
      claims: {{token_use: access}}
  real-pair:
    client_credentials:
      from: {{id: {{header: x-client-id}}, secret: {{header: x-client-secret}}}}
      exchange: real
      verify: real-token
      client_claim: client_id
  client-signed:
    jwt:
      algorithms: [HS256, ES256]
      keys: [{{secret: {{value: "a secret that a client of ours has"}}}}, {{jwks: {keys}}}]
tokens:
  real: {{exchange: {{cluster: idp, url: "{issuer}/token", scopes: [orders]}}}}
  unscoped: {{exchange: {{cluster: idp, url: "{issuer}/token"}}}}
rules:
  - {{match: {{path: "/scoped/**"}}, authenticate: real-pair, authorize: {{scopes: [orders]}}}}
  - {{match: {{path: "/pair/**"}}, authenticate: unscoped-pair}}
  - {{match: {{path: "/token/**"}}, authenticate: real-token}}
  - {{match: {{path: "/client/**"}}, authenticate: client-signed}}
"#
    );
    let unscoped = r#"
authenticators:
  unscoped-pair:
    client_credentials:
      from: {id: {header: x-client-id}, secret: {header: x-client-secret}}
      exchange: unscoped
      verify: real-token
      client_claim: client_id
"#;
    let policy = policy.replace("\nauthenticators:\n", unscoped);
    vec![Listener::new("real", policy)]
}

fn with_pair(path: &str, id: &str, secret: &str) -> xtask::client::Answer {
    let request = GATEWAY.client("real").post(path).header("x-client-id", id);
    let request = request.header("x-client-secret", secret);
    request.json(&json!({"a": 1})).send().unwrap()
}

#[test]
fn a_real_server_exchanges_pairs_for_rs256_and_es256_tokens_once_each() {
    let before = GATEWAY.idp.counts().unwrap().token;
    for _ in 0..10 {
        for (id, secret) in [("real-rsa", "s3cr:t/% +&="), ("real-ec", "another")] {
            let seen = assert_passed(&with_pair("/pair/x", id, secret));
            assert_eq!(seen.header("x-auth-client"), Some(id));
            let bearer = seen
                .header("authorization")
                .unwrap()
                .strip_prefix("Bearer ")
                .unwrap();
            // The token opens what takes tokens, too.
            assert_passed(
                &GATEWAY
                    .client("real")
                    .get("/token/x")
                    .bearer(bearer)
                    .send()
                    .unwrap(),
            );
        }
        assert_refused(
            &with_pair("/pair/x", "real-rsa", "guess"),
            401,
            "exchange_refused",
        );
    }
    assert_eq!(
        assert_passed(&with_pair("/scoped/x", "real-scoped", "scoped")).header("x-auth-scopes"),
        Some("orders")
    );
    assert_eq!(GATEWAY.idp.counts().unwrap().token, before + 4);
    GATEWAY.assert_well();
}

#[test]
fn tokens_that_pyjwt_signed_with_hs256_and_es256_are_accepted() {
    let claims = json!({"sub": "me", "user": {}, "exp": jwt::now().unwrap() + 600, "name": "Zo\u{eb} \u{1f6aa}"});
    let shared = "a secret that a client of ours has";
    let pem = Key::A.es256_pem();
    let foreign = Key::B.es256_pem();
    for (case, algorithm, key, kid, status) in [
        ("HS256", "HS256", shared, None, 200),
        (
            "HS256, another secret",
            "HS256",
            "a secret that no client of ours has",
            None,
            401,
        ),
        ("ES256", "ES256", pem, Some("a"), 200),
        ("ES256 without kid", "ES256", pem, None, 200),
        ("ES256, another key", "ES256", foreign, Some("a"), 401),
        ("ES256, unknown kid", "ES256", pem, Some("z"), 401),
        ("HS512", "HS512", shared, None, 401),
    ] {
        let token = pyjwt::sign(&claims, algorithm, key, kid).unwrap();
        let answer = GATEWAY
            .client("real")
            .get("/client/x")
            .bearer(&token)
            .send()
            .unwrap();
        assert_eq!(answer.status, status, "{case}: {}", answer.text());
    }
}
