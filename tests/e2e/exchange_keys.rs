//! Scenario 1 again: the provider's keys, unknown, changed, withdrawn, or out of reach.

use jsonwebtoken::Algorithm;
use xtask::client::Connection;
use xtask::jwt::Key;
use xtask::server::{Outcome, Reply};

use crate::client_exchange::{PATH, SECRET, order, party, with_pair};
use crate::gateway::{GATEWAY, asked, assert_passed, assert_refused, await_until};

#[test]
fn a_token_signed_by_an_unknown_key_refetches_the_keys_once_then_is_401() {
    let (client, endpoint) = party(
        "exchange-unknown-key",
        &["known", "strange-1", "strange-2", "strange-3"],
    );
    assert_passed(&order(&client, "known", SECRET));
    // Each worker has fetched, and so has the main thread's VM.
    await_until("the first fetches", || endpoint.jwks_requests() >= 3);
    let before = endpoint.jwks_requests();
    endpoint.set(|settings| settings.signer = Key::B);
    let mut connections = GATEWAY.connections_on_both_workers("exchange-unknown-key");
    for id in ["strange-1", "strange-2", "strange-3"] {
        for connection in &mut connections {
            // Without a body: Envoy closes the connection when one is refused before all of it came.
            let request = connection.get(PATH).header("x-client-id", id);
            let answer = request.header("x-client-secret", SECRET).send().unwrap();
            assert_refused(&answer, 401, "token_invalid");
        }
        assert_eq!(asked(endpoint, id), 1, "{id}");
    }
    assert_eq!(endpoint.jwks_requests(), before + 1);
    // The good one isn't disturbed.
    assert_passed(&order(&client, "known", SECRET));
    GATEWAY.assert_well();
}

#[test]
fn a_provider_may_change_its_keys_at_any_time() {
    let (client, endpoint) = party("exchange-new-key", &["before", "after"]);
    assert_passed(&order(&client, "before", SECRET));
    endpoint.set(|settings| {
        settings.signer = Key::B;
        settings.published = vec![Key::A, Key::B];
        settings.algorithm = Algorithm::ES256;
    });
    for mut connection in GATEWAY.connections_on_both_workers("exchange-new-key") {
        let request = with_pair(connection.post(PATH), "after", SECRET);
        assert_passed(&request.send().unwrap());
    }
    assert_eq!(asked(endpoint, "after"), 1);
}

#[test]
fn while_the_keys_cannot_be_fetched_the_last_good_ones_go_on() {
    let (client, endpoint) = party("exchange-stale-keys", &["stale-1", "stale-2", "stale-3"]);
    assert_passed(&order(&client, "stale-1", SECRET));
    for (id, broken) in [
        (
            "stale-2",
            Outcome::Reply(Reply::new(500, "text/plain", "oops")),
        ),
        (
            "stale-3",
            Outcome::Reply(Reply::new(200, "text/html", "<html>")),
        ),
    ] {
        endpoint.set(|settings| settings.jwks = Some(broken));
        let before = endpoint.jwks_requests();
        await_until("failed refreshes", || {
            endpoint.jwks_requests() >= before + 4
        });
        for mut connection in GATEWAY.connections_on_both_workers("exchange-stale-keys") {
            let request = with_pair(connection.post(PATH), id, SECRET);
            assert_passed(&request.send().unwrap());
        }
    }
    GATEWAY.assert_well();
}

#[test]
fn a_key_that_was_withdrawn_proves_nothing_any_more_not_even_tokens_that_are_held() {
    let (client, endpoint) = party("exchange-withdrawn-key", &["withdrawn"]);
    for mut connection in GATEWAY.connections_on_both_workers("exchange-withdrawn-key") {
        assert_passed(
            &with_pair(connection.post(PATH), "withdrawn", SECRET)
                .send()
                .unwrap(),
        );
    }
    endpoint.set(|settings| settings.published = vec![Key::B]);
    let mut connections = GATEWAY.connections_on_both_workers("exchange-withdrawn-key");
    await_until("the refusal on each worker", || {
        let ask = |connection: &mut Connection| {
            let request = connection.get(PATH).header("x-client-id", "withdrawn");
            request
                .header("x-client-secret", SECRET)
                .send()
                .unwrap()
                .status
                == 401
        };
        connections
            .iter_mut()
            .map(ask)
            .filter(|refused| *refused)
            .count()
            == connections.len()
    });
    // The provider's next token is signed by a key that counts.
    endpoint.set(|settings| settings.signer = Key::B);
    await_until("a new token", || {
        order(&client, "withdrawn", SECRET).status == 200
    });
    GATEWAY.assert_well();
}
