//! What only an OAuth server does that is told to.

use xtask::jwt::Key;
use xtask::token_endpoint::too_many_requests;

use crate::client_exchange::{PATH, SECRET};
use crate::gateway::{assert_passed, assert_refused, await_until};

use super::stage::Side;

pub fn a_429_is_passed_on_and_the_endpoint_is_left_alone(side: &Side) {
    let holder = side.party("limited", "holder");
    let limited = side.party("limited", "limited");
    let other = side.party("limited", "other");
    assert_passed(&holder.order(SECRET));
    let endpoint = side.scripted("limited");
    endpoint.always(Some(too_many_requests(7)));
    let answer = limited.order(SECRET);
    assert_refused(&answer, 429, "exchange_limited");
    assert_eq!(answer.header("retry-after"), Some("7"));
    for _ in 0..10 {
        for party in [&limited, &other] {
            let answer = party.order(SECRET);
            assert_refused(&answer, 429, "exchange_limited");
            let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=7).contains(&wait), "{wait}");
        }
        assert_passed(&holder.order(SECRET));
    }
    assert_eq!((limited.exchanges(), other.exchanges()), (1, 0));
    endpoint.always(None);
    await_until("the end of the pause", || other.order(SECRET).status == 200);
}

pub fn a_token_signed_by_an_unknown_key_refetches_the_keys_once_then_is_401(side: &Side) {
    let known = side.party("unknown-key", "known");
    let endpoint = side.scripted("unknown-key");
    assert_passed(&known.order(SECRET));
    // Each worker has fetched, and so has the main thread's VM.
    await_until("the first fetches", || {
        endpoint.jwks_requests() > known.workers()
    });
    let before = endpoint.jwks_requests();
    endpoint.set(|settings| settings.signer = Key::B);
    for id in ["strange-1", "strange-2", "strange-3"] {
        let strange = side.party("unknown-key", id);
        for _ in 0..4 {
            assert_refused(&strange.order(SECRET), 401, "token_invalid");
        }
        assert_eq!(strange.exchanges(), 1, "{id}");
    }
    assert_eq!(endpoint.jwks_requests(), before + 1);
    endpoint.set(|settings| settings.signer = Key::A);
    assert_passed(&known.order(SECRET));
}

pub fn a_rotated_secret_gets_a_token_of_its_own(side: &Side) {
    let party = side.party("calm", "rotating");
    let token = |secret: &str| {
        let seen = assert_passed(&party.with(party.client.post(PATH), secret));
        seen.header("authorization").unwrap().to_owned()
    };
    let old = token(SECRET);
    side.scripted("calm")
        .set_client("rotating", &["the new one"]);
    let new = token("the new one");
    assert_ne!(old, new);
    assert_eq!(new, token("the new one"));
    assert_eq!(party.exchanges(), 2);
}
