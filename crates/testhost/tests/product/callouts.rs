//! A callout that goes well, and every way in which it doesn't.

use std::time::Duration;

use testhost::{Cluster, Gateway, Headers, Outcome, Reply, Span};

use crate::support::{assert_well, bearer, by, gateway, passed, token};

/// Within this time a request has its answer, whatever becomes of a call: the call's 5 s, and
/// what the filter adds before it takes it for lost.
const BOUND: Duration = Duration::from_secs(10);

#[test]
fn a_request_waits_for_the_token_and_goes_on_with_it() {
    let mut gateway = gateway().start().unwrap();
    let request = by(&mut gateway, "acme").worker(1).send();
    assert_eq!(request.outcome(), Outcome::Waiting, "{}", gateway.trace());
    let call = gateway.callout();
    assert_eq!(
        (call.cluster.as_str(), call.path().as_str()),
        ("idp", "/token")
    );
    call.answer(200, token("one"));
    assert_eq!(bearer(&gateway, &request), "Bearer one");
    let upstream = passed(&gateway, &request);
    assert_eq!(upstream.headers.get("x-client-secret"), None);
    // The other worker finds the token on the board.
    let other = by(&mut gateway, "acme").worker(0).send();
    assert_eq!(bearer(&gateway, &other), "Bearer one");
    assert_eq!(gateway.calls_made(), 1);
    assert_well(&gateway);
}

#[test]
fn whatever_ends_a_call_the_request_has_its_reason_and_the_worker_lives() {
    let unavailable = "503 doorward_denied{exchange_unavailable}";
    let no_reply = "503 doorward_denied{exchange_reply}";
    let with = |name: &str, value: &[u8]| Reply::new(200).header(name, value).body(token("t"));
    let huge = || token(&"x".repeat(1 << 20));
    let table: Vec<(&str, Reply, &str)> = vec![
        (
            "refused",
            Reply::refused(),
            "503 doorward_denied{exchange_unreachable}",
        ),
        (
            "timed out",
            Reply::timeout(),
            "503 doorward_denied{exchange_timeout}",
        ),
        ("reset", Reply::reset(), unavailable),
        ("cut short", Reply::cut_short(200), unavailable),
        ("500", Reply::new(500), unavailable),
        ("a real 503", Reply::new(503), unavailable),
        ("a real 504", Reply::new(504), unavailable),
        ("no header at all", Reply::bare(Headers::new()), unavailable),
        ("no status", bare("x-a", "b"), unavailable),
        (
            "a status that is no number",
            bare(":status", "2OO"),
            unavailable,
        ),
        (
            "a status beyond 16 bits",
            bare(":status", "65736"),
            unavailable,
        ),
        ("an empty reply", Reply::new(200), no_reply),
        (
            "half a reply",
            Reply::new(200).body(r#"{"access_tok"#),
            no_reply,
        ),
        ("no UTF-8", Reply::new(200).body([0xff, 0xfe]), no_reply),
        (
            "a redirect",
            Reply::new(302).header("location", "/"),
            unavailable,
        ),
        ("1 MiB", Reply::new(200).body(huge()), unavailable),
        (
            "33 MiB",
            Reply::new(200).body(vec![b' '; 33 << 20]),
            unavailable,
        ),
        (
            "invalid_client",
            Reply::new(401),
            "401 doorward_denied{exchange_refused}",
        ),
        (
            "limited",
            Reply::new(429),
            "429 doorward_denied{exchange_limited}",
        ),
        (
            "odd header bytes",
            with("x-odd", b"\xff\x80\x01"),
            "upstream",
        ),
        ("an empty header name", with("", b""), "upstream"),
        (
            "a header of 60 kB",
            with("x-long", &[b'a'; 60_000]),
            "upstream",
        ),
        ("two statuses", with(":status", b"500"), "upstream"),
        (
            "trailers",
            Reply::new(200).body(token("t")).trailer("a", "b"),
            "upstream",
        ),
    ];
    for (name, reply, expected) in table {
        let mut gateway = gateway().workers(1).canary(false).start().unwrap();
        let request = by(&mut gateway, "acme").send();
        gateway.callout().end(reply);
        assert_eq!(request.short(), expected, "{name}\n{}", gateway.trace());
        assert_eq!(
            request.upstream().is_some(),
            expected == "upstream",
            "{name}"
        );
        // The worker goes on serving another pair.
        let other = by(&mut gateway, "other").send();
        match gateway.callouts().last() {
            Some(_) => gateway.callout().answer(200, token("two")),
            None => gateway.advance(2.s()),
        }
        assert_ne!(other.outcome(), Outcome::Hangs, "{name}");
        assert_well(&gateway);
    }
}

fn bare(name: &str, value: &str) -> Reply {
    Reply::bare([(name, value)].into_iter().collect()).body(token("t"))
}

#[test]
fn a_call_that_never_ends_is_given_up_in_bounded_time() {
    // By the proxy's timeout, and by the filter's own where the proxy forgets the call.
    for lost in [false, true] {
        let mut gateway = gateway().start().unwrap();
        let request = by(&mut gateway, "acme").send();
        if lost {
            let call = gateway.callout().id;
            gateway.lose(call);
        }
        gateway.advance(BOUND);
        let expected = match lost {
            true => "503 doorward_denied{exchange_unavailable}",
            false => "503 doorward_denied{exchange_timeout}",
        };
        assert_eq!(request.short(), expected, "{lost}\n{}", gateway.trace());
        assert_well(&gateway);
    }
}

#[test]
fn an_answer_that_comes_after_its_timeout_changes_nothing() {
    let mut gateway = gateway().start().unwrap();
    let request = by(&mut gateway, "acme").send();
    gateway
        .callout()
        .end_after(6.s(), Reply::new(200).body(token("late")));
    gateway.advance(BOUND);
    assert_eq!(request.short(), "503 doorward_denied{exchange_timeout}");
    assert_well(&gateway);
}

#[test]
fn a_call_that_cannot_be_made_is_no_crash() {
    for state in [Cluster::Missing, Cluster::Unhealthy] {
        let mut gateway = gateway().start().unwrap();
        gateway.set_cluster("idp", state);
        let request = by(&mut gateway, "acme").send();
        gateway.advance(BOUND);
        let expected = "503 doorward_denied{exchange_unavailable}";
        assert_eq!(request.short(), expected, "{state:?}\n{}", gateway.trace());
        assert_eq!(gateway.calls_made(), 0);
        assert_well(&gateway);
    }
}

#[test]
fn who_waits_for_a_call_gets_its_answer_though_the_first_client_left() {
    let mut gateway = gateway().workers(1).start().unwrap();
    let first = by(&mut gateway, "acme").send();
    let others: Vec<_> = (0..5).map(|_| by(&mut gateway, "acme").send()).collect();
    gateway.leave(&first);
    assert_eq!(first.outcome(), Outcome::Left);
    gateway.callout().answer(200, token("one"));
    for other in &others {
        assert_eq!(bearer(&gateway, other), "Bearer one");
    }
    assert_eq!(first.outcome(), Outcome::Left);
    assert_eq!(gateway.calls_made(), 1);
    assert_well(&gateway);
}

#[test]
fn an_answer_after_the_last_client_left_is_kept_for_the_next() {
    let mut gateway = gateway().workers(1).start().unwrap();
    let request = by(&mut gateway, "acme").send();
    gateway.leave(&request);
    gateway.callout().answer(200, token("one"));
    let next = by(&mut gateway, "acme").send();
    assert_eq!(bearer(&gateway, &next), "Bearer one");
    assert_well(&gateway);
}

#[test]
fn first_requests_on_two_workers_make_one_call() {
    let mut gateway = gateway().workers(2).start().unwrap();
    let requests: Vec<_> = (0..20)
        .map(|at| by(&mut gateway, "acme").worker(at % 2).send())
        .collect();
    gateway.callout().answer(200, token("one"));
    gateway.advance(100.ms());
    for request in &requests {
        assert_eq!(bearer(&gateway, request), "Bearer one");
    }
    assert_eq!(gateway.calls_made(), 1);
    assert_well(&gateway);
}

/// Ends what a gateway's run left under way, so that it can be compared.
fn run(seed: u64) -> String {
    let mut gateway: Gateway = gateway().seed(seed).start().unwrap();
    let request = by(&mut gateway, "acme").send();
    gateway.advance(1.s());
    gateway.callout().answer(200, token("one"));
    assert_eq!(bearer(&gateway, &request), "Bearer one");
    gateway.advance(10.s());
    gateway.trace().to_string()
}

#[test]
fn one_seed_gives_one_run() {
    assert_eq!(run(7), run(7));
}
