//! A long time under load: does memory grow, does latency?

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::plot::{self, Line};
use super::{Stand, inputs, load};
use crate::{envoy, paths, process};

/// What is sent in turn: new tokens, old ones, forged ones, keys and pairs.
pub const LANES: [&str; 6] = [
    "es256-new",
    "es256-again",
    "es256-forged",
    "es256-kid",
    "keys-100000",
    "pairs",
];

const TURN: Duration = Duration::from_secs(2);

/// Loads the gateway for so long; prints what became of memory and latency, and plots it into `docs/`.
pub fn run(stand: Stand, lasting: Duration) -> Result<()> {
    let begin = Instant::now();
    let mut memory = Vec::new();
    let mut middle = Vec::new();
    let mut high = Vec::new();
    let mut requests = 0.0;
    let mut round = 0;
    while begin.elapsed() < lasting {
        round += 1;
        let (mut p50, mut p99) = (0.0_f64, 0.0_f64);
        for lane in &stand.lanes {
            let turn = stand.turn(lane, round * 7919 % inputs::TOKENS, TURN)?;
            requests += turn.rate * TURN.as_secs_f64();
            let [half, most, _] = turn.latency;
            (p50, p99) = (p50.max(half), p99.max(most));
        }
        let bytes = load::resident(stand.envoy.pid())?;
        memory.push(bytes as f64 / f64::from(1 << 20));
        middle.push(p50 / 1000.0);
        high.push(p99 / 1000.0);
        process::progress(&format!(
            "{:.1} min: {:.0} MiB, p50 {:.2} ms, p99 {:.2} ms",
            begin.elapsed().as_secs_f64() / 60.0,
            memory.last().copied().unwrap_or_default(),
            p50 / 1000.0,
            p99 / 1000.0
        ));
    }
    let failures = stand.envoy.wasm_failures()?;
    anyhow::ensure!(failures.is_empty(), "VMs failed: {failures:?}");
    let (first, last) = memory
        .first()
        .zip(memory.last())
        .context("no round was done")?;
    println!(
        "{:.1} million requests in {:.0} minutes; resident memory {first:.0} MiB after the first round, {last:.0} MiB at the end",
        requests / 1e6,
        begin.elapsed().as_secs_f64() / 60.0
    );
    let note = format!(
        "Envoy {}, one worker, {:.1} million requests in {:.0} minutes; the worst of {} kinds of request",
        envoy::VERSION,
        requests / 1e6,
        begin.elapsed().as_secs_f64() / 60.0,
        LANES.len()
    );
    let svg = plot::lines(
        "Memory and latency over time",
        &note,
        &[
            Line {
                label: "resident memory of the proxy, MiB",
                values: &memory,
            },
            Line {
                label: "p50, ms",
                values: &middle,
            },
            Line {
                label: "p99, ms",
                values: &high,
            },
        ],
    );
    let path = paths::root().join("docs/soak.svg");
    std::fs::write(&path, svg)?;
    println!("{}", path.display());
    Ok(())
}
