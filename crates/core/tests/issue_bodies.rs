//! Bodies of token requests: slow, too long, too many, never there, and callers who leave.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::engine::{Decision, MAX_BODY_TIME};
use doorward_core::http::MAX_BODY;
use support::issue::post;
use support::*;

const POLICY: &str = r#"version: 1
clients:
  - {id: shop, tenant: acme, api_keys: [{sha256: "@KEY@"}], secrets: [{sha256: "@SECRET@"}]}
authenticators:
  key: {api_key: {from: [{header: x-api-key}]}}
  user: {jwt: {algorithms: [ES256], keys: [{remote: {cluster: idp, url: "https://idp.example.com/jwks"}}]}}
tokens:
  session: {sign: {algorithm: HS256, keys: [{secret: {value: "a-secret-of-at-least-32-bytes-in-all"}}], lifetime: 1h}}
rules:
  - match: {path: /login}
    issue: {token: session, client_auth: client_secret_post, request: {client_id: /id, client_secret: /secret}}
    limit: {per: source.address, rate: 3/m, count: failures}
  - match: {path: /keyed}
    authenticate: key
    issue: {token: session, client_auth: client_secret_post, request: {client_id: /id, client_secret: /secret}}
  - match: {path: /user}
    authenticate: user
    issue: {token: session, client_auth: client_secret_post, request: {client_id: /id, client_secret: /secret}}
  - match: {path: /basic}
    issue: {token: session, client_auth: client_secret_basic}
"#;

const GOOD: &str = r#"{"id": "shop", "secret": "s"}"#;

fn policy() -> String {
    let policy = POLICY.replace("@KEY@", &digest("k"));
    policy.replace("@SECRET@", &digest("s"))
}

fn proxy() -> Proxy {
    Proxy::new(1, &policy())
}

#[test]
fn nothing_is_decided_before_the_body_is_whole() {
    let proxy = proxy();
    let ticket = proxy.ask(0, post("/login", &[]));
    for size in [0, 1, 100, GOOD.len()] {
        proxy.body_so_far(ticket, size);
        assert_eq!(proxy.said(ticket), "waits", "{size}");
    }
    proxy.body(ticket, GOOD.as_bytes());
    assert_eq!(proxy.said(ticket), "200 token");
}

#[test]
fn whoever_is_not_let_in_is_refused_before_the_body_comes() {
    let proxy = proxy();
    for (target, headers, said) in [
        ("/keyed", &[][..], "401 credentials_missing"),
        ("/keyed", &[("x-api-key", "wrong")], "401 api_key_unknown"),
        (
            "/user",
            &[("authorization", "Bearer x")],
            "401 token_malformed",
        ),
        (
            "/login",
            &[("content-length", "16385")],
            "413 body_too_large",
        ),
        (
            "/login",
            &[("content-length", "99999999999999999999")],
            "waits",
        ),
        ("/login", &[("content-length", "16384")], "waits"),
        ("/keyed", &[("x-api-key", "k")], "waits"),
    ] {
        let ticket = proxy.ask(0, post(target, headers));
        assert_eq!(proxy.said(ticket), said, "{target} {headers:?}");
        assert_eq!(proxy.awaits_body(ticket), said == "waits");
    }
}

#[test]
fn a_body_that_is_not_read_is_not_waited_for() {
    let proxy = proxy();
    let basic = "Basic c2hvcDpz";
    let request = method("POST", "/basic", &[("authorization", basic)]);
    assert_eq!(proxy.said(proxy.ask(0, request)), "200 token");
}

#[test]
fn the_body_is_bounded_as_it_comes_and_as_a_whole() {
    let proxy = proxy();
    let ticket = proxy.ask(0, post("/login", &[]));
    proxy.body_so_far(ticket, MAX_BODY);
    assert_eq!(proxy.said(ticket), "waits");
    proxy.body_so_far(ticket, MAX_BODY + 1);
    assert_eq!(proxy.said(ticket), "413 body_too_large");

    let padded = |length: usize| format!("{GOOD}{}", " ".repeat(length - GOOD.len()));
    assert_eq!(
        proxy.token(post("/login", &[]), &padded(MAX_BODY)),
        "200 token"
    );
    let said = proxy.token(post("/login", &[]), &padded(MAX_BODY + 1));
    assert_eq!(said, "413 body_too_large");
}

#[test]
fn a_slow_body_is_refused_after_its_time_and_counts_as_a_failure() {
    let proxy = proxy();
    let slow: Vec<_> = (0..3).map(|_| proxy.ask(0, post("/login", &[]))).collect();
    proxy.pass(MAX_BODY_TIME - seconds(1));
    assert_eq!(proxy.said(slow[0]), "waits");
    proxy.pass(seconds(1));
    for ticket in slow {
        assert_eq!(proxy.said(ticket), "400 body_timeout");
        // What comes after all changes nothing.
        let late = proxy.workers[0].body_whole(0, GOOD.into());
        assert!(matches!(late, Decision::Later));
        assert_eq!(proxy.workers[0].body_so_far(0, MAX_BODY + 1), None);
    }
    let next = proxy.said(proxy.ask(0, post("/login", &[])));
    assert!(next.starts_with("429 rate_limited"), "{next}");
}

#[test]
fn heads_that_came_early_give_nobody_more_guesses() {
    let proxy = Proxy::new(2, &policy());
    let held = (0..20).map(|number| proxy.ask(number % 2, post("/login", &[])));
    let held: Vec<_> = held.collect();
    for (guesses, ticket) in held.into_iter().enumerate() {
        let guess = format!(r#"{{"id": "shop", "secret": "{guesses}"}}"#);
        proxy.body(ticket, guess.as_bytes());
        let expected = match guesses < 3 {
            true => "401 client_secret",
            false => "429 rate_limited after 20",
        };
        assert_eq!(proxy.said(ticket), expected, "{guesses}");
    }
}

#[test]
fn a_clock_that_goes_back_makes_nobody_wait_longer() {
    let proxy = proxy();
    let ticket = proxy.ask(0, post("/login", &[]));
    proxy.world.now.set(seconds(START - 3600));
    proxy.tick();
    proxy.pass(MAX_BODY_TIME);
    assert_eq!(proxy.said(ticket), "400 body_timeout");
}

#[test]
fn a_body_that_the_host_keeps_to_itself_is_refused() {
    let proxy = proxy();
    let engine = &proxy.workers[0];
    assert!(matches!(
        engine.decide(7, post("/login", &[])),
        Decision::NeedsBody
    ));
    let verdict = engine.body_withheld(7).unwrap();
    assert_eq!(short(&verdict), "503 body_withheld after 1");
    assert_eq!(engine.body_withheld(7), None);
    assert_eq!(engine.body_withheld(8), None);
}

#[test]
fn bodies_on_their_way_are_bounded_in_number_and_a_caller_who_leaves_frees_a_place() {
    let proxy = proxy();
    let engine = &proxy.workers[0];
    for id in 0..1024 {
        assert!(
            matches!(engine.decide(id, post("/login", &[])), Decision::NeedsBody),
            "{id}"
        );
    }
    let ask = |id| match engine.decide(id, post("/login", &[])) {
        Decision::Now(verdict) => short(&verdict),
        _ => "waits".to_owned(),
    };
    assert_eq!(ask(5000), "503 overloaded after 1");
    engine.forget(0);
    assert_eq!(ask(5000), "waits");
    assert_eq!(ask(5001), "503 overloaded after 1");
    for id in 1..1024 {
        engine.forget(id);
    }
    engine.forget(5000);
    // Heads are bounded in bytes.
    let long = "x".repeat(1024 * 1024);
    let headers = [("x-long", long.as_str())];
    for id in 0..7 {
        assert!(
            matches!(
                engine.decide(id, post("/login", &headers)),
                Decision::NeedsBody
            ),
            "{id}"
        );
    }
    assert!(matches!(
        engine.decide(9, post("/login", &headers)),
        Decision::Now(_)
    ));
    assert!(matches!(
        engine.decide(9, post("/login", &[])),
        Decision::NeedsBody
    ));
}

#[test]
fn the_body_comes_before_what_a_callout_tells() {
    let proxy = proxy();
    let claims = serde_json::json!({"exp": START + 60});
    let bearer = format!("Bearer {}", jwt::es256(Some("k"), &claims));
    // The first tick fetches the keys, and nobody answers yet.
    let ticket = proxy.ask(0, post("/user", &[("authorization", &bearer)]));
    assert!(proxy.awaits_body(ticket));
    proxy.body(ticket, GOOD.as_bytes());
    assert_eq!(proxy.said(ticket), "waits");
    proxy.reply(200, &jwt::jwks(&["k"]));
    assert_eq!(proxy.said(ticket), "200 token");
}

#[test]
fn bodies_of_requests_that_wait_are_bounded_together() {
    let proxy = proxy();
    let claims = serde_json::json!({"exp": START + 60});
    let bearer = format!("Bearer {}", jwt::es256(Some("k"), &claims));
    let ask = |length: usize| {
        let body = format!("{GOOD}{}", " ".repeat(length - GOOD.len()));
        let request = post("/user", &[("authorization", &bearer)]);
        proxy.said(proxy.send(0, request, body.as_bytes()))
    };
    // 16 MiB, in heads and bodies.
    let waiting = (0..2000).take_while(|_| ask(MAX_BODY) == "waits").count();
    assert!((900..1024).contains(&waiting), "{waiting}");
    assert_eq!(ask(MAX_BODY), "503 overloaded after 1");
}
