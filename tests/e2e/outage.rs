//! The token endpoint dies under load and comes back.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client_exchange::{HEADERS, policy};
use crate::config::Listener;
use crate::gateway::{GATEWAY, await_until};

pub const ENDPOINTS: &[&str] = &["outage"];

/// How long each part of the load lasts.
const PART: Duration = Duration::from_millis(1500);
/// The pause between two new pairs of one caller.
const PACE: Duration = Duration::from_millis(2);
/// How many pairs the endpoint knows: more than are used up.
const PAIRS: usize = 20_000;
/// So many successes one after another mean that both workers have recovered.
const STREAK: usize = 12;
const PATH: &str = "/api/outage";

pub fn listeners() -> Vec<Listener> {
    vec![Listener::new(
        "outage",
        policy("outage", "timeout: 2s", HEADERS),
    )]
}

fn ask(id: &str) -> u16 {
    let request = GATEWAY.client("outage").get(PATH).header("x-client-id", id);
    request
        .header("x-client-secret", "s")
        .send()
        .unwrap()
        .status
}

/// Ends the load however the test ends.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What part of the load a request belongs to; requests that span a change count for none.
const UP: usize = 0;
const DOWN: usize = 1;
const CHANGING: usize = 2;

#[test]
fn killing_the_token_endpoint_under_load_gives_503_to_new_pairs_and_200_to_held_ones() {
    let endpoint = GATEWAY.endpoint("outage");
    for number in 0..PAIRS {
        endpoint.set_client(&format!("new-{number}"), &["s"]);
    }
    endpoint.set_client("held", &["s"]);
    assert_eq!(ask("held"), 200);
    let (state, done, number) = (
        AtomicUsize::new(UP),
        AtomicBool::new(false),
        AtomicUsize::new(0),
    );
    let failed_while_down = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let _ends = Ends(&done);
        for thread in 0..4 {
            let (state, done, number) = (&state, &done, &number);
            let failed_while_down = &failed_while_down;
            scope.spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    let before = state.load(Ordering::SeqCst);
                    if thread < 2 {
                        assert_eq!(ask("held"), 200, "a token that is held goes on");
                        continue;
                    }
                    // Refusals come so fast that the pairs would not last.
                    std::thread::sleep(PACE);
                    let id = format!("new-{}", number.fetch_add(1, Ordering::SeqCst));
                    let status = ask(&id);
                    let expected = match (before, state.load(Ordering::SeqCst)) {
                        (UP, UP) => &[200][..],
                        (DOWN, DOWN) => &[503],
                        _ => &[200, 503],
                    };
                    assert!(
                        expected.contains(&status),
                        "{id}: {status} instead of {expected:?}"
                    );
                    if status == 503 {
                        failed_while_down.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        let part = |to: usize| {
            state.store(to, Ordering::SeqCst);
            let deadline = Instant::now() + PART;
            await_until("time to pass", || Instant::now() >= deadline);
            state.store(CHANGING, Ordering::SeqCst);
        };
        part(UP);
        endpoint.stop().unwrap();
        part(DOWN);
        endpoint.resume().unwrap();
        // Envoy and the pause of a failed pair have a moment to find out.
        let mut streak = 0;
        await_until("recovery", || {
            let fresh = number.fetch_add(1, Ordering::SeqCst);
            streak = if ask(&format!("new-{fresh}")) == 200 {
                streak + 1
            } else {
                0
            };
            streak == STREAK
        });
        part(UP);
    });
    assert!(failed_while_down.load(Ordering::SeqCst) > 10);
    assert!(start.elapsed() >= 3 * PART);
    // Nothing passed without a verdict: whatever the upstream saw has a token, and no secret.
    let passed = GATEWAY.passed(PATH);
    assert!(passed.len() > 20);
    for seen in passed {
        let bearer = seen.header("authorization").unwrap_or_default();
        assert!(bearer.starts_with("Bearer eyJ"), "{seen:?}");
        assert_eq!(seen.header("x-client-secret"), None);
        assert!(seen.header("x-auth-client").is_some());
    }
    GATEWAY.assert_well();
}
