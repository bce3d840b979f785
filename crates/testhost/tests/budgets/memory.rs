//! Memory after very many requests.

use testhost::{Filter, Gateway, Outcome, Place};

use crate::policies;

/// Requests that are sent: one in four with a token of its own, the others with tokens that come
/// again, keys of nobody, and nothing.
const REQUESTS: usize = 1_000_000;
/// What a worker's memory may come to, in bytes.
const MOST: usize = 12 * 1024 * 1024;

/// Tokens that come again and again, and those that come now and then.
const REPEATED: usize = 64;
const TOKENS: usize = 20_000;

/// Callers' pairs, whose tokens of 500 bytes are more than a worker holds; and how many come again,
/// and find their tokens in its hand, which takes no more than so many instructions.
const PAIRS: usize = 14_000;
const HELD: usize = 10_000;
const HELD_WITH_CLAIMS: usize = 5_000;
const FOUND: u64 = 40_000;
/// How long a profile makes a token of 500 bytes.
const PROFILE: usize = 57;

#[test]
fn memory_is_bounded_after_a_million_requests() {
    let module = std::fs::read(xtask::module::build().unwrap()).unwrap();
    let filter = Filter::from_bytes(&module).unwrap();
    let mut policy = policies::keys();
    let of_tokens = policies::tokens("HS256");
    policy["authenticators"]["token"] = of_tokens["authenticators"]["token"].clone();
    policy["rules"][0]["authenticate"] = serde_json::json!({"any": ["token", "key"]});
    let mut gateway = Gateway::builder(&filter, policy.to_string())
        .workers(1)
        .start()
        .unwrap();
    let tokens: Vec<String> = (0..TOKENS)
        .map(|number| format!("Bearer {}", policies::token("HS256", number)))
        .collect();
    let mut early = 0;
    for number in 0..REQUESTS {
        let request = gateway.request("GET /orders");
        let (request, passes) = match number % 4 {
            0 => (
                request.header("authorization", &tokens[number / 4 % TOKENS]),
                true,
            ),
            1 => (
                request.header("authorization", &tokens[number / 4 % REPEATED]),
                true,
            ),
            2 => (
                request.header("x-api-key", policies::api_key(number % 2_000)),
                number % 2_000 < 1_000,
            ),
            _ => (request, false),
        };
        let outcome = request.send().outcome();
        assert_eq!(
            matches!(outcome, Outcome::Upstream(_)),
            passes,
            "{number}: {outcome:?}"
        );
        if number == REQUESTS / 4 {
            early = gateway.memory()[&Place::Worker(0)];
        }
    }
    let late = gateway.memory()[&Place::Worker(0)];
    assert!(late <= MOST, "{late} bytes");
    assert_eq!(early, late, "it grows with the number of requests");
}

/// A worker's memory after all the pairs, of which the last `again` came once more, and the
/// instructions of each of these.
fn after_pairs(mut policy: serde_json::Value, again: usize) -> (usize, u64) {
    let module = std::fs::read(xtask::module::build().unwrap()).unwrap();
    let filter = Filter::metered(&module).unwrap();
    policy["clients"] = policies::keys()["clients"].clone();
    let mut gateway = Gateway::builder(&filter, policy.to_string())
        .workers(1)
        .start()
        .unwrap();
    gateway.endpoint(|call| policies::exchanged_with(&call.body, PROFILE));
    assert_eq!(policies::token_with("HS256", 0, PROFILE).len(), 500);
    let mut before = 0;
    for number in (0..PAIRS).chain(PAIRS - again..PAIRS) {
        if number == PAIRS - again {
            before = gateway.instructions()[&Place::Worker(0)];
        }
        let request = gateway
            .request("GET /orders")
            .header("x-client-id", format!("client-{number:05}"))
            .header("x-client-secret", "s3cret".repeat(5))
            .send();
        let outcome = request.outcome();
        assert!(
            matches!(outcome, Outcome::Upstream(_)),
            "{number}: {outcome:?}"
        );
    }
    let each = (gateway.instructions()[&Place::Worker(0)] - before) / again as u64;
    assert!(
        gateway.calls_made() <= PAIRS as u64,
        "{}",
        gateway.calls_made()
    );
    (gateway.memory()[&Place::Worker(0)], each)
}

#[test]
fn memory_is_bounded_with_more_pairs_than_a_worker_holds() {
    let (memory, each) = after_pairs(policies::pairs(), HELD);
    assert!(each <= FOUND, "{each} instructions");
    assert!(memory <= MOST, "{memory} bytes");
}

#[test]
fn memory_is_bounded_where_expressions_read_the_claims_of_held_tokens() {
    let mut policy = policies::pairs();
    policy["rules"][0]["authorize"] = serde_json::json!({"allow_if": "claims.tenant == 'acme'"});
    let (memory, each) = after_pairs(policy, HELD_WITH_CLAIMS);
    assert!(each <= FOUND, "{each} instructions");
    assert!(memory <= MOST, "{memory} bytes");
}
