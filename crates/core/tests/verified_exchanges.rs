//! Exchanged tokens that a jwt authenticator must take: each authenticator judges for itself, and
//! what was judged once isn't judged again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::host::Answer;
use doorward_core::http::Request;
use serde_json::{Value, json};
use support::jwt::{es256, jwk, jwks};
use support::*;

const HOUR: u64 = 3600;

/// One exchange, whose token two authenticators judge.
fn policy() -> String {
    json!({
        "version": 1,
        "clients": [
            {"id": "id", "tenant": "acme", "metadata": {"plan": "gold"}},
            {"id": "other", "tenant": "globex", "metadata": {"plan": "lead"}},
            {"id": "shop", "tenant": "acme", "api_keys": [{"sha256": digest("key")}]},
        ],
        "authenticators": {
            "for-a": {"jwt": {"algorithms": "ES256", "audience": "a", "keys": [{"jwk": jwk(None)}]}},
            "for-b": {"jwt": {"algorithms": "ES256", "audience": "b", "keys": [{"jwk": jwk(None)}]}},
            "naming": {"jwt": {"algorithms": "ES256", "keys": [{"jwk": jwk(None)}], "client": "claims.client"}},
            "telling": {"jwt": {"algorithms": "ES256", "keys": [{"jwk": jwk(None)}], "client": "claims.client", "tenant": "'initech'"}},
            "pair-told": {"client_credentials": {"from": {"basic": true}, "exchange": "idp", "verify": "telling"}},
            "pair-a": {"client_credentials": {"from": {"basic": true}, "exchange": "idp", "verify": "for-a"}},
            "pair-b": {"client_credentials": {"from": {"basic": true}, "exchange": "idp", "verify": "for-b"}},
            "pair-named": {"client_credentials": {"from": {"basic": true}, "exchange": "idp", "verify": "naming"}},
            "pair": {"client_credentials": {"from": {"basic": true}, "exchange": "idp"}},
            "key": {"api_key": {"from": [{"header": "x-api-key"}]}},
        },
        "tokens": {"idp": {"exchange": {"cluster": "idp", "url": "https://idp.example.com/token"}}},
        "rules": [
            {"match": {"path": "/a"}, "authenticate": "pair-a"},
            {"match": {"path": "/b"}, "authenticate": "pair-b"},
            {"match": {"path": "/named"}, "authenticate": "pair-named", "upstream": {"headers": {"x-plan": "client.metadata.plan"}}},
            {"match": {"path": "/told"}, "authenticate": "pair-told"},
            {"match": {"path": "/pair-and-key"}, "authenticate": {"all": ["pair", "key"]}},
            {"match": {"path": "/key-and-pair"}, "authenticate": {"all": ["key", "pair"]}},
        ],
    })
    .to_string()
}

fn pair(path: &str) -> Request {
    let basic = ("authorization", "Basic aWQ6c2VjcmV0");
    get(path, &[basic, ("x-api-key", "key")])
}

fn token(claims: &Value, life: u64) -> String {
    let mut all = json!({"exp": START + life});
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    json!({"access_token": es256(Some("k1"), &all), "expires_in": life}).to_string()
}

/// What is said at once, or once the endpoint gave this token, as often as it was asked.
fn said(proxy: &Proxy, path: &str, token: &str) -> String {
    let ticket = proxy.ask(0, pair(path));
    while let Some(call) = proxy.calls().first() {
        proxy.answer(call, reply(200, token));
    }
    proxy.said(ticket)
}

#[test]
fn what_satisfies_one_authenticator_another_judges_for_itself() {
    for (audience, a, b) in [
        (json!("a"), "ok", "401 token_audience"),
        (json!("b"), "401 token_audience", "ok"),
        (json!(["a", "b"]), "ok", "ok"),
    ] {
        for order in [["/a", "/b"], ["/b", "/a"]] {
            let proxy = Proxy::new(1, &policy());
            let token = token(&json!({"aud": audience}), HOUR);
            for path in [order, order].concat() {
                let expected = if path == "/a" { a } else { b };
                assert_eq!(said(&proxy, path, &token), expected, "{audience} at {path}");
            }
        }
    }
}

#[test]
fn a_held_token_is_verified_once_for_each_authenticator() {
    let proxy = Proxy::new(1, &policy());
    let token = token(&json!({"aud": ["a", "b"]}), HOUR);
    for path in ["/a", "/b", "/a", "/b", "/b", "/a"] {
        assert_eq!(said(&proxy, path, &token), "ok", "{path}");
    }
    assert_eq!(proxy.made(), 1);
    assert_eq!(proxy.world.checks.get(), 2);
}

#[test]
fn a_token_whose_replacing_another_worker_begins_is_not_verified_anew() {
    let proxy = Proxy::new(2, &policy());
    let token = token(&json!({"aud": "a"}), HOUR);
    assert_eq!(said(&proxy, "/a", &token), "ok");
    assert_eq!(proxy.said(proxy.ask(1, pair("/a"))), "ok");
    assert_eq!(proxy.world.checks.get(), 2);
    proxy.jump(seconds(HOUR - 10));
    assert_eq!(proxy.said(proxy.ask(1, pair("/a"))), "ok");
    assert_eq!(proxy.calls().len(), 1);
    assert_eq!(proxy.said(proxy.ask(0, pair("/a"))), "ok");
    assert_eq!(proxy.calls().len(), 1, "the other worker's");
    assert_eq!(proxy.world.checks.get(), 2);
}

#[test]
fn it_is_the_pair_that_says_who_calls() {
    for (path, named, tenant, plan) in [
        ("/named", "id", vec!["acme"], vec!["gold"]),
        ("/named", "other", vec![], vec![]),
        ("/told", "id", vec!["initech"], vec![]),
        ("/told", "other", vec!["initech"], vec![]),
    ] {
        let proxy = Proxy::new(1, &policy());
        let token = token(&json!({"client": named}), HOUR);
        assert_eq!(said(&proxy, path, &token), "ok");
        let request = pair(path);
        let head = upstream(&request, &proxy.decide(request.clone()));
        assert_eq!(values(&head, "x-auth-client"), ["id"], "{path} {named}");
        assert_eq!(values(&head, "x-auth-tenant"), tenant, "{path} {named}");
        assert_eq!(values(&head, "x-plan"), plan, "{path} {named}");
    }
}

#[test]
fn a_pair_that_nothing_verifies_speaks_as_a_token_does() {
    for path in ["/pair-and-key", "/key-and-pair"] {
        let proxy = Proxy::new(1, &policy());
        let opaque = json!({"access_token": "opaque", "expires_in": HOUR}).to_string();
        assert_eq!(said(&proxy, path, &opaque), "ok");
        let request = pair(path);
        let head = upstream(&request, &proxy.decide(request.clone()));
        assert_eq!(values(&head, "x-auth-client"), ["id"], "{path}");
        assert_eq!(values(&head, "x-auth-tenant"), ["acme"], "{path}");
    }
}

#[test]
fn a_held_token_is_kept_while_its_keys_are_away() {
    let proxy = Proxy::new(
        1,
        r#"
version: 1
authenticators:
  idp-token: {jwt: {algorithms: ES256, keys: [{remote: {cluster: idp, url: "https://idp.example.com/jwks"}}]}}
  pair: {client_credentials: {from: {basic: true}, exchange: idp, verify: idp-token}}
tokens: {idp: {exchange: {cluster: idp, url: "https://idp.example.com/token"}}}
rules: [{match: {path: /**}, authenticate: pair}]
"#,
    );
    proxy.tick();
    proxy.reply(200, &jwks(&["k1"]));
    assert_eq!(said(&proxy, "/", &token(&json!({}), 72 * HOUR)), "ok");
    // Nobody trusts keys that are older than a day.
    proxy.jump(seconds(25 * HOUR));
    let ticket = proxy.ask(0, pair("/"));
    let call = proxy.call();
    assert_eq!(call.header(":path"), Some("/jwks"));
    proxy.answer(&call, Answer::Failed);
    assert_eq!(proxy.said(ticket), "503 keys_unavailable after 1");
    assert_eq!(proxy.calls().len(), 0, "nobody asks for another token");
    proxy.jump(seconds(1));
    let ticket = proxy.ask(0, pair("/"));
    proxy.reply(200, &jwks(&["k1"]));
    assert_eq!(proxy.said(ticket), "ok", "the token is still held");
}
