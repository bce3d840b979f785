//! What holds whoever the OAuth server is.

use std::time::Duration;

use crate::client_exchange::{PATH, SECRET, with_pair};
use crate::gateway::{assert_passed, assert_refused, await_until};

use super::stage::{LIFE, Party, Side};

pub fn a_good_pair_becomes_a_token_and_the_upstream_sees_neither_secret_nor_forged_identity(
    side: &Side,
) {
    let party = side.party("calm", "good");
    let request = party
        .client
        .post(PATH)
        .header("X-Auth-Client", "admin")
        .header("x_auth_client", "underscored")
        .header("X-Plan", "platinum")
        .header("x_plan", "underscored");
    let seen = assert_passed(&party.with(request, SECRET));
    let [bearer] = seen.headers_named("authorization")[..] else {
        panic!("{:?}", seen.headers)
    };
    assert!(bearer.starts_with("Bearer eyJ"), "{bearer}");
    assert_eq!(seen.headers_named("x-auth-client"), ["good"]);
    assert_eq!(seen.headers_named("x-plan"), ["gold"]);
    assert_eq!(seen.body.as_deref(), Some(r#"{"item":"door"}"#));
    assert_eq!(seen.header("x-client-id"), None);
    for (name, value) in &seen.headers {
        let forged = ["admin", "underscored", "platinum"].contains(&value.as_str());
        assert!(!forged && !value.contains(SECRET), "{name}: {value}");
    }
}

pub fn a_thousand_more_requests_on_all_workers_ask_the_endpoint_once(side: &Side) {
    let party = side.party("calm", "thousand");
    assert_passed(&party.order(SECRET));
    let asked = party.exchanges();
    let connections = party.connections_on_all_workers();
    let each = 1000 / connections.len() + 1;
    std::thread::scope(|scope| {
        for mut connection in connections {
            let party = &party;
            scope.spawn(move || {
                for _ in 0..each {
                    assert_passed(&party.with(connection.post(PATH), SECRET));
                }
            });
        }
    });
    assert_eq!((asked, party.exchanges()), (1, 1));
}

/// Sends so many orders at once, and waits for all of them.
fn crowd(party: &Party, size: usize) {
    std::thread::scope(|scope| {
        let orders: Vec<_> = (0..size)
            .map(|_| scope.spawn(|| party.order(SECRET)))
            .collect();
        for order in orders {
            assert_passed(&order.join().unwrap());
        }
    });
}

pub fn two_hundred_concurrent_first_requests_ask_the_endpoint_once_and_all_succeed(side: &Side) {
    let mut party = side.party("crowd", "crowd");
    party.while_slow(|party| crowd(party, 200));
    assert_eq!(party.exchanges(), 1);
}

pub fn a_missing_header_is_credentials_missing(side: &Side) {
    let party = side.party("calm", "lonely");
    let post = || party.client.post(PATH);
    for request in [
        post(),
        post().header("x-client-id", "lonely"),
        post().header("x-client-secret", SECRET),
    ] {
        assert_refused(&request.send().unwrap(), 401, "credentials_missing");
    }
    assert_eq!(party.exchanges(), 0);
}

pub fn a_wrong_secret_is_exchange_refused_and_the_endpoint_is_not_bothered_again(side: &Side) {
    let party = side.party("calm", "guessed");
    for _ in 0..20 {
        assert_refused(&party.order("guess"), 401, "exchange_refused");
    }
    assert_eq!(party.exchanges(), 1);
    assert_passed(&party.order(SECRET));
    assert_refused(&party.order("guess"), 401, "exchange_refused");
}

pub fn while_the_endpoint_is_down_a_new_pair_is_503(side: &Side) {
    let party = side.party("down", "new");
    side.take_down();
    for _ in 0..5 {
        let answer = party.order(SECRET);
        assert_refused(&answer, 503, "exchange_unavailable");
        let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=10).contains(&wait), "{wait}");
    }
}

pub fn while_the_endpoint_is_down_a_held_token_passes(side: &Side) {
    let party = side.party("down", "held");
    side.take_down();
    for mut connection in party.connections_on_all_workers() {
        assert_passed(&party.with(connection.post(PATH), SECRET));
    }
}

pub fn a_token_near_its_end_is_refreshed_in_the_background_and_no_request_waits(side: &Side) {
    // So long that a busy machine can't be mistaken for a request that waits.
    const REFRESH: Duration = Duration::from_secs(3);
    if side.is_scripted() {
        side.scripted("aging")
            .set(|settings| settings.lifetime = LIFE);
    }
    let mut party = side.party("aging", "aging");
    let token = |answer: &xtask::client::Answer| {
        let seen = assert_passed(answer);
        seen.header("authorization").unwrap().to_owned()
    };
    let mut connections = party.connections_on_all_workers();
    let first = token(&party.order(SECRET));
    // Nothing is refreshed in the first half of a life.
    std::thread::sleep(LIFE / 3);
    let mut latest = first.clone();
    let mut ask = |party: &Party| {
        for connection in &mut connections {
            let answer = party.with(connection.post(PATH), SECRET);
            assert!(answer.elapsed < REFRESH / 2, "waited {:?}", answer.elapsed);
            latest = token(&answer);
        }
        latest != first
    };
    let is_new = party.while_taking(REFRESH, |party| {
        let start = std::time::Instant::now();
        let mut is_new = false;
        while !is_new && start.elapsed() < REFRESH {
            is_new = ask(party);
            std::thread::sleep(Duration::from_millis(20));
        }
        is_new
    });
    if !is_new {
        await_until("a new token", || ask(&party));
    }
    assert_eq!(party.exchanges(), 2);
}

pub fn a_client_that_metadata_calls_disabled_is_403_lookup_denied(side: &Side) {
    let party = side.party("calm", "disabled");
    party.registry.set_enabled("disabled", false).unwrap();
    for _ in 0..5 {
        assert_refused(&party.order(SECRET), 403, "lookup_denied");
    }
}

pub fn another_secret_never_gets_the_tokens_of_the_first(side: &Side) {
    let party = side.party("calm", "rotated");
    for mut connection in party.connections_on_all_workers() {
        assert_passed(&party.with(connection.post(PATH), SECRET));
        // Without a body: Envoy closes a connection where one is refused before all of it came.
        let request = connection.get(PATH).header("x-client-id", "rotated");
        let answer = request.header("x-client-secret", "the next one").send();
        assert_refused(&answer.unwrap(), 401, "exchange_refused");
    }
}

pub fn a_client_that_goes_away_leaves_the_others_their_answer(side: &Side) {
    let mut party = side.party("away", "away");
    party.while_slow(|party| {
        let mut first = party.client.connect().unwrap();
        let head = format!(
            "GET {PATH} HTTP/1.1\r\nhost: a\r\nx-client-id: away\r\nx-client-secret: {SECRET}\r\n\r\n"
        );
        first.write(head.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        std::thread::scope(|scope| {
            let others: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| with_pair(party.client.post(PATH), "away", SECRET).send()))
                .collect();
            // The one for whom the call was made leaves while it runs.
            drop(first);
            for other in others {
                assert_passed(&other.join().unwrap().unwrap());
            }
        });
    });
    assert_eq!(party.exchanges(), 1);
}
