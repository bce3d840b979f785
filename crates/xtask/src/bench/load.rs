//! One turn: `wrk` sends, and the CPU time of the processes that serve is read before and after.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::paths;

/// Connections of the load, all kept: enough that the proxy always has something to do.
const CONNECTIONS: u32 = 16;
/// The unit of `/proc/<pid>/stat`: 1/100 s on every Linux (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// What a turn brought.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    /// CPU time a request, of all processes that serve, in microseconds.
    pub cpu: f64,
    /// Requests a second.
    pub rate: f64,
    /// Latency quantiles in microseconds: 50, 99 and 99.9 %.
    pub latency: [f64; 3],
}

#[derive(Deserialize)]
struct Summary {
    requests: u64,
    duration: u64,
    refused: u64,
    failed: u64,
    p50: f64,
    p99: f64,
    p999: f64,
}

/// Whether `wrk` is there; the error says how to get it.
pub fn check_wrk() -> Result<()> {
    let found = Command::new("wrk")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if found.is_err() {
        bail!(
            "the benchmark sends its load with wrk, which isn't there: `apt-get install wrk` brings it"
        );
    }
    Ok(())
}

/// Sends the requests of a file for so long, from the line `begin` on. `serving` are the processes that do the work.
pub fn turn(
    address: SocketAddr,
    requests: &Path,
    begin: usize,
    lasting: Duration,
    refuses: bool,
    serving: &[u32],
) -> Result<Turn> {
    let before = cpu_time(serving)?;
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", &CONNECTIONS.to_string()])
        .args(["--duration", &format!("{}s", lasting.as_secs().max(1))])
        .args(["--timeout", "10s", "--script"])
        .arg(paths::root().join("bench/load.lua"))
        .arg(format!("http://{address}"))
        .arg("--")
        .arg(requests)
        .arg(begin.to_string())
        .output()
        .context("running wrk")?;
    let spent = cpu_time(serving)?.saturating_sub(before);
    let text = String::from_utf8_lossy(&output.stdout);
    let summary: Summary = text
        .lines()
        .rev()
        .find(|line| line.starts_with('{'))
        .and_then(|line| serde_json::from_str(line).ok())
        .with_context(|| {
            format!(
                "wrk said: {text}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        })?;
    let expected = if refuses { summary.requests } else { 0 };
    ensure!(
        summary.requests > 0 && summary.refused == expected && summary.failed == 0,
        "of {} requests {} were refused and {} failed; {expected} should have been refused",
        summary.requests,
        summary.refused,
        summary.failed
    );
    let requests = summary.requests as f64;
    Ok(Turn {
        cpu: spent.as_secs_f64() * 1e6 / requests,
        rate: requests * 1e6 / summary.duration as f64,
        latency: [summary.p50, summary.p99, summary.p999],
    })
}

/// User and system time of these processes since they began.
pub fn cpu_time(processes: &[u32]) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for id in processes {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))
            .with_context(|| format!("process {id}; the benchmark needs Linux"))?;
        sum += ticks(&stat).context("/proc/<pid>/stat")? * TICK;
    }
    Ok(sum)
}

/// The 14th and 15th field. The second, the program's name, may hold anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    Some(user + fields.next()?.parse::<u32>().ok()?)
}

/// The resident memory of a process in bytes.
pub fn resident(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kilobytes.context("VmRSS")?.trim().parse::<u64>()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_read_behind_whatever_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 31 0 0 20 0 5 0 1 2 3";
        assert_eq!(ticks(stat), Some(281));
    }
}
