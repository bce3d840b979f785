//! `private_key_jwt`: the gateway proves itself to a token endpoint by an assertion.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::*;

const KEY: &str = include_str!("../src/jose/tests/pem/p256.pem");
const PUBLIC: &str = include_str!("../src/jose/tests/pem/p256.pub.pem");

fn policy(more: &str) -> String {
    format!(
        r#"
version: 1
tokens:
  partner:
    exchange:
      cluster: partner
      url: https://partner.example.com/oauth/token
      client: {{id: gw}}
      auth: private_key_jwt
      assertion: {{algorithm: ES256, key: {{pem: {key}}}}}
      {more}
rules:
  - match: {{path: /**}}
    authenticate: none
    upstream: {{authorization: partner}}
"#,
        key = serde_json::to_string(KEY).unwrap(),
    )
}

fn claims(token: &str) -> Value {
    let mut validation = Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_ec_pem(PUBLIC.as_bytes()).unwrap();
    decode(token, &key, &validation).unwrap().claims
}

fn form(body: &str) -> BTreeMap<String, String> {
    let pairs = body.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs
        .map(|(name, value)| (name.to_owned(), value.replace("%3A", ":")))
        .collect()
}

#[test]
fn an_assertion_stands_in_the_form_and_no_secret_does() {
    let proxy = Proxy::new(1, &policy("scopes: [orders]"));
    let ticket = proxy.ask(0, get("/", &[]));
    let call = proxy.call();
    assert_eq!(call.header("authorization"), None);
    let mut fields = form(call.body());
    let assertion = fields.remove("client_assertion").unwrap();
    let expected = json!({"grant_type": "client_credentials", "client_id": "gw", "scope": "orders",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"});
    assert_eq!(json!(fields), expected);
    let public = doorward_core::jose::Key::from_pem(PUBLIC).unwrap();
    assert_eq!(
        decode_header(&assertion).unwrap().kid,
        Some(public.thumbprint())
    );
    let mut found = claims(&assertion);
    found.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(
        found,
        json!({"iss": "gw", "sub": "gw", "aud": "https://partner.example.com/oauth/token",
            "iat": START, "nbf": START, "exp": START + 300})
    );
    proxy.reply(200, &exchange::token("one", 3600));
    assert_eq!(proxy.said(ticket), "ok");
    let verdict = proxy.verdict(ticket).unwrap();
    let head = upstream(&get("/", &[]), &verdict);
    assert_eq!(values(&head, "authorization"), ["Bearer one"]);
}

#[test]
fn a_json_body_holds_it_where_the_policy_says() {
    let json =
        r#"json: '{"appId": client.id, "token": assertion, "grantType": "client_credentials"}'"#;
    let assertion = "assertion: {algorithm: ES256, key: {pem: ";
    let policy = policy(json).replace(
        assertion,
        "assertion: {kid: k1, audience: [a, b], lifetime: 1m, algorithm: ES256, key: {pem: ",
    );
    let proxy = Proxy::new(1, &policy);
    proxy.ask(0, get("/", &[]));
    let body: Value = serde_json::from_str(proxy.call().body()).unwrap();
    assert_eq!(body["appId"], "gw");
    let assertion = body["token"].as_str().unwrap();
    assert_eq!(decode_header(assertion).unwrap().kid.as_deref(), Some("k1"));
    let found = claims(assertion);
    assert_eq!(found["aud"], json!(["a", "b"]));
    assert_eq!(found["exp"], START + 60);
}

#[test]
fn every_try_has_an_assertion_of_its_own() {
    let proxy = Proxy::new(1, &policy("retry: {attempts: 2, base: 1ms, max: 1ms}"));
    let ticket = proxy.ask(0, get("/", &[]));
    let first = form(proxy.call().body())["client_assertion"].clone();
    proxy.reply(500, "");
    proxy.pass(seconds(1));
    let second = form(proxy.call().body())["client_assertion"].clone();
    assert_ne!(claims(&first)["jti"], claims(&second)["jti"]);
    proxy.reply(401, r#"{"error": "invalid_client"}"#);
    assert_eq!(proxy.said(ticket), "502 credential_unavailable");
}

#[test]
fn the_key_is_in_no_place_of_the_call() {
    let proxy = Proxy::new(1, &policy("form: {x: client.secret}"));
    proxy.ask(0, get("/", &[]));
    let fields = form(proxy.call().body());
    assert_eq!(
        fields["x"].len(),
        22,
        "a name that only the key's holder can make"
    );
    assert!(URL_SAFE_NO_PAD.decode(&fields["x"]).is_ok());
}
