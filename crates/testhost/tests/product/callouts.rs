//! A callout that goes well, and every way in which it doesn't.

use testhost::{Outcome, Span};

use crate::support::{bearer, by, gateway, passed, token, without_secret};

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
    assert!(without_secret(&passed(&gateway, &request).headers));
    // The other worker finds the token on the board.
    gateway.advance(100.ms());
    let other = by(&mut gateway, "acme").worker(0).send();
    assert_eq!(bearer(&gateway, &other), "Bearer one");
    assert_eq!(gateway.calls_made(), 1);
}
