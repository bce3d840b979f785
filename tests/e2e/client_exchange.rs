//! Scenario 1, `client-exchange`: a client's id and secret in headers become a token.

use std::time::Duration;

use serde_json::{Value, json};
use xtask::client::{Answer, Client, Request};
use xtask::token_endpoint::{Scripted, too_many_requests};

use crate::config::Listener;
use crate::gateway::{GATEWAY, asked, assert_passed, assert_refused, await_until};

pub const PATH: &str = "/api/sales-orders/create";
pub const SLOW: Duration = Duration::from_millis(600);

pub const ENDPOINTS: &[&str] = &[
    "exchange",
    "exchange-slow",
    "exchange-limited",
    "exchange-down",
    "exchange-unknown-key",
    "exchange-new-key",
    "exchange-refresh",
    "exchange-basic",
    "exchange-post",
    "exchange-json",
    "exchange-pointers",
    "exchange-impostor",
    "exchange-many",
    "exchange-stale-keys",
    "exchange-withdrawn-key",
];

/// The policy of this scenario, with `exchange` and `from` as its variants need them.
pub fn policy(endpoint: &str, exchange: &str, from: &str) -> String {
    format!(
        r#"
version: 1
authenticators:
  pair-token:
    jwt:
      algorithms: [RS256, ES256]
      issuer: https://cognito-idp.example.com/pool
      keys: [{{remote: {{cluster: {endpoint}, url: "http://auth.example.com/jwks"}}}}]
      claims: {{token_use: access}}
  pair:
    client_credentials:
      from: {from}
      exchange: provider
      verify: pair-token
      client_claim: client_id
tokens:
  provider:
    exchange:
      cluster: {endpoint}
      url: http://auth.example.com/oauth2/token
      {exchange}
rules:
  - match: {{path: "/api/**"}}
    authenticate: pair
"#
    )
}

pub const HEADERS: &str = "{id: {header: x-client-id}, secret: {header: x-client-secret}}";

pub fn listeners() -> Vec<Listener> {
    let with = |name, exchange, from| Listener::new(name, policy(name, exchange, from));
    let often = |name| {
        let policy = policy(name, "timeout: 3s", HEADERS);
        Listener::new(name, policy.replace("/jwks\"", "/jwks\", refresh: 1s"))
    };
    vec![
        with("exchange", "cache_failures: 30s", HEADERS),
        with("exchange-slow", "timeout: 5s", HEADERS),
        with("exchange-limited", "timeout: 3s", HEADERS),
        with("exchange-down", "timeout: 3s", HEADERS),
        with("exchange-unknown-key", "timeout: 3s", HEADERS),
        with("exchange-new-key", "timeout: 3s", HEADERS),
        with("exchange-refresh", "timeout: 6s", HEADERS),
        with("exchange-basic", "scopes: [orders]", "{basic: true}"),
        with("exchange-post", "auth: client_secret_post", HEADERS),
        with("exchange-many", "timeout: 5s", HEADERS),
        often("exchange-stale-keys"),
        often("exchange-withdrawn-key"),
        with("exchange-impostor", "timeout: 3s", HEADERS),
        with("exchange-json", "auth: client_secret_json", HEADERS),
        with(
            "exchange-pointers",
            r#"response: {token: /data/accessToken, expires_in: /data/expiresIn, token_type: /data/type}"#,
            HEADERS,
        ),
    ]
}

/// A client and a token endpoint of its own, which knows `id` with the secret `s3cr:t/%`.
pub fn party(name: &str, ids: &[&str]) -> (Client, &'static Scripted) {
    let endpoint = GATEWAY.endpoint(name);
    for id in ids {
        endpoint.set_client(id, &[SECRET]);
    }
    (GATEWAY.client(name), endpoint)
}

/// Characters that form encoding and Basic treat specially.
pub const SECRET: &str = "s3cr:t/% +&=";

pub fn order(client: &Client, id: &str, secret: &str) -> Answer {
    with_pair(client.post(PATH), id, secret).send().unwrap()
}

pub fn with_pair<'a>(request: Request<'a>, id: &str, secret: &str) -> Request<'a> {
    request
        .header("X-Client-Id", id)
        .header("X-Client-Secret", secret)
        .json(&json!({"item": "door"}))
}

#[test]
fn a_good_pair_becomes_a_token_and_the_upstream_sees_neither_secret_nor_forged_identity() {
    let (client, _) = party("exchange", &["good"]);
    let request = client
        .post(PATH)
        .header("X-Auth-Client", "admin")
        .header("x-auth-client", "root")
        .header("x_auth_client", "underscored")
        .header("X-AUTH_Tenant", "mixed")
        .header("X-Auth-Scopes", "everything")
        .header("X_Auth-Scopes", "more");
    let seen = assert_passed(&with_pair(request, "good", SECRET).send().unwrap());
    let bearer = seen.header("authorization").unwrap();
    assert!(bearer.starts_with("Bearer eyJ"), "{bearer}");
    assert_eq!(seen.headers_named("authorization").len(), 1);
    assert_eq!(seen.headers_named("x-auth-client"), ["good"]);
    assert_eq!(seen.body.as_deref(), Some(r#"{"item":"door"}"#));
    assert_eq!(seen.header("x-client-id"), None);
    let forged = [
        "admin",
        "root",
        "underscored",
        "mixed",
        "everything",
        "more",
    ];
    for (name, value) in &seen.headers {
        assert!(!forged.contains(&value.as_str()), "{name}: {value}");
        assert!(!value.contains(SECRET), "{name}: {value}");
    }
    GATEWAY.assert_well();
}

#[test]
fn a_caller_who_sends_an_authorization_of_his_own_has_it_replaced() {
    let (client, _) = party("exchange", &["own-authorization"]);
    let request = client.post(PATH).bearer("forged");
    let seen = assert_passed(
        &with_pair(request, "own-authorization", SECRET)
            .send()
            .unwrap(),
    );
    let [only] = seen.headers_named("authorization")[..] else {
        panic!("{:?}", seen.headers)
    };
    assert!(only.starts_with("Bearer eyJ"), "{only}");
}

#[test]
fn a_thousand_more_requests_on_two_workers_ask_the_endpoint_once() {
    let (client, endpoint) = party("exchange", &["thousand"]);
    assert_passed(&order(&client, "thousand", SECRET));
    let connections = GATEWAY.connections_on_both_workers("exchange");
    let each = 1000 / connections.len() + 1;
    std::thread::scope(|scope| {
        for mut connection in connections {
            scope.spawn(move || {
                for _ in 0..each {
                    let request = with_pair(connection.post(PATH), "thousand", SECRET);
                    assert_passed(&request.send().unwrap());
                }
            });
        }
    });
    assert_eq!(asked(endpoint, "thousand"), 1);
    GATEWAY.assert_well();
}

#[test]
fn two_hundred_concurrent_first_requests_ask_the_endpoint_once_and_all_succeed() {
    let (client, endpoint) = party("exchange-slow", &["concurrent"]);
    endpoint.set(|settings| settings.token_delay = SLOW);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let requests: Vec<_> = (0..200)
            .map(|_| scope.spawn(|| order(&client, "concurrent", SECRET)))
            .collect();
        requests
            .into_iter()
            .map(|each| each.join().unwrap())
            .collect()
    });
    for answer in &answers {
        assert_passed(answer);
    }
    assert_eq!(answers.len(), 200);
    assert_eq!(asked(endpoint, "concurrent"), 1);
    GATEWAY.assert_well();
}

#[test]
fn many_pairs_at_once_each_get_their_own_token() {
    const PAIRS: usize = 150;
    let (client, endpoint) = party("exchange-many", &[]);
    let ids: Vec<_> = (0..PAIRS).map(|number| format!("many-{number}")).collect();
    for id in &ids {
        endpoint.set_client(id, &[SECRET]);
    }
    endpoint.set(|settings| settings.token_delay = SLOW / 2);
    std::thread::scope(|scope| {
        for id in ids.iter().chain(&ids) {
            scope.spawn(|| {
                let seen = assert_passed(&order(&client, id, SECRET));
                assert_eq!(seen.headers_named("x-auth-client"), [id.as_str()]);
                let bearer = seen.header("authorization").unwrap();
                let token = bearer.strip_prefix("Bearer ").unwrap();
                let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(token)
                    .unwrap()
                    .claims;
                assert_eq!(claims["client_id"], id.as_str());
            });
        }
    });
    for id in &ids {
        assert_eq!(asked(endpoint, id), 1, "{id}");
    }
    GATEWAY.assert_well();
}

#[test]
fn requests_one_after_another_on_one_connection_each_get_their_own_verdict() {
    let (client, endpoint) = party("exchange-slow", &["pipelined-1", "pipelined-2"]);
    endpoint.set(|settings| settings.token_delay = SLOW);
    let request = |id: &str, secret: &str| {
        format!(
            "GET {PATH}?{id} HTTP/1.1\r\nhost: a\r\nx-client-id: {id}\r\nx-client-secret: {secret}\r\n\r\n"
        )
    };
    let all = [
        request("pipelined-1", SECRET),
        request("pipelined-2", "guess"),
        request("pipelined-2", SECRET),
        request("pipelined-1", "guess"),
    ];
    let mut connection = client.connect().unwrap();
    connection.write(all.concat().as_bytes()).unwrap();
    for (id, status) in [
        ("pipelined-1", 200),
        ("pipelined-2", 401),
        ("pipelined-2", 200),
        ("pipelined-1", 401),
    ] {
        let answer = connection.read("GET").unwrap();
        assert_eq!(answer.status, status, "{id}: {}", answer.text());
        if status == 200 {
            assert_eq!(answer.upstream().unwrap().header("x-auth-client"), Some(id));
        }
    }
    GATEWAY.assert_well();
}

#[test]
fn a_client_that_goes_away_during_the_exchange_leaves_the_others_their_answer() {
    let (client, endpoint) = party("exchange-slow", &["goes-away"]);
    endpoint.set(|settings| settings.token_delay = SLOW);
    let head = format!(
        "GET {PATH} HTTP/1.1\r\nhost: a\r\nx-client-id: goes-away\r\nx-client-secret: {SECRET}\r\n\r\n"
    );
    let mut first = client.connect().unwrap();
    first.write(head.as_bytes()).unwrap();
    await_until("the exchange", || asked(endpoint, "goes-away") == 1);
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| order(&client, "goes-away", SECRET)))
            .collect();
        // The one for whom the call was made leaves while it runs.
        drop(first);
        for other in others {
            assert_passed(&other.join().unwrap());
        }
    });
    assert_eq!(asked(endpoint, "goes-away"), 1);
    GATEWAY.assert_well();
}

#[test]
fn a_missing_header_is_credentials_missing() {
    let (client, endpoint) = party("exchange", &["lonely"]);
    for request in [
        client.post(PATH),
        client.post(PATH).header("x-client-id", "lonely"),
        client.post(PATH).header("x-client-secret", SECRET),
        client
            .post(PATH)
            .header("x-client-id", "lonely")
            .header("x-client-secret", ""),
        client
            .post(PATH)
            .header("x-client-id", "")
            .header("x-client-secret", SECRET),
    ] {
        assert_refused(&request.send().unwrap(), 401, "credentials_missing");
    }
    assert_eq!(asked(endpoint, "lonely"), 0);
}

#[test]
fn a_repeated_header_is_credentials_duplicated() {
    let (client, endpoint) = party("exchange", &["twice"]);
    let request = client.post(PATH).header("X-CLIENT-ID", "twice");
    let answer = with_pair(request, "twice", SECRET).send().unwrap();
    assert_refused(&answer, 400, "credentials_duplicated");
    assert_eq!(asked(endpoint, "twice"), 0);
}

#[test]
fn a_wrong_secret_is_refused_and_the_endpoint_is_not_bothered_again() {
    let (client, endpoint) = party("exchange", &["guessed"]);
    for _ in 0..20 {
        let answer = order(&client, "guessed", "guess");
        assert_refused(&answer, 401, "exchange_refused");
    }
    assert_eq!(asked(endpoint, "guessed"), 1);
    // That a guess was wrong says nothing about the real pair.
    assert_passed(&order(&client, "guessed", SECRET));
    assert_refused(&order(&client, "guessed", "guess"), 401, "exchange_refused");
    // An unknown client looks like a wrong secret.
    assert_eq!(
        order(&client, "nobody", "guess").text(),
        order(&client, "guessed", "guess").text()
    );
}

#[test]
fn a_rotated_secret_never_gets_the_old_pairs_token() {
    let (client, endpoint) = party("exchange", &["rotated"]);
    let token = |secret| {
        let seen = assert_passed(&order(&client, "rotated", secret));
        seen.header("authorization").unwrap().to_owned()
    };
    let old = token(SECRET);
    endpoint.set_client("rotated", &["the new one"]);
    let new = token("the new one");
    assert_ne!(old, new);
    assert_eq!(new, token("the new one"));
    assert_eq!(asked(endpoint, "rotated"), 2);
}

#[test]
fn a_429_is_passed_on_and_the_endpoint_is_left_alone() {
    let (client, endpoint) = party("exchange-limited", &["holder", "limited", "other"]);
    assert_passed(&order(&client, "holder", SECRET));
    endpoint.always(Some(too_many_requests(7)));
    let answer = order(&client, "limited", SECRET);
    assert_refused(&answer, 429, "exchange_limited");
    assert_eq!(answer.header("retry-after"), Some("7"));
    for _ in 0..20 {
        let answer = order(&client, "limited", SECRET);
        assert_refused(&answer, 429, "exchange_limited");
        let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=7).contains(&wait), "{wait}");
        // The pause holds for every pair.
        assert_refused(&order(&client, "other", SECRET), 429, "exchange_limited");
        // Tokens already held go on.
        assert_passed(&order(&client, "holder", SECRET));
    }
    assert_eq!(
        (asked(endpoint, "limited"), asked(endpoint, "other")),
        (1, 0)
    );
    // When the pause is over, it is asked again.
    endpoint.always(None);
    await_until("the end of the pause", || {
        order(&client, "other", SECRET).status == 200
    });
    assert_passed(&order(&client, "limited", SECRET));
}

#[test]
fn while_the_endpoint_is_down_held_tokens_pass_and_others_get_503() {
    let (client, endpoint) = party("exchange-down", &["held", "new"]);
    assert_passed(&order(&client, "held", SECRET));
    endpoint.stop().unwrap();
    for _ in 0..5 {
        assert_passed(&order(&client, "held", SECRET));
        let answer = order(&client, "new", SECRET);
        assert_refused(&answer, 503, "exchange_unavailable");
        let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=10).contains(&wait), "{wait}");
    }
    endpoint.resume().unwrap();
    await_until("recovery", || order(&client, "new", SECRET).status == 200);
    GATEWAY.assert_well();
}

#[test]
fn a_token_that_nears_its_end_is_refreshed_once_and_no_request_waits() {
    const LIFE: Duration = Duration::from_secs(12);
    // So long that a busy machine can't be mistaken for a request that waits.
    const REFRESH: Duration = Duration::from_secs(3);
    let (client, endpoint) = party("exchange-refresh", &["aging"]);
    endpoint.set(|settings| settings.lifetime = LIFE);
    let first = assert_passed(&order(&client, "aging", SECRET));
    let first = first.header("authorization").unwrap().to_owned();
    endpoint.set(|settings| settings.token_delay = REFRESH);
    let mut connections = GATEWAY.connections_on_both_workers("exchange-refresh");
    let mut latest = first.clone();
    await_until("a new token", || {
        for connection in &mut connections {
            let answer = with_pair(connection.post(PATH), "aging", SECRET)
                .send()
                .unwrap();
            assert!(answer.elapsed < REFRESH / 2, "waited {:?}", answer.elapsed);
            latest = assert_passed(&answer)
                .header("authorization")
                .unwrap()
                .to_owned();
        }
        latest != first
    });
    assert_eq!(asked(endpoint, "aging"), 2);
    let requests = endpoint.token_requests();
    let apart = requests[1].at - requests[0].at;
    assert!(
        apart > LIFE / 3 && apart < LIFE,
        "refreshed after {apart:?}"
    );
    GATEWAY.assert_well();
}
