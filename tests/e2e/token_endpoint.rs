//! Token endpoints: good requests and hostile bodies, and what happens where Envoy doesn't show
//! bodies to the filter.

use std::time::{Duration, Instant};

use serde_json::json;
use xtask::client::{Answer, Request};
use xtask::jwt::{self, Key};

use crate::config::Listener;
use crate::gateway::{GATEWAY, PATIENCE, await_until};

const AUDIENCE: &str = "https://api.example.com/oauth/token";

pub fn listeners() -> Vec<Listener> {
    vec![
        Listener::new("tokens", policy()).stop_iteration(),
        Listener::new("tokens-unseen", policy()).environment(json!({"key_values": {"OWN": "vm"}})),
    ]
}

fn policy() -> String {
    let keys = jwt::jwks(&[Key::A]).unwrap();
    let es256 = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["kty"] == "EC")
        .unwrap()
        .clone();
    let endpoint = "token: session, client_auth: client_secret_post, request: {client_id: /id, client_secret: /secret}";
    format!(
        r#"version: 1
clients:
  - {{id: shop, tenant: acme, scopes: [orders], secrets: [{{value: "s"}}], public_keys: [{{jwk: {es256}}}]}}
authenticators:
  session: {{jwt: {{algorithms: [HS256], keys: [{{secret: {{value: "a-secret-of-at-least-32-bytes-in-all"}}}}], client: claims.sub}}}}
tokens:
  session:
    sign:
      algorithm: HS256
      keys: [{{secret: {{value: "a-secret-of-at-least-32-bytes-in-all"}}}}]
      lifetime: 1h
      claims: '{{"sub": client.id, "scope": scopes.join(" ")}}'
rules:
  - {{match: {{path: /login}}, issue: {{{endpoint}}}}}
  - match: {{path: /limited}}
    issue: {{{endpoint}}}
    limit: {{per: source.address, rate: 2/h, count: failures}}
  - match: {{path: /form}}
    issue: {{token: session, client_auth: client_secret_basic, request: {{form: true}}}}
  - match: {{path: /assertion}}
    issue:
      token: session
      client_auth: private_key_jwt
      request: {{client_id: /appId, assertion: /token, grant_type: /grantType}}
      assertion: {{audience: {AUDIENCE}, max_lifetime: 1h, jti: required}}
      reply: '{{"type": token.type, "accessToken": token.value, "expiresIn": token.expires_in}}'
    errors: {{body: '{{"errorId": error_id, "code": reason, "message": message, "detail": detail}}'}}
  - {{match: {{path: "/api/**"}}, authenticate: session}}
"#
    )
}

const GOOD: &str = r#"{"id": "shop", "secret": "s"}"#;

fn login(listener: &str, path: &str) -> Request<'static> {
    GATEWAY
        .client(listener)
        .post(path)
        .header("content-type", "application/json")
}

#[track_caller]
fn assert_token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.at("/access_token").as_str().unwrap().to_owned()
}

/// The refusal's status and error of RFC 6749.
#[track_caller]
fn assert_error(answer: &Answer, status: u16, error: &str) {
    let said = answer.at("/error");
    assert_eq!(
        (answer.status, said.as_str()),
        (status, Some(error)),
        "{}",
        answer.text()
    );
}

#[test]
fn a_token_is_given_for_a_secret_and_opens_the_api() {
    let answer = login("tokens", "/login").body(GOOD).send().unwrap();
    let token = assert_token(&answer);
    assert_eq!(answer.at("/token_type"), "Bearer");
    assert_eq!(answer.at("/expires_in"), 3600);
    assert_eq!(answer.at("/scope"), "orders");
    let client = GATEWAY.client("tokens");
    let opened = client.get("/api/orders").bearer(&token).send().unwrap();
    assert_eq!(
        opened.upstream().unwrap().header("x-auth-client"),
        Some("shop")
    );
    let basic = client
        .post("/form")
        .header("authorization", "Basic c2hvcDpz");
    let basic = basic.header("content-type", "application/x-www-form-urlencoded");
    assert_token(&basic.body("grant_type=client_credentials").send().unwrap());
    // Nothing of it went to the upstream.
    assert_eq!(GATEWAY.heads("/login").len(), 0);
    GATEWAY.assert_well();
}

#[test]
fn a_wrong_secret_and_an_unknown_client_get_the_same_answer() {
    let ask = |body: &str| login("tokens", "/login").body(body).send().unwrap();
    let wrong = ask(r#"{"id": "shop", "secret": "no"}"#);
    let unknown = ask(r#"{"id": "nobody", "secret": "s"}"#);
    assert_error(&wrong, 401, "invalid_client");
    assert_eq!(
        (wrong.status, wrong.text()),
        (unknown.status, unknown.text())
    );
    GATEWAY.assert_well();
}

#[test]
fn an_assertion_opens_once_on_both_workers() {
    let now = jwt::now().unwrap();
    let claims = json!({"iss": "shop", "sub": "shop", "aud": AUDIENCE, "iat": now, "exp": now + 300,
        "jti": format!("e2e-{now}-{}", std::process::id())});
    let assertion = jwt::sign(&claims, jsonwebtoken::Algorithm::ES256, Key::A).unwrap();
    let body = json!({"appId": "shop", "token": assertion, "grantType": "client_credentials"});
    let mut connections = GATEWAY.connections_on_both_workers("tokens");
    let mut answers = Vec::new();
    for connection in &mut connections {
        let request = connection.post("/assertion").json(&body);
        answers.push(request.send().unwrap());
    }
    let (first, rest) = answers.split_first().unwrap();
    assert_eq!(first.status, 200, "{}", first.text());
    assert!(first.at("/accessToken").is_string());
    for again in rest {
        assert_eq!(
            (again.status, again.at("/code")),
            (401, "assertion_invalid".into())
        );
    }
    let bad = login("tokens", "/assertion").body(r#"{"appId": 7, "grantType": "x"}"#);
    let bad = bad.send().unwrap();
    assert_eq!(bad.status, 400);
    assert_eq!(
        bad.at("/detail"),
        json!([
            {"path": "/appId", "message": "must be a string", "type": "invalid"},
            {"path": "/token", "message": "is missing", "type": "invalid"},
        ])
    );
    GATEWAY.assert_well();
}

#[test]
fn a_body_in_slow_chunks_is_read_whole() {
    let chunks: Vec<Vec<u8>> = GOOD.as_bytes().chunks(5).map(<[u8]>::to_vec).collect();
    let slow = login("tokens", "/login").chunks(chunks, Duration::from_millis(80));
    assert_token(&slow.send().unwrap());
    // Trailers end a body, too.
    let request = format!(
        "POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nte: trailers\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{GOOD}\r\n0\r\nx-sum: 1\r\n\r\n",
        GOOD.len()
    );
    let answer = GATEWAY.client("tokens").raw(request.as_bytes()).unwrap();
    assert_token(&answer);
    let empty = "POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n0\r\nx-sum: 1\r\n\r\n";
    let answer = GATEWAY.client("tokens").raw(empty.as_bytes()).unwrap();
    assert_error(&answer, 400, "invalid_request");
    GATEWAY.assert_well();
}

#[test]
fn a_client_that_expects_100_continue_gets_its_token() {
    let mut connection = GATEWAY.client("tokens").connect().unwrap();
    let head = format!(
        "POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        GOOD.len()
    );
    connection.begin();
    connection.write(head.as_bytes()).unwrap();
    assert_eq!(connection.read_any("POST").unwrap().status, 100);
    connection.write(GOOD.as_bytes()).unwrap();
    assert_token(&connection.read("POST").unwrap());
}

#[test]
fn bodies_that_are_too_long_are_refused_as_soon_as_that_is_clear() {
    // Its length says so.
    let start = Instant::now();
    let head = "POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: 10000000\r\n\r\n";
    let answer = GATEWAY.client("tokens").raw(head.as_bytes()).unwrap();
    assert_error(&answer, 413, "invalid_request");
    // Its chunks do, and the last never comes.
    let chunks = vec![vec![b' '; 5000]; 200];
    let endless = login("tokens", "/login").chunks(chunks, Duration::from_millis(50));
    assert_error(&endless.send().unwrap(), 413, "invalid_request");
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
    let fitting = format!("{GOOD}{}", " ".repeat(16 * 1024 - GOOD.len()));
    assert_token(
        &login("tokens", "/login")
            .body(fitting.clone())
            .send()
            .unwrap(),
    );
    let longer = login("tokens", "/login")
        .body(fitting + " ")
        .send()
        .unwrap();
    assert_error(&longer, 413, "invalid_request");
    let huge = login("tokens", "/login")
        .body(vec![b'['; 3 << 20])
        .send()
        .unwrap();
    assert_eq!(huge.status, 413);
    GATEWAY.assert_well();
}

#[test]
fn hostile_bodies_are_refused() {
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(8000), close.repeat(8000));
    for body in [
        b"".to_vec(),
        b"{".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"\"id\"".to_vec(),
        br#"{"id": "shop", "secret": "s", "secret": "s"}"#.to_vec(),
        br#"{"id": "shop", "secret": "s", "x": {"a": 1, "a": 2}}"#.to_vec(),
        br#"{"id": "shop", "secret": "s"}{"id": "shop"}"#.to_vec(),
        br#"{"id": ["shop"], "secret": {"s": 1}}"#.to_vec(),
        br#"{"id": true, "secret": 1e400}"#.to_vec(),
        br#"{"id": null, "secret": null}"#.to_vec(),
        b"{\"id\": \"shop\", \"secret\": \"\xff\xfe\"}".to_vec(),
        b"\xef\xbb\xbf{\"id\": \"shop\", \"secret\": \"s\"}".to_vec(),
        b"{\"id\": \"shop\", \"secret\": \"s\0\"}".to_vec(),
        nested("[", "]").into_bytes(),
        nested("{\"a\":", "}").into_bytes()[..16_000].to_vec(),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = login("tokens", "/login").body(body).send().unwrap();
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text());
        assert_eq!(answer.at("/error"), "invalid_request", "{shown}");
        assert!(
            !answer.text().contains("shop"),
            "{shown}: {}",
            answer.text()
        );
    }
    let client = GATEWAY.client("tokens");
    for (content_type, body) in [
        ("text/plain", GOOD),
        ("application/x-www-form-urlencoded", "id=shop&secret=s"),
    ] {
        let answer = client
            .post("/login")
            .header("content-type", content_type)
            .body(body);
        assert_error(&answer.send().unwrap(), 400, "invalid_request");
    }
    assert_error(
        &client.get("/login").send().unwrap(),
        400,
        "invalid_request",
    );
    assert_error(
        &client.post("/login").send().unwrap(),
        400,
        "invalid_request",
    );
    GATEWAY.assert_well();
}

#[test]
fn failures_are_limited_on_both_workers_together() {
    let wrong = r#"{"id": "shop", "secret": "wrong"}"#;
    let mut connections = GATEWAY.connections_on_both_workers("tokens");
    // One request each: a refusal before the body is read closes the connection.
    let mut statuses: Vec<u16> = Vec::new();
    for connection in &mut connections {
        let request = connection.post("/limited");
        let request = request.header("content-type", "application/json");
        statuses.push(request.body(wrong).send().unwrap().status);
    }
    for _ in 0..3 {
        let answer = login("tokens", "/limited").body(wrong).send().unwrap();
        assert!(answer.header("retry-after").is_some() || answer.status == 401);
        statuses.push(answer.status);
    }
    let (let_in, rest) = statuses.split_at(2);
    assert_eq!(let_in, [401, 401]);
    assert!(rest.iter().all(|status| *status == 429), "{rest:?}");
}

#[test]
fn a_client_that_leaves_in_mid_body_leaves_nothing_behind() {
    let client = GATEWAY.client("tokens");
    for _ in 0..50 {
        let mut connection = client.connect().unwrap();
        let head = "POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             content-length: 100\r\n\r\n{\"id\":";
        connection.write(head.as_bytes()).unwrap();
    }
    assert_token(&login("tokens", "/login").body(GOOD).send().unwrap());
    GATEWAY.assert_well();
}

#[test]
fn a_body_that_never_comes_is_refused_after_ten_seconds() {
    let mut connection = GATEWAY.client("tokens").connect().unwrap();
    let head = "POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n{\"id\":";
    let start = Instant::now();
    connection.begin();
    connection.write(head.as_bytes()).unwrap();
    let answer = connection.read("POST").unwrap();
    assert_error(&answer, 400, "invalid_request");
    assert!(
        start.elapsed() >= Duration::from_secs(9),
        "{:?}",
        start.elapsed()
    );
    GATEWAY.assert_well();
}

#[test]
fn where_envoy_shows_no_bodies_the_answer_is_503_and_the_log_tells_the_mend() {
    let start = Instant::now();
    let whole = login("tokens-unseen", "/login").body(GOOD).send().unwrap();
    assert_error(&whole, 503, "temporarily_unavailable");
    assert_eq!(whole.header("retry-after"), Some("1"));
    let chunks = vec![GOOD.as_bytes().to_vec()];
    let chunked = login("tokens-unseen", "/login").chunks(chunks, Duration::from_millis(20));
    assert_error(&chunked.send().unwrap(), 503, "temporarily_unavailable");
    assert!(
        start.elapsed() < Duration::from_secs(12),
        "{:?}",
        start.elapsed()
    );
    GATEWAY
        .envoy
        .wait_for_log("set `allow_on_headers_stop_iteration: true`", PATIENCE)
        .unwrap();
    // What needs no body is answered, and a proxied body proves nothing.
    let client = GATEWAY.client("tokens-unseen");
    assert_error(
        &client.get("/login").send().unwrap(),
        400,
        "invalid_request",
    );
    let token = assert_token(&login("tokens", "/login").body(GOOD).send().unwrap());
    let proxied = client
        .post("/api/x")
        .bearer(&token)
        .body("x")
        .send()
        .unwrap();
    assert_eq!(proxied.status, 200, "{}", proxied.text());
    let again = login("tokens-unseen", "/login").body(GOOD).send().unwrap();
    assert_error(&again, 503, "temporarily_unavailable");
    await_until("the counter", || {
        GATEWAY.counter("refused.body_withheld") >= 3
    });
    GATEWAY.assert_well();
}
