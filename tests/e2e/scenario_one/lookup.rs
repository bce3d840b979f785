//! The registry's part: what it says is kept, asked for once, and never guessed.

use std::time::Duration;

use xtask::registry::ApiToken;

use crate::client_exchange::{PATH, SECRET};
use crate::gateway::{assert_passed, assert_refused, await_until};

use super::stage::{Party, SHORT_CACHE, SLOW, Side, TIMEOUT};

/// A status from each worker at least once, and each the expected.
fn on_all_workers(party: &Party, status: u16) {
    for mut connection in party.connections_on_all_workers() {
        // Without a body: Envoy closes a connection where one is refused before all of it came.
        for _ in 0..5 {
            let request = connection.get(PATH).header("x-client-id", party.id);
            let answer = request.header("x-client-secret", SECRET).send().unwrap();
            assert_eq!(answer.status, status, "{}", answer.text());
        }
    }
}

pub fn metadata_reaches_the_upstream_and_is_asked_for_once_a_worker(side: &Side) {
    let party = side.party("calm", "known");
    let row = ApiToken {
        tenant: "globex".to_owned(),
        ..ApiToken::new("known", "silver")
    };
    party.registry.put(&row).unwrap();
    on_all_workers(&party, 200);
    let seen = assert_passed(&party.order(SECRET));
    assert_eq!(seen.headers_named("x-plan"), ["silver"]);
    assert_eq!(seen.headers_named("x-tenant"), ["globex"]);
    assert_eq!(party.registry.asked("known"), party.workers());
}

pub fn a_client_that_the_registry_never_heard_of_is_403_and_not_asked_about_again(side: &Side) {
    let party = side.party("calm", "stray");
    party.registry.remove("stray").unwrap();
    assert_refused(&party.order(SECRET), 403, "lookup_denied");
    on_all_workers(&party, 403);
    assert_eq!(party.registry.asked("stray"), party.workers());
}

pub fn concurrent_requests_on_a_worker_share_one_look_up(side: &Side) {
    let party = side.party("lookup-slow", "together");
    party.registry.set_delay(SLOW);
    std::thread::scope(|scope| {
        let orders: Vec<_> = (0..60)
            .map(|_| scope.spawn(|| party.order(SECRET)))
            .collect();
        for order in orders {
            assert_passed(&order.join().unwrap());
        }
    });
    let asked = party.registry.asked("together");
    assert!((1..=party.workers()).contains(&asked), "{asked}");
}

pub fn a_registry_that_fails_is_503_and_never_a_pass(side: &Side) {
    for (id, status) in [("broken", 500), ("distrusted", 401), ("redirected", 302)] {
        let party = side.party("lookup-failing", id);
        party.registry.fail_with(Some(status));
        let answer = party.order(SECRET);
        assert_refused(&answer, 503, "lookup_unavailable");
        assert!(answer.header("retry-after").is_some(), "{id}");
        let requests = side.stage.upstream.requests();
        let mut passed = requests.iter();
        assert!(!passed.any(|seen| seen.header("x-auth-client") == Some(id)));
        party.registry.fail_with(None);
        await_until("recovery", || party.order(SECRET).status == 200);
    }
    let party = side.party("lookup-failing", "too-late");
    party.registry.set_delay(TIMEOUT * 2);
    let answer = party.order(SECRET);
    assert_refused(&answer, 503, "lookup_unavailable");
    assert!(answer.elapsed >= TIMEOUT && answer.elapsed < TIMEOUT * 2);
    party.registry.set_delay(Duration::ZERO);
    await_until("recovery", || party.order(SECRET).status == 200);
}

pub fn a_registry_that_is_down_is_503_and_what_is_known_goes_on(side: &Side) {
    let known = side.party("lookup-down", "known-before");
    on_all_workers(&known, 200);
    let new = side.party("lookup-down", "new-to-it");
    new.registry.stop().unwrap();
    for _ in 0..5 {
        assert_refused(&new.order(SECRET), 503, "lookup_unavailable");
    }
    on_all_workers(&known, 200);
    new.registry.resume().unwrap();
    await_until("recovery", || new.order(SECRET).status == 200);
}

pub fn a_disabled_client_is_refused_once_the_answer_is_too_old(side: &Side) {
    let party = side.party("lookup-short", "leaving");
    on_all_workers(&party, 200);
    party.registry.set_enabled("leaving", false).unwrap();
    std::thread::sleep(SHORT_CACHE);
    on_all_workers(&party, 403);
    party.registry.set_enabled("leaving", true).unwrap();
    std::thread::sleep(SHORT_CACHE);
    on_all_workers(&party, 200);
}
