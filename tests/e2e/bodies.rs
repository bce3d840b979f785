//! Requests with a body, while the token endpoint takes its time: nothing reaches the upstream before the verdict.

use std::time::Duration;

use xtask::client::Answer;
use xtask::module::hash;

use crate::client_exchange::{HEADERS, policy};
use crate::config::Listener;
use crate::gateway::{GATEWAY, assert_passed, assert_refused, await_until};

pub const ENDPOINTS: &[&str] = &["bodies-off", "bodies-on"];

/// How long the token endpoint takes.
const DELAY: Duration = Duration::from_millis(700);

pub fn listeners() -> Vec<Listener> {
    let policy = |endpoint| policy(endpoint, "timeout: 5s", HEADERS);
    vec![
        Listener::new("bodies-off", policy("bodies-off")),
        Listener::new("bodies-on", policy("bodies-on")).stop_iteration(),
    ]
}

/// A new pair, so that its first request must wait for the token endpoint.
fn new_pair(listener: &str, id: &str) {
    let endpoint = GATEWAY.endpoint(listener);
    endpoint.set_client(id, &["s"]);
    endpoint.set(|settings| settings.token_delay = DELAY);
}

/// Nothing of this request reached the upstream before the token endpoint had answered.
#[track_caller]
fn assert_nothing_early(listener: &str, id: &str, path: &str) {
    let requests = GATEWAY.endpoint(listener).token_requests();
    let asked: Vec<_> = requests
        .iter()
        .filter(|request| request.client_id.as_deref() == Some(id))
        .collect();
    assert!(asked.len() <= 1, "{id}");
    for head in GATEWAY.heads(path) {
        assert!(
            head.at >= asked[0].at + DELAY,
            "{path} left before the verdict"
        );
    }
}

/// Both ways of running the filter.
fn both(check: impl Fn(&'static str)) {
    for listener in ["bodies-off", "bodies-on"] {
        check(listener);
    }
    GATEWAY.assert_well();
}

fn send(
    listener: &str,
    id: &str,
    request: impl FnOnce(xtask::client::Request<'static>) -> xtask::client::Request<'static>,
) -> (String, Answer) {
    new_pair(listener, id);
    let path = format!("/api/{listener}/{id}");
    let start = GATEWAY.client(listener).post(&path);
    let start = start
        .header("x-client-id", id)
        .header("x-client-secret", "s");
    let answer = request(start).send().unwrap();
    assert_nothing_early(listener, id, &path);
    (path, answer)
}

#[test]
fn a_small_body_waits_for_the_verdict_and_arrives_unchanged() {
    both(|listener| {
        let (_, answer) = send(listener, "small", |request| {
            request.body("{\"a\": \"\u{e9}\"}")
        });
        let seen = assert_passed(&answer);
        assert_eq!(seen.body.as_deref(), Some("{\"a\": \"\u{e9}\"}"));
        let (_, answer) = send(listener, "empty", |request| request.body(""));
        assert_eq!(assert_passed(&answer).body_len, 0);
    });
}

#[test]
fn a_slow_chunked_body_waits_for_the_verdict_and_arrives_unchanged() {
    both(|listener| {
        // Some of it comes before the verdict, some after.
        let chunks: Vec<_> = (0..12_u8).map(|number| vec![b'a' + number; 100]).collect();
        let whole = chunks.concat();
        let (_, answer) = send(listener, "slow", |request| {
            request.chunks(chunks, Duration::from_millis(100))
        });
        assert_eq!(assert_passed(&answer).body_sha256, hash(&whole));
    });
}

#[test]
fn three_megabytes_arrive_unchanged_or_are_refused_with_413() {
    both(|listener| {
        let body: Vec<u8> = (0..3_u32 << 20).map(|at| (at % 251) as u8).collect();
        let sum = hash(&body);
        let (path, answer) = send(listener, "large", |request| request.body(body));
        if answer.status == 413 && listener == "bodies-on" {
            assert_eq!(GATEWAY.heads(&path).len(), 0);
        } else {
            let seen = assert_passed(&answer);
            assert_eq!((seen.body_len, seen.body_sha256), (3 << 20, sum));
        }
    });
}

#[test]
fn a_client_that_expects_100_continue_is_served() {
    both(|listener| {
        new_pair(listener, "expects");
        let path = format!("/api/{listener}/expects");
        let mut connection = GATEWAY.client(listener).connect().unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nx-client-id: expects\r\nx-client-secret: s\r\n\
             expect: 100-continue\r\ncontent-length: 4\r\n\r\n"
        );
        connection.begin();
        connection.write(head.as_bytes()).unwrap();
        let first = connection.read_any("POST").unwrap();
        let answer = if first.status == 100 {
            connection.write(b"body").unwrap();
            connection.read("POST").unwrap()
        } else {
            first
        };
        assert_eq!(assert_passed(&answer).body.as_deref(), Some("body"));
        assert_nothing_early(listener, "expects", &path);
    });
}

#[test]
fn trailers_wait_for_the_verdict_too() {
    both(|listener| {
        new_pair(listener, "trailers");
        let path = format!("/api/{listener}/trailers");
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nx-client-id: trailers\r\nx-client-secret: s\r\n\
             te: trailers\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n"
        );
        let answer = GATEWAY.client(listener).raw(request.as_bytes()).unwrap();
        assert_eq!(assert_passed(&answer).body.as_deref(), Some("body"));
        assert_nothing_early(listener, "trailers", &path);
    });
}

#[test]
fn a_refusal_comes_during_a_slow_body_and_nothing_of_it_reaches_the_upstream() {
    both(|listener| {
        let id = "refused";
        new_pair(listener, id);
        let path = format!("/api/{listener}/{id}");
        let request = GATEWAY.client(listener).post(&path);
        let request = request
            .header("x-client-id", id)
            .header("x-client-secret", "wrong");
        let slow = request.chunks(vec![vec![b'x'; 50]; 100], Duration::from_millis(50));
        let answer = slow.send().unwrap();
        assert_refused(&answer, 401, "exchange_refused");
        assert!(
            answer.elapsed < Duration::from_secs(4),
            "{:?}",
            answer.elapsed
        );
        assert_eq!(GATEWAY.heads(&path).len(), 0);
    });
}

#[test]
fn a_client_that_leaves_in_mid_body_leaves_nothing_behind() {
    both(|listener| {
        let id = "leaves";
        new_pair(listener, id);
        let path = format!("/api/{listener}/{id}");
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nx-client-id: {id}\r\nx-client-secret: s\r\n\
             content-length: 1000\r\n\r\nonly this"
        );
        let mut connection = GATEWAY.client(listener).connect().unwrap();
        connection.write(head.as_bytes()).unwrap();
        await_until("the exchange", || {
            crate::gateway::asked(GATEWAY.endpoint(listener), id) == 1
        });
        drop(connection);
        // Another of the same pair is served with the token that was asked for.
        let request = GATEWAY.client(listener).get(&format!("{path}/after"));
        let request = request
            .header("x-client-id", id)
            .header("x-client-secret", "s");
        assert_passed(&request.send().unwrap());
        assert_eq!(GATEWAY.heads(&path).len(), 0);
    });
}
