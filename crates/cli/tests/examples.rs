//! Whatever a stranger may copy loads: the examples, the configurations of Envoy, and the policies
//! that stand in the documentation.
//!
//! In a Markdown file a fence ```` ```yaml policy ```` marks a whole policy, and
//! ```` ```yaml envoy ```` a part of an Envoy configuration with a policy inside.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this file is test code, which Clippy sees only in functions that are tests themselves"
)]

use doorward_core::policy;
use serde_yaml::{Mapping, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

type Variables = BTreeMap<String, String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn examples() -> Vec<PathBuf> {
    let mut examples: Vec<PathBuf> = std::fs::read_dir(root().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    examples.sort();
    assert!(examples.len() >= 5, "{examples:?}");
    examples
}

fn must_load(what: &str, policy: &str, environment: &dyn Fn(&str) -> Option<String>) {
    if let Err(problems) = policy::load(policy.as_bytes(), environment) {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{what}:\n{}", problems.join("\n"));
    }
}

fn variables(path: &Path) -> Variables {
    read(path)
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A policy inside a configuration of Envoy, with the variables that its VM has.
struct Inline {
    policy: String,
    variables: Variables,
}

/// The policies of all plugins in a part of Envoy's configuration.
fn inlined(value: &Value, found: &mut Vec<Inline>) {
    match value {
        Value::Sequence(items) => items.iter().for_each(|item| inlined(item, found)),
        Value::Mapping(members) => {
            if let Some(policy) = members
                .get("configuration")
                .and_then(|configuration| configuration.get("value"))
                .and_then(Value::as_str)
            {
                let given = &value["vm_config"]["environment_variables"]["key_values"];
                found.push(Inline {
                    policy: policy.to_owned(),
                    variables: serde_yaml::from_value(given.clone()).unwrap_or_default(),
                });
            }
            members.values().for_each(|member| inlined(member, found));
        }
        _ => {}
    }
}

fn inlined_in(path: &Path) -> Inline {
    let mut found = Vec::new();
    inlined(&serde_yaml::from_str(&read(path)).unwrap(), &mut found);
    assert_eq!(found.len(), 1, "{}", path.display());
    found.remove(0)
}

#[test]
fn every_example_passes_the_check_with_its_variables() {
    for example in examples() {
        let checked = Command::new(env!("CARGO_BIN_EXE_doorward"))
            .args(["check", "--env-file"])
            .args([example.join("policy.env"), example.join("policy.yaml")])
            .output()
            .unwrap();
        let problems = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{problems}");
        assert!(example.join("README.md").exists(), "{}", example.display());
    }
}

#[test]
fn the_policy_in_an_examples_envoy_configuration_is_the_examples_own() {
    for example in examples() {
        let inline = inlined_in(&example.join("envoy.yaml"));
        let place = example.display();
        assert_eq!(
            inline.policy,
            read(&example.join("policy.yaml")),
            "{place}: copy policy.yaml into envoy.yaml"
        );
        assert_eq!(
            inline.variables,
            variables(&example.join("policy.env")),
            "{place}: policy.env and envoy.yaml give other variables"
        );
    }
}

#[test]
fn every_envoy_configuration_is_safe_to_copy() {
    let configurations = examples()
        .iter()
        .map(|example| example.join("envoy.yaml"))
        .chain([root().join("envoy.yaml")])
        .collect::<Vec<_>>();
    for path in configurations {
        let text = read(&path);
        for needed in [
            "use_remote_address: true",
            "failure_policy: FAIL_RELOAD",
            "vm_id: doorward",
        ] {
            assert!(text.contains(needed), "{}: {needed}", path.display());
        }
        let inline = inlined_in(&path);
        // Without it the filter can't read the body of a token request.
        assert_eq!(
            inline.policy.contains("\n    issue:"),
            text.contains("allow_on_headers_stop_iteration: true"),
            "{}",
            path.display()
        );
        let environment = |name: &str| inline.variables.get(name).cloned();
        must_load(&path.display().to_string(), &inline.policy, &environment);
    }
}

/// The examples whose policies the repository's envoy.yaml holds. The others answer at paths of the
/// same names, in ways of their own: the demo gives each a listener.
const IN_THE_ROOT: [&str; 2] = ["client-exchange", "four-surfaces"];

/// The demo's envoy.yaml holds these examples' policies, joined: what is shown there is what stands
/// in the examples.
#[test]
fn the_demos_policy_is_the_examples_policies_together() {
    let mut joined = Mapping::new();
    for example in IN_THE_ROOT.map(|name| root().join("examples").join(name)) {
        // In the demo's network the OAuth server has a name.
        let policy = read(&example.join("policy.yaml"))
            .replace("${IDP}", "http://idp:9000")
            .replace("${ISSUER}", "http://idp:9000");
        let policy: Mapping = serde_yaml::from_str(&policy).unwrap();
        for (key, part) in policy {
            match (joined.get_mut(&key), part) {
                (Some(Value::Sequence(all)), Value::Sequence(more)) => all.extend(more),
                (Some(Value::Mapping(all)), Value::Mapping(more)) => all.extend(more),
                (_, part) => {
                    joined.insert(key, part);
                }
            }
        }
    }
    let demo: Mapping =
        serde_yaml::from_str(&inlined_in(&root().join("envoy.yaml")).policy).unwrap();
    assert_eq!(demo, joined);
}

/// The blocks of a Markdown text whose fence says so.
fn fenced(text: &str, info: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(opening)) if opening.trim() == info => block = Some(String::new()),
            (Some(_), Some(_)) => blocks.extend(block.take()),
            (Some(block), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, _) => {}
        }
    }
    blocks
}

#[test]
fn every_policy_in_the_documentation_loads() {
    let documents = std::fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .chain([root().join("README.md")]);
    // Long enough for a secret of HS512.
    let any =
        |_: &str| Some("a-value-of-the-environment-that-is-long-enough-for-any-of-the-uses".into());
    let mut count = 0;
    for path in documents {
        let text = read(&path);
        let mut policies = fenced(&text, "yaml policy");
        for block in fenced(&text, "yaml envoy") {
            let mut found = Vec::new();
            inlined(&serde_yaml::from_str(&block).unwrap(), &mut found);
            assert!(
                !found.is_empty(),
                "{}: no policy in {block}",
                path.display()
            );
            policies.extend(found.into_iter().map(|inline| inline.policy));
        }
        for policy in policies {
            count += 1;
            must_load(&format!("{}\n{policy}", path.display()), &policy, &any);
        }
    }
    assert!(count >= 2, "{count} policies found: are they still marked?");
}
