//! Limits over several workers, what the database says, rules that are only tried out, and
//! callers who leave.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::engine::Decision;
use doorward_core::host::Answer;
use doorward_core::http::Request;
use doorward_core::observe::Event;
use doorward_core::reply::Reason;
use support::*;

const POLICY: &str = r#"version: 1
clients:
  - {id: shop, api_keys: [{sha256: "@KEY@"}]}
authenticators:
  key: {api_key: {from: [{header: apikey}]}}
  pair:
    client_credentials:
      from: {id: {header: x-client-id}, secret: {header: x-client-secret}}
      exchange: idp
      lookup:
        cluster: registry
        url: "'http://registry/clients/' + url_encode(client.id)"
        headers: {x-registry-key: k}
        cache: 30s
        allow_if: metadata.enabled == true
tokens:
  idp: {exchange: {cluster: idp, url: "https://idp.example.com/token"}}
rules:
  - {match: {path: /open}, authenticate: none, limit: {per: source.address, rate: 3/m}}
  - {match: {path: /login}, authenticate: key, limit: {per: source.address, rate: 3/m, count: failures}}
  - {match: {path: /mine}, authenticate: key, limit: {per: client.id, rate: 3/m}}
  - {match: {path: /tried}, authenticate: key, authorize: {scopes: [none-has-it]}, shadow: true}
  - {match: {path: /pair}, authenticate: pair, upstream: {headers: {x-plan: metadata.plan}}}
"#;

fn policy() -> String {
    POLICY.replace("@KEY@", &digest("good"))
}

fn from(address: &str, target: &str, headers: &[(&str, &str)]) -> Request {
    Request {
        source_address: Some(address.to_owned()),
        ..get(target, headers)
    }
}

fn pair(id: &str) -> Request {
    get("/pair", &[("x-client-id", id), ("x-client-secret", "s")])
}

#[test]
fn a_rate_holds_over_all_workers_and_comes_back_bit_by_bit() {
    let proxy = Proxy::new(4, &policy());
    let ask = |worker, address: &str| proxy.said(proxy.ask(worker, from(address, "/open", &[])));
    for worker in 0..3 {
        assert_eq!(ask(worker, "192.0.2.1"), "ok");
    }
    assert_eq!(ask(3, "192.0.2.1"), "429 rate_limited after 20");
    assert_eq!(ask(3, "192.0.2.2"), "ok", "another caller");
    proxy.jump(std::time::Duration::from_millis(500));
    // Whoever comes after so many seconds must not come too early.
    assert_eq!(ask(3, "192.0.2.1"), "429 rate_limited after 20");
    proxy.jump(std::time::Duration::from_millis(19_500));
    assert_eq!(ask(0, "192.0.2.1"), "ok");
    assert_eq!(ask(1, "192.0.2.1"), "429 rate_limited after 20");
    // An IPv6 network is one caller.
    for host in 1..4 {
        assert_eq!(ask(0, &format!("2001:db8::{host}")), "ok");
    }
    assert_eq!(ask(0, "2001:db8::ffff"), "429 rate_limited after 20");
    assert_eq!(ask(0, "2001:db8:0:1::1"), "ok");
}

#[test]
fn only_failures_count_where_the_policy_says_so() {
    let proxy = Proxy::new(2, &policy());
    let ask = |worker, key: &str| {
        let request = from("192.0.2.1", "/login", &[("apikey", key)]);
        proxy.said(proxy.ask(worker, request))
    };
    for _ in 0..10 {
        assert_eq!(ask(0, "good"), "ok");
    }
    for worker in [0, 1, 0] {
        assert_eq!(ask(worker, "guess"), "401 api_key_unknown");
    }
    // Now the right key doesn't help either: it may have been guessed.
    assert_eq!(ask(1, "good"), "429 rate_limited after 20");
    proxy.jump(seconds(20));
    assert_eq!(ask(1, "good"), "ok");
}

#[test]
fn a_clients_limit_is_judged_after_authentication() {
    let proxy = Proxy::new(1, &policy());
    let ask = |key: &str| short(&proxy.decide(from("192.0.2.1", "/mine", &[("apikey", key)])));
    for _ in 0..9 {
        assert_eq!(ask("guess"), "401 api_key_unknown");
    }
    for _ in 0..3 {
        assert_eq!(ask("good"), "ok");
    }
    assert_eq!(ask("good"), "429 rate_limited after 20");
}

#[test]
fn what_cannot_be_counted_does_not_pass() {
    let proxy = Proxy::new(1, &policy());
    proxy.world.writable.set(false);
    let verdict = proxy.decide(from("192.0.2.1", "/open", &[]));
    assert_eq!(short(&verdict), "503 limit_uncounted after 1");
}

#[test]
fn a_shadowed_rule_counts_what_it_would_refuse() {
    let proxy = Proxy::new(1, &policy());
    let request = get("/tried", &[("apikey", "good"), ("x-auth-client", "forged")]);
    let head = upstream(&request, &proxy.decide(request.clone()));
    assert!(values(&head, "x-auth-client").is_empty(), "{head:?}");
    assert!(
        values(&head, "apikey").is_empty(),
        "as a request that passes"
    );
    assert_eq!(proxy.count(Event::Shadowed(Reason::ScopeMissing)), 1);
    assert_eq!(proxy.count(Event::Refused(Reason::ScopeMissing)), 0);
}

/// A proxy that holds a token for this client on every worker.
fn exchanged(workers: usize, id: &str) -> Proxy {
    let proxy = Proxy::new(workers, &policy());
    proxy.ask(0, pair(id));
    proxy.reply(200, r#"{"access_token": "t", "expires_in": 600}"#);
    proxy
}

#[test]
fn the_database_says_who_gets_in() {
    for (answer, said) in [
        (reply(200, r#"{"enabled": true, "plan": "gold"}"#), "ok"),
        (reply(200, r#"{"enabled": false}"#), "403 lookup_denied"),
        (reply(200, "{}"), "403 lookup_denied"),
        (reply(404, ""), "403 lookup_unknown"),
        (reply(200, "[]"), "503 lookup_unavailable after 1"),
        (reply(200, "no json"), "503 lookup_unavailable after 1"),
        (reply(500, ""), "503 lookup_unavailable after 1"),
        (reply(302, ""), "503 lookup_unavailable after 1"),
        (Answer::Failed, "503 lookup_unavailable after 1"),
    ] {
        let proxy = exchanged(1, "a b");
        let call = proxy.call();
        assert_eq!(call.header(":path"), Some("/clients/a%20b"));
        assert_eq!(call.header("x-registry-key"), Some("k"));
        proxy.answer(&call, answer.clone());
        // Kept: asked again at once, nobody is bothered.
        let made = proxy.made();
        let request = pair("a b");
        let ticket = proxy.ask(0, request.clone());
        if said.starts_with("403") {
            // The token of a client that the database newly refuses is gone.
            assert_eq!(proxy.call().call.cluster, "idp");
            proxy.reply(200, r#"{"access_token": "t", "expires_in": 600}"#);
        } else {
            assert_eq!(proxy.made(), made);
        }
        let verdict = proxy.verdict(ticket).expect("nobody asks the database");
        assert_eq!(short(&verdict), said, "{answer:?}");
        if said == "ok" {
            assert_eq!(values(&upstream(&request, &verdict), "x-plan"), ["gold"]);
        }
    }
}

#[test]
fn what_one_database_says_is_no_answer_of_another() {
    let part = |name: &str, cluster: &str| {
        format!(
            "  {name}: {{client_credentials: {{from: {{id: {{header: x-{name}-id}}, secret: {{header: x-{name}-secret}}}}, \
             exchange: idp, lookup: {{cluster: {cluster}, url: \"'http://registry/clients/' + url_encode(client.id)\", cache: 30s}}}}}}\n"
        )
    };
    let policy = format!(
        "version: 1\nauthenticators:\n{}{}tokens:\n  \
         idp: {{exchange: {{cluster: idp, url: \"https://idp.example.com/token\"}}}}\n\
         rules:\n  - {{match: {{path: /}}, authenticate: {{all: [one, two]}}}}\n",
        part("one", "first"),
        part("two", "second"),
    );
    // The same client at both, whose two questions have one URL, and two clients.
    for (other, tokens) in [("a", 1), ("b", 2)] {
        let proxy = Proxy::new(1, &policy);
        let request = get(
            "/",
            &[
                ("x-one-id", "a"),
                ("x-one-secret", "s"),
                ("x-two-id", other),
                ("x-two-secret", "s"),
            ],
        );
        let ticket = proxy.ask(0, request);
        let mut asked = Vec::new();
        while let Some(call) = proxy.calls().first() {
            let answer = match call.call.cluster.as_str() {
                "idp" => reply(200, r#"{"access_token": "t", "expires_in": 600}"#),
                "first" => reply(200, "{}"),
                _ => reply(404, ""),
            };
            asked.push(call.call.cluster.clone());
            proxy.answer(call, answer);
        }
        assert_eq!(proxy.said(ticket), "403 lookup_unknown", "{other}");
        let count = |cluster: &str| asked.iter().filter(|other| *other == cluster).count();
        let counts = [count("idp"), count("first"), count("second")];
        assert_eq!(counts, [tokens, 1, 1], "{other}");
    }
}

#[test]
fn one_question_serves_all_who_ask_it_until_its_answer_is_old() {
    let proxy = exchanged(1, "a");
    let waiting: Vec<_> = (0..50).map(|_| proxy.ask(0, pair("a"))).collect();
    let made = proxy.made();
    proxy.reply(200, r#"{"enabled": true}"#);
    for ticket in waiting {
        assert_eq!(proxy.said(ticket), "ok");
    }
    proxy.jump(seconds(29));
    assert_eq!(short(&proxy.decide(pair("a"))), "ok");
    assert_eq!(proxy.made(), made);
    proxy.jump(seconds(1));
    let ticket = proxy.ask(0, pair("a"));
    assert_eq!(proxy.made(), made + 1);
    proxy.reply(200, r#"{"enabled": false}"#);
    assert_eq!(proxy.said(ticket), "403 lookup_denied");
}

#[test]
fn an_answer_from_before_the_clock_went_back_is_asked_for_again() {
    let proxy = exchanged(1, "a");
    let ticket = proxy.ask(0, pair("a"));
    proxy.reply(200, r#"{"enabled": true}"#);
    assert_eq!(proxy.said(ticket), "ok");
    let made = proxy.made();
    proxy.tick();
    proxy.world.now.set(proxy.world.now.get() - seconds(10));
    proxy.tick();
    // The clock has caught up, but the answer is old.
    proxy.jump(seconds(15));
    proxy.ask(0, pair("a"));
    assert_eq!(proxy.made(), made + 1);
}

#[test]
fn a_clients_name_does_not_lead_the_question_elsewhere() {
    for id in ["..", "."] {
        let proxy = exchanged(1, id);
        assert_eq!(proxy.calls().len(), 0, "{id}");
        let said = short(&proxy.decide(pair(id)));
        assert_eq!(said, "503 lookup_unavailable after 1", "{id}");
    }
}

#[test]
fn calls_that_could_not_be_sent_open_no_breaker() {
    let proxy = Proxy::new(1, &policy());
    proxy.world.reachable.set(false);
    for number in 0..20 {
        let said = short(&proxy.decide(pair(&format!("stranger-{number}"))));
        assert!(said.starts_with("503 exchange_unavailable"), "{said}");
    }
    proxy.world.reachable.set(true);
    let ticket = proxy.ask(0, pair("good"));
    proxy.reply(200, r#"{"access_token": "t", "expires_in": 600}"#);
    proxy.reply(200, r#"{"enabled": true}"#);
    assert_eq!(proxy.said(ticket), "ok");
}

#[test]
fn calls_are_bounded_and_who_joins_one_is_not_refused() {
    let proxy = Proxy::new(1, &policy());
    let first = proxy.ask(0, pair("first"));
    for number in 0..2000 {
        proxy.ask(0, pair(&format!("stranger-{number}")));
    }
    assert!(proxy.made() <= 1024, "{}", proxy.made());
    let joiner = proxy.ask(0, pair("first"));
    assert_eq!(proxy.said(joiner), "waits");
    let call = &proxy.calls()[0];
    proxy.answer(
        call,
        reply(200, r#"{"access_token": "t", "expires_in": 600}"#),
    );
    let lookup = proxy
        .calls()
        .into_iter()
        .find(|call| call.header("x-registry-key").is_some());
    proxy.answer(&lookup.unwrap(), reply(200, r#"{"enabled": true}"#));
    for ticket in [first, joiner] {
        assert_eq!(proxy.said(ticket), "ok");
    }
}

#[test]
fn a_caller_who_leaves_takes_nobody_with_them_and_leaves_no_trace() {
    let proxy = Proxy::new(1, &policy());
    let engine = &proxy.workers[0];
    for id in [1000, 1001] {
        assert!(matches!(engine.decide(id, pair("a")), Decision::Later));
    }
    assert!(engine.turn().is_empty());
    engine.forget(1000);
    let call = proxy.call();
    let mut decided = proxy.answer_raw(
        &call,
        reply(200, r#"{"access_token": "t", "expires_in": 600}"#),
    );
    let call = proxy.call();
    decided.extend(proxy.answer_raw(&call, reply(200, r#"{"enabled": true}"#)));
    let ids: Vec<u32> = decided.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [1001]);
}

#[test]
fn places_of_callers_who_left_are_free_again() {
    let proxy = Proxy::new(1, &policy());
    let engine = &proxy.workers[0];
    for id in 0..20_000 {
        let decision = engine.decide(id, pair("a"));
        assert!(matches!(decision, Decision::Later), "{id}");
        engine.turn();
        engine.forget(id);
    }
    assert_eq!(proxy.made(), 1);
}
