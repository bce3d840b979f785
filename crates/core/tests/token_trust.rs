//! What others can do to tokens: other plugins on the shared board, callers in a flood, and
//! upstreams that refuse a token.

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
use doorward_core::observe::Event;
use doorward_core::tokens::Injected;
use support::exchange::*;
use support::*;

const TWO: &str = r#"
version: 1
authenticators:
  slow:
    client_credentials:
      from: {id: {header: x-client-id}, secret: {header: x-client-secret}}
      exchange: slow
  other:
    client_credentials:
      from: {id: {header: x-client-id}, secret: {header: x-client-secret}}
      exchange: other
      lookup: {cluster: db, url: "'http://db/' + client.id"}
tokens:
  slow: {exchange: {cluster: slow, url: "https://slow.example.com/token"}}
  other: {exchange: {cluster: other, url: "https://other.example.com/token"}}
rules:
  - {match: {path: /slow}, authenticate: slow}
  - {match: {path: /other}, authenticate: other}
"#;

fn at(path: &str, id: &str) -> doorward_core::http::Request {
    get(path, &[("x-client-id", id), ("x-client-secret", "s3cret")])
}

#[test]
fn no_token_stands_on_the_board_in_the_clear() {
    let proxy = holding(2, POLICY, 600);
    for (value, _) in proxy.world.board.borrow().values() {
        for secret in ["one", "s3cret"] {
            let bytes = secret.as_bytes();
            assert!(!value.windows(bytes.len()).any(|part| part == bytes));
        }
    }
    assert_eq!(proxy.said(proxy.ask(1, by("a"))), "ok");
    assert_eq!(proxy.made(), 1);
}

#[test]
fn a_token_that_others_wrote_changed_or_moved_is_none() {
    // Which bytes of the slot are changed: version, kind, key, end, refresh time, since, nonce,
    // text, tag.
    for at in [0, 1, 2, 33, 34, 41, 42, 49, 50, 57, 58, 81, 82, 84, 85, 100] {
        let proxy = holding(2, POLICY, 600);
        for (value, _) in proxy.world.board.borrow_mut().values_mut() {
            if let Some(byte) = value.get_mut(at) {
                *byte ^= 1;
            }
        }
        let ticket = proxy.ask(1, by("a"));
        assert_eq!(proxy.said(ticket), "waits", "byte {at}");
        // What doesn't open keeps nobody waiting either.
        proxy.reply(200, &token("two", 600));
        assert_eq!(bearer(&proxy.verdict(ticket).unwrap()), "Bearer two");
    }
    // The true token of one pair at the place and under the key of another.
    let proxy = holding(2, POLICY, 600);
    let of_a = slots(&proxy);
    proxy.ask(0, by("b"));
    proxy.reply(200, &token("two", 600));
    let of_b: Vec<_> = slots(&proxy)
        .into_iter()
        .filter(|slot| !of_a.contains(slot))
        .collect();
    let mut forged = of_b[0].1.clone();
    forged.truncate(34);
    forged.extend(&of_a[0].1[34..]);
    proxy
        .world
        .board
        .borrow_mut()
        .get_mut(&of_b[0].0)
        .unwrap()
        .0 = forged;
    let ticket = proxy.ask(1, by("b"));
    assert_eq!(proxy.said(ticket), "waits");
}

fn slots(proxy: &Proxy) -> Vec<(String, Vec<u8>)> {
    let board = proxy.world.board.borrow();
    let full = board.iter().filter(|(_, (value, _))| !value.is_empty());
    full.map(|(name, (value, _))| (name.clone(), value.clone()))
        .collect()
}

#[test]
fn a_flood_at_one_endpoint_leaves_the_others_working() {
    let proxy = Proxy::new(1, TWO);
    let mut said = Vec::new();
    for number in 0..3000 {
        let ticket = proxy.ask(0, at("/slow", &format!("stranger-{number}")));
        said.push(proxy.said(ticket));
    }
    // Two exchanges and a look-up: each has 170 calls, and 512 are common.
    let waiting = said.iter().filter(|said| *said == "waits").count();
    assert_eq!(waiting, 170 + 512);
    let refused = "503 exchange_unavailable after 1";
    assert!(said.iter().all(|said| said == "waits" || said == refused));
    let ticket = proxy.ask(0, at("/other", "a"));
    let call = proxy.calls().pop().unwrap();
    assert_eq!(call.call.cluster, "other");
    proxy.answer(&call, reply(200, &token("one", 600)));
    let call = proxy.calls().pop().unwrap();
    assert_eq!(call.call.cluster, "db");
    proxy.answer(&call, reply(200, "{}"));
    assert_eq!(proxy.said(ticket), "ok");
}

#[test]
fn a_crowd_that_waits_for_one_endpoint_leaves_room_for_others() {
    let proxy = Proxy::new(1, TWO);
    let waiting: Vec<_> = (0..2048).map(|_| proxy.ask(0, at("/slow", "a"))).collect();
    let over = proxy.ask(0, at("/slow", "a"));
    assert_eq!(proxy.said(over), "503 overloaded after 1");
    let other = proxy.ask(0, at("/other", "a"));
    assert_eq!(proxy.said(other), "waits");
    // A place is free as soon as somebody leaves.
    proxy.leave(waiting[7]);
    let next = proxy.ask(0, at("/slow", "a"));
    assert_eq!(proxy.said(next), "waits");
}

#[test]
fn a_client_that_the_database_no_longer_knows_loses_its_token_once() {
    let proxy = Proxy::new(1, TWO);
    let ticket = proxy.ask(0, at("/other", "a"));
    proxy.reply(200, &token("one", 600));
    proxy.reply(404, "");
    assert_eq!(proxy.said(ticket), "403 lookup_unknown");
    assert!(slots(&proxy).is_empty());
    // While the answer is remembered, asking again costs one call and no more.
    let ticket = proxy.ask(0, at("/other", "a"));
    proxy.reply(200, &token("two", 600));
    assert_eq!(proxy.said(ticket), "403 lookup_unknown");
    for _ in 0..20 {
        let told = short(&proxy.decide(at("/other", "a")));
        assert_eq!(told, "403 lookup_unknown");
    }
    assert_eq!(proxy.made(), 3);
}

fn injected(verdict: &Verdict) -> Injected {
    forward(verdict).injected.expect("a token")
}

#[test]
fn a_token_that_an_upstream_refuses_is_replaced_at_most_once_a_second() {
    let proxy = holding(4, POLICY, 600);
    let mut calls = proxy.made();
    // Every upstream answers 401 to whatever comes, for ten seconds.
    for _ in 0..200 {
        for worker in 0..4 {
            let ticket = proxy.ask(worker, by("a"));
            for call in proxy.calls() {
                proxy.answer(&call, reply(200, &token("next", 600)));
            }
            if let Some(verdict) = proxy.verdict(ticket) {
                proxy.workers[worker].reject_token(&injected(&verdict));
            }
        }
        proxy.pass(seconds(1) / 20);
    }
    calls = proxy.made() - calls;
    assert!((8..=10).contains(&calls), "{calls} calls in ten seconds");
    assert!(proxy.count(Event::TokenRejected) >= calls);
}

#[test]
fn a_token_is_let_go_from_its_first_second_on() {
    for (millis, stays) in [(0, true), (999, true), (1000, false), (5000, false)] {
        let proxy = holding(1, POLICY, 600);
        let tag = injected(&proxy.decide(by("a")));
        proxy.jump(std::time::Duration::from_millis(millis));
        proxy.workers[0].reject_token(&tag);
        let ticket = proxy.ask(0, by("a"));
        assert_eq!(proxy.said(ticket) == "ok", stays, "{millis}");
    }
}

#[test]
fn what_was_said_about_an_older_token_leaves_the_newer_one() {
    let proxy = holding(2, POLICY, 600);
    let old = injected(&proxy.decide(by("a")));
    proxy.pass(seconds(2));
    proxy.workers[0].reject_token(&old);
    let ticket = proxy.ask(0, by("a"));
    proxy.reply(200, &token("two", 600));
    assert_eq!(bearer(&proxy.verdict(ticket).unwrap()), "Bearer two");
    proxy.pass(seconds(2));
    proxy.workers[0].reject_token(&old);
    proxy.workers[1].reject_token(&old);
    for worker in [0, 1] {
        let ticket = proxy.ask(worker, by("a"));
        assert_eq!(bearer(&proxy.verdict(ticket).unwrap()), "Bearer two");
    }
    assert_eq!(proxy.made(), 2);
}

#[test]
fn tries_end_with_the_time_that_a_request_has() {
    let policy = POLICY
        .replace("attempts: 1", "attempts: 10")
        .replace("      retry", "      timeout: 4s\n      retry");
    let proxy = Proxy::new(1, &policy);
    let ticket = proxy.ask(0, by("a"));
    let begun = proxy.world.now.get();
    let end = begun + seconds(15);
    let mut last = None;
    while proxy.said(ticket) == "waits" {
        if let Some(call) = proxy.calls().pop() {
            let now = proxy.world.now.get();
            let (id, over) = *last.get_or_insert((call.id, now + call.call.timeout));
            if id != call.id {
                // No call is given more than what is left.
                assert!(now + call.call.timeout <= end, "{:?}", end - now);
                last = None;
            } else if now >= over {
                proxy.answer(&call, Answer::TimedOut);
                last = None;
            }
        }
        proxy.pass(seconds(1) / 20);
        assert!(proxy.world.now.get() <= end + seconds(1));
    }
    assert_eq!(proxy.said(ticket), "503 exchange_timeout after 1");
    let took = proxy.world.now.get() - begun;
    assert!(took > seconds(12), "{took:?}");
    assert!((4..=5).contains(&proxy.made()), "{} calls", proxy.made());
}
