//! Scenario 3, `signed-assertion`: an ES256 assertion buys a session token. The policy is the example's own.

use serde_json::{Value, json};
use xtask::client::{Answer, Client};
use xtask::demo::signed_assertion::{AUDIENCE, CLIENT, CLIENT_KID, CLIENT_PEM, claims};
use xtask::jwt::{self, Key};
use xtask::{authlib, pyjwt};

use crate::config::Listener;
use crate::gateway::{GATEWAY, assert_passed};

pub const LISTENER: &str = "signed-assertion";
const ENDPOINT: &str = "/oauth/app/token";
const GRANT: &str = "client_credentials";

pub fn listeners() -> Vec<Listener> {
    vec![Listener::example(LISTENER)]
}

fn client() -> Client {
    GATEWAY.client(LISTENER)
}

/// A good assertion but for these claims, where null removes one.
fn assertion(changes: Value) -> String {
    jwt::sign_es256(&claims(&changes).unwrap(), CLIENT_PEM, Some(CLIENT_KID)).unwrap()
}

/// Asks for a token from this address: failures are counted by it.
fn post(from: &str, body: &Value) -> Answer {
    let request = client().post(ENDPOINT).header("x-forwarded-for", from);
    request.json(body).send().unwrap()
}

fn ask(from: &str, assertion: &str) -> Answer {
    post(
        from,
        &json!({"appId": CLIENT, "token": assertion, "grantType": GRANT}),
    )
}

/// A session token.
fn session(from: &str) -> String {
    let answer = ask(from, &assertion(json!({})));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.at("/accessToken").as_str().unwrap().to_owned()
}

/// The API's own form of an error.
#[track_caller]
fn assert_error(answer: &Answer, status: u16, code: &str, members: &[&str]) {
    assert_eq!(
        (answer.status, answer.at("/code")),
        (status, json!(code)),
        "{}",
        answer.text()
    );
    let body = answer.json().unwrap();
    let names: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, members, "{body}");
    for text in ["/errorId", "/message"] {
        assert!(!answer.at(text).as_str().unwrap().is_empty(), "{body}");
    }
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[track_caller]
fn assert_unauthorized(answer: &Answer) {
    let members = ["code", "errorId", "message"];
    assert_error(answer, 401, "assertion_invalid", &members);
}

#[test]
fn a_good_assertion_is_answered_with_a_token_that_opens_the_api() {
    let answer = ask("10.3.1.1", &assertion(json!({})));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let token = answer.at("/accessToken").as_str().unwrap().to_owned();
    assert_eq!(
        answer.json().unwrap(),
        json!({"type": "Bearer", "accessToken": token, "expiresIn": 3600})
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let seen = assert_passed(&client().get("/api/orders").bearer(&token).send().unwrap());
    assert_eq!(seen.headers_named("x-auth-client"), [CLIENT]);
    assert_eq!(seen.headers_named("x-auth-tenant"), ["acme"]);
    assert_eq!(
        seen.headers_named("x-auth-scopes"),
        ["orders:read orders:write"]
    );
    // The assertion itself opens nothing.
    let assertion = assertion(json!({}));
    let answer = client()
        .get("/api/orders")
        .bearer(&assertion)
        .send()
        .unwrap();
    assert_eq!(answer.status, 401, "{}", answer.text());
    GATEWAY.assert_well();
}

#[test]
fn a_missing_field_or_one_of_the_wrong_type_is_400_and_every_bad_field_is_named() {
    let cases = [
        (json!({}), vec!["/appId", "/token", "/grantType"]),
        (json!({"token": "t", "grantType": GRANT}), vec!["/appId"]),
        (json!({"appId": CLIENT, "grantType": GRANT}), vec!["/token"]),
        (json!({"appId": CLIENT, "token": "t"}), vec!["/grantType"]),
        (
            json!({"appId": 7, "token": "t", "grantType": GRANT}),
            vec!["/appId"],
        ),
        (
            json!({"appId": null, "token": ["t"], "grantType": {}}),
            vec!["/appId", "/token", "/grantType"],
        ),
        (
            json!({"appId": CLIENT, "token": true, "grantType": 1.5}),
            vec!["/token", "/grantType"],
        ),
        (
            json!({"appId": "", "token": "t", "grantType": GRANT}),
            vec!["/appId"],
        ),
    ];
    for (number, (body, bad)) in cases.into_iter().enumerate() {
        let answer = post(&format!("10.3.2.{number}"), &body);
        let members = ["code", "detail", "errorId", "message"];
        assert_error(&answer, 400, "body_malformed", &members);
        let detail = answer.at("/detail");
        let detail = detail.as_array().unwrap();
        let paths: Vec<_> = detail
            .iter()
            .map(|bad| bad["path"].as_str().unwrap())
            .collect();
        assert_eq!(paths, bad, "{body}");
        for bad in detail {
            assert_eq!(bad["type"], "invalid");
            assert!(!bad["message"].as_str().unwrap().is_empty());
            assert_eq!(bad.as_object().unwrap().len(), 3);
        }
    }
    GATEWAY.assert_well();
}

#[test]
fn another_grant_type_is_400_grant_unsupported() {
    let body = json!({"appId": CLIENT, "token": assertion(json!({})), "grantType": "password"});
    let members = ["code", "errorId", "message"];
    assert_error(&post("10.3.3.1", &body), 400, "grant_unsupported", &members);
}

/// One line of the scenario's table: this assertion is refused, in the same words as all others.
#[track_caller]
fn assert_invalid(from: &str, assertion: &str) {
    let answer = ask(from, assertion);
    assert_unauthorized(&answer);
    let other = ask(&format!("{from}0"), "no.assertion.at-all");
    assert_unauthorized(&other);
    assert_eq!(answer.at("/message"), other.at("/message"));
    GATEWAY.assert_well();
}

#[test]
fn an_assertion_signed_with_another_key_is_401() {
    let claims = claims(&json!({})).unwrap();
    let foreign = jwt::sign_es256(&claims, Key::B.es256_pem(), Some(CLIENT_KID)).unwrap();
    assert_invalid("10.3.4.1", &foreign);
    let secret = jwt::sign_hs256(&claims, CLIENT_PEM.as_bytes()).unwrap();
    assert_invalid("10.3.4.2", &secret);
}

#[test]
fn an_assertion_with_a_wrong_kid_is_401() {
    let claims = claims(&json!({})).unwrap();
    // The gateway's key is published here, too: its kid chooses none of this client's keys.
    for (number, kid) in ["gw-2026-11", "SHA256:z9Y2YpGuvD0HGCBCXsWXPYg1m6KwRYqKt"]
        .into_iter()
        .enumerate()
    {
        let assertion = jwt::sign_es256(&claims, CLIENT_PEM, Some(kid)).unwrap();
        assert_invalid(&format!("10.3.5.{}", number + 1), &assertion);
    }
}

#[test]
fn an_assertion_for_a_wrong_audience_is_401() {
    let wrong = [
        json!("https://api.example.com"),
        json!(format!("{AUDIENCE}/")),
        json!(["https://other.example.com"]),
        json!(null),
    ];
    for (number, audience) in wrong.into_iter().enumerate() {
        let assertion = assertion(json!({"aud": audience}));
        assert_invalid(&format!("10.3.6.{}", number + 1), &assertion);
    }
    let among_others = assertion(json!({"aud": ["https://other.example.com", AUDIENCE]}));
    assert_eq!(ask("10.3.6.9", &among_others).status, 200);
}

#[test]
fn an_assertion_whose_issuer_subject_and_app_id_differ_is_401() {
    for (number, changes) in [
        json!({"iss": "gateway"}),
        json!({"sub": "gateway"}),
        json!({"iss": "gateway", "sub": "gateway"}),
        json!({"iss": null}),
        json!({"sub": null}),
        json!({"iss": "nobody", "sub": "nobody"}),
    ]
    .into_iter()
    .enumerate()
    {
        assert_invalid(&format!("10.3.7.{}", number + 1), &assertion(changes));
    }
    // A good assertion, posted with another client's id or that of nobody.
    for (number, id) in ["gateway", "nobody"].into_iter().enumerate() {
        let body = json!({"appId": id, "token": assertion(json!({})), "grantType": GRANT});
        assert_unauthorized(&post(&format!("10.3.7.{}", number + 7), &body));
    }
}

#[test]
fn an_expired_assertion_is_401() {
    let now = jwt::now().unwrap();
    let expired = json!({"iat": now - 600, "exp": now - 31});
    assert_invalid("10.3.8.1", &assertion(expired));
    assert_invalid("10.3.8.2", &assertion(json!({"exp": null})));
    assert_invalid(
        "10.3.8.3",
        &assertion(json!({"iat": now + 60, "exp": now + 120})),
    );
}

#[test]
fn an_assertion_that_is_good_for_more_than_an_hour_is_401() {
    let now = jwt::now().unwrap();
    assert_invalid("10.3.9.1", &assertion(json!({"exp": now + 3700})));
    assert_invalid(
        "10.3.9.2",
        &assertion(json!({"iat": now - 3600, "exp": now + 60})),
    );
    let just = assertion(json!({"exp": now + 3600}));
    assert_eq!(ask("10.3.9.3", &just).status, 200);
}

#[test]
fn a_jti_opens_once_on_both_workers_and_without_one_there_is_no_such_check() {
    let id = format!("once-{}", std::process::id());
    let once = assertion(json!({"jti": id}));
    let endless = assertion(json!({}));
    let (mut opened, mut asked) = (0, 0);
    for (number, mut connection) in GATEWAY
        .connections_on_both_workers(LISTENER)
        .into_iter()
        .enumerate()
    {
        for (assertion, counts) in [(&once, true), (&endless, false)] {
            let body = json!({"appId": CLIENT, "token": assertion, "grantType": GRANT});
            let request = connection.post(ENDPOINT);
            let request = request.header("x-forwarded-for", format!("10.3.10.{number}"));
            let answer = request.json(&body).send().unwrap();
            match (answer.status, counts) {
                (200, true) => opened += 1,
                (200, false) => {}
                _ => assert_unauthorized(&answer),
            }
            asked += 1;
        }
    }
    assert_eq!(opened, 1, "of {asked}");
}

#[test]
fn after_ten_failures_a_minute_the_answer_is_429_with_retry_after() {
    let from = "10.3.11.1";
    for _ in 0..10 {
        assert_unauthorized(&ask(from, "x.y.z"));
    }
    let answer = ask(from, "x.y.z");
    let members = ["code", "errorId", "message"];
    assert_error(&answer, 429, "rate_limited", &members);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // Others don't wait.
    assert_eq!(ask("10.3.11.2", &assertion(json!({}))).status, 200);
}

#[test]
fn the_upstream_sees_the_partners_token_and_one_exchange_serves_all_workers() {
    let own = session("10.3.12.1");
    let mut tokens = Vec::new();
    for mut connection in GATEWAY.connections_on_both_workers(LISTENER) {
        for _ in 0..20 {
            let request = connection.get("/partner/stock").bearer(&own);
            let seen = assert_passed(&request.send().unwrap());
            assert_eq!(seen.headers_named("x-auth-client"), [CLIENT]);
            let [bearer] = seen.headers_named("authorization")[..] else {
                panic!("{:?}", seen.headers)
            };
            tokens.push(bearer.strip_prefix("Bearer ").unwrap().to_owned());
        }
    }
    tokens.dedup();
    let [token] = &tokens[..] else {
        panic!("{} tokens", tokens.len())
    };
    assert_ne!(*token, own);
    let jwks = client().get("/.well-known/jwks.json").send().unwrap();
    let claims = pyjwt::verify_es256(token, &jwks.json().unwrap(), "api").unwrap();
    assert_eq!(claims["sub"], "gateway");

    let asked = GATEWAY.partner.requests();
    let [request] = &asked[..] else {
        panic!("asked {} times", asked.len())
    };
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", ENDPOINT)
    );
    assert_eq!(request.headers_named("content-type"), ["application/json"]);
    assert_eq!(request.header("authorization"), None);
    let body: Value = serde_json::from_str(request.body.as_deref().unwrap()).unwrap();
    assert_eq!(
        (&body["appId"], &body["grantType"]),
        (&json!("gateway"), &json!(GRANT))
    );
    assert_eq!(body.as_object().unwrap().len(), 3);
    // What the gateway signed about itself, as a partner's own library sees it.
    let key = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "gw-2026-11",
        "x": "OsT8kwmbuCUZavwbarMTUltyz_gQbvC-c7s3iiSVunk", "y": "HohcUvU_Usgng-FhbHPQmU7GvelFptYbfQLRqiBlC3c"}]});
    let assertion = body["token"].as_str().unwrap();
    let claims = pyjwt::verify_es256(assertion, &key, AUDIENCE).unwrap();
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("gateway"), &json!("gateway"))
    );
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert!((1..=3600).contains(&life), "{claims}");
    GATEWAY.assert_well();
}

#[test]
fn the_jwks_has_both_session_keys_and_no_private_half() {
    let answer = client().get("/.well-known/jwks.json").send().unwrap();
    assert_eq!(answer.status, 200);
    let keys = answer.at("/keys");
    let keys = keys.as_array().unwrap();
    let kids: Vec<_> = keys
        .iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect();
    assert_eq!(kids, ["s-2026-11", "s-2026-05"]);
    for key in keys {
        assert_eq!((&key["kty"], &key["crv"]), (&json!("EC"), &json!("P-256")));
        assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &json!("ES256")));
        assert_eq!(key.get("d"), None);
    }
    assert!(answer.header("cache-control").unwrap().contains("max-age"));
    let tag = answer.header("etag").unwrap().to_owned();
    let known = client()
        .get("/.well-known/jwks.json")
        .header("if-none-match", tag);
    assert_eq!(known.send().unwrap().status, 304);
}

#[test]
fn pyjwt_and_authlib_sign_assertions_that_are_accepted_and_verify_what_they_get() {
    let by_pyjwt = pyjwt::sign(
        &claims(&json!({})).unwrap(),
        "ES256",
        CLIENT_PEM,
        Some(CLIENT_KID),
    )
    .unwrap();
    let by_authlib = authlib::private_key_jwt(CLIENT, AUDIENCE, CLIENT_PEM, CLIENT_KID).unwrap();
    let jwks = client()
        .get("/.well-known/jwks.json")
        .send()
        .unwrap()
        .json()
        .unwrap();
    for assertion in [&by_pyjwt, &by_authlib] {
        let answer = ask("10.3.13.1", assertion);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let token = answer.at("/accessToken").as_str().unwrap().to_owned();
        let claims = pyjwt::verify_es256(&token, &jwks, "api").unwrap();
        assert_eq!(authlib::verify_es256(&token, &jwks).unwrap(), claims);
        for (name, value) in [
            ("iss", json!("https://api.example.com")),
            ("sub", json!(CLIENT)),
            ("tenant", json!("acme")),
            ("scope", json!("orders:read orders:write")),
        ] {
            assert_eq!(claims[name], value, "{claims}");
        }
        assert!(!claims["jti"].as_str().unwrap().is_empty());
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
            3600
        );
    }
    // Authlib gives each assertion a jti: it opens once.
    assert_unauthorized(&ask("10.3.13.2", &by_authlib));
}
