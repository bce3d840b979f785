//! `schema`, `completions`, `man`, and the reference made of the schema.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong panics"
)]

mod common;
mod validate;

use common::{Scratch, output, repository};
use doorward_core::policy::document::{self, Json};
use serde_json::{Value, json};

/// A policy as JSON, its variables left as they are.
fn policy(text: &str) -> Value {
    let node = document::read(text.as_bytes()).unwrap();
    let kept = |name: &str| Some(format!("${{{name}}}"));
    let json: Json = document::decode(&node, &kept).unwrap();
    json.into_value()
}

fn schema() -> Value {
    serde_json::from_str(&output(&["schema"], "")).unwrap()
}

#[test]
fn policies_fit_the_schema() {
    let schema = schema();
    let read = |path: &str| std::fs::read_to_string(repository(path)).unwrap();
    let envoy = policy(&read("envoy.yaml"));
    let demo = envoy
        .pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config/configuration/value")
        .and_then(Value::as_str)
        .unwrap();
    let mut policies = vec![demo.to_owned(), read("tests/agreement/policy.yaml")];
    for example in std::fs::read_dir(repository("examples"))
        .into_iter()
        .flatten()
    {
        let file = example.unwrap().path().join("policy.yaml");
        policies.extend(std::fs::read_to_string(file));
    }
    for text in policies {
        let problems = validate::problems(&schema, &policy(&text));
        assert!(problems.is_empty(), "{problems:#?}");
    }
}

#[test]
fn the_schema_refuses_what_it_can_know() {
    let schema = schema();
    let with = |change: fn(&mut Value)| {
        let mut policy = json!({"version": 1,
            "authenticators": {"t": {"jwt": {"algorithms": "ES256", "keys": {"pem": "x"}, "leeway": "30s"}}},
            "rules": [{"match": {"path": "/x"}, "authenticate": {"any": ["t", {"all": ["t", "t"]}]}}]});
        change(&mut policy);
        validate::problems(&schema, &policy).is_empty()
    };
    assert!(with(|_| {}));
    let wrong: [fn(&mut Value); 7] = [
        |policy| policy["version"] = json!(2),
        |policy| policy["autenticators"] = json!({}),
        |policy| policy["rules"] = Value::Null,
        |policy| policy["authenticators"]["t"]["jwt"]["algorithms"] = json!(["none"]),
        |policy| policy["authenticators"]["t"]["jwt"]["leeway"] = json!("30 seconds"),
        |policy| policy["authenticators"]["t"]["api_key"] = json!({"from": {"header": "x"}}),
        |policy| policy["rules"][0]["authenticate"]["any"][1] = json!({"some": []}),
    ];
    for (number, change) in wrong.into_iter().enumerate() {
        assert!(!with(change), "{number}");
    }
}

#[test]
fn the_reference_of_all_keys_is_up_to_date() {
    let made = output(&["schema", "--format", "markdown"], "");
    let path = repository("docs/policy-keys.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(repository("docs")).unwrap();
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/policy-keys.md is stale: run UPDATE_DOCS=1 cargo test --package doorward-cli --test docs"
    );
    // Links lead to headings.
    for link in made.split("](#").skip(1) {
        let anchor = link.split(')').next().unwrap();
        let heading = |line: &str| {
            let text = line.strip_prefix("## ")?;
            Some(text.to_lowercase().replace(' ', "-"))
        };
        assert!(
            made.lines()
                .any(|line| heading(line).as_deref() == Some(anchor)),
            "#{anchor}"
        );
    }
}

#[test]
fn completions_and_pages_know_every_command() {
    let commands = [
        "check",
        "explain",
        "schema",
        "hash-key",
        "new-key",
        "new-client",
        "fingerprint",
        "jwks",
        "mint",
    ];
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = output(&["completions", shell], "");
        for command in commands {
            assert!(script.contains(command), "{shell} {command}");
        }
    }
    assert!(output(&["man"], "").starts_with(".ie"), "no page");
    let scratch = Scratch::new("man");
    output(&["man", "--directory", &scratch.path("")], "");
    for command in commands {
        assert!(
            std::fs::exists(scratch.path(&format!("doorward-{command}.1"))).unwrap(),
            "{command}"
        );
    }
}

#[test]
fn every_command_helps() {
    for command in [
        "check",
        "explain",
        "schema",
        "hash-key",
        "new-key",
        "new-client",
        "fingerprint",
        "jwks",
        "mint",
        "completions",
        "man",
    ] {
        let help = output(&[command, "--help"], "");
        assert!(help.contains("Usage: doorward"), "{command}");
    }
}
