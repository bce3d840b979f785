//! `doorward explain`, beside the agreement table.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong panics"
)]

mod common;

use common::{Run, Scratch, doorward, repository};

fn explain(arguments: &[&str], input: &str) -> Run {
    let policy = repository("tests/agreement/policy.yaml");
    let environment = repository("tests/agreement/policy.env");
    let mut all = vec!["explain", "--policy", &policy, "--env-file", &environment];
    all.extend(arguments);
    doorward(&all, input)
}

#[test]
fn a_refusal_is_told_step_by_step() {
    let run = explain(
        &[
            "-r",
            "GET https://acme.example.com/scoped/a?x=1",
            "--at",
            "2026-11-21T12:00:00Z",
        ],
        "",
    );
    assert_eq!(run.code, 1);
    let expected = "\
GET /scoped/a?x=1 on acme.example.com
  rules[4] (line LINE) /scoped/** matches
  authenticator partner refuses: credentials_missing: No source that the rule's authenticators name holds a credential.

refused with 401: credentials_missing
  credentials_missing: No source that the rule's authenticators name holds a credential.
  content-type: application/problem+json
  www-authenticate: Bearer realm=\"api\"
  cache-control: no-store
  {\"detail\":\"Credentials are required\",\"reason\":\"credentials_missing\",\"status\":401,\"title\":\"Unauthorized\",\"type\":\"about:blank\"}
";
    let policy = std::fs::read_to_string(repository("tests/agreement/policy.yaml")).unwrap();
    let line = policy
        .lines()
        .position(|line| line.contains("/scoped/**"))
        .unwrap()
        + 1;
    assert_eq!(run.stdout, expected.replace("LINE", &line.to_string()));
}

#[test]
fn what_goes_on_is_told_with_its_edits() {
    let run = explain(
        &[
            "-r",
            "GET /suppliers/a",
            "-H",
            "ApiKey: ak_live_narrow",
            "-H",
            "X-Auth-Client: forged",
        ],
        "",
    );
    assert_eq!(run.code, 0, "{run:?}");
    for line in [
        "authenticator supplier-key accepts: client supplier-7, tenant acme, scopes supplier:read",
        "scopes: supplier:read: held",
        "goes on to the upstream\n  - apikey\n  + x-auth-client: supplier-7\n",
        "the upstream sees\n  :method: GET\n",
    ] {
        assert!(run.stdout.contains(line), "{line}\n{}", run.stdout);
    }
}

#[test]
fn a_call_without_an_answer_is_shown_and_counts_as_unreachable() {
    let pair = ["-H", "x-client-id: a", "-H", "x-client-secret: b"];
    let run = explain(&[&["-r", "GET /pair/a"][..], &pair].concat(), "");
    assert_eq!(run.code, 1);
    assert!(
        run.stdout
            .contains("would call cluster servers: POST http://servers/token/good"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("exchange_unavailable"));
    let run = explain(
        &[&["-r", "GET /pair/a", "--exchange", "good=401"][..], &pair].concat(),
        "",
    );
    assert!(
        run.stdout
            .contains("answers POST http://servers/token/good: 401, as given"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("refused with 401: exchange_refused"));
}

#[test]
fn the_clock_stands_where_it_is_put() {
    let scratch = Scratch::new("explain-clock");
    let policy = repository("tests/agreement/policy.yaml");
    let environment = repository("tests/agreement/policy.env");
    let at = "2030-01-01T00:00:00Z";
    let minted = doorward(
        &[
            "mint",
            "--policy",
            &policy,
            "--env-file",
            &environment,
            "--authenticator",
            "partner",
            "--claims",
            r#"{"tenant": "acme"}"#,
            "--at",
            at,
        ],
        "",
    );
    let token = format!("@{}", scratch.write("token", &minted.stdout));
    for (time, reason) in [
        ("2030-01-01T00:30:00Z", "goes on to the upstream"),
        ("2030-01-01T01:01:00Z", "token_expired"),
        ("2029-12-31T23:00:00Z", "token_not_yet_valid"),
    ] {
        let run = explain(
            &["-r", "GET /partner/a", "--token", &token, "--at", time],
            "",
        );
        assert!(run.stdout.contains(reason), "{time}\n{}", run.stdout);
    }
}

#[test]
fn shadowed_rules_tell_what_they_would_do() {
    let run = explain(&["-r", "GET /shadow/a"], "");
    assert_eq!(run.code, 0);
    assert!(
        run.stdout
            .contains("in shadow mode; it would be refused: credentials_missing"),
        "{}",
        run.stdout
    );
}

#[test]
fn the_policy_inside_an_envoy_configuration_is_explained() {
    let envoy = repository("envoy.yaml");
    let run = doorward(
        &[
            "explain",
            "--envoy",
            "-p",
            &envoy,
            "-r",
            "GET http://acme.example.com/Payment/a",
        ],
        "",
    );
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.stdout
            .contains("authenticator tenant-key refuses: credentials_missing"),
        "{run:?}"
    );
}

#[test]
fn mistakes_in_arguments_are_told() {
    for (arguments, named) in [
        (vec!["-r", "GET"], "expected a method and a target"),
        (vec!["-r", "GET /x", "-H", "no colon"], "expected a header"),
        (vec!["-r", "GET /x", "--at", "yesterday"], "expected a time"),
        (
            vec!["-r", "GET /x", "--source", "here"],
            "invalid IP address",
        ),
        (
            vec!["-r", "GET /x", "--jwks", "http://servers/jwk=x"],
            "did you mean \"http://servers/jwks\"?",
        ),
        (
            vec!["-r", "GET /x", "--exchange", "goood=x"],
            "did you mean \"good\"?",
        ),
        (
            vec!["-r", "GET /x", "--lookup", "partner=x"],
            "there are: looked-up",
        ),
        (
            vec!["-r", "GET /x", "--exchange", "good=/no/such/file"],
            "No such file",
        ),
        (
            vec!["-r", "GET /x", "--exchange", "good"],
            "expected NAME=FILE",
        ),
        (vec![], "--request"),
    ] {
        let run = explain(&arguments, "");
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(run.stderr.contains(named), "{arguments:?} {}", run.stderr);
    }
    let run = doorward(&["explain", "-p", "-", "-r", "GET /x"], "version: 1\n");
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("would not load") && run.stderr.contains("rules"),
        "{}",
        run.stderr
    );
}
