//! A policy with errors stops Envoy, and its log names every place and the mend.

use serde_json::{Value, json};
use xtask::envoy::{Envoy, Options};

use crate::config::{self, Listener};
use crate::gateway::own_envoy;

const SECRET: &str = "s3cret-s3cret-s3cret-s3cret-s3cret";

/// The log of an Envoy that must refuse this listener.
fn refusal(listener: Listener) -> String {
    let _turn = own_envoy();
    let template = config::envoy(&[listener], &[("upstream", 1)]);
    let log = Envoy::start_expecting_refusal(&template, Options::default().workers(1)).unwrap();
    assert!(!log.contains(SECRET), "a secret is in the log:\n{log}");
    log
}

/// Mistakes in the shape of things.
fn misshapen() -> Value {
    json!({
        "version": 1,
        "clients": [{"id": "a", "secrets": [{"value": SECRET, "expires": "tomorrow"}]}],
        "authenticators": {
            "supplier-key": {"api_key": {"from": [{"header": "ApiKey"}], "prefx": "ak_"}},
            "token": {"jwt": {"algorithms": ["HS256"], "keys": [{"secret": {"value": SECRET}}], "leeway": "soon"}},
        },
        "rules": [{"match": {"path": ["/a"]}, "authenticate": "token", "allow": SECRET}],
    })
}

/// Mistakes in what things mean.
fn mistaken() -> Value {
    json!({
        "version": 1,
        "clients": [
            {"id": "a", "secrets": [{"value": SECRET}]},
            {"id": "a", "api_keys": [{"id": "k", "sha256": SECRET}]},
        ],
        "authenticators": {
            "supplier-key": {"api_key": {"from": [{"header": "ApiKey"}], "prefix": "ak_"}},
            "token": {"jwt": {"algorithms": ["HS257"], "keys": [{"secret": {"value": SECRET}}]}},
            "by-client": {"jwt": {"algorithms": ["HS256"], "keys": [{"secret": {"value": SECRET}}],
                "tenant": "claim.tenant"}},
        },
        "tokens": {"t": {"exchange": {"cluster": "upstream", "url": "ftp://x/"}}},
        "rules": [
            {"match": {"path": "/a/**"}, "authenticate": "token"},
            {"match": {"path": "no-slash"}, "authenticate": "by-client"},
            {"match": {"path": "/b/**"}, "authenticate": "suplier-key"},
            {"match": {"path": "/c/**"}},
            {"match": {"path": "/d/**"}, "authenticate": "by-client", "authorize": {"allow_if": "tenant ==" }},
        ],
    })
}

#[track_caller]
fn assert_names(log: &str, places: &[&str]) {
    for place in places {
        let line = log
            .lines()
            .find(|line| line.contains(&format!("policy: {place}")));
        assert!(line.is_some(), "nothing about {place}:\n{log}");
    }
}

#[test]
fn every_problem_is_told_at_once_with_its_place_and_mend() {
    let log = refusal(Listener::new("misshapen", misshapen().to_string()));
    assert_names(
        &log,
        &[
            "clients[0].secrets[0].expires",
            "authenticators.supplier-key.api_key",
            "authenticators.token.jwt.leeway",
            "rules[0].match.path",
            "rules[0]",
        ],
    );
    assert!(
        log.contains("there is no key \"prefx\" here; did you mean \"prefix\"?"),
        "{log}"
    );
    let log = refusal(Listener::new("mistaken", mistaken().to_string()));
    assert_names(
        &log,
        &[
            "clients[1].id",
            "clients[1].api_keys[0].sha256",
            "authenticators.token.jwt.algorithms",
            "authenticators.by-client.jwt.tenant",
            "tokens.t.exchange.url",
            "rules[1].match.path",
            "rules[2].authenticate",
            "rules[3]",
            "rules[4].authorize.allow_if",
        ],
    );
    assert!(log.contains(MEND), "{log}");
}

const MEND: &str = "no authenticator is called \"suplier-key\"; did you mean \"supplier-key\"?";

#[test]
fn a_policy_written_natively_is_refused_in_the_same_words() {
    let log = refusal(Listener::native("mistaken", &mistaken()));
    assert!(
        log.contains(&format!("policy: rules[2].authenticate: {MEND}")),
        "{log}"
    );
}

#[test]
fn broken_text_an_empty_policy_and_an_unset_variable_stop_envoy_too() {
    let good = json!({"version": 1, "rules": [{"match": {"path": "/**"}, "authenticate": "none"}],
        "errors": {"realm": "${NOT_SET_ANYWHERE}"}});
    for (policy, told) in [
        (format!("version: 1\nrules: [\n  {SECRET}"), "policy: "),
        (String::new(), "policy: "),
        ("version: 2\nrules: []".to_owned(), "policy: version"),
        (good.to_string(), "NOT_SET_ANYWHERE"),
    ] {
        let log = refusal(Listener::new("broken", policy.clone()));
        assert!(log.contains(told), "{policy}:\n{log}");
    }
}
