//! Scenario 4, `key-and-token`: a key for the environment, and a token for who calls. The policy is the example's own.

use serde_json::{Value, json};
use xtask::client::{Answer, Request};
use xtask::{jwt, pyjwt};

use crate::config::Listener;
use crate::gateway::{GATEWAY, assert_passed};

const LISTENER: &str = "key-and-token";
const KEY: &str = "ak_demo_production_key";
const EXPIRED_KEY: &str = "ak_demo_production_key_old";
const SANDBOX_KEY: &str = "ak_demo_sandbox_key";
const BILLING: (&str, &str) = ("billing", "doorward-demo-secret-of-billing");
const REPORTS: (&str, &str) = ("reports", "doorward-demo-secret-of-reports");
const TRIAL: (&str, &str) = ("trial", "doorward-demo-secret-of-trial");
/// `SESSION_SECRET` in the example's policy.env.
const SESSION_SECRET: &str = "doorward-demo-secret-of-the-sessions";
const INVOICES: &str = "/v1/invoices/2026";

pub fn listeners() -> Vec<Listener> {
    vec![Listener::example(LISTENER)]
}

/// A login from this address: all attempts are counted by it.
fn login(from: &str, key: &str, (id, secret): (&str, &str)) -> Answer {
    let request = GATEWAY.client(LISTENER).post("/login");
    let request = request
        .header("x-forwarded-for", from)
        .header("x-api-key", key);
    request
        .json(&json!({"clientId": id, "clientSecret": secret}))
        .send()
        .unwrap()
}

fn token(from: &str, key: &str, pair: (&str, &str)) -> String {
    let answer = login(from, key, pair);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.at("/access_token").as_str().unwrap().to_owned()
}

fn call(method: &str, path: &str) -> Request<'static> {
    GATEWAY
        .client(LISTENER)
        .request(method, path)
        .header("x-forwarded-for", "10.4.0.1")
}

fn get(key: &str, token: &str) -> Answer {
    call("GET", INVOICES)
        .header("x-api-key", key)
        .bearer(token)
        .send()
        .unwrap()
}

/// The API's own form of an error, with nothing beside code and message.
#[track_caller]
fn assert_error(answer: &Answer, status: u16, message: &str) {
    assert_eq!(
        (answer.status, answer.json().unwrap()),
        (status, json!({"code": status, "message": message}))
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[track_caller]
fn assert_unauthorized(answer: &Answer) {
    assert_error(answer, 401, "Unauthorized");
}

#[test]
fn a_login_with_good_credentials_is_answered_with_a_token() {
    let answer = login("10.4.1.1", KEY, BILLING);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let token = answer.at("/access_token");
    assert_eq!(
        answer.json().unwrap(),
        json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600})
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let claims = pyjwt::verify_hs256(token.as_str().unwrap(), SESSION_SECRET).unwrap();
    assert_eq!(claims["sub"], "billing");
    GATEWAY.assert_well();
}

#[test]
fn a_login_with_bad_credentials_is_401_whoever_it_is() {
    for (number, pair) in [
        ("billing", "guess"),
        ("nobody", "guess"),
        ("billing", REPORTS.1),
        ("production-environment", "x"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = login(&format!("10.4.2.{number}"), KEY, pair);
        assert_error(&answer, 401, "Invalid client credentials");
    }
    GATEWAY.assert_well();
}

#[test]
fn a_login_without_a_good_key_of_that_clients_environment_is_401() {
    for (number, (key, pair)) in [
        ("", BILLING),
        ("ak_guess", BILLING),
        (EXPIRED_KEY, BILLING),
        (SANDBOX_KEY, BILLING),
        (KEY, TRIAL),
    ]
    .into_iter()
    .enumerate()
    {
        assert_unauthorized(&login(&format!("10.4.3.{number}"), key, pair));
    }
    let request = GATEWAY
        .client(LISTENER)
        .post("/login")
        .header("x-forwarded-for", "10.4.3.9");
    let body = json!({"clientId": BILLING.0, "clientSecret": BILLING.1});
    assert_unauthorized(&request.json(&body).send().unwrap());
}

#[test]
fn too_many_logins_are_429_with_retry_after_also_with_good_credentials() {
    for attempt in 0..10 {
        let pair = if attempt % 2 == 0 {
            BILLING
        } else {
            ("billing", "guess")
        };
        assert_ne!(login("10.4.4.1", KEY, pair).status, 429, "{attempt}");
    }
    let answer = login("10.4.4.1", KEY, BILLING);
    assert_error(&answer, 429, "Too many requests");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // Others don't wait.
    token("10.4.4.2", KEY, BILLING);
    GATEWAY.assert_well();
}

#[test]
fn key_and_token_together_pass_and_the_upstream_sees_who_calls_but_not_the_key() {
    let seen = assert_passed(&get(KEY, &token("10.4.5.1", KEY, BILLING)));
    assert_eq!(seen.headers_named("x-auth-client"), ["billing"]);
    assert_eq!(seen.headers_named("x-auth-tenant"), ["production"]);
    assert_eq!(
        seen.headers_named("x-auth-scopes"),
        ["invoices:read invoices:write"]
    );
    assert_eq!(seen.header("x-api-key"), None);
    let seen = assert_passed(&get(SANDBOX_KEY, &token("10.4.5.2", SANDBOX_KEY, TRIAL)));
    assert_eq!(seen.headers_named("x-auth-tenant"), ["sandbox"]);
    GATEWAY.assert_well();
}

#[test]
fn a_missing_key_or_token_is_401() {
    let good = token("10.4.6.1", KEY, BILLING);
    assert_unauthorized(&call("GET", INVOICES).send().unwrap());
    assert_unauthorized(&call("GET", INVOICES).bearer(&good).send().unwrap());
    assert_unauthorized(
        &call("GET", INVOICES)
            .header("x-api-key", KEY)
            .send()
            .unwrap(),
    );
}

#[test]
fn a_wrong_or_expired_key_is_401() {
    let good = token("10.4.7.1", KEY, BILLING);
    for key in ["ak_guess", "no-prefix", EXPIRED_KEY] {
        assert_unauthorized(&get(key, &good));
    }
}

#[test]
fn a_wrong_or_expired_token_is_401() {
    let now = jwt::now().unwrap();
    let sign = |changes: Value, secret: &str| {
        let mut claims = json!({"iss": "https://api.example.com", "sub": "billing", "tenant": "production",
            "scope": "invoices:read", "iat": now - 7200, "exp": now + 600});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        pyjwt::sign(&claims, "HS256", secret, Some("s-2026-11")).unwrap()
    };
    // One that is made like this is good, so that each of the others is refused for what differs.
    assert_passed(&get(KEY, &sign(json!({}), SESSION_SECRET)));
    for (changes, secret) in [
        (json!({"exp": now - 31}), SESSION_SECRET),
        (json!({}), "another secret of at least thirty-two bytes"),
        (json!({"iss": "https://other.example.com"}), SESSION_SECRET),
        (json!({"sub": "nobody"}), SESSION_SECRET),
        (json!({"iat": now + 60}), SESSION_SECRET),
    ] {
        assert_unauthorized(&get(KEY, &sign(changes, secret)));
    }
    assert_unauthorized(&get(KEY, "not.a.token"));
    GATEWAY.assert_well();
}

#[test]
fn a_key_of_one_environment_and_a_token_of_another_are_401() {
    assert_unauthorized(&get(SANDBOX_KEY, &token("10.4.8.1", KEY, BILLING)));
    assert_unauthorized(&get(KEY, &token("10.4.8.2", SANDBOX_KEY, TRIAL)));
}

#[test]
fn an_operation_without_its_permission_scope_is_403() {
    let (billing, reports) = (
        token("10.4.9.1", KEY, BILLING),
        token("10.4.9.2", KEY, REPORTS),
    );
    for method in ["POST", "PUT", "DELETE"] {
        let operation = |token: &str| {
            let request = call(method, "/v1/invoices/7").header("x-api-key", KEY);
            request.bearer(token).send().unwrap()
        };
        assert_passed(&operation(&billing));
        let answer = operation(&reports);
        assert_eq!((answer.status, answer.at("/code")), (403, json!(403)));
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("insufficient_scope"), "{challenge}");
        assert!(challenge.contains("invoices:write"), "{challenge}");
    }
    assert_passed(&get(KEY, &reports));
}

#[test]
fn a_caller_outside_the_allowed_networks_is_403_whatever_it_shows() {
    let good = token("10.4.11.1", KEY, BILLING);
    let from = |address: &str| {
        let request = GATEWAY
            .client(LISTENER)
            .get(INVOICES)
            .header("x-forwarded-for", address);
        request
            .header("x-api-key", KEY)
            .bearer(&good)
            .send()
            .unwrap()
    };
    assert_passed(&from("10.255.0.1"));
    // The last address is that which the trusted proxy in front saw; what a caller wrote before it counts nothing.
    for address in [
        "192.0.2.1",
        "11.0.0.1",
        "10.0.0.1, 192.0.2.1",
        "2001:db8::1",
    ] {
        let answer = from(address);
        assert_eq!(
            (answer.status, answer.at("/code")),
            (403, json!(403)),
            "{address}"
        );
    }
    let nothing = GATEWAY
        .client(LISTENER)
        .get(INVOICES)
        .header("x-forwarded-for", "192.0.2.1");
    assert_eq!(nothing.send().unwrap().status, 403);
    GATEWAY.assert_well();
}
