//! A token endpoint where a client proves itself by an assertion that it signed (RFC 7523).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use serde_json::{Value, json};
use support::issue::{assertion_claims, post, post_form};
use support::jwt::{es256, forged, hs256, jwk};
use support::*;

const AUDIENCE: &str = "https://api.example.com/v1/oauth/token";

const POLICY: &str = r#"version: 1
clients:
  - {id: app-1, tenant: acme, scopes: [orders], public_keys: [{jwk: @JWK@, kid: "SHA256:one"}]}
  - {id: app-2, public_keys: [{jwk: @JWK@}]}
  - {id: off, enabled: false, public_keys: [{jwk: @JWK@}]}
  - {id: gone, public_keys: [{jwk: @JWK@, kid: one, revoked: true}, {jwk: @JWK@, kid: two, expires: 2026-11-21T11:00:00Z}]}
  - {id: keyless}
tokens:
  session: {sign: {algorithm: HS256, keys: [{secret: {value: "a-secret-of-at-least-32-bytes-in-all"}}], lifetime: 1h}}
rules:
  - match: {path: /oauth/app/token, methods: [POST]}
    issue:
      token: session
      client_auth: private_key_jwt
      request: {client_id: /appId, assertion: /token, grant_type: /grantType}
      assertion: {algorithms: [ES256], audience: "https://api.example.com/v1/oauth/token", max_lifetime: 1h, jti: optional}
      reply: '{"type": "Bearer", "accessToken": token.value, "expiresIn": token.expires_in}'
    errors:
      body: '{"errorId": error_id, "code": reason, "message": message, "detail": detail}'
  - match: {path: /form}
    issue:
      token: session
      client_auth: private_key_jwt
      request: {form: true}
      assertion: {audience: ["https://other.example.com", "https://api.example.com/v1/oauth/token"], jti: required}
"#;

fn policy() -> String {
    POLICY.replace("@JWK@", &jwk(None).to_string())
}

fn claims(own: &Value) -> Value {
    assertion_claims("app-1", AUDIENCE, own)
}

fn request(id: &str, assertion: &str) -> String {
    json!({"appId": id, "token": assertion, "grantType": "client_credentials"}).to_string()
}

const KID: Option<&str> = Some("SHA256:one");

#[test]
fn a_good_assertion_buys_a_token() {
    let proxy = Proxy::new(1, &policy());
    for assertion in [
        es256(KID, &claims(&json!({}))),
        es256(None, &claims(&json!({}))),
        es256(
            KID,
            &claims(&json!({"aud": ["https://x.example", AUDIENCE]})),
        ),
        es256(KID, &claims(&json!({"exp": START + 3600}))),
        es256(KID, &claims(&json!({"exp": START - 10, "iat": START - 60}))),
    ] {
        let ticket = proxy.send(
            0,
            post("/oauth/app/token", &[]),
            request("app-1", &assertion).as_bytes(),
        );
        let told: Value = serde_json::from_str(&proxy.response(ticket).body).unwrap();
        assert_eq!(told["type"], "Bearer");
        assert_eq!(told["expiresIn"], 3600);
        assert!(told["accessToken"].is_string());
    }
}

#[test]
fn every_fault_of_an_assertion_is_401_with_its_own_detailed_reason() {
    let proxy = Proxy::new(1, &policy());
    let own = |own: Value| es256(KID, &claims(&own));
    let good = own(json!({}));
    let of = |id: &str| es256(None, &assertion_claims(id, AUDIENCE, &json!({})));
    for (id, assertion, reason) in [
        ("app-1", forged(&good), "assertion_signature"),
        (
            "app-1",
            es256(Some("other"), &claims(&json!({}))),
            "assertion_key",
        ),
        (
            "app-1",
            own(json!({"aud": "https://other.example.com"})),
            "assertion_audience",
        ),
        ("app-1", own(json!({"aud": null})), "assertion_audience"),
        ("app-1", own(json!({"iss": "app-2"})), "assertion_issuer"),
        ("app-1", own(json!({"sub": "app-2"})), "assertion_issuer"),
        ("app-1", own(json!({"iss": null})), "assertion_issuer"),
        ("app-1", own(json!({"sub": null})), "assertion_issuer"),
        // Another client's name beside it: that one's keys count, and here they are the same.
        (
            "app-2",
            es256(None, &claims(&json!({}))),
            "assertion_issuer",
        ),
        (
            "app-1",
            own(json!({"exp": START - 30, "iat": START - 60})),
            "assertion_expired",
        ),
        ("app-1", own(json!({"exp": null})), "assertion_claims"),
        ("app-1", own(json!({"iat": null})), "assertion_claims"),
        (
            "app-1",
            own(json!({"iat": START + 60})),
            "assertion_not_yet_valid",
        ),
        (
            "app-1",
            own(json!({"nbf": START + 60})),
            "assertion_not_yet_valid",
        ),
        (
            "app-1",
            own(json!({"exp": START + 3631})),
            "assertion_lifetime",
        ),
        ("app-1", own(json!({"jti": ""})), "assertion_claims"),
        ("app-1", own(json!({"jti": 7})), "assertion_claims"),
        ("app-1", own(json!({"sub": 7})), "assertion_claims"),
        ("app-1", own(json!({"exp": "soon"})), "assertion_claims"),
        (
            "app-1",
            hs256("a-secret-of-at-least-32-bytes-in-all", &claims(&json!({}))),
            "assertion_algorithm",
        ),
        ("app-1", "x".to_owned(), "assertion_malformed"),
        ("app-1", "x".repeat(9000), "assertion_malformed"),
        ("nobody", of("nobody"), "assertion_client"),
        ("keyless", of("keyless"), "assertion_key"),
        ("gone", of("gone"), "assertion_key"),
        ("off", of("off"), "client_disabled"),
    ] {
        let ticket = proxy.send(
            0,
            post("/oauth/app/token", &[]),
            request(id, &assertion).as_bytes(),
        );
        assert_eq!(proxy.said(ticket), format!("401 {reason}"), "{id}");
        let told: Value = serde_json::from_str(&proxy.refusal(ticket).body).unwrap();
        assert!(told["errorId"].as_str().is_some_and(|id| !id.is_empty()));
        assert!(told["message"].is_string());
        let public = match reason {
            "client_disabled" => "client_invalid",
            _ => "assertion_invalid",
        };
        assert_eq!(told["code"], public);
    }
}

#[test]
fn an_assertion_is_good_for_a_day_where_the_policy_does_not_say() {
    let day = 24 * 3600;
    for (exp, status) in [(START + day, 200), (START + day + 60, 401)] {
        let proxy = Proxy::new(1, &policy().replace(", max_lifetime: 1h", ""));
        let assertion = es256(KID, &claims(&json!({"iat": START, "exp": exp})));
        let body = request("app-1", &assertion);
        let ticket = proxy.send(0, post("/oauth/app/token", &[]), body.as_bytes());
        let said = proxy.said(ticket);
        assert_eq!(said.starts_with("401"), status == 401, "{said}");
    }
}

#[test]
fn a_forged_assertion_costs_the_same_checks_whoever_it_names() {
    // Two other points of the curve (RFC 7515 appendix A.3, RFC 7517 appendix A.1).
    let points = [
        (
            "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        ),
        (
            "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        ),
    ];
    let keys = points.map(|(x, y)| json!({"jwk": {"kty": "EC", "crv": "P-256", "x": x, "y": y}}));
    let rotating = format!("  - {{id: rotating, public_keys: {}}}\n", json!(keys));
    let own = "  own: {jwt: {algorithms: [ES256], keys: {client: claims.iss}}}";
    let more = format!("{rotating}authenticators:\n{own}\ntokens:");
    let policy = policy().replace("tokens:", &more);
    let proxy = Proxy::new(
        1,
        &(policy + "  - {match: {path: /in}, authenticate: own}\n"),
    );
    let checks = |run: &dyn Fn()| {
        let before = proxy.world.checks.get();
        run();
        proxy.world.checks.get() - before
    };
    for (kid, expected) in [(None, 2), (Some("some"), 1)] {
        for id in ["app-1", "rotating", "keyless", "gone", "off", "nobody"] {
            let forged = forged(&es256(kid, &assertion_claims(id, AUDIENCE, &json!({}))));
            let assertion = checks(&|| {
                let said = proxy.token(post("/oauth/app/token", &[]), &request(id, &forged));
                assert!(said.starts_with("401 assertion_"), "{said}");
            });
            let bearer = format!("Bearer {forged}");
            let token = checks(&|| {
                let verdict = proxy.decide(get("/in", &[("authorization", &bearer)]));
                assert_eq!(short(&verdict), "401 token_signature");
            });
            assert_eq!((assertion, token), (expected, expected), "{id} {kid:?}");
        }
    }
}

#[test]
fn every_bad_field_is_named() {
    let proxy = Proxy::new(1, &policy());
    let ticket = proxy.send(
        0,
        post("/oauth/app/token", &[]),
        br#"{"appId": 7, "grantType": ""}"#,
    );
    let refusal = proxy.refusal(ticket);
    assert_eq!(refusal.status, 400);
    let told: Value = serde_json::from_str(&refusal.body).unwrap();
    assert_eq!(
        told["detail"],
        json!([
            {"path": "/appId", "message": "must be a string", "type": "invalid"},
            {"path": "/token", "message": "is missing", "type": "invalid"},
            {"path": "/grantType", "message": "must not be empty", "type": "invalid"},
        ])
    );
    assert_eq!(told["code"], "body_malformed");
    let whole = proxy.send(0, post("/oauth/app/token", &[]), b"[]");
    let told: Value = serde_json::from_str(&proxy.refusal(whole).body).unwrap();
    assert_eq!(told["detail"][0]["path"], "");
    assert_eq!(told["detail"][0]["type"], "invalid");
    let other = json!({"appId": "app-1", "token": "x", "grantType": "password"});
    let said = proxy.token(post("/oauth/app/token", &[]), &other.to_string());
    assert_eq!(said, "400 grant_unsupported");
}

#[test]
fn a_form_carries_an_assertion_as_rfc_7523_says() {
    let proxy = Proxy::new(1, &policy());
    let kind =
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    let grant = "grant_type=client_credentials";
    let assertion = |jti: &str| es256(KID, &claims(&json!({"jti": jti})));
    let ask = |sent: String| proxy.token(post_form("/form", &[]), &sent);
    assert_eq!(
        ask(format!(
            "{grant}&{kind}&client_assertion={}",
            assertion("1")
        )),
        "200 token"
    );
    let with_id = format!(
        "{grant}&{kind}&client_id=app-1&client_assertion={}",
        assertion("2")
    );
    assert_eq!(ask(with_id), "200 token");
    let other_id = format!(
        "{grant}&{kind}&client_id=app-2&client_assertion={}",
        assertion("3")
    );
    assert_eq!(ask(other_id), "401 assertion_key");
    for bad in [
        format!("{grant}&client_assertion={}", assertion("4")),
        format!(
            "{grant}&client_assertion_type=jwt&client_assertion={}",
            assertion("4")
        ),
        format!("{grant}&{kind}"),
        format!(
            "{grant}&{kind}&client_secret=s&client_assertion={}",
            assertion("4")
        ),
    ] {
        assert_eq!(ask(bad), "400 body_malformed");
    }
    let without_jti = es256(KID, &claims(&json!({})));
    assert_eq!(
        ask(format!("{grant}&{kind}&client_assertion={without_jti}")),
        "401 assertion_claims"
    );
}

#[test]
fn a_jti_opens_once_in_all_workers_and_under_the_next_policy() {
    let proxy = Proxy::new(3, &policy());
    let ask = |worker, jti: &str, life: u64| {
        let assertion = es256(KID, &claims(&json!({"jti": jti, "exp": START + life})));
        let sent = request("app-1", &assertion);
        proxy.said(proxy.send(worker, post("/oauth/app/token", &[]), sent.as_bytes()))
    };
    assert_eq!(ask(0, "a", 300), "200 token");
    for worker in 0..3 {
        assert_eq!(ask(worker, "a", 300), "401 assertion_replayed");
        // Another assertion of the same name is a replay, too.
        assert_eq!(ask(worker, "a", 301), "401 assertion_replayed");
    }
    assert_eq!(ask(1, "b", 300), "200 token");
    let next = engine(
        &proxy.world,
        9,
        &format!("# the next version\n{}", policy()),
    );
    let assertion = es256(KID, &claims(&json!({"jti": "a", "exp": START + 300})));
    let asked = next.decide(1, post("/oauth/app/token", &[]));
    assert!(matches!(asked, doorward_core::engine::Decision::NeedsBody));
    let doorward_core::engine::Decision::Now(verdict) =
        next.body_whole(1, request("app-1", &assertion).into())
    else {
        panic!("it waits");
    };
    assert_eq!(short(&verdict), "401 assertion_replayed");
}

#[test]
fn an_assertion_is_only_spent_when_it_opens() {
    let proxy = Proxy::new(1, &policy());
    let assertion = es256(KID, &claims(&json!({"jti": "a"})));
    let wrong = json!({"appId": "app-1", "token": assertion, "grantType": "password"});
    assert_eq!(
        proxy.token(post("/oauth/app/token", &[]), &wrong.to_string()),
        "400 grant_unsupported"
    );
    assert_eq!(
        proxy.token(post("/oauth/app/token", &[]), &request("app-1", &assertion)),
        "200 token"
    );
}

#[test]
fn without_a_board_that_can_be_written_nothing_opens() {
    let proxy = Proxy::new(1, &policy());
    let assertion = es256(KID, &claims(&json!({"jti": "a"})));
    proxy.world.writable.set(false);
    let ask = || proxy.token(post("/oauth/app/token", &[]), &request("app-1", &assertion));
    assert_eq!(ask(), "503 replay_unrecorded after 1");
    proxy.world.writable.set(true);
    assert_eq!(ask(), "200 token");
    // Somebody else's words on the board are no reason to forget.
    for (value, _) in proxy.world.board.borrow_mut().values_mut() {
        *value = b"\x07not ours".to_vec();
    }
    let assertion = es256(KID, &claims(&json!({"jti": "b"})));
    let said = proxy.token(post("/oauth/app/token", &[]), &request("app-1", &assertion));
    assert_eq!(said, "503 replay_unrecorded after 1");
}

#[test]
fn two_workers_at_once_open_one_of_two_replays() {
    let proxy = Proxy::new(2, &policy());
    let assertion = es256(KID, &claims(&json!({"jti": "a"})));
    let sent = request("app-1", &assertion);
    let before = proxy.world.board.borrow().clone();
    assert_eq!(
        proxy.token(post("/oauth/app/token", &[]), &sent),
        "200 token"
    );
    // The other worker read the board before the first one wrote.
    *proxy.world.past.borrow_mut() = Some((1, before));
    let second = proxy.send(1, post("/oauth/app/token", &[]), sent.as_bytes());
    assert_eq!(proxy.said(second), "401 assertion_replayed");
}
