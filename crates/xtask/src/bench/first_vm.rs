//! How long a proxy waits for the module at its start: what a real Envoy with Doorward takes to serve, beyond what one
//! without any filter takes.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::{lanes, peers, policies};
use crate::{module, process};

/// Wall-clock time for compiling the module, the VM of the main thread and that of one worker, and a small policy in
/// both; the median of so many starts of each, known to 20 ms. In microseconds.
pub fn measure(starts: usize) -> Result<f64> {
    let module = module::build()?;
    process::progress("timing Envoy's start");
    let policy = policies::tokens("HS256")?.to_string();
    let with = [lanes::wasm("doorward", "doorward", &module, &policy)?];
    let (mut without, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..starts {
        without.push(start(&[])?);
        whole.push(start(&with)?);
    }
    let beyond = median(whole).saturating_sub(median(without));
    Ok(beyond.as_secs_f64() * 1e6)
}

fn start(filters: &[Value]) -> Result<Duration> {
    let listeners = [peers::listener("one", filters)];
    let began = Instant::now();
    let envoy = peers::start(&listeners, &[])?;
    let taken = began.elapsed();
    drop(envoy);
    Ok(taken)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
