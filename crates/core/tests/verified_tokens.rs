//! A token that was verified lately isn't verified again, and never opens what it wouldn't
//! open if it were.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::http::Request;
use serde_json::{Value, json};
use std::time::Duration;
use support::jwt::{es256, forged, hs256, jwk, jwks};
use support::*;

const SECRET: &str = "a secret of at least thirty-two bytes";

fn remote() -> Proxy {
    let proxy = Proxy::new(
        1,
        r#"
version: 1
authenticators:
  partner:
    jwt:
      algorithms: [ES256]
      keys: [{remote: {cluster: idp, url: "https://idp.example.com/jwks.json"}}]
rules:
  - match: {path: /**}
    authenticate: partner
"#,
    );
    proxy.tick();
    proxy.reply(200, &jwks(&["k1"]));
    proxy
}

fn claims() -> Value {
    json!({"exp": START + 3600, "iat": START, "sub": "a", "scope": "read"})
}

fn with(path: &str, token: &str) -> Request {
    get(path, &[("authorization", &format!("Bearer {token}"))])
}

fn said(proxy: &Proxy, path: &str, token: &str) -> String {
    proxy.said(proxy.ask(0, with(path, token)))
}

/// Sends a token until it is one of those verified lately.
fn warm(proxy: &Proxy, path: &str, token: &str) {
    for _ in 0..3 {
        assert_eq!(said(proxy, path, token), "ok");
    }
}

#[test]
fn the_same_token_is_verified_twice_at_the_most() {
    let proxy = remote();
    let token = es256(Some("k1"), &claims());
    for _ in 0..50 {
        assert_eq!(said(&proxy, "/", &token), "ok");
    }
    assert_eq!(proxy.world.checks.get(), 2);
    let other = es256(Some("k1"), &json!({"exp": START + 3601}));
    assert_eq!(said(&proxy, "/", &other), "ok");
    assert_eq!(proxy.world.checks.get(), 3);
    assert_eq!(said(&proxy, "/", &forged(&token)), "401 token_signature");
}

#[test]
fn its_times_are_judged_at_every_use() {
    let cases: [(Value, i64, &str); 4] = [
        (claims(), 3600 + 31, "401 token_expired"),
        (claims(), -31, "401 token_not_yet_valid"),
        (
            json!({"exp": START + 3600, "nbf": START - 10}),
            -41,
            "401 token_not_yet_valid",
        ),
        (claims(), 3600 + 29, "ok"),
    ];
    for (claims, seconds, expected) in cases {
        let proxy = remote();
        let token = es256(Some("k1"), &claims);
        warm(&proxy, "/", &token);
        let now = i64::try_from(START).unwrap() + seconds;
        proxy
            .world
            .now
            .set(Duration::from_secs(now.try_into().unwrap()));
        assert_eq!(said(&proxy, "/", &token), expected, "{claims} {seconds}");
    }
}

#[test]
fn it_ends_when_its_key_leaves_the_set() {
    let proxy = remote();
    let token = es256(Some("k1"), &json!({"exp": START + 24 * 3600}));
    warm(&proxy, "/", &token);
    proxy.pass(seconds(601));
    proxy.reply(200, &jwks(&["k2"]));
    let ticket = proxy.ask(0, with("/", &token));
    for call in proxy.calls() {
        proxy.answer(&call, reply(200, &jwks(&["k2"])));
    }
    assert_eq!(proxy.said(ticket), "401 key_unknown");
}

#[test]
fn it_ends_when_its_set_is_too_old_to_be_trusted() {
    let proxy = remote();
    let token = es256(Some("k1"), &json!({"exp": START + 72 * 3600}));
    warm(&proxy, "/", &token);
    proxy.jump(seconds(25 * 3600));
    let ticket = proxy.ask(0, with("/", &token));
    for call in proxy.calls() {
        proxy.answer(&call, reply(500, ""));
    }
    assert_eq!(proxy.said(ticket), "503 keys_unavailable after 1");
}

#[test]
fn it_ends_with_its_keys_own_span() {
    let policy = json!({
        "version": 1,
        "authenticators": {"partner": {"jwt": {"algorithms": ["ES256"], "keys": [
            {"jwk": jwk(None), "expires": "2026-11-21T12:10:00Z"}]}}},
        "rules": [{"match": {"path": "/**"}, "authenticate": "partner"}],
    });
    let proxy = Proxy::new(1, &policy.to_string());
    let token = es256(None, &claims());
    warm(&proxy, "/", &token);
    proxy.jump(seconds(600));
    assert_eq!(said(&proxy, "/", &token), "401 key_unknown");
}

const TWO: &str = r#"
version: 1
clients:
  - {id: a, tenant: acme, api_keys: [{id: k, sha256: DIGEST}]}
  - {id: b, tenant: globex, api_keys: [{sha256: OTHER}]}
authenticators:
  read: {jwt: {algorithms: [HS256], keys: [{secret: {value: "SECRET"}}], claims: {use: read}}}
  write: {jwt: {algorithms: [HS256], keys: [{secret: {value: "SECRET"}}], claims: {use: write}}}
  by-path: {jwt: {algorithms: [HS256], keys: [{secret: {value: "SECRET"}}], client: path.client, scopes: "['s-' + path.client]"}}
  key: {api_key: {from: [{header: apikey}]}}
  named: {jwt: {algorithms: [HS256], keys: [{secret: {value: "SECRET"}}], tenant: claims.tenant}}
identity_headers: {x-sub: claims.sub}
rules:
  - {match: {path: /read}, authenticate: read, upstream: {headers: {x-rule: "'one ' + claims.sub"}}}
  - {match: {path: /also-read}, authenticate: read, upstream: {headers: {x-rule: "'two ' + claims.sub"}}}
  - {match: {path: "/paths/{name}"}, authenticate: read, upstream: {headers: {x-rule: path.name}}}
  - {match: {path: /write}, authenticate: write}
  - {match: {path: "/clients/{client}"}, authenticate: by-path}
  - {match: {path: /both}, authenticate: {all: [key, read]}}
  - {match: {path: /named}, authenticate: named}
"#;

fn two() -> Proxy {
    let policy = TWO.replace("SECRET", SECRET);
    let policy = policy.replace("OTHER", &digest("the other key"));
    Proxy::new(1, &policy.replace("DIGEST", &digest("the key")))
}

/// One header that the upstream gets, once the token was used there often.
fn seen(proxy: &Proxy, path: &str, token: &str, name: &str) -> Vec<String> {
    warm(proxy, path, token);
    let request = with(path, token);
    let verdict = proxy.decide(request.clone());
    values(&upstream(&request, &verdict), name)
}

#[test]
fn what_one_authenticator_took_another_judges_for_itself() {
    let proxy = two();
    let token = hs256(
        SECRET,
        &json!({"exp": START + 60, "use": "read", "sub": "x"}),
    );
    warm(&proxy, "/read", &token);
    assert_eq!(said(&proxy, "/write", &token), "401 token_claims");
}

#[test]
fn headers_are_those_of_the_rule_and_the_request() {
    let proxy = two();
    let token = |sub: &str| {
        let claims = json!({"exp": START + 60, "use": "read", "sub": sub, "scope": sub});
        hs256(SECRET, &claims)
    };
    for (path, sub, expected) in [
        ("/read", "x", "one x"),
        ("/also-read", "x", "two x"),
        ("/read", "y", "one y"),
        ("/paths/1", "x", "1"),
        ("/paths/2", "x", "2"),
        ("/read", "x", "one x"),
    ] {
        let token = token(sub);
        assert_eq!(seen(&proxy, path, &token, "x-rule"), [expected], "{path}");
        assert_eq!(seen(&proxy, path, &token, "x-sub"), [sub], "{path}");
        assert_eq!(seen(&proxy, path, &token, "x-auth-scopes"), [sub], "{path}");
    }
}

#[test]
fn whom_a_request_names_is_asked_of_every_request() {
    let proxy = two();
    let token = hs256(SECRET, &json!({"exp": START + 60}));
    for (path, client, scopes) in [("/clients/a", "a", "s-a"), ("/clients/b", "b", "s-b")] {
        assert_eq!(seen(&proxy, path, &token, "x-auth-client"), [client]);
        assert_eq!(seen(&proxy, path, &token, "x-auth-scopes"), [scopes]);
    }
    assert_eq!(said(&proxy, "/clients/c", &token), "401 token_client");
}

#[test]
fn keys_that_a_request_chooses_are_asked_of_every_request() {
    let secret = |id: &str| format!("the secret of client {id}, long enough");
    let clients: String = ["a", "b"]
        .map(|id| {
            format!(
                "  - {{id: {id}, secrets: [{{value: \"{}\"}}]}}\n",
                secret(id)
            )
        })
        .concat();
    let proxy = Proxy::new(
        1,
        &format!(
            "version: 1\nclients:\n{clients}authenticators:\n  \
             own: {{jwt: {{algorithms: HS256, keys: {{client: path.client}}}}}}\n\
             rules:\n  - {{match: {{path: \"/clients/{{client}}\"}}, authenticate: own}}\n"
        ),
    );
    for (own, other) in [("a", "b"), ("b", "a")] {
        let token = hs256(&secret(own), &json!({"exp": START + 60, "sub": own}));
        let path = format!("/clients/{own}");
        assert_eq!(seen(&proxy, &path, &token, "x-auth-client"), [own]);
        let elsewhere = said(&proxy, &format!("/clients/{other}"), &token);
        assert_eq!(elsewhere, "401 token_signature", "the token of {own}");
    }
}

#[test]
fn beside_another_credential_it_says_what_both_say() {
    let proxy = two();
    let token = hs256(
        SECRET,
        &json!({"exp": START + 60, "use": "read", "sub": "x"}),
    );
    warm(&proxy, "/read", &token);
    let both = [
        ("the key", "acme"),
        ("the other key", "globex"),
        ("the key", "acme"),
    ];
    for (key, tenant) in both {
        let bearer = format!("Bearer {token}");
        let request = get("/both", &[("authorization", &bearer), ("apikey", key)]);
        let head = upstream(&request, &proxy.decide(request.clone()));
        assert_eq!(values(&head, "x-auth-tenant"), [tenant]);
        assert_eq!(values(&head, "x-sub"), ["x"]);
    }
    assert_eq!(
        seen(&proxy, "/read", &token, "x-auth-tenant"),
        Vec::<String>::new()
    );
}
