//! `doorward explain` over the agreement table.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong panics"
)]

mod common;
#[path = "../../../tests/agreement/table.rs"]
mod table;

use common::{Scratch, doorward};
use doorward_core::reply::Reason;
use serde_json::Value;
use std::collections::BTreeMap;
use table::{Row, Table, fill};

#[test]
fn explain_tells_what_the_table_says() {
    let table = table::read();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let tokens = table.sign(i64::try_from(now).unwrap());
    let scratch = Scratch::new("agreement");
    scratch.write("policy.yaml", table::POLICY);
    scratch.write("policy.env", table::ENVIRONMENT);
    let servers = server_arguments(&table, &tokens, &scratch);
    let mut wrong = Vec::new();
    for row in &table.requests {
        if let Err(problem) = judge(row, &tokens, &servers, &scratch) {
            wrong.push(format!("{}: {problem}", row.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} row(s):\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_table_is_wide_and_names_its_rows() {
    let table = table::read();
    assert!(table.requests.len() >= 150, "{}", table.requests.len());
    let mut names: Vec<&str> = table.requests.iter().map(|row| row.name.as_str()).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        assert_ne!(pair[0], pair[1], "two rows of one name");
    }
    let given = |reason: &&Reason| {
        let mut rows = table.requests.iter();
        rows.any(|row| row.reason.as_deref() == Some(reason.name()))
    };
    let missing: Vec<&str> = Reason::ALL
        .iter()
        .filter(|reason| !given(reason))
        .map(|reason| reason.name())
        .collect();
    // A broken head, a full table, a body that never comes, a filter between two policies and a
    // server that gives no answer need more than a request.
    let elsewhere = [
        "body_timeout",
        "body_withheld",
        "exchange_timeout",
        "exchange_unreachable",
        "replay_full",
        "replay_unrecorded",
        "header_forbidden",
        "limit_uncounted",
        "overloaded",
        "internal",
    ];
    let missing: Vec<_> = missing
        .into_iter()
        .filter(|name| !elsewhere.contains(name))
        .collect();
    assert!(missing.is_empty(), "no row is refused for {missing:?}");
}

/// What the servers answer, as arguments.
fn server_arguments(
    table: &Table,
    tokens: &BTreeMap<String, String>,
    scratch: &Scratch,
) -> Vec<String> {
    let mut arguments = Vec::new();
    for (number, server) in table.servers.iter().enumerate() {
        let [kind, name] = &server.explain;
        let status = server.status.unwrap_or(200);
        let answer = match &server.body {
            Some(body) => {
                let file = scratch.write(&format!("answer-{number}"), &fill(body, tokens));
                format!("{status}:{file}")
            }
            None => status.to_string(),
        };
        arguments.extend([format!("--{kind}"), format!("{name}={answer}")]);
    }
    arguments
}

fn judge(
    row: &Row,
    tokens: &BTreeMap<String, String>,
    servers: &[String],
    scratch: &Scratch,
) -> Result<(), String> {
    let mut arguments: Vec<String> = ["explain", "--json", "--policy"].map(Into::into).into();
    arguments.extend([
        scratch.path("policy.yaml"),
        "--env-file".into(),
        scratch.path("policy.env"),
    ]);
    arguments.extend(["--request".into(), fill(&row.request, tokens)]);
    let host = row.host.as_deref().unwrap_or("acme.example.com");
    arguments.extend(["-H".into(), format!("host: {host}")]);
    for header in &row.headers {
        arguments.extend(["-H".into(), fill(header, tokens)]);
    }
    if let Some(token) = &row.token {
        arguments.extend(["--token".into(), tokens[token].clone()]);
    }
    if let Some(data) = &row.data {
        arguments.extend(["--data".into(), fill(data, tokens)]);
    }
    if let Some(source) = &row.source {
        arguments.extend(["--source".into(), source.clone()]);
    }
    if let Some(repeat) = row.repeat {
        arguments.extend(["--repeat".into(), repeat.to_string()]);
    }
    arguments.extend_from_slice(servers);
    let run = doorward(&arguments, "");
    let told: Value = serde_json::from_str(&run.stdout)
        .map_err(|_| format!("no JSON: {} {}", run.stdout, run.stderr))?;
    let differs = |what: &str, expected: &str, found: &Value| {
        Err(format!(
            "{what}: expected {expected}, found {found}: {}",
            told["steps"]
        ))
    };
    let expected_code = i32::from(row.reason.is_some());
    if run.code != expected_code {
        return differs("exit code", &expected_code.to_string(), &run.code.into());
    }
    match &row.reason {
        None if row.issues == Some(true) => {
            if told["verdict"] != "answer" || told["answers"] != "token" {
                return differs("verdict", "answer", &told["reason"]);
            }
            compare(&row.answer, &pairs(&told["answer"]["headers"]), tokens)
        }
        None => {
            if told["verdict"] != "forward" {
                return differs("verdict", "forward", &told["reason"]);
            }
            let seen = pairs(&told["upstream"]["headers"]);
            compare(&row.upstream, &seen, tokens)
        }
        Some(reason) => {
            if told["reason"] != reason.as_str() {
                return differs("reason", reason, &told["reason"]);
            }
            let reason = Reason::ALL.iter().find(|one| one.name() == reason);
            let status = row.status.or(reason.map(|one| one.public().status.into()));
            if told["answer"]["status"].as_u64() != status {
                return differs("status", &format!("{status:?}"), &told["answer"]["status"]);
            }
            if let Some(body) = &row.body
                && told["answer"]["body"] != body.as_str()
            {
                return differs("body", body, &told["answer"]["body"]);
            }
            compare(&row.answer, &pairs(&told["answer"]["headers"]), tokens)
        }
    }
}

fn pairs(headers: &Value) -> Vec<(String, String)> {
    serde_json::from_value(headers.clone()).unwrap()
}

fn compare(
    expected: &BTreeMap<String, Option<String>>,
    found: &[(String, String)],
    tokens: &BTreeMap<String, String>,
) -> Result<(), String> {
    for (name, value) in expected {
        let mut found = found.iter().filter(|(other, _)| other == name);
        let value = value.as_ref().map(|value| fill(value, tokens));
        let first = found.next().map(|(_, value)| value.as_str());
        let fits = match (value.as_deref(), first) {
            (Some("*"), Some(_)) => true,
            (expected, found) => expected == found,
        };
        if !fits {
            return Err(format!("{name}: expected {value:?}, found {first:?}"));
        }
    }
    Ok(())
}
