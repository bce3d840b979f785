//! Tokens near their end over several workers: refreshed by one, kept while the endpoint is down,
//! dropped when it refuses, and left alone while it wants peace.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::host::Answer;
use support::exchange::*;
use support::*;

#[test]
fn a_token_near_its_end_serves_while_one_worker_refreshes_it() {
    let proxy = holding(4, POLICY, 600);
    for worker in 0..4 {
        assert_eq!(proxy.said(proxy.ask(worker, by("a"))), "ok");
    }
    // refresh_before is 60 s, and up to a tenth less at random.
    proxy.jump(seconds(539));
    assert_eq!(proxy.said(proxy.ask(0, by("a"))), "ok");
    assert_eq!(proxy.made(), 1);
    proxy.jump(seconds(7));
    for number in 0..40 {
        let ticket = proxy.ask(number % 4, by("a"));
        assert_eq!(bearer(&proxy.verdict(ticket).unwrap()), "Bearer one");
    }
    assert_eq!(proxy.made(), 2);
    proxy.reply(200, &token("two", 600));
    // The others keep the old one until they look at the board again.
    proxy.jump(seconds(7));
    for worker in 0..4 {
        let ticket = proxy.ask(worker, by("a"));
        assert_eq!(
            bearer(&proxy.verdict(ticket).unwrap()),
            "Bearer two",
            "{worker}"
        );
    }
    assert_eq!(proxy.made(), 2);
}

#[test]
fn a_refresh_begins_at_half_of_a_short_life() {
    let proxy = holding(1, POLICY, 10);
    proxy.jump(seconds(4));
    proxy.decide(by("a"));
    assert_eq!(proxy.made(), 1);
    // A tenth of it later at random.
    proxy.jump(seconds(2));
    proxy.decide(by("a"));
    assert_eq!(proxy.made(), 2);
}

#[test]
fn two_workers_that_see_the_same_end_at_once_refresh_once() {
    interleaved(|rewind| {
        let proxy = holding(2, POLICY, 600);
        assert_eq!(proxy.said(proxy.ask(1, by("a"))), "ok");
        proxy.jump(seconds(546));
        let before = proxy.world.board.borrow().clone();
        assert_eq!(proxy.said(proxy.ask(1, by("a"))), "ok");
        rewind(&proxy, before);
        assert_eq!(proxy.said(proxy.ask(0, by("a"))), "ok");
        assert_eq!(proxy.made(), 2);
    });
}

#[test]
fn while_the_endpoint_is_down_the_old_token_serves_to_its_end() {
    for answer in [
        Answer::Failed,
        reply(500, ""),
        reply(200, "{}"),
        reply_after(429, 20),
        reply_after(503, 20),
    ] {
        let proxy = holding(2, POLICY, 600);
        assert_eq!(proxy.said(proxy.ask(1, by("a"))), "ok");
        proxy.jump(seconds(546));
        for second in 0..54 {
            for worker in [0, 1] {
                let ticket = proxy.ask(worker, by("a"));
                assert_eq!(proxy.said(ticket), "ok", "{answer:?} {second}");
            }
            for call in proxy.calls() {
                proxy.answer(&call, answer.clone());
            }
            proxy.pass(seconds(1));
        }
        // Not every second either: the endpoint has trouble enough.
        assert!(proxy.made() <= 17, "{answer:?}: {} calls", proxy.made());
        let ticket = proxy.ask(0, by("a"));
        assert_ne!(proxy.said(ticket), "ok", "{answer:?}");
    }
}

#[test]
fn a_pair_that_is_refused_at_its_refresh_loses_its_token() {
    let proxy = holding(2, POLICY, 600);
    proxy.ask(1, by("a"));
    proxy.jump(seconds(546));
    proxy.ask(0, by("a"));
    proxy.reply(401, "");
    assert_eq!(short(&proxy.decide(by("a"))), "401 exchange_refused");
    // The other worker knows no later than when a refresh would have ended.
    let other = proxy.ask(1, by("a"));
    assert_eq!(proxy.said(other), "401 exchange_refused");
    // And it doesn't come back with the old token once the refusal is forgotten.
    proxy.jump(seconds(9));
    let other = proxy.ask(1, by("a"));
    assert_eq!(proxy.said(other), "waits");
}

#[test]
fn no_worker_brings_a_refused_token_back() {
    for used in [true, false] {
        let proxy = holding(2, POLICY, 600);
        proxy.ask(1, by("a"));
        proxy.jump(seconds(546));
        // The other worker hears that somebody asks already, or nothing at all.
        proxy.ask(0, by("a"));
        if used {
            assert_eq!(proxy.said(proxy.ask(1, by("a"))), "ok");
        }
        proxy.reply(401, "");
        proxy.pass(seconds(20));
        for worker in [1, 0] {
            assert_eq!(proxy.said(proxy.ask(worker, by("a"))), "waits", "{worker}");
        }
        assert_eq!(proxy.made(), 3);
    }
}

#[test]
fn a_worker_that_never_used_a_token_does_not_bring_it_back_either() {
    let proxy = holding(2, POLICY, 600);
    proxy.ask(1, by("a"));
    proxy.jump(seconds(546));
    proxy.ask(0, by("a"));
    proxy.reply(200, &token("two", 600));
    // The other worker takes the new token over on its tick, and has no request for it.
    proxy.pass(seconds(10));
    proxy.jump(seconds(537));
    proxy.ask(0, by("a"));
    proxy.reply(401, "");
    proxy.pass(seconds(20));
    assert_eq!(proxy.said(proxy.ask(1, by("a"))), "waits");
}

#[test]
fn an_endpoint_that_wants_peace_gets_it_for_every_pair() {
    for (answer, wait) in [
        (reply_after(429, 30), 30),
        (reply_after(429, 1), 1),
        (reply(429, ""), 1),
        (reply_after(503, 30), 30),
    ] {
        let proxy = holding(2, POLICY, 62);
        proxy.ask(0, by("b"));
        proxy.answer(&proxy.call(), answer.clone());
        for worker in [0, 1] {
            let told = proxy.said(proxy.ask(worker, by("c")));
            assert!(
                told.ends_with(&format!(" after {wait}")),
                "{answer:?}: {told}"
            );
            // Held tokens go on, and are not refreshed now either.
            assert_eq!(proxy.said(proxy.ask(worker, by("a"))), "ok");
        }
        assert_eq!(proxy.made(), 2, "{answer:?}");
        proxy.jump(seconds(wait));
        proxy.ask(1, by("c"));
        assert_eq!(proxy.made(), 3, "{answer:?}");
    }
}

#[test]
fn a_pause_holds_refreshes_back_too() {
    let proxy = holding(2, POLICY, 600);
    proxy.ask(1, by("a"));
    proxy.jump(seconds(546));
    proxy.ask(0, by("b"));
    proxy.answer(&proxy.call(), reply_after(429, 30));
    for _ in 0..29 {
        for worker in [0, 1] {
            assert_eq!(proxy.said(proxy.ask(worker, by("a"))), "ok");
        }
        proxy.pass(seconds(1));
    }
    assert_eq!(proxy.made(), 2);
    proxy.pass(seconds(1));
    assert_eq!(proxy.said(proxy.ask(0, by("a"))), "ok");
    assert_eq!(proxy.made(), 3);
}

#[test]
fn a_refusal_after_a_tokens_end_is_remembered_no_longer_than_any_other() {
    let short = "retry: {attempts: 1}\n      cache_failures: 1s";
    let proxy = holding(1, &POLICY.replace("retry: {attempts: 1}", short), 60);
    proxy.jump(seconds(60));
    let ticket = proxy.ask(0, by("a"));
    proxy.reply(401, "");
    assert_eq!(proxy.said(ticket), "401 exchange_refused");
    proxy.jump(seconds(1));
    let ticket = proxy.ask(0, by("a"));
    proxy.reply(200, &token("two", 60));
    assert_eq!(proxy.said(ticket), "ok");
}
