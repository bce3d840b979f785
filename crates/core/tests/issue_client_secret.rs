//! Token endpoints where a client proves itself by its secret: in a JSON body, a form, or Basic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use serde_json::{Value, json};
use support::issue::{post, post_form};
use support::*;

const POLICY: &str = r#"version: 1
clients:
  - id: shop
    tenant: acme
    scopes: [orders, payments]
    api_keys: [{sha256: "@ENV-KEY@"}]
    secrets:
      - {sha256: "@OLD@", expires: 2026-11-21T13:00:00Z}
      - {value: "new secret+%"}
      - {value: lost, revoked: true}
  - {id: "a+b", secrets: [{value: plain}]}
  - {id: "a b", secrets: [{value: "p w"}]}
  - {id: off, enabled: false, secrets: [{value: s}]}
  - {id: globex-1, tenant: globex, secrets: [{value: s}]}
  - {id: keyless, secrets: []}
authenticators:
  env-key: {api_key: {from: [{header: x-api-key}]}}
tokens:
  session: {sign: {algorithm: HS256, keys: [{secret: {value: "a-secret-of-at-least-32-bytes-in-all"}}], lifetime: 1h}}
rules:
  - match: {path: /login, methods: [POST]}
    authenticate: env-key
    issue:
      token: session
      client_auth: client_secret_post
      request: {client_id: /clientId, client_secret: /clientSecret}
    errors:
      body: '{"code": status, "message": message}'
      message: {client_invalid: Invalid client credentials}
    limit: {per: client.id, rate: 3/m}
  - match: {path: /authtoken}
    issue:
      token: session
      client_auth: client_secret_post
      request: {client_id: /clientName, client_secret: /clientSecret}
      reply: '{"token": token.value, "for": client.id, "scopes": scopes, "kind": token.type, "life": token.expires_in, "host": request.host}'
    errors: {status: {body_malformed: 401}}
    limit: {per: source.address, rate: 5/m, count: failures}
  - match: {path: /form}
    issue: {token: session, client_auth: client_secret_post, request: {form: true}}
  - match: {path: /basic}
    issue: {token: session, client_auth: client_secret_basic, request: {form: true}}
  - match: {path: /fails}
    issue: {token: session, client_auth: client_secret_post, request: {client_id: /i, client_secret: /s}, reply: '{"x": client.metadata.absent}'}
  - match: {path: /text}
    issue: {token: session, client_auth: client_secret_post, request: {client_id: /i, client_secret: /s}, reply: "'token=' + token.type"}
"#;

fn proxy(workers: usize) -> Proxy {
    let policy = POLICY.replace("@ENV-KEY@", &digest("k"));
    Proxy::new(workers, &policy.replace("@OLD@", &digest("old")))
}

fn pair(id: &str, secret: &str) -> String {
    json!({"clientId": id, "clientSecret": secret, "clientName": id}).to_string()
}

fn body(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

const KEY: [(&str, &str); 1] = [("x-api-key", "k")];

#[test]
fn a_good_pair_gets_a_token_in_the_shape_of_rfc_6749() {
    let proxy = proxy(1);
    let ticket = proxy.send(
        0,
        post("/login", &KEY),
        pair("shop", "new secret+%").as_bytes(),
    );
    let response = proxy.response(ticket);
    assert_eq!(response.status, 200);
    for header in [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("pragma", "no-cache"),
    ] {
        let (name, value) = header;
        assert!(
            response.headers.contains(&(name.into(), value.into())),
            "{name}"
        );
    }
    let told = body(&response.body);
    assert!(
        told["access_token"]
            .as_str()
            .is_some_and(|token| !token.is_empty())
    );
    assert_eq!(told["token_type"], "Bearer");
    assert_eq!(told["expires_in"], 3600);
    assert_eq!(told["scope"], "orders payments");
    assert_eq!(told.as_object().unwrap().len(), 4);
}

#[test]
fn each_of_a_clients_secrets_proves_it_while_it_is_live() {
    let proxy = proxy(1);
    let login = |secret: &str| proxy.token(post("/authtoken", &[]), &pair("shop", secret));
    assert_eq!(login("old"), "200 token");
    assert_eq!(login("new secret+%"), "200 token");
    proxy.jump(seconds(3600));
    assert_eq!(login("old"), "401 client_expired");
    assert_eq!(login("new secret+%"), "200 token");
    assert_eq!(login("lost"), "401 client_expired");
}

#[test]
fn an_unknown_client_and_a_wrong_secret_look_alike() {
    let proxy = proxy(1);
    let ask = |id: &str, secret: &str| {
        let body = json!({"client_id": id, "client_secret": secret});
        let form: Vec<String> = ["grant_type=client_credentials".to_owned()]
            .into_iter()
            .chain(
                body.as_object()
                    .unwrap()
                    .iter()
                    .map(|(name, value)| format!("{name}={}", value.as_str().unwrap())),
            )
            .collect();
        let ticket = proxy.send(0, post_form("/form", &[]), form.join("&").as_bytes());
        proxy.refusal(ticket)
    };
    let unknown = ask("nobody", "s");
    assert_eq!(unknown.reason.name(), "client_unknown");
    for (id, secret, reason) in [
        ("shop", "wrong", "client_secret"),
        ("keyless", "s", "client_secret"),
        ("off", "s", "client_disabled"),
        ("off", "wrong", "client_secret"),
        ("shop", "lost", "client_expired"),
    ] {
        let refused = ask(id, secret);
        assert_eq!(refused.reason.name(), reason, "{id} {secret}");
        assert_eq!(refused.body, unknown.body);
        assert_eq!(refused.headers, unknown.headers);
        assert_eq!(refused.status, unknown.status);
    }
    assert_eq!(unknown.status, 401);
    assert_eq!(body(&unknown.body)["error"], "invalid_client");
    assert_eq!(header(&unknown, "cache-control"), Some("no-store"));
    assert_eq!(header(&unknown, "pragma"), Some("no-cache"));
    assert_eq!(header(&unknown, "www-authenticate"), None);
}

#[test]
fn the_login_of_two_factors_holds_row_by_row() {
    let proxy = proxy(1);
    let good = pair("shop", "old");
    let ask = |headers: &[(&str, &str)], sent: &str| {
        proxy.send(0, post("/login", headers), sent.as_bytes())
    };
    let told = |ticket| {
        let refusal = proxy.refusal(ticket);
        (refusal.status, body(&refusal.body))
    };
    assert_eq!(proxy.said(ask(&KEY, &good)), "200 token");
    let bad = ask(&KEY, &pair("shop", "wrong"));
    assert_eq!(
        told(bad),
        (
            401,
            json!({"code": 401, "message": "Invalid client credentials"})
        )
    );
    let keyless = ask(&[], &good);
    assert_eq!(proxy.said(keyless), "401 credentials_missing");
    // The client gets a token of the environment that the key is for, and of no other.
    let other = ask(&KEY, &pair("globex-1", "s"));
    assert_eq!(proxy.said(other), "401 credentials_mismatch");
    let none = ask(&KEY, &pair("a+b", "plain"));
    assert_eq!(proxy.said(none), "401 credentials_mismatch");
    // Three a minute for this client, whoever sends them.
    for _ in 0..2 {
        assert_eq!(proxy.said(ask(&KEY, &good)), "200 token");
    }
    let many = ask(&KEY, &good);
    assert_eq!(proxy.said(many), "429 rate_limited after 20");
    assert_eq!(
        told(many),
        (429, json!({"code": 429, "message": "Too many requests"}))
    );
}

#[test]
fn the_endpoint_of_client_signed_tokens_holds_row_by_row() {
    let proxy = proxy(2);
    let ticket = proxy.send(0, post("/authtoken", &[]), pair("shop", "old").as_bytes());
    let told = body(&proxy.response(ticket).body);
    assert_eq!(told["for"], "shop");
    assert_eq!(told["scopes"], json!(["orders", "payments"]));
    assert_eq!(told["kind"], "Bearer");
    assert_eq!(told["life"], 3600);
    assert_eq!(told["host"], "api.example.com");
    let ask = |worker, sent: &str| {
        proxy.said(proxy.send(worker, post("/authtoken", &[]), sent.as_bytes()))
    };
    assert_eq!(ask(0, &pair("nobody", "old")), "401 client_unknown");
    assert_eq!(ask(1, &pair("shop", "wrong")), "401 client_secret");
    // The rule maps `body_malformed`.
    assert_eq!(
        ask(0, r#"{"clientName": {"x": 1}, "clientSecret": "old"}"#),
        "401 body_malformed"
    );
    // Failures count, in whichever worker; a success doesn't.
    assert_eq!(ask(0, "{"), "401 body_malformed");
    assert_eq!(ask(1, &pair("shop", "old")), "200 token");
    assert_eq!(ask(1, &pair("shop", "no")), "401 client_secret");
    assert!(ask(0, &pair("shop", "old")).starts_with("429 "));
}

#[test]
fn a_reply_that_fails_falls_back_and_a_text_goes_as_it_is() {
    let proxy = proxy(1);
    let sent = r#"{"i": "a+b", "s": "plain"}"#;
    let ticket = proxy.send(0, post("/fails", &[]), sent.as_bytes());
    let told = body(&proxy.response(ticket).body);
    assert_eq!(told["token_type"], "Bearer");
    assert_eq!(told.get("scope"), None);
    let ticket = proxy.send(0, post("/text", &[]), sent.as_bytes());
    assert_eq!(proxy.response(ticket).body, "token=Bearer");
}

#[test]
fn forms_are_judged_by_rfc_6749() {
    let proxy = proxy(1);
    for (sent, said, error) in [
        (
            "grant_type=client_credentials&client_id=shop&client_secret=new+secret%2B%25",
            "200 token",
            "",
        ),
        (
            "grant_type=client_credentials&client_id=shop&client_secret=old&scope=orders&x=y",
            "200 token",
            "",
        ),
        (
            "grant_type=password&client_id=shop&client_secret=old",
            "400 grant_unsupported",
            "unsupported_grant_type",
        ),
        (
            "client_id=shop&client_secret=old",
            "400 body_malformed",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&client_id=shop&client_secret=old&client_secret=old",
            "400 body_malformed",
            "invalid_request",
        ),
        (
            "grant_type=client_credentials&client_id=shop&client_secret=old&client_assertion=x",
            "400 body_malformed",
            "invalid_request",
        ),
        ("", "400 body_malformed", "invalid_request"),
    ] {
        let ticket = proxy.send(0, post_form("/form", &[]), sent.as_bytes());
        assert_eq!(proxy.said(ticket), said, "{sent}");
        if !error.is_empty() {
            assert_eq!(body(&proxy.refusal(ticket).body)["error"], error, "{sent}");
        }
    }
    let json = proxy.send(0, post("/form", &[]), b"{}");
    let told = body(&proxy.refusal(json).body);
    assert_eq!(
        told["error_description"],
        "The request body is malformed: the content type must be application/x-www-form-urlencoded"
    );
    let missing = proxy.send(0, post_form("/form", &[]), b"client_id=");
    let told = body(&proxy.refusal(missing).body);
    assert_eq!(
        told["error_description"],
        "The request body is malformed: /grant_type is missing, /client_id is missing, /client_secret is missing"
    );
}

#[test]
fn basic_is_read_raw_and_form_encoded() {
    use base64::Engine;
    let proxy = proxy(1);
    let basic = |pair: &str| {
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        format!("Basic {encoded}")
    };
    let sent = "grant_type=client_credentials";
    for (pair, sent, said) in [
        ("shop:new secret+%", sent, "200 token"),
        ("shop:new+secret%2B%25", sent, "200 token"),
        ("a+b:plain", sent, "200 token"),
        ("a%2Bb:plain", sent, "200 token"),
        ("a%20b:p%20w", sent, "200 token"),
        ("a+b:p+w", sent, "200 token"),
        ("a b:plain", sent, "401 client_secret"),
        ("nobody:plain", sent, "401 client_unknown"),
        ("shop:wrong", sent, "401 client_secret"),
        ("shop", sent, "401 client_malformed"),
        (
            "shop:old",
            "grant_type=client_credentials&client_id=shop",
            "200 token",
        ),
        (
            "shop:old",
            "grant_type=client_credentials&client_id=off",
            "401 client_malformed",
        ),
        (
            "shop:old",
            "grant_type=client_credentials&client_secret=old",
            "400 body_malformed",
        ),
        (
            "shop:old",
            "grant_type=refresh_token",
            "400 grant_unsupported",
        ),
    ] {
        let request = post_form("/basic", &[("authorization", &basic(pair))]);
        assert_eq!(proxy.token(request, sent), said, "{pair} {sent}");
    }
    for (headers, said) in [
        (&[][..], "401 credentials_missing"),
        (&[("authorization", "Bearer x")], "401 credentials_missing"),
        (&[("authorization", "Basic !")], "401 client_malformed"),
        (
            &[("authorization", "Basic YTpi, Basic YTpi")],
            "400 credentials_duplicated",
        ),
    ] {
        let ticket = proxy.send(0, post_form("/basic", headers), sent.as_bytes());
        assert_eq!(proxy.said(ticket), said, "{headers:?}");
        let refusal = proxy.refusal(ticket);
        let expected = (refusal.status == 401).then_some("Basic realm=\"api\"");
        assert_eq!(
            header(&refusal, "www-authenticate"),
            expected,
            "{headers:?}"
        );
    }
}

#[test]
fn hostile_bodies_are_refused_and_nothing_of_them_is_told() {
    let proxy = proxy(1);
    let deep = format!(
        r#"{{"i": "a", "s": {}"x"{}}}"#,
        "[".repeat(7000),
        "]".repeat(7000)
    );
    for sent in [
        b"{\"i\": \"a+b\", \"s\": \"plain\", \"s\": \"plain\"}".as_slice(),
        b"{\"i\": \"a+b\", \"s\": \"plain\xff\"}",
        b"{\"i\": [\"a+b\"], \"s\": 12345}",
        b"{\"i\": \"a+b\", \"s\": true}",
        b"{\"i\": \"a+b\"}",
        b"\"a+b\"",
        b"null",
        b"",
        b"\0",
        deep.as_bytes(),
    ] {
        let ticket = proxy.send(0, post("/text", &[]), sent);
        assert_eq!(proxy.said(ticket), "400 body_malformed", "{sent:?}");
        let refusal = proxy.refusal(ticket);
        assert!(
            !refusal.body.contains("a+b") && !refusal.body.contains("12345"),
            "{}",
            refusal.body
        );
    }
    let get = method("GET", "/text", &[]);
    assert_eq!(proxy.token(get, ""), "400 body_malformed");
}
