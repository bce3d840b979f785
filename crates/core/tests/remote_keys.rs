//! Fetched key sets over several workers: first fetched, kept, refreshed, fetched anew for an
//! unknown `kid`, lost.

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
use doorward_core::observe::Event;
use serde_json::{Value, json};
use support::jwt::{es256, forged, hs256, jwk, jwks};
use support::*;

const POLICY: &str = r#"
version: 1
authenticators:
  partner:
    jwt:
      algorithms: [ES256]
      issuer: https://idp.example.com
      keys: [{remote: {cluster: idp, url: "https://idp.example.com/jwks.json"}}]
rules:
  - match: {path: /**}
    authenticate: partner
"#;

/// The set is refreshed within ten minutes, less a tenth at random.
const REFRESH: u64 = 600;
const DAY: u64 = 24 * 3600;

fn claims() -> Value {
    // Far enough that no test outlives it.
    json!({"iss": "https://idp.example.com", "exp": START + 30 * DAY})
}

fn with(token: &str) -> Request {
    get("/", &[("authorization", &format!("Bearer {token}"))])
}

fn by(kid: &str) -> Request {
    with(&es256(Some(kid), &claims()))
}

fn ask(proxy: &Proxy, worker: usize, request: Request) -> String {
    proxy.said(proxy.ask(worker, request))
}

/// Answers every call that waits.
fn answer_all(proxy: &Proxy, answer: &Answer) {
    for call in proxy.calls() {
        proxy.answer(&call, answer.clone());
    }
}

/// A proxy whose workers all hold a set with the key `k1`.
fn holding(workers: usize) -> Proxy {
    let proxy = Proxy::new(workers, POLICY);
    proxy.tick();
    answer_all(&proxy, &reply(200, &jwks(&["k1"])));
    assert_eq!(proxy.made(), workers);
    proxy
}

#[test]
fn the_first_request_waits_for_the_first_fetch() {
    let proxy = Proxy::new(1, POLICY);
    let tickets: Vec<_> = (0..50).map(|_| proxy.ask(0, by("k1"))).collect();
    let call = proxy.call();
    for (name, value) in [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "idp.example.com"),
        (":path", "/jwks.json"),
    ] {
        assert_eq!(call.header(name), Some(value));
    }
    assert!(call.call.body.is_empty());
    assert!(tickets.iter().all(|ticket| proxy.said(*ticket) == "waits"));
    proxy.reply(200, &jwks(&["k1"]));
    assert!(tickets.iter().all(|ticket| proxy.said(*ticket) == "ok"));
    proxy.tick();
    assert_eq!(proxy.made(), 1);
}

#[test]
fn a_set_that_cannot_be_used_makes_keys_unavailable() {
    let many: Vec<Value> = (0..129).map(|_| jwk(None)).collect();
    for answer in [
        Answer::Failed,
        reply(500, &jwks(&["k1"])),
        reply(404, ""),
        reply(204, ""),
        reply(200, ""),
        reply(200, "<html>"),
        reply(200, "[]"),
        reply(200, "{}"),
        reply(200, r#"{"keys": {}}"#),
        reply(200, r#"{"keys": [], "keys": []}"#),
        reply(200, &json!({"keys": many}).to_string()),
        reply(200, &(jwks(&["k1"]) + &" ".repeat(256 * 1024))),
        reply(200, &"[".repeat(200_000)),
        reply(200, &format!("{{\"keys\":{}", "[".repeat(100_000))),
    ] {
        let proxy = Proxy::new(1, POLICY);
        let ticket = proxy.ask(0, by("k1"));
        proxy.answer(&proxy.call(), answer);
        let refusal = "503 keys_unavailable after 1";
        assert_eq!(proxy.said(ticket), refusal);
        // The next request doesn't hurry to the server that just failed.
        assert_eq!(ask(&proxy, 0, by("k1")), refusal);
        assert_eq!(proxy.made(), 1);
        assert_eq!(proxy.count(Event::KeysFailed), 1);
        proxy.jump(seconds(1));
        let ticket = proxy.ask(0, by("k1"));
        proxy.reply(200, &jwks(&["k1"]));
        assert_eq!(proxy.said(ticket), "ok");
    }
}

#[test]
fn keys_that_cannot_be_used_are_skipped_and_told() {
    let proxy = Proxy::new(1, POLICY);
    let ticket = proxy.ask(0, by("k1"));
    let set = json!({"keys": [
        {"kty": "EC", "crv": "P-1", "x": "AA", "y": "AA", "kid": "bad\nline"}, 1, null, [],
        {"kty": "oct", "k": "AA"}, jwk(Some("k1")),
    ]});
    proxy.reply(200, &set.to_string());
    assert_eq!(proxy.said(ticket), "ok");
    assert!(proxy.count(Event::KeySkipped) >= 4);
    let log = proxy.world.log.borrow();
    assert!(log.iter().all(|(_, line)| !line.contains('\n')));
}

#[test]
fn a_lost_fetch_ends_and_is_tried_again() {
    let proxy = Proxy::new(1, POLICY);
    let ticket = proxy.ask(0, by("k1"));
    // The timeout of 2 s, and 2 s after which a call counts as lost.
    proxy.pass(seconds(5));
    assert_eq!(proxy.said(ticket), "503 keys_unavailable after 1");
    proxy.pass(seconds(5));
    assert_eq!(proxy.made(), 2);
    let latest = proxy.calls().pop().unwrap();
    proxy.answer(&latest, reply(200, &jwks(&["k1"])));
    assert_eq!(ask(&proxy, 0, by("k1")), "ok");
}

#[test]
fn a_set_is_refreshed_in_time_and_not_before() {
    let proxy = holding(1);
    proxy.pass(seconds(REFRESH * 9 / 10 - 1));
    assert_eq!(proxy.made(), 1);
    proxy.jump(seconds(REFRESH / 10 + 1));
    proxy.tick();
    assert_eq!(proxy.made(), 2);
    // Requests don't wait for it.
    assert_eq!(ask(&proxy, 0, by("k1")), "ok");
    proxy.reply(200, &jwks(&["k1"]));
    proxy.pass(seconds(60));
    assert_eq!(proxy.made(), 2);
}

#[test]
fn a_clock_that_goes_back_puts_no_refresh_off() {
    let proxy = holding(1);
    proxy.world.now.set(proxy.world.now.get() - seconds(7200));
    proxy.tick();
    assert_eq!(proxy.made(), 2);
}

#[test]
fn a_removed_key_stops_working_at_the_next_refresh() {
    let proxy = holding(1);
    assert_eq!(ask(&proxy, 0, by("k1")), "ok");
    proxy.jump(seconds(REFRESH));
    proxy.tick();
    proxy.reply(200, &jwks(&["k2"]));
    let ticket = proxy.ask(0, by("k1"));
    answer_all(&proxy, &reply(200, &jwks(&["k2"])));
    assert_eq!(proxy.said(ticket), "401 key_unknown");
    assert_eq!(ask(&proxy, 0, by("k2")), "ok");
}

#[test]
fn keys_outlive_their_server_for_a_day_and_no_longer() {
    let proxy = holding(1);
    for hour in 0..24 {
        assert_eq!(ask(&proxy, 0, by("k1")), "ok", "after {hour} h");
        proxy.jump(seconds(3600));
        proxy.tick();
        answer_all(&proxy, &Answer::Failed);
    }
    assert_eq!(ask(&proxy, 0, by("k1")), "ok");
    proxy.jump(seconds(2));
    let ticket = proxy.ask(0, by("k1"));
    answer_all(&proxy, &reply(503, ""));
    assert_eq!(proxy.said(ticket), "503 keys_unavailable after 1");
    proxy.jump(seconds(5));
    proxy.tick();
    answer_all(&proxy, &reply(200, &jwks(&["k1"])));
    assert_eq!(ask(&proxy, 0, by("k1")), "ok");
}

#[test]
fn a_server_that_is_down_is_tried_seldom() {
    let proxy = holding(1);
    proxy.jump(seconds(REFRESH));
    for _ in 0..60 {
        proxy.pass(seconds(1));
        assert_eq!(ask(&proxy, 0, by("k1")), "ok");
        answer_all(&proxy, &Answer::Failed);
    }
    assert!((11..=14).contains(&proxy.made()), "{}", proxy.made());
}

#[test]
fn an_unknown_kid_fetches_once_and_finds_the_new_key() {
    let proxy = holding(1);
    let tickets: Vec<_> = (0..20).map(|_| proxy.ask(0, by("k2"))).collect();
    assert_eq!(proxy.made(), 2);
    // What needs no new key doesn't wait.
    assert_eq!(ask(&proxy, 0, by("k1")), "ok");
    proxy.reply(200, &jwks(&["k1", "k2"]));
    assert!(tickets.iter().all(|ticket| proxy.said(*ticket) == "ok"));
}

#[test]
fn a_storm_of_unknown_kids_makes_one_call_in_ten_seconds() {
    let proxy = holding(4);
    let before = proxy.made();
    for round in 0..100 {
        let worker = round % 4;
        let ticket = proxy.ask(worker, by(&format!("unknown-{round}")));
        proxy.pass(seconds(1) / 10);
        answer_all(&proxy, &reply(200, &jwks(&["k1"])));
        proxy.pass(seconds(1) / 10);
        assert_eq!(proxy.said(ticket), "401 key_unknown", "{round}");
        assert_eq!(ask(&proxy, worker, by("k1")), "ok");
    }
    // 20 s went by.
    let made = proxy.made() - before;
    assert!(made <= 3, "{made} calls");
}

#[test]
fn workers_that_meet_a_new_kid_together_each_find_it() {
    let proxy = holding(4);
    let tickets: Vec<_> = (0..4).map(|worker| proxy.ask(worker, by("k2"))).collect();
    // One asks first; the others ask for themselves once it found something new, since keys
    // are never taken from the board.
    assert_eq!(proxy.made(), 5);
    for _ in 0..4 {
        answer_all(&proxy, &reply(200, &jwks(&["k2"])));
        proxy.pass(seconds(1) / 10);
    }
    assert_eq!(proxy.made(), 8);
    for ticket in tickets {
        assert_eq!(proxy.said(ticket), "ok");
    }
}

#[test]
fn a_worker_that_dies_while_it_fetches_anew_holds_nobody_up_for_long() {
    let mut proxy = holding(2);
    proxy.ask(0, by("k2"));
    proxy.workers[0] = engine(&proxy.world, 0, POLICY);
    let ticket = proxy.ask(1, by("k2"));
    proxy.pass(seconds(20));
    assert_ne!(proxy.said(ticket), "waits");
}

#[test]
fn a_board_that_cannot_be_written_stops_no_refetch() {
    let proxy = holding(1);
    proxy.world.writable.set(false);
    let ticket = proxy.ask(0, by("k2"));
    for _ in 0..20 {
        proxy.pass(seconds(1));
        answer_all(&proxy, &reply(200, &jwks(&["k2"])));
    }
    assert_eq!(proxy.said(ticket), "ok");
}

#[test]
fn a_failed_refetch_keeps_the_set() {
    let proxy = holding(1);
    let ticket = proxy.ask(0, by("k2"));
    proxy.answer(&proxy.call(), Answer::Failed);
    assert_eq!(proxy.said(ticket), "401 key_unknown");
    assert_eq!(ask(&proxy, 0, by("k1")), "ok");
}

#[test]
fn tokens_that_cannot_be_ours_cause_no_call() {
    let exp = START + 60;
    let foreign = json!({"iss": "https://other.example.com", "exp": exp});
    for token in [
        es256(Some("k2"), &foreign),
        es256(Some("k2"), &json!({"exp": exp})),
        hs256("secret", &claims()),
        "a.b.c".to_owned(),
        "x".to_owned(),
    ] {
        // With a set, and before there was one.
        let proxy = holding(1);
        assert!(ask(&proxy, 0, with(&token)).starts_with("401"));
        assert_eq!(proxy.made(), 1);
        let proxy = Proxy::new(1, POLICY);
        let said = ask(&proxy, 0, with(&token));
        assert!(said.starts_with("401"), "{said}");
        assert_eq!(proxy.made(), 0);
    }
}

#[test]
fn a_forged_signature_causes_no_call() {
    let proxy = holding(1);
    let token = forged(&es256(Some("k1"), &claims()));
    assert_eq!(ask(&proxy, 0, with(&token)), "401 token_signature");
    assert_eq!(proxy.made(), 1);
}

#[test]
fn a_key_without_an_id_beside_the_set_does_not_hide_a_rotation() {
    let own = jwk(None).to_string();
    let policy = POLICY.replace("keys: [", &format!("keys: [{{jwk: {own}}}, "));
    let proxy = Proxy::new(1, &policy);
    proxy.tick();
    proxy.reply(200, &jwks(&["k1"]));
    // The nameless key fits and doesn't prove it, but a new key may.
    let token = forged(&es256(Some("k2"), &claims()));
    let ticket = proxy.ask(0, with(&token));
    assert_eq!(proxy.made(), 2);
    proxy.reply(200, &jwks(&["k1", "k2"]));
    assert_eq!(proxy.said(ticket), "401 token_signature");
}

#[test]
fn one_set_under_two_authenticators_is_fetched_once() {
    let policy = r#"
version: 1
authenticators:
  a: {jwt: {algorithms: ES256, keys: [{remote: {cluster: idp, url: "http://idp/keys"}}]}}
  b: {jwt: {algorithms: ES256, keys: [{remote: {cluster: idp, url: "http://idp/keys"}}], from: [{query: t}]}}
rules:
  - {match: {path: /a}, authenticate: a}
  - {match: {path: /b}, authenticate: b}
"#;
    let proxy = Proxy::new(1, policy);
    let token = es256(Some("k1"), &claims());
    let first = proxy.ask(
        0,
        get("/a", &[("authorization", &format!("Bearer {token}"))]),
    );
    let second = proxy.ask(0, get(&format!("/b?t={token}"), &[]));
    proxy.reply(200, &jwks(&["k1"]));
    assert_eq!([proxy.said(first), proxy.said(second)], ["ok", "ok"]);
}

/// An exchange whose token must satisfy `idp-token`, with keys of the same server.
const VERIFIED: &str = r#"
version: 1
authenticators:
  idp-token:
    jwt:
      algorithms: [ES256]
      audience: api
      keys: [{remote: {cluster: idp, url: "https://idp.example.com/jwks.json"}}]
      tenant: claims.tenant + request.headers["x-suffix"]
  pair:
    client_credentials:
      from: {basic: true}
      exchange: idp
      verify: idp-token
      client_claim: client_id
tokens:
  idp: {exchange: {cluster: idp, url: "https://idp.example.com/token"}}
rules:
  - match: {path: /**}
    authenticate: pair
"#;

/// `id:secret` in Basic, with the header that the tenant needs.
fn basic(suffix: &[(&str, &str)]) -> Request {
    let pair = [("authorization", "Basic aWQ6c2VjcmV0")];
    get("/", &[&pair, suffix].concat())
}

fn exchanged(claims: Value) -> String {
    let mut all = json!({"exp": START + DAY, "aud": "api", "client_id": "id", "tenant": "t"});
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    json!({"access_token": es256(Some("k1"), &all), "expires_in": DAY}).to_string()
}

fn verifying(reply_body: &str) -> (Proxy, Ticket) {
    let proxy = Proxy::new(1, VERIFIED);
    proxy.tick();
    proxy.reply(200, &jwks(&["k1"]));
    let ticket = proxy.ask(0, basic(&[("x-suffix", "1")]));
    proxy.reply(200, reply_body);
    (proxy, ticket)
}

#[test]
fn an_exchanged_token_must_satisfy_verify() {
    let opaque = json!({"access_token": "opaque"}).to_string();
    for (body, expected) in [
        (exchanged(json!({})), "ok"),
        (exchanged(json!({"aud": "other"})), "401 token_audience"),
        (exchanged(json!({"client_id": "other"})), "401 token_claims"),
        (exchanged(json!({"client_id": ["id"]})), "401 token_claims"),
        (
            exchanged(json!({"nbf": START + 900})),
            "401 token_not_yet_valid",
        ),
        (opaque, "401 token_malformed"),
    ] {
        let (proxy, ticket) = verifying(&body);
        assert_eq!(proxy.said(ticket), expected);
        let again = ask(&proxy, 0, basic(&[("x-suffix", "1")]));
        assert_eq!(again == "ok", expected == "ok", "{expected} then {again}");
        // A bad token isn't asked for again at once, but after a while.
        assert_eq!(proxy.made(), 2);
        proxy.jump(seconds(5));
        proxy.ask(0, basic(&[("x-suffix", "1")]));
        let asked = if expected == "ok" { 2 } else { 3 };
        assert_eq!(proxy.made(), asked, "{expected}");
    }
}

#[test]
fn what_one_request_lacks_costs_no_other_its_token() {
    let (proxy, ticket) = verifying(&exchanged(json!({})));
    assert_eq!(proxy.said(ticket), "ok");
    // The tenant can't be told for this request; the token is as good as before.
    assert_eq!(ask(&proxy, 0, basic(&[])), "401 token_claims");
    assert_eq!(ask(&proxy, 0, basic(&[("x-suffix", "2")])), "ok");
    assert_eq!(proxy.made(), 2);
}

#[test]
fn a_removed_key_stops_held_exchanged_tokens_too() {
    let (proxy, ticket) = verifying(&exchanged(json!({})));
    assert_eq!(proxy.said(ticket), "ok");
    proxy.jump(seconds(REFRESH));
    proxy.tick();
    proxy.reply(200, &jwks(&["k2"]));
    let ticket = proxy.ask(0, basic(&[("x-suffix", "1")]));
    // The set is asked once more, then the endpoint for another token: it may know better.
    proxy.reply(200, &jwks(&["k2"]));
    proxy.reply(200, &exchanged(json!({})));
    assert_eq!(proxy.said(ticket), "401 key_unknown");
    let again = ask(&proxy, 0, basic(&[("x-suffix", "1")]));
    assert_eq!(again, "401 key_unknown", "and not again at once");
}

#[test]
fn keys_that_are_away_are_no_fault_of_the_token() {
    let proxy = Proxy::new(1, VERIFIED);
    let ticket = proxy.ask(0, basic(&[("x-suffix", "1")]));
    proxy.reply(200, &exchanged(json!({})));
    assert!(
        proxy
            .call()
            .call
            .headers
            .iter()
            .any(|(_, value)| value == "/jwks.json")
    );
    proxy.answer(&proxy.call(), Answer::Failed);
    assert_eq!(proxy.said(ticket), "503 keys_unavailable after 1");
    proxy.jump(seconds(1));
    let ticket = proxy.ask(0, basic(&[("x-suffix", "1")]));
    proxy.reply(200, &jwks(&["k1"]));
    assert_eq!(proxy.said(ticket), "ok");
    assert_eq!(proxy.made(), 3);
}
