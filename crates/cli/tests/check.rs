//! `doorward check`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong panics"
)]

mod common;

use common::{Scratch, doorward, repository};
use serde_json::Value;

const GOOD: &str = "version: 1\nrules:\n  - {match: {path: /x}, authenticate: none}\n";
const BAD: &str =
    "version: 1\nrules:\n  - match: {path: /x}\n    authenticate: nobody\n    autorize: {}\n";
const NEEDS: &str = "version: 1\nauthenticators: {t: {jwt: {algorithms: [HS256], keys: [{secret: {value: \"${SECRET}\"}}]}}}\nrules:\n  - {match: {path: /x}, authenticate: t}\n";
const SECRET: &str = "SECRET=thirty-two-bytes-are-the-least-it-takes";

#[test]
fn good_policies_end_with_0_bad_ones_with_1_and_missing_ones_with_2() {
    let scratch = Scratch::new("check");
    let good = scratch.write("good.yaml", GOOD);
    let bad = scratch.write("bad.yaml", BAD);
    let missing = scratch.path("missing.yaml");
    for (files, code, out, err) in [
        (vec![&good], 0, "good.yaml: good, 1 rule(s)\n", ""),
        (vec![&bad], 1, "", "bad.yaml: 1 problem(s)"),
        (vec![&good, &bad], 1, "good.yaml: good", "autorize"),
        (vec![&missing], 2, "", "missing.yaml: No such file"),
        (
            vec![&good, &bad, &missing],
            2,
            "good.yaml: good",
            "missing.yaml",
        ),
    ] {
        let arguments: Vec<&str> = ["check"]
            .into_iter()
            .chain(files.iter().map(|file| file.as_str()))
            .collect();
        let run = doorward(&arguments, "");
        assert_eq!(run.code, code, "{run:?}");
        assert!(
            run.stdout.contains(out) && run.stderr.contains(err),
            "{run:?}"
        );
    }
}

#[test]
fn standard_input_is_checked() {
    let run = doorward(&["check", "-"], GOOD);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "standard input: good, 1 rule(s)\n")
    );
}

#[test]
fn json_tells_places() {
    let run = doorward(&["check", "--json", "-"], BAD);
    assert_eq!(run.code, 1);
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    let problem = &told["policies"][0]["problems"][0];
    assert_eq!(told["policies"][0]["good"], false);
    assert_eq!(problem["line"], 5);
    assert_eq!(problem["path"], "rules[0]");
    assert!(
        problem["message"].as_str().unwrap().contains("authorize"),
        "{problem}"
    );
    let run = doorward(&["check", "--json", "-"], GOOD);
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(told["policies"][0]["rules"], 1);
}

#[test]
fn variables_come_from_arguments_and_files_and_never_show() {
    let scratch = Scratch::new("check-env");
    let file = scratch.write("env", &format!("# a comment\n\n{SECRET}\n"));
    let short = scratch.write("short", "SECRET=too-short-and-secret\n");
    let broken = scratch.write("broken", "no variable but a secret\n");
    for (arguments, code) in [
        (vec!["--env", SECRET], 0),
        (vec!["--env-file", &file], 0),
        (vec![], 1),
        // Arguments go over files.
        (vec!["--env-file", &short, "--env", SECRET], 0),
        (vec!["--env-file", &short], 1),
        (vec!["--env-file", &broken], 2),
        (vec!["--env", "SECRET"], 2),
    ] {
        let all: Vec<&str> = ["check", "-"].into_iter().chain(arguments).collect();
        let run = doorward(&all, NEEDS);
        assert_eq!(run.code, code, "{all:?} {run:?}");
        for secret in ["too-short-and-secret", "no variable but"] {
            assert!(
                !run.stderr.contains(secret) && !run.stdout.contains(secret),
                "{run:?}"
            );
        }
    }
}

#[test]
fn the_policy_inside_an_envoy_configuration_is_checked_with_its_variables() {
    let run = doorward(&["check", "--envoy", &repository("envoy.yaml")], "");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains("doorward's policy at line"), "{run:?}");
    let native = r#"{"http_filters": [{"typed_config": {"config": {"name": "doorward",
        "vm_config": {"environment_variables": {"host_env_keys": ["SECRET"]}},
        "configuration": {"@type": "type.googleapis.com/google.protobuf.Struct", "value":
            {"version": 1, "authenticators": {"t": {"jwt": {"algorithms": ["HS256"],
                "keys": [{"secret": {"value": "${SECRET}"}}]}}},
             "rules": [{"match": {"path": "/x"}, "authenticate": "t"}]}}}}}]}"#;
    for (input, code) in [
        (native.to_owned(), 0),
        (
            native.replace(r#""authenticate": "t""#, r#""authenticate": "u""#),
            1,
        ),
        (native.replace("vm_config", "vm"), 2),
        ("{".to_owned(), 2),
    ] {
        let run = doorward(&["check", "--envoy", "-", "--env", SECRET], &input);
        assert_eq!(run.code, code, "{run:?}");
    }
}
