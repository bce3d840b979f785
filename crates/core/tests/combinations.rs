//! Authenticators combined: every pair of member states under any and all, and nested.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::host::Answer;
use doorward_core::http::Verdict;
use serde_json::{Value, json};
use support::jwt::{es256, forged, hs256, jwks};
use support::*;

/// Two authenticators of one kind, each with a key set of its own, combined under a path each.
const COMBINED: &str = r#"
version: 1
authenticators:
  a:
    jwt:
      algorithms: [ES256]
      keys: [{remote: {cluster: one, url: "http://one/keys"}}]
      from: [{header: x-a}]
  b:
    jwt:
      algorithms: [ES256]
      keys: [{remote: {cluster: two, url: "http://two/keys"}}]
      from: [{header: x-b}]
  c:
    jwt:
      algorithms: [HS256]
      keys: [{secret: {value: a-secret-of-thirty-two-bytes-yes}}]
      from: [{header: x-c}]
rules:
  - {match: {path: /any}, authenticate: {any: [a, b]}}
  - {match: {path: /all}, authenticate: {all: [a, b]}}
  - {match: {path: /any-of-all}, authenticate: {any: [{all: [a, b]}, c]}}
  - {match: {path: /all-of-any}, authenticate: {all: [{any: [a, b]}, c]}}
  - {match: {path: /one-of-one}, authenticate: {any: [{all: [{any: [c]}]}]}}
"#;
const SECRET: &str = "a-secret-of-thirty-two-bytes-yes";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    Missing,
    Refused,
    Unavailable,
    Needs,
}
use State::*;

const STATES: [State; 5] = [Good, Missing, Refused, Unavailable, Needs];

fn exp() -> Value {
    json!({"exp": START + 600})
}

/// The verdict on a request whose members are in these states: at once, and, where it waits,
/// after the keys came.
fn verdict(path: &str, a: State, b: State, more: &[(&str, &str)]) -> String {
    let proxy = Proxy::new(1, COMBINED);
    proxy.tick();
    for call in proxy.calls() {
        let state = if call.call.cluster == "one" { a } else { b };
        match state {
            Needs => {}
            Unavailable => proxy.answer(&call, Answer::Failed),
            _ => proxy.answer(&call, reply(200, &jwks(&["k"]))),
        }
    }
    let good = es256(Some("k"), &exp());
    let bad = forged(&good);
    let mut headers = more.to_vec();
    for (name, state, refused) in [("x-a", a, "garbage"), ("x-b", b, bad.as_str())] {
        match state {
            Missing => {}
            Refused => headers.push((name, refused)),
            _ => headers.push((name, &good)),
        }
    }
    let ticket = proxy.ask(0, get(path, &headers));
    if let Some(verdict) = proxy.verdict(ticket) {
        return word(&verdict);
    }
    for call in proxy.calls() {
        proxy.answer(&call, reply(200, &jwks(&["k"])));
    }
    let verdict = proxy.verdict(ticket).expect("it waits for nothing");
    format!("later {}", word(&verdict))
}

fn word(verdict: &Verdict) -> String {
    match short(verdict).as_str() {
        "401 credentials_missing" => "missing".to_owned(),
        "401 token_malformed" => "refused:a".to_owned(),
        "401 token_signature" => "refused:b".to_owned(),
        "503 keys_unavailable after 1" => "unavailable".to_owned(),
        other => other.to_owned(),
    }
}

#[test]
fn any_takes_the_first_success_and_tells_the_worst_failure() {
    let grid = [
        ["ok", "ok", "ok", "ok", "ok"],
        ["ok", "missing", "refused:b", "unavailable", "later ok"],
        ["ok", "refused:a", "refused:a", "unavailable", "later ok"],
        [
            "ok",
            "unavailable",
            "unavailable",
            "unavailable",
            "later ok",
        ],
        ["later ok"; 5],
    ];
    for (a, row) in STATES.into_iter().zip(grid) {
        for (b, expected) in STATES.into_iter().zip(row) {
            assert_eq!(verdict("/any", a, b, &[]), expected, "{a:?} {b:?}");
        }
    }
}

#[test]
fn all_tells_the_first_failure() {
    let grid = [
        ["ok", "missing", "refused:b", "unavailable", "later ok"],
        ["missing"; 5],
        ["refused:a"; 5],
        ["unavailable"; 5],
        [
            "later ok",
            "later missing",
            "later refused:b",
            "later unavailable",
            "later ok",
        ],
    ];
    for (a, row) in STATES.into_iter().zip(grid) {
        for (b, expected) in STATES.into_iter().zip(row) {
            assert_eq!(verdict("/all", a, b, &[]), expected, "{a:?} {b:?}");
        }
    }
}

#[test]
fn combinations_nest() {
    let good = hs256(SECRET, &exp());
    let c: &[(&str, &str)] = &[("x-c", &good)];
    let bad: &[(&str, &str)] = &[("x-c", "garbage")];
    for (path, a, b, more, expected) in [
        ("/any-of-all", Good, Good, &[][..], "ok"),
        ("/any-of-all", Good, Missing, &[], "missing"),
        ("/any-of-all", Good, Missing, c, "ok"),
        ("/any-of-all", Refused, Good, c, "ok"),
        ("/any-of-all", Good, Refused, bad, "refused:b"),
        ("/any-of-all", Missing, Missing, bad, "refused:a"),
        ("/any-of-all", Needs, Needs, &[], "later ok"),
        ("/all-of-any", Good, Missing, c, "ok"),
        ("/all-of-any", Missing, Good, c, "ok"),
        ("/all-of-any", Good, Good, &[], "missing"),
        ("/all-of-any", Missing, Missing, c, "missing"),
        ("/all-of-any", Refused, Unavailable, c, "unavailable"),
        ("/one-of-one", Missing, Missing, c, "ok"),
        ("/one-of-one", Good, Good, &[], "missing"),
    ] {
        assert_eq!(verdict(path, a, b, more), expected, "{path} {a:?} {b:?}");
    }
}

#[test]
fn a_request_asks_for_one_thing_once_however_long_the_others_take() {
    let proxy = Proxy::new(1, COMBINED);
    let good = es256(Some("k"), &exp());
    let ticket = proxy.ask(0, get("/any", &[("x-a", &good), ("x-b", &good)]));
    let call = proxy.call();
    assert_eq!(call.call.cluster, "one");
    proxy.answer(&call, Answer::Failed);
    // By the time that the second server fails, the first might be asked again.
    proxy.pass(seconds(2));
    let call = proxy.call();
    assert_eq!(call.call.cluster, "two");
    proxy.answer(&call, Answer::Failed);
    assert_eq!(proxy.said(ticket), "503 keys_unavailable after 1");
    assert_eq!(proxy.made(), 2);
}

#[test]
fn a_request_that_would_ask_without_end_is_refused() {
    // One pair, asked about at more endpoints than one request may ask.
    let names: Vec<String> = (0..40).map(|number| format!("p{number}")).collect();
    let part =
        |line: &dyn Fn(&str) -> String| -> String { names.iter().map(|name| line(name)).collect() };
    let policy = format!(
        "version: 1\nauthenticators:\n{}tokens:\n{}rules:\n  - {{match: {{path: /}}, authenticate: {{any: [{}]}}}}\n",
        part(&|name| format!(
            "  {name}: {{client_credentials: {{from: {{basic: true}}, exchange: {name}}}}}\n"
        )),
        part(&|name| format!(
            "  {name}: {{exchange: {{cluster: {name}, url: \"https://idp.example.com/{name}\"}}}}\n"
        )),
        names.join(", ")
    );
    let proxy = Proxy::new(1, &policy);
    let ticket = proxy.ask(0, get("/", &[("authorization", "Basic YTpi")]));
    for _ in 0..32 {
        proxy.reply(401, "");
    }
    assert_eq!(proxy.said(ticket), "503 internal");
}
