//! The agreement table in Envoy: the filter does what `doorward explain` tells
//! (crates/cli/tests/agreement.rs holds explain to the same table).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong panics"
)]

mod servers;
mod table;

use doorward_core::reply::Reason;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use table::{Row, fill};
use xtask::client::{Answer, Client};
use xtask::envoy::{Envoy, Options};
use xtask::upstream::Echo;

#[test]
fn the_filter_does_what_the_table_says() {
    let mut table = table::read();
    let servers = servers::start(std::mem::take(&mut table.servers));
    let upstream = Echo::start().unwrap();
    let clusters = [("servers", servers.port), ("upstream", upstream.port())];
    let envoy = Envoy::start(&configuration(&clusters), Options::default()).unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let tokens = table.sign(i64::try_from(now).unwrap());
    servers.tokens.lock().unwrap().clone_from(&tokens);
    let client = envoy.client();
    let mut wrong = Vec::new();
    for row in &table.requests {
        if let Err(problem) = judge(row, &tokens, &client) {
            wrong.push(format!("{}: {problem}", row.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} row(s):\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert_eq!(envoy.wasm_failures().unwrap(), []);
}

fn judge(row: &Row, tokens: &BTreeMap<String, String>, client: &Client) -> Result<(), String> {
    let mut answer = None;
    for _ in 0..row.repeat.unwrap_or(1) {
        answer = Some(send(row, tokens, client)?);
    }
    let answer = answer.ok_or("never sent")?;
    let reason = row.reason.as_deref();
    let details = match row.issues {
        Some(true) => Some("doorward_answered{token}".to_owned()),
        _ => reason.map(|reason| format!("doorward_denied{{{reason}}}")),
    };
    if answer.header("x-details") != details.as_deref() {
        return Err(format!(
            "expected {reason:?}, found {} {:?}: {}",
            answer.status,
            answer.header("x-details"),
            answer.text()
        ));
    }
    let public = Reason::ALL.iter().find(|one| Some(one.name()) == reason);
    let status = row
        .status
        .unwrap_or(public.map_or(200, |one| one.public().status.into()));
    if u64::from(answer.status) != status {
        return Err(format!(
            "expected the status {status}, found {}",
            answer.status
        ));
    }
    if let Some(body) = &row.body
        && *body != answer.text()
    {
        return Err(format!("expected the body {body}, found {}", answer.text()));
    }
    if reason.is_some() || row.issues == Some(true) {
        let found = |name: &str| answer.header(name).map(str::to_owned);
        return compare(&row.answer, found, tokens);
    }
    let seen = answer.upstream().map_err(|error| error.to_string())?;
    let found = |name: &str| match name {
        ":path" => Some(seen.path.clone()),
        name => seen.header(name).map(str::to_owned),
    };
    compare(&row.upstream, found, tokens)
}

fn send(row: &Row, tokens: &BTreeMap<String, String>, client: &Client) -> Result<Answer, String> {
    let line = fill(&row.request, tokens);
    let (method, target) = line.split_once(' ').ok_or("no method")?;
    let host = row.host.as_deref().unwrap_or("acme.example.com");
    let mut request = client.request(method, target).host(host);
    for header in &row.headers {
        let header = fill(header, tokens);
        let (name, value) = header.split_once(':').ok_or("a header without a colon")?;
        request = request.header(name, value.trim());
    }
    if let Some(token) = &row.token {
        request = request.bearer(&tokens[token]);
    }
    if let Some(source) = &row.source {
        request = request.header("x-forwarded-for", source);
    }
    if let Some(data) = &row.data {
        request = request.body(fill(data, tokens));
    }
    request.send().map_err(|error| error.to_string())
}

fn compare(
    expected: &BTreeMap<String, Option<String>>,
    found: impl Fn(&str) -> Option<String>,
    tokens: &BTreeMap<String, String>,
) -> Result<(), String> {
    for (name, value) in expected {
        let value = value.as_ref().map(|value| fill(value, tokens));
        let found = found(name);
        let fits = match (value.as_deref(), &found) {
            (Some("*"), Some(_)) => true,
            _ => value == found,
        };
        if !fits {
            return Err(format!("{name}: expected {value:?}, found {found:?}"));
        }
    }
    Ok(())
}

/// Envoy with the table's policy. One hop in front is trusted, so that a row may name its
/// caller's address; each refusal tells its details.
fn configuration(clusters: &[(&str, u16)]) -> String {
    let environment: BTreeMap<_, _> = table::environment().into_iter().collect();
    let plugin = json!({
        "name": "doorward", "root_id": "doorward", "failure_policy": "FAIL_RELOAD",
        "allow_on_headers_stop_iteration": true,
        "vm_config": {
            "vm_id": "doorward", "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": "{{module}}"}},
            "environment_variables": {"key_values": environment},
        },
        "configuration": {
            "@type": "type.googleapis.com/google.protobuf.StringValue", "value": table::POLICY,
        },
    });
    let any = json!({"status_code_filter": {"comparison": {
        "op": "GE", "value": {"default_value": 0, "runtime_key": "unused"}}}});
    let details = json!([{"header": {"key": "x-details", "value": "%RESPONSE_CODE_DETAILS%"}}]);
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ingress",
        "use_remote_address": true,
        "xff_num_trusted_hops": 1,
        "local_reply_config": {"mappers": [{"filter": any, "headers_to_add": details}]},
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]}]},
        "http_filters": [
            {"name": "doorward", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": plugin}},
            {"name": "envoy.filters.http.router", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}},
        ],
    });
    let clusters: Vec<Value> = clusters
        .iter()
        .map(|(name, port)| {
            let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
            json!({"name": name, "load_assignment": {"cluster_name": name, "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": address}}]}]}})
        })
        .collect();
    let resources = json!({
        "listeners": [{
            "name": "ingress",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
        }],
        "clusters": clusters,
    });
    // JSON is YAML; the harness adds the admin interface as a line of its own.
    format!("static_resources: {resources}\n")
}
