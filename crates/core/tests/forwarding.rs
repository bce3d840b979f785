//! What the upstream gets: nothing that a caller could pass for the gateway's word, no
//! credential that was consumed, and the path that was matched.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::http::{Headers, Request, Verdict};
use serde_json::json;
use support::jwt::hs256;
use support::*;

const SECRET: &str = "a-secret-of-thirty-two-bytes-yes";

fn policy() -> String {
    let digest = digest("ak_good");
    format!(
        r#"
version: 1
clients:
  - {{id: acme-shop, tenant: acme, scopes: [read, write], metadata: {{plan: gold}}, api_keys: [{{sha256: {digest}}}]}}
authenticators:
  key: {{api_key: {{from: [{{header: X-Api-Key}}, {{query: api_key}}, {{cookie: key}}]}}}}
  token:
    jwt:
      algorithms: HS256
      keys: [{{secret: {{value: {SECRET}}}}}]
      from: [{{header: authorization, scheme: Bearer}}, {{query: access_token}}, {{header: x-token}}]
  other:
    jwt: {{algorithms: HS256, keys: [{{secret: {{value: another-secret-of-thirty-two-byte}}}}]}}
  second: {{jwt: {{algorithms: HS256, keys: [{{secret: {{value: {SECRET}}}}}], from: [{{header: x-second}}]}}}}
rules:
  - {{match: {{path: /public/**}}, authenticate: none}}
  - {{match: {{path: /public-plan}}, authenticate: none, upstream: {{headers: {{x-plan: request.query.plan}}}}}}
  - {{match: {{path: /key/**}}, authenticate: key}}
  - {{match: {{path: /kept}}, authenticate: key, upstream: {{keep: [X-API-Key, api_key, KEY]}}}}
  - {{match: {{path: /plan}}, authenticate: key, upstream: {{headers: {{X-Plan: client.metadata.plan, x-customer: request.query.customer}}}}}}
  - {{match: {{path: /claim}}, authenticate: token, upstream: {{headers: {{x-name: claims.name}}}}}}
  - {{match: {{path: /token}}, authenticate: token}}
  - {{match: {{path: /token-removed}}, authenticate: token, upstream: {{authorization: remove}}}}
  - {{match: {{path: /either}}, authenticate: {{any: [token, key]}}}}
  - {{match: {{path: /both}}, authenticate: {{all: [token, key]}}}}
  - {{match: {{path: /second}}, authenticate: second}}
  - {{match: {{path: /other}}, authenticate: other}}
  - {{match: {{path: /two-tokens}}, authenticate: {{all: [token, second]}}}}
  - {{match: {{path: "/files/{{name}}"}}, authenticate: key, authorize: {{bind: {{name: "'a b'"}}}}}}
cors: {{bypass_preflight: true}}
identity_headers: {{x-auth-tenant: null, X-Auth-Customer: "'customer-' + client.id"}}
"#
    )
}

fn proxy() -> Proxy {
    Proxy::new(1, &policy())
}

/// What the upstream sees of a request that passes.
fn seen(request: &Request) -> Vec<(String, String)> {
    upstream(request, &proxy().decide(request.clone()))
}

const GOOD: (&str, &str) = ("x-api-key", "ak_good");

#[test]
fn names_that_only_the_gateway_may_set_are_removed_in_every_spelling() {
    let forged = [
        "x-auth-client",
        "X-Auth-Client",
        "X-AUTH-CLIENT",
        "x_auth_client",
        "X_Auth-Client",
        "x-auth-tenant",
        "X_AUTH_TENANT",
        "x-auth-scopes",
        "x-auth-customer",
        "x-plan",
        "X_Plan",
        "x-customer",
        "x-name",
        "X_NAME",
    ];
    let headers: Vec<(&str, &str)> = forged
        .iter()
        .flat_map(|name| [(*name, "forged"), (*name, "forged twice")])
        .chain([GOOD, ("x-auth-clients", "another name")])
        .collect();
    let mut preflight = headers.clone();
    preflight.extend([
        ("origin", "https://a"),
        ("access-control-request-method", "PUT"),
    ]);
    for request in [
        get("/public/x", &headers),
        get("/public-plan", &headers),
        get("/key/x", &headers),
        get("/plan", &headers),
        method("OPTIONS", "/key/x", &preflight),
    ] {
        let head = seen(&request);
        assert!(
            head.iter().all(|(_, value)| !value.starts_with("forged")),
            "{head:?}"
        );
        assert_eq!(values(&head, "x-auth-clients"), ["another name"]);
    }
    // A refusal forwards nothing at all.
    for target in ["/nowhere", "/key/x"] {
        let verdict = proxy().decide(get(target, &headers[..4]));
        assert!(matches!(verdict, Verdict::Refuse(_)));
    }
}

#[test]
fn the_gateway_says_who_calls_and_nothing_where_it_does_not_know() {
    let head = seen(&get("/plan?customer=c", &[GOOD]));
    for (name, expected) in [
        ("x-auth-client", &["acme-shop"][..]),
        ("x-auth-tenant", &[]),
        ("x-auth-scopes", &["read write"]),
        ("x-auth-customer", &["customer-acme-shop"]),
        ("x-plan", &["gold"]),
        ("x-customer", &["c"]),
    ] {
        assert_eq!(values(&head, name), expected, "{name}");
    }
    // What can't be evaluated is left out.
    assert!(values(&seen(&get("/plan", &[GOOD])), "x-customer").is_empty());
    let head = seen(&get("/public-plan?plan=free", &[]));
    assert_eq!(values(&head, "x-plan"), ["free"]);
    assert!(head.iter().all(|(name, _)| !name.starts_with("x-auth")));
}

#[test]
fn a_value_that_could_break_the_head_is_refused() {
    for (name, expected) in [
        ("plain", "ok"),
        ("tab\there", "ok"),
        ("caf\u{e9}", "ok"),
        ("a\r\nx-auth-client: forged", "403 header_value"),
        ("a\nb", "403 header_value"),
        ("a\rb", "403 header_value"),
        ("a\0b", "403 header_value"),
        ("a\u{7f}", "403 header_value"),
        ("a\u{85}b", "403 header_value"),
    ] {
        let token = hs256(SECRET, &json!({"exp": START + 60, "name": name}));
        let request = get("/claim", &[("authorization", &format!("Bearer {token}"))]);
        assert_eq!(short(&proxy().decide(request)), expected, "{name:?}");
    }
    let verdict = proxy().decide(get("/plan?customer=a%0D%0Ax:y", &[GOOD]));
    assert_eq!(short(&verdict), "403 header_value");
}

#[test]
fn consumed_credentials_do_not_go_on() {
    for (target, headers, path, cookies) in [
        (
            "/key/x",
            vec![GOOD, ("authorization", "Bearer z")],
            "/key/x",
            None,
        ),
        (
            "/key/x?a=%41&api_key=ak_good&b",
            vec![],
            "/key/x?a=%41&b",
            None,
        ),
        ("/key/x?api_key=ak_good", vec![], "/key/x", None),
        (
            "/key/x?%61pi_key=ak_good&access_token=other",
            vec![],
            "/key/x",
            None,
        ),
        (
            "/key/%78?api_key=ak_good&b=%41",
            vec![],
            "/key/x?b=%41",
            None,
        ),
        (
            "/key/x",
            vec![("cookie", "a=b; key=ak_good; c=\"d\"")],
            "/key/x",
            Some("a=b; c=\"d\""),
        ),
        ("/key/x", vec![("cookie", "key=ak_good")], "/key/x", None),
        (
            "/key/x",
            vec![GOOD, ("Cookie", "a=b"), ("cookie", "k%65y=ak_good")],
            "/key/x",
            Some("a=b"),
        ),
        // Every member's place is emptied, whichever of them proved the caller.
        (
            "/either",
            vec![GOOD, ("authorization", "Bearer garbage")],
            "",
            None,
        ),
    ] {
        let request = get(target, &headers);
        let verdict = proxy().decide(request.clone());
        let head = upstream(&request, &verdict);
        if !path.is_empty() {
            assert_eq!(values(&head, ":path"), [path], "{target}");
        }
        assert!(
            !format!("{head:?}").contains("ak_good"),
            "{target} {headers:?}: {head:?}"
        );
        assert!(values(&head, "authorization").is_empty(), "{target}");
        assert_eq!(values(&head, "cookie").first().map(String::as_str), cookies);
    }
}

#[test]
fn credentials_go_on_where_the_rule_keeps_them() {
    let request = get(
        "/kept",
        &[("X-API-KEY", "ak_good"), ("authorization", "Bearer z")],
    );
    let head = seen(&request);
    assert_eq!(values(&head, "x-api-key"), ["ak_good"]);
    assert!(values(&head, "authorization").is_empty());
    let head = seen(&get(
        "/kept?api_key=ak_good",
        &[("cookie", "key=ak_good; a=b")],
    ));
    assert_eq!(values(&head, ":path"), ["/kept?api_key=ak_good"]);
    assert_eq!(values(&head, "cookie"), ["key=ak_good; a=b"]);
}

#[test]
fn only_a_token_that_this_rule_verified_stays_in_authorization() {
    let token = hs256(SECRET, &json!({"exp": START + 60}));
    let bearer = format!("Bearer {token}");
    let other = hs256(
        "another-secret-of-thirty-two-byte",
        &json!({"exp": START + 60}),
    );
    let other = format!("Bearer {other}");
    let kept = Some(bearer.as_str());
    let auth = ("authorization", bearer.as_str());
    for (target, headers, expected) in [
        ("/token", vec![auth], kept),
        ("/either", vec![auth], kept),
        ("/both", vec![auth, GOOD], kept),
        // Where a policy names one place, that is where the token stood.
        (
            "/second",
            vec![
                ("x-second", token.as_str()),
                ("authorization", "Basic eDp5"),
            ],
            None,
        ),
        (
            "/other",
            vec![("authorization", other.as_str())],
            Some(other.as_str()),
        ),
        // The last token speaks, but the first one was verified as well.
        (
            "/two-tokens",
            vec![auth, ("x-second", token.as_str())],
            kept,
        ),
        ("/token-removed", vec![auth], None),
        // The token is good, but no member of this rule looked at it.
        ("/key/x", vec![auth, GOOD], None),
        // The token that was verified stood elsewhere.
        (
            &*format!("/token?access_token={token}"),
            vec![("authorization", "Basic eDp5")],
            None,
        ),
        (&*format!("/token?access_token={token}"), vec![auth], kept),
        (
            "/token",
            vec![("x-token", token.as_str()), ("authorization", "Basic eDp5")],
            None,
        ),
        ("/public/x", vec![auth], kept),
        (
            "/public/x",
            vec![("authorization", "anything")],
            Some("anything"),
        ),
    ] {
        let head = seen(&get(target, &headers));
        let expected: Vec<&str> = expected.into_iter().collect();
        assert_eq!(
            values(&head, "authorization"),
            expected,
            "{target} {headers:?}"
        );
        if target.starts_with("/token?") {
            assert_eq!(values(&head, ":path"), ["/token"]);
        }
    }
}

#[test]
fn what_was_matched_is_what_the_upstream_gets() {
    for (target, path) in [
        ("/%6bey/x", "/key/x"),
        ("/key/%7e?q=%41", "/key/~?q=%41"),
        ("/files/a%20b", "/files/a%20b"),
        ("/files/%61%20b?x", "/files/a%20b?x"),
        ("/key/a%25b", "/key/a%25b"),
        ("/key/x?", "/key/x?"),
    ] {
        let head = seen(&get(target, &[GOOD]));
        assert_eq!(values(&head, ":path"), [path], "{target}");
    }
    for target in [
        "/key//x",
        "/key/../x",
        "/key/%2e%2e/x",
        "/key/a%2fb",
        "*",
        "",
        "key",
    ] {
        let verdict = proxy().decide(get(target, &[GOOD]));
        assert_eq!(short(&verdict), "400 path_invalid", "{target}");
    }
}

#[test]
fn a_preflight_passes_only_where_it_is_one_and_the_policy_says_so() {
    let origin = ("origin", "https://a.example");
    let asks = ("access-control-request-method", "PUT");
    for (verb, target, headers, expected) in [
        ("OPTIONS", "/key/x", vec![origin, asks], "ok"),
        ("OPTIONS", "/key/%78", vec![origin, asks], "ok"),
        ("OPTIONS", "/nowhere", vec![origin, asks], "403 no_rule"),
        (
            "OPTIONS",
            "/key/../x",
            vec![origin, asks],
            "400 path_invalid",
        ),
        ("OPTIONS", "/key/x", vec![origin], "401 credentials_missing"),
        ("OPTIONS", "/key/x", vec![asks], "401 credentials_missing"),
        (
            "options",
            "/key/x",
            vec![origin, asks],
            "401 credentials_missing",
        ),
        (
            "GET",
            "/key/x",
            vec![origin, asks],
            "401 credentials_missing",
        ),
    ] {
        let verdict = proxy().decide(method(verb, target, &headers));
        assert_eq!(short(&verdict), expected, "{verb} {target} {headers:?}");
    }
    let strict = policy().replace("bypass_preflight: true", "bypass_preflight: false");
    let verdict = Proxy::new(1, &strict).decide(method("OPTIONS", "/key/x", &[origin, asks]));
    assert_eq!(short(&verdict), "401 credentials_missing");
}

#[test]
fn header_names_that_are_no_text_trap_nothing() {
    let headers: Vec<(&[u8], &[u8])> = vec![
        (b":method", b"GET"),
        (b":path", b"/key/x"),
        (b":authority", b"acme.example.com"),
        (b"x-api-key", b"ak_good"),
        (b"x-auth-client\xff", b"forged"),
        (b"\xff\xfe", b"\xff"),
        (b"cookie", b"\xff=\xfe; key"),
        (b"", b""),
    ];
    let request = Request {
        headers: Headers::from_pairs(headers),
        source_address: None,
    };
    let verdict = proxy().decide(request.clone());
    let head = upstream(&request, &verdict);
    assert_eq!(values(&head, "x-auth-client"), ["acme-shop"]);
}
