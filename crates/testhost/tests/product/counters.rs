//! What is counted, and when the proxy is told.

use testhost::{Gateway, Span};

use crate::support::{FILTER, assert_well};

const POLICY: &str = "
version: 1
rules:
  - {match: {path: /**}, authenticate: none}
";

fn allowed(gateway: &Gateway) -> Option<u64> {
    gateway.metric("doorward.allowed")
}

fn send(gateway: &mut Gateway, requests: usize) {
    for _ in 0..requests {
        gateway.request("GET /").send();
    }
}

#[test]
fn every_event_is_counted_at_once_and_of_a_flood_the_rest_within_a_second() {
    let builder = Gateway::builder(&FILTER, POLICY).workers(1);
    let mut gateway = builder.start().unwrap();
    gateway.advance(2.s());
    for number in 1..=3 {
        send(&mut gateway, 1);
        assert_eq!(allowed(&gateway), Some(number));
    }
    send(&mut gateway, 1997);
    let at_once = allowed(&gateway).unwrap();
    assert!((100..2000).contains(&at_once), "{at_once}");
    gateway.advance(1.s());
    assert_eq!(allowed(&gateway), Some(2000));
    send(&mut gateway, 1);
    assert_eq!(
        allowed(&gateway),
        Some(2001),
        "the next second's is told at once"
    );
    assert_well(&gateway);
}

#[test]
fn a_policy_that_is_replaced_takes_no_count_with_it() {
    let builder = Gateway::builder(&FILTER, POLICY).workers(1);
    let mut gateway = builder.start().unwrap();
    gateway.advance(2.s());
    send(&mut gateway, 2000);
    gateway.update_policy(0, POLICY).unwrap();
    gateway.drain();
    assert_eq!(allowed(&gateway), Some(2000));
    assert_well(&gateway);
}
