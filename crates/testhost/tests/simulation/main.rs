//! Whole worlds, each made from one seed: clients, policies, clocks, servers, crashes and
//! updates as chance has them, and a reference model that says what may become of each request.
//!
//! `cargo test` runs 2,000 of them, `cargo xtask simulate --seeds N` as many as wanted. A world
//! that fails is told with its seed and its trace, and `--seed S` runs it again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is test code, which Clippy sees only in functions that are tests themselves"
)]

mod bounds;
mod credentials;
mod dice;
mod exchanges;
mod history;
mod jwt;
mod model;
mod plan;
mod servers;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Instant;
use testhost::Filter;

/// How many worlds `cargo test` runs.
const SEEDS: u64 = 2000;
/// How much of a trace is printed: its end tells most.
const SHOWN: usize = 400;
/// After how many seeds a long run says how far it is.
const SIGN_OF_LIFE: u64 = 5000;

static FILTER: LazyLock<Filter> = LazyLock::new(|| {
    let module = xtask::module::build().unwrap();
    Filter::from_file(module).unwrap()
});

/// What `cargo xtask simulate` asks for.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[test]
fn in_no_world_anything_happens_that_must_not() {
    let first = asked("SIMULATE_SEED").unwrap_or(1);
    let seeds = asked("SIMULATE_SEEDS").unwrap_or(SEEDS);
    let (next, end) = (AtomicU64::new(first), first + seeds);
    let failed: Mutex<Option<(u64, String)>> = Mutex::new(None);
    LazyLock::force(&FILTER);
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || failed.lock().unwrap().is_some() {
                        return;
                    }
                    if seed > first && seed.is_multiple_of(SIGN_OF_LIFE) {
                        println!("at seed {seed} after {:?}", began.elapsed());
                    }
                    let run = catch_unwind(AssertUnwindSafe(|| world::run(&FILTER, seed)));
                    let outcome = run.unwrap_or_else(|_| Err(format!("seed {seed} panicked")));
                    if let Err(what) = outcome {
                        let mut failed = failed.lock().unwrap();
                        if failed.as_ref().is_none_or(|(other, _)| seed < *other) {
                            *failed = Some((seed, what));
                        }
                    }
                }
            });
        }
    });
    if let Some((seed, what)) = failed.into_inner().unwrap() {
        let lines: Vec<&str> = what.lines().collect();
        let (head, trace) = lines.split_at(lines.len().min(3));
        let trace = &trace[trace.len().saturating_sub(SHOWN)..];
        panic!(
            "{}\n{}\nagain: cargo xtask simulate --seed {seed}",
            head.join("\n"),
            trace.join("\n")
        );
    }
    println!("{seeds} seeds from {first} hold, in {:?}", began.elapsed());
}

#[test]
fn a_seed_is_the_same_world_each_time() {
    for seed in [1, 17] {
        assert_eq!(world::trace(&FILTER, seed), world::trace(&FILTER, seed));
    }
}
