//! Scenario 5, `client-signed`: HS256 with the client's own secret. The policy is the example's own.

use serde_json::{Value, json};
use xtask::client::Answer;
use xtask::{authlib, jwt, pyjwt};

use crate::config::Listener;
use crate::gateway::{GATEWAY, assert_passed, assert_refused};

const LISTENER: &str = "client-signed";
/// Those of the example's policy.env.
const SECRET: &str = "doorward-demo-secret-of-acme-2026-11";
const OLD_SECRET: &str = "doorward-demo-secret-of-acme-2026-05";
const GLOBEX_SECRET: &str = "doorward-demo-secret-of-globex-2026-11";
const HOUR: i64 = 3600;

pub fn listeners() -> Vec<Listener> {
    vec![Listener::example(LISTENER)]
}

/// A token of acme with these claims, which ends in so many seconds.
fn claims(ends_in: i64) -> Value {
    json!({"user": {"id": 7}, "clientName": "acme", "exp": jwt::now().unwrap() + ends_in})
}

fn sign(claims: &Value, secret: &str) -> String {
    jwt::sign_hs256(claims, secret.as_bytes()).unwrap()
}

fn get(client: &str, token: &str) -> Answer {
    let path = format!("/v1/{client}/sessions/42");
    GATEWAY
        .client(LISTENER)
        .get(&path)
        .bearer(token)
        .send()
        .unwrap()
}

/// Asks for a token from this address: failures are counted by it.
fn ask(from: &str, body: &Value) -> Answer {
    let request = GATEWAY.client(LISTENER).post("/authtoken");
    request
        .header("x-forwarded-for", from)
        .json(body)
        .send()
        .unwrap()
}

fn pair(name: Value, secret: &str) -> Value {
    json!({"userInfo": {}, "clientName": name, "clientSecret": secret})
}

#[test]
fn the_clients_own_token_passes() {
    let seen = assert_passed(&get("acme", &sign(&claims(HOUR), SECRET)));
    assert_eq!(seen.headers_named("x-auth-client"), ["acme"]);
    assert_eq!(seen.path, "/v1/acme/sessions/42");
    // As clients sign, by a library of theirs.
    let signed = pyjwt::sign(&claims(4 * HOUR), "HS256", SECRET, None).unwrap();
    assert_passed(&get("acme", &signed));
    // And the other client with its own secret.
    let other = json!({"user": {}, "clientName": "globex", "exp": jwt::now().unwrap() + HOUR});
    assert_passed(&get("globex", &sign(&other, GLOBEX_SECRET)));
    GATEWAY.assert_well();
}

#[test]
fn both_secrets_pass_during_a_rotation_and_the_first_signs() {
    assert_passed(&get("acme", &sign(&claims(HOUR), OLD_SECRET)));
    for (from, secret) in [("10.5.1.1", SECRET), ("10.5.1.2", OLD_SECRET)] {
        let answer = ask(from, &pair(json!("acme"), secret));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let token = answer.at("/token").as_str().unwrap().to_owned();
        pyjwt::verify_hs256(&token, SECRET).unwrap();
    }
}

#[test]
fn another_clients_name_in_the_path_is_403_binding_mismatch() {
    let token = sign(&claims(HOUR), SECRET);
    for client in ["globex", "ACME", "acme%20", "nobody"] {
        assert_refused(&get(client, &token), 403, "binding_mismatch");
    }
    // The name is compared as it decodes.
    assert_passed(&get("%61cme", &token));
}

#[test]
fn a_token_signed_with_another_clients_secret_is_401() {
    assert_refused(
        &get("acme", &sign(&claims(HOUR), GLOBEX_SECRET)),
        401,
        "token_invalid",
    );
    // A client that doesn't exist looks the same.
    let nobody = json!({"clientName": "nobody", "exp": jwt::now().unwrap() + HOUR});
    let unknown = get("nobody", &sign(&nobody, SECRET));
    assert_refused(&unknown, 401, "token_invalid");
    assert_eq!(
        unknown.text(),
        get("acme", &sign(&claims(HOUR), GLOBEX_SECRET)).text()
    );
    for name in [json!(7), json!(null), json!(["acme"]), json!({})] {
        let claims = json!({"clientName": name, "exp": jwt::now().unwrap() + HOUR});
        assert_eq!(get("acme", &sign(&claims, SECRET)).status, 401, "{name}");
    }
    GATEWAY.assert_well();
}

#[test]
fn a_token_that_ends_in_more_than_four_hours_is_401() {
    assert_refused(
        &get("acme", &sign(&claims(4 * HOUR + 60), SECRET)),
        401,
        "token_lifetime",
    );
    assert_refused(
        &get("acme", &sign(&claims(10_000 * HOUR), SECRET)),
        401,
        "token_lifetime",
    );
    assert_passed(&get("acme", &sign(&claims(4 * HOUR), SECRET)));
}

#[test]
fn a_token_without_an_end_or_past_it_is_401() {
    let endless = json!({"user": {}, "clientName": "acme"});
    assert_refused(&get("acme", &sign(&endless, SECRET)), 401, "token_claims");
    assert_refused(
        &get("acme", &sign(&claims(-31), SECRET)),
        401,
        "token_expired",
    );
}

#[test]
fn authtoken_gives_a_token_that_this_filter_pyjwt_and_authlib_accept() {
    let answer = ask("10.5.2.1", &pair(json!("acme"), SECRET));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = answer.json().unwrap();
    let token = body["token"].as_str().unwrap();
    assert_eq!(body, json!({"token": token}));
    assert_passed(&get("acme", token));
    let claims = pyjwt::verify_hs256(token, SECRET).unwrap();
    assert_eq!(authlib::verify_hs256(token, SECRET).unwrap(), claims);
    assert_eq!(
        (&claims["user"], &claims["clientName"]),
        (&json!({}), &json!("acme"))
    );
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(life, 4 * HOUR);
    assert!(pyjwt::verify_hs256(token, GLOBEX_SECRET).is_err());
    assert!(authlib::verify_hs256(token, GLOBEX_SECRET).is_err());
    GATEWAY.assert_well();
}

/// How long both take is the concern of the core, where the same work is done for both; here it is that nothing in
/// the answers tells them apart.
#[test]
fn an_unknown_client_and_a_wrong_secret_get_the_same_401() {
    let [unknown, wrong, others] = [
        pair(json!("nobody"), "guess"),
        pair(json!("acme"), "guess"),
        pair(json!("acme"), GLOBEX_SECRET),
    ]
    .map(|body| ask("10.5.3.1", &body));
    assert_eq!(unknown.status, 401);
    let seen = |answer: &Answer| {
        let named = |(name, _): &&(String, String)| {
            !["date", "x-envoy-upstream-service-time"].contains(&name.to_ascii_lowercase().as_str())
        };
        let headers: Vec<_> = answer.headers.iter().filter(named).cloned().collect();
        (answer.status, headers, answer.text())
    };
    assert_eq!(seen(&unknown), seen(&wrong));
    assert_eq!(seen(&unknown), seen(&others));
    GATEWAY.assert_well();
}

#[test]
fn a_client_name_that_is_no_string_is_401() {
    for (number, name) in [
        json!(7),
        json!(null),
        json!(["acme"]),
        json!({"a": 1}),
        json!(true),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = ask(&format!("10.5.4.{number}"), &pair(name, SECRET));
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert!(answer.at("/message").is_string());
    }
    let without = json!({"userInfo": {}, "clientSecret": SECRET});
    assert_eq!(ask("10.5.4.9", &without).status, 401);
    GATEWAY.assert_well();
}

#[test]
fn after_ten_failures_a_minute_the_answer_is_429_with_retry_after() {
    for _ in 0..10 {
        assert_eq!(ask("10.5.5.1", &pair(json!("acme"), "guess")).status, 401);
    }
    let answer = ask("10.5.5.1", &pair(json!("acme"), SECRET));
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    assert_eq!(ask("10.5.5.2", &pair(json!("acme"), SECRET)).status, 200);
}
