//! Published keys: the set, the metadata document, and what caches need.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::http::{Response, Verdict};
use serde_json::{Value, json};
use support::*;

const FIRST: &str = include_str!("../src/jose/tests/pem/p256.pem");
const NEXT: &str = include_str!("../src/jose/tests/pem/p256.new.pem");
const OTHER: &str = include_str!("../src/jose/tests/pem/ed25519.pem");

fn text(pem: &str) -> String {
    serde_json::to_string(pem).unwrap()
}

/// Two tokens, one of which is in the middle of a rotation by times.
fn policy() -> String {
    format!(
        r#"
version: 1
tokens:
  session:
    sign:
      algorithm: ES256
      issuer: https://api.example.com/tenant
      lifetime: 1h
      keys:
        - {{pem: {first}, kid: first, expires: 2026-11-21T13:00:00Z}}
        - {{pem: {next}, kid: next, not_before: 2026-11-21T13:00:00Z}}
  other:
    sign: {{algorithm: EdDSA, keys: [{{pem: {other}}}], lifetime: 1h, issuer: https://api.example.com/tenant}}
rules:
  - match: {{path: /jwks.json}}
    publish_keys: [session, other]
  - match: {{path: /.well-known/oauth-authorization-server/tenant}}
    publish_keys: session
  - match: {{path: /tenant/.well-known/openid-configuration, methods: GET}}
    publish_keys: [session, other]
"#,
        first = text(FIRST),
        next = text(NEXT),
        other = text(OTHER),
    )
}

fn answer(proxy: &Proxy, path: &str, headers: &[(&str, &str)]) -> Response {
    match proxy.decide(get(path, headers)) {
        Verdict::Answer(response) => response,
        other => panic!("{}", short(&other)),
    }
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    let found = response.headers.iter().find(|(other, _)| other == name);
    found.map(|(_, value)| value.as_str())
}

fn kids(response: &Response) -> Vec<String> {
    let set: Value = serde_json::from_str(&response.body).unwrap();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn current_next_and_previous_keys_are_published_without_their_private_halves() {
    let proxy = Proxy::new(1, &policy());
    let response = answer(&proxy, "/jwks.json", &[]);
    assert_eq!(response.status, 200);
    assert_eq!(
        header(&response, "content-type"),
        Some("application/jwk-set+json")
    );
    assert_eq!(
        header(&response, "cache-control"),
        Some("public, max-age=300")
    );
    let set: Value = serde_json::from_str(&response.body).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3);
    for (key, expected) in keys.iter().zip([
        json!(["alg", "crv", "kid", "kty", "use", "x", "y"]),
        json!(["alg", "crv", "kid", "kty", "use", "x", "y"]),
        json!(["alg", "crv", "kid", "kty", "use", "x"]),
    ]) {
        let mut names: Vec<&String> = key.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(json!(names), expected);
        assert_eq!(key["use"], "sig");
    }
    assert_eq!(
        (&keys[0]["alg"], &keys[2]["alg"]),
        (&json!("ES256"), &json!("EdDSA"))
    );
    let parsed = doorward_core::jose::KeySet::parse_jwks(
        response.body.as_bytes(),
        doorward_core::jose::Limits::default(),
    );
    let (set, skipped) = parsed.unwrap();
    assert_eq!((set.len(), skipped.len()), (3, 0));
    assert_eq!(&kids(&response)[..2], ["first", "next"]);
    // The first signs no more, but what it signed is good for another hour.
    proxy.jump(seconds(2 * 3600 - 1));
    assert_eq!(
        &kids(&answer(&proxy, "/jwks.json", &[]))[..2],
        ["first", "next"]
    );
    proxy.jump(seconds(1));
    assert_eq!(kids(&answer(&proxy, "/jwks.json", &[]))[0], "next");
}

#[test]
fn whoever_has_the_set_is_told_so() {
    let proxy = Proxy::new(1, &policy());
    let first = answer(&proxy, "/jwks.json", &[]);
    let tag = header(&first, "etag").unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let weak = format!("W/{tag}");
    let list = format!("\"x\", {tag}");
    for (given, status) in [
        (tag.as_str(), 304),
        (&weak, 304),
        (&list, 304),
        ("*", 304),
        ("\"x\"", 200),
        ("", 200),
    ] {
        let response = answer(&proxy, "/jwks.json", &[("if-none-match", given)]);
        assert_eq!(response.status, status, "{given}");
        assert_eq!(response.body.is_empty(), status == 304);
        assert_eq!(header(&response, "etag"), Some(tag.as_str()));
        assert_eq!(header(&response, "content-type").is_none(), status == 304);
    }
    proxy.jump(seconds(2 * 3600));
    let response = answer(&proxy, "/jwks.json", &[("if-none-match", &tag)]);
    assert_eq!(response.status, 200, "another set");
}

#[test]
fn keys_are_only_read() {
    let proxy = Proxy::new(1, &policy());
    for (name, path, expected) in [
        ("GET", "/jwks.json", "200 keys"),
        ("HEAD", "/jwks.json", "200 keys"),
        ("POST", "/jwks.json", "403 no_rule"),
        ("DELETE", "/jwks.json", "403 no_rule"),
        (
            "HEAD",
            "/tenant/.well-known/openid-configuration",
            "403 no_rule",
        ),
    ] {
        assert_eq!(
            short(&proxy.decide(method(name, path, &[]))),
            expected,
            "{name} {path}"
        );
    }
}

#[test]
fn metadata_leads_to_the_keys() {
    let proxy = Proxy::new(1, &policy());
    let response = answer(
        &proxy,
        "/.well-known/oauth-authorization-server/tenant",
        &[],
    );
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    assert_eq!(
        serde_json::from_str::<Value>(&response.body).unwrap(),
        json!({"issuer": "https://api.example.com/tenant",
            "jwks_uri": "https://api.example.com/jwks.json", "response_types_supported": []})
    );
    let response = answer(&proxy, "/tenant/.well-known/openid-configuration", &[]);
    let document: Value = serde_json::from_str(&response.body).unwrap();
    assert_eq!(document["subject_types_supported"], json!(["public"]));
    assert_eq!(
        document["id_token_signing_alg_values_supported"],
        json!(["ES256", "EdDSA"])
    );
}
