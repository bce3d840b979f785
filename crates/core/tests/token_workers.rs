//! Several workers and one token: they wake each other, let nobody down who stays, and replace
//! tokens in use before a request meets their end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::host::Answer;
use doorward_core::observe::{Event, Gauge};
use support::exchange::*;
use support::*;

#[test]
fn waiters_of_every_worker_are_resumed_at_once_and_in_order() {
    let proxy = Proxy::new(4, POLICY);
    let tickets: Vec<_> = (0..200)
        .map(|number| proxy.ask(number % 4, by("a")))
        .collect();
    assert_eq!(proxy.made(), 1);
    // No time passes and nothing ticks.
    proxy.reply(200, &token("one", 3600));
    assert!(tickets.iter().all(|ticket| proxy.said(*ticket) == "ok"));
    let resumed = proxy.resumed.borrow();
    assert_eq!(resumed.len(), 200);
    for worker in 0..4 {
        let of = |all: &[Ticket]| -> Vec<Ticket> {
            all.iter()
                .filter(|ticket| ticket.worker == worker)
                .copied()
                .collect()
        };
        assert_eq!(of(&resumed), of(&tickets), "worker {worker}");
    }
    assert_eq!(proxy.count(Event::ExchangeAwaited), 3);
}

#[test]
fn a_failure_wakes_waiters_too() {
    let proxy = Proxy::new(2, POLICY);
    let tickets = [proxy.ask(0, by("a")), proxy.ask(1, by("a"))];
    proxy.reply(401, "");
    for ticket in tickets {
        assert_eq!(proxy.said(ticket), "401 exchange_refused");
    }
}

#[test]
fn a_message_that_is_lost_costs_one_tick() {
    let proxy = Proxy::new(2, POLICY);
    proxy.world.wakes.set(false);
    proxy.ask(0, by("a"));
    let ticket = proxy.ask(1, by("a"));
    proxy.reply(200, &token("one", 600));
    assert_eq!(proxy.said(ticket), "waits");
    proxy.pass(seconds(1) / 20);
    assert_eq!(proxy.said(ticket), "ok");
}

#[test]
fn a_message_about_nothing_changes_nothing() {
    let proxy = Proxy::new(2, POLICY);
    proxy.ask(0, by("a"));
    let ticket = proxy.ask(1, by("a"));
    for _ in 0..100 {
        proxy.workers[1].look_again();
        assert!(proxy.workers[1].turn().is_empty());
    }
    assert_eq!(proxy.made(), 1);
    proxy.reply(200, &token("one", 600));
    assert_eq!(proxy.said(ticket), "ok");
}

#[test]
fn a_client_that_leaves_takes_nobody_with_it() {
    for leaver in 0..3 {
        let proxy = Proxy::new(2, POLICY);
        let tickets = [
            proxy.ask(0, by("a")),
            proxy.ask(0, by("a")),
            proxy.ask(1, by("a")),
        ];
        proxy.leave(tickets[leaver]);
        proxy.reply(200, &token("one", 600));
        for (number, ticket) in tickets.into_iter().enumerate() {
            let expected = if number == leaver { "waits" } else { "ok" };
            assert_eq!(proxy.said(ticket), expected, "{leaver} left");
        }
        assert_eq!(proxy.made(), 1);
    }
}

#[test]
fn a_token_in_use_is_replaced_without_a_request() {
    let proxy = holding(4, POLICY, 600);
    for worker in 1..4 {
        assert_eq!(proxy.said(proxy.ask(worker, by("a"))), "ok");
    }
    proxy.jump(seconds(547));
    proxy.pass(seconds(1));
    assert_eq!(proxy.made(), 2);
    proxy.reply(200, &token("two", 600));
    // The others move on when they look at the board again.
    proxy.pass(seconds(8));
    assert_eq!(proxy.made(), 2);
    assert_eq!(proxy.count(Event::ExchangeCalled), 2);
    for worker in 0..4 {
        let ticket = proxy.ask(worker, by("a"));
        let bearer = bearer(&proxy.verdict(ticket).unwrap());
        assert_eq!(bearer, "Bearer two", "{worker}");
    }
}

#[test]
fn a_token_that_nobody_uses_is_let_go() {
    let proxy = holding(2, POLICY, 600);
    proxy.jump(seconds(547));
    proxy.pass(seconds(1));
    proxy.reply(200, &token("two", 600));
    assert_eq!(proxy.made(), 2);
    // From here on nobody comes.
    proxy.jump(seconds(590));
    proxy.pass(seconds(30));
    assert_eq!(proxy.made(), 2);
    assert_eq!(proxy.world.gauges.borrow()[&Gauge::TokensKept], 0);
    let full = |(value, _): &(Vec<u8>, u32)| !value.is_empty();
    assert!(!proxy.world.board.borrow().values().any(full));
    let ticket = proxy.ask(0, by("a"));
    assert_eq!(proxy.said(ticket), "waits");
}

#[test]
fn the_gauge_counts_tokens_and_nothing_else() {
    let proxy = Proxy::new(2, POLICY);
    for (id, body) in [("a", token("one", 3600)), ("b", token("two", 3600))] {
        proxy.ask(0, by(id));
        proxy.reply(200, &body);
    }
    proxy.ask(1, by("c"));
    proxy.reply(401, "");
    proxy.pass(seconds(20));
    assert_eq!(proxy.world.gauges.borrow()[&Gauge::TokensKept], 2);
}

#[test]
fn while_the_endpoint_is_down_a_refresh_comes_again_and_the_old_token_serves() {
    let proxy = holding(2, POLICY, 600);
    proxy.jump(seconds(547));
    for _ in 0..52 {
        proxy.pass(seconds(1));
        for call in proxy.calls() {
            proxy.answer(&call, Answer::Unreachable);
        }
        for worker in [0, 1] {
            assert_eq!(proxy.said(proxy.ask(worker, by("a"))), "ok");
        }
    }
    let made = proxy.made();
    assert!((3..=18).contains(&made), "{made} calls");
    // It comes back before the end.
    proxy.jump(seconds(0));
    let proxy = holding(1, POLICY, 600);
    proxy.jump(seconds(547));
    proxy.pass(seconds(1));
    proxy.answer(&proxy.call(), Answer::TimedOut);
    proxy.pass(seconds(8));
    proxy.reply(200, &token("two", 600));
    assert_eq!(bearer(&proxy.decide(by("a"))), "Bearer two");
}

#[test]
fn an_endpoint_that_is_left_alone_is_not_asked_on_a_tick() {
    let quiet = holding(1, POLICY, 600);
    quiet.jump(seconds(547));
    quiet.ask(0, by("b"));
    quiet.answer(&quiet.call(), reply_after(429, 30));
    let made = quiet.made();
    quiet.pass(seconds(29));
    let policy = POLICY.replace("failures: 1000", "failures: 1");
    let broken = holding(1, &policy, 600);
    broken.jump(seconds(547));
    broken.ask(0, by("b"));
    for call in broken.calls() {
        broken.answer(&call, Answer::Failed);
    }
    let calls = broken.made();
    broken.pass(seconds(9));
    assert_eq!((quiet.made(), broken.made()), (made, calls));
    // Nor does anybody try to.
    for proxy in [quiet, broken] {
        assert_eq!(proxy.count(Event::ExchangeRefreshed), 0);
    }
}

#[test]
fn more_tokens_than_one_tick_replaces_are_replaced_by_and_by() {
    let proxy = Proxy::new(1, POLICY);
    for number in 0..150 {
        proxy.ask(0, by(&format!("client-{number}")));
        proxy.reply(200, &token("one", 600));
    }
    proxy.jump(seconds(547));
    proxy.tick();
    assert_eq!(proxy.calls().len(), 64);
    // However often the host ticks.
    proxy.pass(seconds(1) / 4);
    assert_eq!(proxy.calls().len(), 64);
    proxy.pass(seconds(2));
    assert_eq!(proxy.calls().len(), 150);
}

#[test]
fn where_no_other_request_can_be_resumed_each_makes_its_own_call() {
    let proxy = Proxy::new(2, &POLICY.replace("attempts: 1", "attempts: 3"));
    proxy.world.resumes.set(false);
    let tickets = [
        proxy.ask(0, by("a")),
        proxy.ask(0, by("a")),
        proxy.ask(1, by("a")),
    ];
    let calls = proxy.calls();
    assert_eq!(calls.len(), 3);
    // Each answer resumes the one who asked, and nobody else.
    for (number, call) in calls.iter().enumerate() {
        proxy.answer(call, reply(200, &token("one", 600)));
        let told: Vec<_> = tickets.iter().map(|ticket| proxy.said(*ticket)).collect();
        assert_eq!(told.iter().filter(|said| *said == "ok").count(), number + 1);
    }
    // Within the cache, and the negative one; nothing sleeps.
    assert_eq!(short(&proxy.decide(by("a"))), "ok");
    let ticket = proxy.ask(0, by("b"));
    proxy.reply(500, "");
    assert_eq!(proxy.said(ticket), "503 exchange_unavailable after 1");
    assert_eq!(
        short(&proxy.decide(by("b"))),
        "503 exchange_unavailable after 1"
    );
    assert_eq!(proxy.made(), 4);
    assert!(!proxy.workers[0].is_busy());
    // A token near its end serves, and no call is made that nobody waits for.
    proxy.jump(seconds(550));
    assert_eq!(short(&proxy.decide(by("a"))), "ok");
    assert_eq!(proxy.made(), 4);
}

#[test]
fn a_clock_that_goes_back_lets_nobody_wait_for_a_worker_that_died() {
    let mut proxy = Proxy::new(2, POLICY);
    proxy.ask(0, by("a"));
    proxy.workers[0] = engine(&proxy.world, 0, POLICY);
    let ticket = proxy.ask(1, by("a"));
    proxy.world.now.set(proxy.world.now.get() - seconds(1800));
    // Its lease would last for half an hour.
    proxy.pass(seconds(20));
    assert_eq!(proxy.said(ticket), "503 exchange_unavailable after 1");
}

#[test]
fn a_worker_that_ends_lets_go_of_all_it_holds() {
    let mut proxy = holding(1, POLICY, 600);
    proxy.ask(0, by("b"));
    assert_eq!(proxy.said(proxy.ask(0, by("c"))), "waits");
    proxy.workers.clear();
    assert_eq!(std::rc::Rc::strong_count(&proxy.world), 1);
}

#[test]
fn a_clock_that_goes_back_before_the_first_tick_keeps_nobody_waiting() {
    let proxy = Proxy::new(2, POLICY);
    proxy.world.wakes.set(false);
    proxy.ask(0, by("a"));
    let ticket = proxy.ask(1, by("a"));
    proxy.reply(200, &token("one", 600));
    assert_eq!(proxy.said(ticket), "waits");
    proxy.world.now.set(proxy.world.now.get() - seconds(1800));
    proxy.pass(seconds(1));
    assert_eq!(proxy.said(ticket), "ok");
}

#[test]
fn a_refresh_that_fails_after_its_tokens_end_leaves_the_next_call_its_lease() {
    let proxy = holding(3, POLICY, 4);
    // Its refresh goes on when the token has ended, and another worker asks.
    proxy.pass(seconds(4));
    assert_eq!(proxy.made(), 2);
    let refresh = proxy.call();
    let ticket = proxy.ask(1, by("a"));
    assert_eq!(proxy.made(), 3);
    proxy.answer(&refresh, reply(500, ""));
    let next = proxy.ask(2, by("a"));
    assert_eq!(proxy.said(next), "waits");
    assert_eq!(proxy.made(), 3);
    proxy.reply(200, &token("two", 60));
    for ticket in [ticket, next] {
        assert_eq!(proxy.said(ticket), "ok");
    }
}
