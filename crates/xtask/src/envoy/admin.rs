//! Envoy's admin interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::client::Client;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Each listener's name and address where Envoy is ready, `None` where it isn't yet.
pub(super) fn listeners_when_ready(admin: SocketAddr) -> Result<Option<Vec<(String, SocketAddr)>>> {
    let client = Client::new(admin).timeout(TIMEOUT);
    if client.get("/ready").send()?.status != 200 {
        return Ok(None);
    }
    let listeners = client.get("/listeners?format=json").send()?.json()?;
    let mut found = Vec::new();
    for status in listeners
        .get("listener_statuses")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |pointer| status.pointer(pointer).and_then(Value::as_str);
        let port = status
            .pointer("/local_address/socket_address/port_value")
            .and_then(Value::as_u64);
        let (Some(name), Some(port)) = (text("/name"), port) else {
            continue;
        };
        // A listener on all addresses is reached at this one.
        let host = match text("/local_address/socket_address/address") {
            None | Some("0.0.0.0" | "::") => "127.0.0.1",
            Some(host) => host,
        };
        found.push((
            name.to_owned(),
            format!("{host}:{port}")
                .parse()
                .context("a listener's address")?,
        ));
    }
    Ok(Some(found))
}

/// Counters and gauges by name; histograms are left out.
pub(super) fn stats(admin: SocketAddr) -> Result<BTreeMap<String, u64>> {
    let answer = Client::new(admin).timeout(TIMEOUT).get("/stats").send()?;
    if answer.status != 200 {
        bail!("Envoy's /stats: {}", answer.status);
    }
    let text = answer.text();
    let pairs = text.lines().filter_map(|line| line.rsplit_once(": "));
    Ok(pairs
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect())
}

/// What tells of a VM that failed. A trap has no counter of its own in 1.40: the log has it at once, the reload
/// counters only when the next request comes.
pub(super) fn wasm_failures(stats: BTreeMap<String, u64>, log: &str) -> Vec<(String, u64)> {
    let counts = |name: &str| {
        name.starts_with("wasm.") && (name.contains(".vm_reload") || name.ends_with("_failures"))
    };
    let mut failures: Vec<_> = stats
        .into_iter()
        .filter(|(name, value)| *value > 0 && counts(name))
        .collect();
    let traps = log
        .lines()
        .filter(|line| line.contains("[wasm]") && line.contains(" failed: Uncaught "));
    let traps = u64::try_from(traps.count()).unwrap_or(u64::MAX);
    if traps > 0 {
        failures.push(("traps in the log".to_owned(), traps));
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trap_is_a_failure_and_a_running_vm_is_not() {
        let stats = |reloads| {
            BTreeMap::from([
                ("wasm.wasm_vm_count".to_owned(), 4),
                ("wasm.doorward.vm_reload_success".to_owned(), reloads),
            ])
        };
        assert_eq!(wasm_failures(stats(0), "[info][wasm] fine"), []);
        let log = "[1][error][wasm] [x.cc:38] Function: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable";
        let failures = wasm_failures(stats(1), log);
        assert_eq!(
            failures.iter().map(|(_, count)| *count).collect::<Vec<_>>(),
            [1, 1]
        );
    }
}
