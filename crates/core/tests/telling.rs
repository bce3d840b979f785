//! What the operator is told of a refusal, and by what name the caller can ask about it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::host::Level;
use doorward_core::http::Verdict;
use support::*;

const POLICY: &str = r#"
version: 1
clients:
  - {id: shop, api_keys: [{sha256: "@GOOD@"}, {id: old, sha256: "@OLD@", revoked: true}]}
authenticators:
  key: {api_key: {from: [{header: x-api-key}]}}
rules:
  - {match: {path: /key}, authenticate: key}
  - {match: {path: /tried}, authenticate: key, authorize: {scopes: [none-has-it]}, shadow: true}
errors: {body: '{"id": error_id}'}
"#;

fn proxy() -> Proxy {
    let policy = POLICY.replace("@GOOD@", &digest("good"));
    Proxy::new(1, &policy.replace("@OLD@", &digest("old")))
}

/// The lines that were written since the last time.
fn lines(proxy: &Proxy) -> Vec<String> {
    let log = proxy.world.log.take();
    let lines = log.into_iter().map(|(level, line)| {
        assert_eq!(level, Level::Debug, "{line}");
        line
    });
    lines.collect()
}

#[test]
fn a_refusal_is_told_with_its_reason_and_rule_and_never_with_the_credential() {
    let proxy = proxy();
    for (path, key, expected) in [
        ("/key", "good", None),
        (
            "/key",
            "guess",
            Some("refused: status 401 reason api_key_unknown rule rules[0]"),
        ),
        (
            "/key",
            "old",
            Some(
                "refused: status 401 reason api_key_revoked rule rules[0]: key old of client shop",
            ),
        ),
        (
            "/nowhere",
            "good",
            Some("refused: status 403 reason no_rule rule none"),
        ),
        (
            "/tried",
            "good",
            Some("shadowed: would be refused: reason scope_missing rule rules[1]"),
        ),
    ] {
        proxy.decide(get(path, &[("x-api-key", key)]));
        let expected: Vec<&str> = expected.into_iter().collect();
        assert_eq!(lines(&proxy), expected, "{path} {key}");
    }
}

#[test]
fn a_flood_of_refusals_writes_a_few_lines_and_counts_the_rest() {
    let proxy = proxy();
    for _ in 0..1000 {
        proxy.decide(get("/key", &[]));
    }
    let written = lines(&proxy).len();
    assert!((1..100).contains(&written), "{written}");
    proxy.pass(seconds(1));
    proxy.decide(get("/key", &[]));
    let kept_back = 1000 - written;
    let expected = format!(
        "refused: status 401 reason credentials_missing rule rules[0]; {kept_back} lines kept back before it"
    );
    assert_eq!(lines(&proxy), [expected]);
}

#[test]
fn every_error_has_a_name_of_its_own() {
    let proxy = proxy();
    let mut ids: Vec<String> = (0..100)
        .map(|_| match proxy.decide(get("/key", &[])) {
            Verdict::Refuse(reply) => {
                let body: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
                body["id"].as_str().unwrap().to_owned()
            }
            other => panic!("{}", short(&other)),
        })
        .collect();
    for id in &ids {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        assert!(id.len() == 32 && id.bytes().all(hex), "{id}");
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100);
}
