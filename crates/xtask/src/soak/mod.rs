//! `cargo xtask soak`: many clients, tokens of a short life, an OAuth server that fails a third of the time.
//!
//! What must hold, however long it runs: whatever reaches the upstream carries a live token of the client that sent
//! it ([`upstream`]); callers get 200 or an honest 503; the OAuth server is called no more often than single flight
//! and tries allow ([`bound`]); and memory doesn't drift upwards ([`memory`]).

mod bound;
mod load;
mod memory;
mod report;
mod upstream;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jsonwebtoken::Algorithm;

use crate::envoy::{Envoy, Options};
use crate::paths;
use crate::process::progress;
use crate::server::{Outcome, Reply};
use crate::token_endpoint::Scripted;
use bound::Calls;
use load::Load;
use memory::Memory;
use report::{Minute, Report};
use upstream::Checking;

const CONFIG: &str = include_str!("envoy.yaml");
/// The life of a token.
const LIFE: Duration = Duration::from_secs(20);
/// Of so many calls one fails.
const FAILS_ONE_OF: usize = 3;
/// The length of the row of accidents: so long that it is in step with nothing else.
const ACCIDENTS: usize = 997;
/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_secs(5);

/// How it runs.
#[derive(Debug, Clone, clap::Args)]
pub struct Soak {
    /// For how long
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=24 * 60))]
    minutes: u64,
    /// How many clients call, each about once a second
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=2000))]
    clients: u32,
    /// Envoy's workers
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// How often a call that fails is tried in all. With the default about one exchange of 59,000 comes to nothing where
    /// a third of the calls fail; with 6 one of 729, which callers see whose client holds no token yet; with the policy's
    /// own default of 2 one of 9
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10))]
    attempts: u32,
    /// After how many exchanges on end that came to nothing a worker leaves the OAuth server alone
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    breaker: u32,
    /// Where report.md and report.json go; target/soak where it isn't given
    #[arg(long, value_name = "DIRECTORY")]
    report: Option<PathBuf>,
}

impl Soak {
    /// Runs it, printing a line for each minute. False where something didn't hold.
    pub fn run(&self) -> Result<bool> {
        let directory = match &self.report {
            Some(directory) => directory.clone(),
            None => paths::target("soak")?,
        };
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("making {}", directory.display()))?;
        progress("starting Envoy, the OAuth server and the upstream");
        let endpoint = Scripted::start()?;
        let ids: Vec<_> = (0..self.clients)
            .map(|number| format!("client-{number}"))
            .collect();
        for id in &ids {
            endpoint.set_client(id, &[load::SECRET]);
        }
        endpoint.set(|settings| {
            settings.lifetime = LIFE;
            // Signs faster than RSA in this process, which is not what is measured.
            settings.algorithm = Algorithm::ES256;
            settings.accidents = accidents();
        });
        let upstream = Checking::start()?;
        let options = Options::default()
            .workers(self.workers)
            .var("attempts", self.attempts)
            .var("breaker", self.breaker)
            .var("endpoint", endpoint.port())
            .var("upstream", upstream.port());
        let envoy = Envoy::start(CONFIG, options)?;
        let report = self.watch(&envoy, &endpoint, &upstream, &ids)?;
        report.write(&directory)?;
        print!("\n{}", report.to_markdown());
        println!("\n{}", directory.join("report.md").display());
        Ok(report.is_good())
    }

    /// Loads it for the time, looking at everything meanwhile.
    fn watch(
        &self,
        envoy: &Envoy,
        endpoint: &Scripted,
        upstream: &Checking,
        ids: &[String],
    ) -> Result<Report> {
        let total = Duration::from_secs(self.minutes.saturating_mul(60));
        let load = Load::new(envoy.address());
        let mut calls = Calls::default();
        let mut memory = Memory::default();
        let mut minutes = Vec::new();
        let start = Instant::now();
        let done = AtomicBool::new(false);
        println!("{}", Minute::HEADING);
        let outcome = std::thread::scope(|scope| -> Result<()> {
            // The callers end however this ends.
            let _ends = Ends(&done);
            for some in ids.chunks(ids.len().div_ceil(load::THREADS).max(1)) {
                let (load, done) = (&load, &done);
                scope.spawn(move || load.call(some, done));
            }
            let mut next_minute = Duration::from_secs(60);
            while start.elapsed() < total {
                let left = total.saturating_sub(start.elapsed());
                std::thread::sleep(SAMPLE.min(left));
                memory.sample(envoy, start.elapsed())?;
                calls.add(endpoint.take_token_requests());
                if start.elapsed() >= next_minute {
                    let minute = Minute::new(minutes.len(), &load, &calls, &memory, upstream);
                    println!("{}", minute.to_line());
                    minutes.push(minute);
                    next_minute += Duration::from_secs(60);
                }
            }
            Ok(())
        });
        outcome?;
        calls.add(endpoint.take_token_requests());
        Ok(Report {
            settings: report::Settings {
                minutes: self.minutes,
                clients: self.clients,
                workers: self.workers,
                attempts: self.attempts,
                breaker: self.breaker,
                life: LIFE,
                fails_one_of: FAILS_ONE_OF,
            },
            minutes,
            answers: load.answers(),
            wrong_answers: load.wrong(),
            passed: upstream.passed(),
            wrong_tokens: upstream.wrong(),
            calls: calls.judge(start.elapsed(), ids.len(), LIFE, FAILS_ONE_OF),
            memory: memory.judge(),
            failures: envoy.wasm_failures()?,
        })
    }
}

/// Tells the callers to end when it is dropped.
struct Ends<'e>(&'e AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A row in which one of [`FAILS_ONE_OF`] is an accident, in no order, the same in every run.
fn accidents() -> Vec<Option<Outcome>> {
    let reply = |status, body: &'static str| Reply::new(status, "text/plain", body);
    let kinds = [
        Outcome::Reply(reply(500, "oops")),
        Outcome::Reply(reply(503, "later")),
        Outcome::Close,
        Outcome::CutShort(reply(200, "{\"access_token\": \"a.b.c\"}")),
    ];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = || {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap_or_default()
    };
    let mut row = Vec::with_capacity(ACCIDENTS);
    for _ in 0..ACCIDENTS {
        let kind = kinds.get(random() % kinds.len()).cloned();
        row.push(kind.filter(|_| random().is_multiple_of(FAILS_ONE_OF)));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_a_third_of_the_calls_are_accidents() {
        let row = accidents();
        let count = row.iter().flatten().count();
        assert!(
            (ACCIDENTS * 3 / 10..ACCIDENTS * 37 / 100).contains(&count),
            "{count}"
        );
    }
}
