//! Bodies and trailers while a callout is pending: nothing leaves before the verdict.

use testhost::{Headers, Outcome, Span};

use crate::support::{assert_well, by, gateway, passed, token};

#[test]
fn no_part_of_a_request_leaves_before_the_verdict() {
    for stop_iteration in [false, true] {
        let builder = gateway().allow_on_headers_stop_iteration(stop_iteration);
        let mut gateway = builder.start().unwrap();
        let request = by(&mut gateway, "acme").body("one ").open().send();
        gateway.send_body(&request, "two ");
        assert_eq!(request.outcome(), Outcome::Waiting, "{}", gateway.trace());
        gateway.send_trailers(&request, [("x-sum", "1")].into_iter().collect());
        assert_eq!(request.outcome(), Outcome::Waiting, "{}", gateway.trace());
        gateway.callout().answer(200, token("one"));
        let upstream = passed(&gateway, &request);
        assert_eq!(upstream.body, b"one two ");
        assert_eq!(upstream.trailers.get("x-sum").as_deref(), Some("1"));
        assert_well(&gateway);
    }
}

#[test]
fn what_comes_after_the_verdict_flows() {
    for stop_iteration in [false, true] {
        let builder = gateway().allow_on_headers_stop_iteration(stop_iteration);
        let mut gateway = builder.start().unwrap();
        let request = by(&mut gateway, "acme").body("one ").open().send();
        gateway.callout().answer(200, token("one"));
        gateway.send_body(&request, "two");
        assert_eq!(request.upstream().unwrap().body, b"one two");
        gateway.send_end(&request);
        passed(&gateway, &request);
        assert_well(&gateway);
    }
}

#[test]
fn a_body_beyond_the_buffer_is_refused_while_a_call_is_pending() {
    let builder = gateway().allow_on_headers_stop_iteration(true);
    let mut gateway = builder.start().unwrap();
    let request = by(&mut gateway, "acme").body(vec![0; 3 << 20]).send();
    assert_eq!(request.short(), "413 request_payload_too_large");
    assert_eq!(request.upstream(), None);
    assert_eq!(gateway.open_requests(), 0);
    assert_well(&gateway);
}

#[test]
fn a_trailer_that_only_the_gateway_may_set_does_not_arrive() {
    for early in [false, true] {
        let mut gateway = gateway().start().unwrap();
        let request = by(&mut gateway, "acme").body("x").open().send();
        let trailers: Headers = [("x-auth-client", "forged"), ("x-sum", "1")]
            .into_iter()
            .collect();
        if early {
            gateway.send_trailers(&request, trailers.clone());
        }
        gateway.callout().answer(200, token("one"));
        if !early {
            gateway.send_trailers(&request, trailers);
        }
        let upstream = passed(&gateway, &request);
        assert_eq!(
            upstream.trailers.get("x-auth-client"),
            None,
            "early: {early}"
        );
        assert_eq!(upstream.trailers.get("x-sum").as_deref(), Some("1"));
        assert_well(&gateway);
    }
}

#[test]
fn a_client_that_leaves_in_mid_body_leaves_nothing_behind() {
    let mut gateway = gateway().start().unwrap();
    let request = by(&mut gateway, "acme").body("half").open().send();
    gateway.leave(&request);
    assert_eq!(request.outcome(), Outcome::Left);
    gateway.callout().answer(200, token("one"));
    gateway.advance(1.s());
    assert_eq!(request.upstream(), None);
    assert_eq!(gateway.open_requests(), 0);
    assert_well(&gateway);
}
