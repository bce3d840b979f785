//! A token endpoint that fails: tried again, left alone, and not taken for broken because of
//! what it says about one pair.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::host::{Answer, Level};
use std::time::Duration;
use support::exchange::*;
use support::*;

/// The policy with the language's own retries and breaker: two attempts, five failures, 10 s.
fn resilient() -> String {
    POLICY.replace(
        "      retry: {attempts: 1}\n      breaker: {failures: 1000}\n",
        "",
    )
}

#[test]
fn an_outage_is_tried_again_and_a_word_about_the_request_is_not() {
    for (answer, calls) in [
        (Answer::Failed, 2),
        (Answer::Unreachable, 2),
        (Answer::TimedOut, 2),
        (reply(500, ""), 2),
        (reply(504, ""), 2),
        (reply_after(503, 9), 1),
        (reply(400, r#"{"error":"invalid_request"}"#), 1),
        (reply(401, ""), 1),
        (reply(403, ""), 1),
        (reply(404, ""), 1),
        (reply(429, ""), 1),
        (reply(200, "{}"), 1),
    ] {
        let proxy = Proxy::new(1, &resilient());
        let ticket = proxy.ask(0, by("a"));
        for _ in 0..5 {
            for call in proxy.calls() {
                proxy.answer(&call, answer.clone());
            }
            proxy.pass(seconds(1) / 5);
        }
        assert_eq!(proxy.made(), calls, "{answer:?}");
        assert_ne!(proxy.said(ticket), "waits");
    }
    let proxy = Proxy::new(1, &resilient());
    let ticket = proxy.ask(0, by("a"));
    proxy.reply(500, "");
    proxy.pass(seconds(1) / 5);
    proxy.reply(200, &token("one", 60));
    assert_eq!(proxy.said(ticket), "ok");
}

#[test]
fn the_breaker_opens_for_outages_and_closes_after_one_good_call() {
    let proxy = Proxy::new(1, &resilient());
    for id in ["a", "b", "c", "d", "e"] {
        proxy.ask(0, by(id));
        for _ in 0..3 {
            for call in proxy.calls() {
                proxy.answer(&call, Answer::Failed);
            }
            proxy.pass(seconds(1) / 5);
        }
    }
    // Two tries each.
    assert_eq!(proxy.made(), 10);
    let told = proxy.said(proxy.ask(0, by("f")));
    assert!(
        told.starts_with("503 exchange_unavailable after "),
        "{told}"
    );
    assert_eq!(proxy.made(), 10);
    proxy.jump(seconds(10));
    let probe = proxy.ask(0, by("g"));
    let beside = proxy.ask(0, by("h"));
    assert_eq!(proxy.made(), 11);
    assert!(proxy.said(beside).starts_with("503"));
    proxy.reply(200, &token("one", 60));
    assert_eq!(proxy.said(probe), "ok");
    let ticket = proxy.ask(0, by("i"));
    proxy.reply(200, &token("one", 60));
    assert_eq!(proxy.said(ticket), "ok");
}

#[test]
fn an_endpoint_that_fails_now_and_then_is_not_left_alone() {
    let proxy = Proxy::new(1, &resilient());
    for number in 0..30 {
        let ticket = proxy.ask(0, by(&format!("client-{number}")));
        proxy.reply(500, "");
        proxy.pass(seconds(1) / 5);
        proxy.reply(200, &token("one", 60));
        assert_eq!(proxy.said(ticket), "ok");
    }
}

#[test]
fn strangers_whose_pairs_are_disliked_shut_nobody_out() {
    for status in [400, 401, 403, 404, 422] {
        let proxy = Proxy::new(1, &resilient());
        for number in 0..20 {
            proxy.ask(0, by(&format!("stranger-{number}")));
            proxy.reply(status, "{}");
            proxy.pass(seconds(1) / 5);
        }
        let ticket = proxy.ask(0, by("a"));
        proxy.reply(200, &token("one", 60));
        assert_eq!(proxy.said(ticket), "ok", "{status}");
    }
}

#[test]
fn a_probe_whose_client_leaves_leaves_the_endpoint_to_the_next_one() {
    let policy = POLICY.replace("failures: 1000", "failures: 1");
    let proxy = Proxy::new(1, &policy);
    // Where each request makes its own call, the call's task goes with the request.
    proxy.world.resumes.set(false);
    proxy.ask(0, by("a"));
    proxy.reply(500, "");
    proxy.jump(seconds(10));
    let probe = proxy.ask(0, by("b"));
    proxy.leave(probe);
    proxy.reply(200, &token("one", 60));
    proxy.jump(seconds(10));
    let ticket = proxy.ask(0, by("c"));
    proxy.reply(200, &token("one", 60));
    assert_eq!(proxy.said(ticket), "ok");
}

#[test]
fn a_pair_that_one_workers_probe_holds_back_is_exchanged_by_another_worker() {
    let policy = POLICY.replace("failures: 1000", "failures: 1");
    let proxy = Proxy::new(2, &policy);
    proxy.ask(0, by("a"));
    proxy.reply(500, "");
    proxy.jump(seconds(10));
    let probe = proxy.ask(0, by("a"));
    let beside = proxy.said(proxy.ask(0, by("b")));
    assert_eq!(beside, "503 exchange_unavailable after 1");
    let elsewhere = proxy.ask(1, by("b"));
    assert_eq!(proxy.made(), 3);
    for call in proxy.calls() {
        proxy.answer(&call, reply(200, &token("one", 60)));
    }
    assert_eq!(proxy.said(elsewhere), "ok");
    assert_eq!(proxy.said(probe), "ok");
    // What one of them obtained serves all.
    assert_eq!(proxy.said(proxy.ask(0, by("b"))), "ok");
}

#[test]
fn without_a_board_a_worker_still_grants_the_peace_that_is_asked_for() {
    let proxy = Proxy::new(1, POLICY);
    proxy.world.board.borrow_mut().clear();
    proxy.world.writable.set(false);
    proxy.ask(0, by("a"));
    proxy.answer(&proxy.call(), reply_after(429, 30));
    assert_eq!(
        short(&proxy.decide(by("b"))),
        "429 exchange_limited after 30"
    );
    assert_eq!(proxy.made(), 1);
}

#[test]
fn no_further_try_is_made_once_another_pair_was_told_to_come_later() {
    let proxy = Proxy::new(1, &resilient());
    let ticket = proxy.ask(0, by("a"));
    proxy.reply(500, "");
    proxy.ask(0, by("b"));
    let other = proxy.calls().pop().unwrap();
    proxy.answer(&other, reply_after(429, 9));
    proxy.pass(seconds(1));
    assert_eq!(proxy.made(), 2);
    assert_eq!(proxy.said(ticket), "503 exchange_unavailable after 1");
}

#[test]
fn the_operator_is_told_why_there_is_no_token_but_not_every_time() {
    for (answer, why, seconds) in [
        (reply_after(429, 9), "too many requests", 9),
        (reply(500, ""), "unavailable", 1),
        (reply(200, "{}"), "unusable reply", 5),
        (Answer::Unreachable, "can't be reached", 1),
        (Answer::TimedOut, "no answer in time", 1),
    ] {
        let proxy = Proxy::new(1, POLICY);
        for id in ["a", "b", "c"] {
            proxy.ask(0, by(id));
            for call in proxy.calls() {
                proxy.answer(&call, answer.clone());
            }
        }
        let log = proxy.world.log.take();
        let told: Vec<_> = log
            .into_iter()
            .filter(|(level, _)| *level == Level::Warn)
            .collect();
        let expected = format!(
            "tokens.idp: no token from the token endpoint ({why}); asked again in {seconds} s at the earliest; 0 more since the last such line"
        );
        assert_eq!(told, [(Level::Warn, expected)]);
    }
}

#[test]
fn a_wait_is_told_in_whole_seconds_and_never_too_short() {
    let proxy = Proxy::new(1, POLICY);
    let ticket = proxy.ask(0, by("a"));
    proxy.answer(&proxy.call(), reply_after(429, 10));
    assert_eq!(proxy.said(ticket), "429 exchange_limited after 10");
    for (millis, wait) in [(1, 10), (999, 9), (8_000, 1), (999, 1)] {
        proxy.jump(Duration::from_millis(millis));
        let said = proxy.said(proxy.ask(0, by("a")));
        assert_eq!(said, format!("429 exchange_limited after {wait}"));
    }
}
