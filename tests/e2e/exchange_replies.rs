//! A token endpoint that replies with garbage, slowly or never: 503, and never a pass.

use std::time::Duration;

use serde_json::{Value, json};
use xtask::server::{Outcome, Reply};

use crate::client_exchange::{HEADERS, policy};
use crate::config::Listener;
use crate::gateway::{GATEWAY, asked, assert_passed, assert_refused};

pub const ENDPOINTS: &[&str] = &["replies", "replies-verify", "replies-hanging"];

pub fn listeners() -> Vec<Listener> {
    vec![
        Listener::new("replies", policy("replies", "timeout: 3s", HEADERS)),
        Listener::new(
            "replies-verify",
            policy("replies-verify", "timeout: 3s", HEADERS),
        ),
        Listener::new(
            "replies-hanging",
            policy("replies-hanging", "timeout: 700ms", HEADERS),
        ),
    ]
}

pub fn json(body: &Value) -> Outcome {
    Outcome::Reply(Reply::json(200, body))
}

fn ask(listener: &str, id: &str) -> xtask::client::Answer {
    let path = format!("/api/replies/{id}");
    let request = GATEWAY.client(listener).get(&path);
    let request = request
        .header("x-client-id", id)
        .header("x-client-secret", "s");
    request.send().unwrap()
}

#[test]
fn a_reply_that_is_no_usable_token_is_503_and_never_a_pass() {
    let endpoint = GATEWAY.endpoint("replies");
    let token = |token: Value| {
        json(&json!({"access_token": token, "token_type": "Bearer", "expires_in": 60}))
    };
    let typed =
        |kind: Value| json(&json!({"access_token": "a.b.c", "token_type": kind, "expires_in": 60}));
    let lives = |life: Value| {
        json(&json!({"access_token": "opaque", "token_type": "Bearer", "expires_in": life}))
    };
    let reply = |status, body: &str| {
        Outcome::Reply(Reply::new(status, "application/json", body.to_owned()))
    };
    let whole = json!({"access_token": "a.b.c", "token_type": "Bearer"});
    let redirect = Reply::new(302, "text/html", "elsewhere");
    let cases = [
        (
            "html",
            Outcome::Reply(Reply::new(200, "text/html", "<html>sign in</html>")),
        ),
        ("empty", reply(200, "")),
        ("null", reply(200, "null")),
        ("array", reply(200, "[]")),
        ("no-token", json(&json!({"token_type": "Bearer"}))),
        ("empty-token", token(json!(""))),
        ("number-token", token(json!(7))),
        ("spaced-token", token(json!("a b"))),
        ("crlf-token", token(json!("a\r\nx-auth-client: admin"))),
        ("huge-token", token(json!("a".repeat(40_000)))),
        ("mac", typed(json!("mac"))),
        ("dpop", typed(json!("DPoP"))),
        ("type-list", typed(json!(["Bearer"]))),
        ("life-0", lives(json!(0))),
        ("life-negative", lives(json!(-5))),
        ("life-text", lives(json!("soon"))),
        ("deep", reply(200, &"[".repeat(50_000))),
        (
            "10-mb",
            reply(200, &format!("{{\"x\": \"{}\"}}", "y".repeat(10 << 20))),
        ),
        ("truncated", Outcome::CutShort(Reply::json(200, &whole))),
        (
            "redirect",
            Outcome::Reply(redirect.header("location", "/oauth2/other")),
        ),
        ("201", Outcome::Reply(Reply::json(201, &whole))),
        (
            "204",
            Outcome::Reply(Reply::new(204, "application/json", "")),
        ),
        ("400-without-error", reply(400, "{}")),
        ("403", reply(403, "{}")),
        ("500", reply(500, "oops")),
        ("503", reply(503, "later")),
        ("closed", Outcome::Close),
    ];
    for (case, outcome) in cases {
        // Not only once: a failed call is tried again.
        endpoint.always(Some(outcome));
        let answer = ask("replies", case);
        assert_eq!(answer.status, 503, "{case}: {}", answer.text());
        assert_refused(&answer, 503, "exchange_unavailable");
        assert!(answer.header("retry-after").is_some(), "{case}");
        // What failed isn't asked about again at once either.
        assert_refused(&ask("replies", case), 503, "exchange_unavailable");
        assert_eq!(
            GATEWAY.heads(&format!("/api/replies/{case}")).len(),
            0,
            "{case}"
        );
    }
    GATEWAY.assert_well();
}

#[test]
fn a_token_that_verify_refuses_never_passes() {
    let endpoint = GATEWAY.endpoint("replies-verify");
    for (case, token) in [
        ("opaque", "opaque".to_owned()),
        (
            "unsigned",
            "eyJhbGciOiJub25lIn0.eyJjbGllbnRfaWQiOiJ4In0.".to_owned(),
        ),
    ] {
        endpoint.next(json(
            &json!({"access_token": token, "token_type": "Bearer", "expires_in": 60}),
        ));
        let id = format!("verify-{case}");
        let answer = ask("replies-verify", &id);
        assert_eq!(answer.status, 401, "{case}: {}", answer.text());
        assert_eq!(ask("replies-verify", &id).status, 401);
        assert_eq!(GATEWAY.heads(&format!("/api/replies/{id}")).len(), 0);
    }
}

#[test]
fn an_endpoint_that_hangs_is_503_after_the_timeout() {
    let endpoint = GATEWAY.endpoint("replies-hanging");
    endpoint.set_client("hangs", &["s"]);
    endpoint.always(Some(Outcome::Hang));
    let answer = ask("replies-hanging", "hangs");
    assert_refused(&answer, 503, "exchange_unavailable");
    let waited = answer.elapsed;
    assert!(
        waited >= Duration::from_millis(650) && waited < Duration::from_secs(3),
        "{waited:?}"
    );
    // `retry` is 2 attempts by default.
    assert!((1..=2).contains(&asked(endpoint, "hangs")));
    assert_eq!(GATEWAY.heads("/api/replies/hangs").len(), 0);
    endpoint.always(None);
    crate::gateway::await_until("recovery", || ask("replies-hanging", "hangs").status == 200);
    assert_passed(&ask("replies-hanging", "hangs"));
}
