//! `cargo xtask`: what this repository does to itself. `cargo demo` is `cargo xtask demo`.

use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::bench::{self, Extent};
use xtask::demo::scenarios::{self, Scenario};
use xtask::registry::{self, Registry};
use xtask::soak::Soak;
use xtask::{demo, envoy, module, paths, process};

/// CI must be done within 90 minutes, and a person gives up sooner.
const CI_PATIENCE: Duration = Duration::from_secs(80 * 60);

/// How many worlds are simulated where nobody says.
const SEEDS: u64 = 10_000;
/// A million worlds take some hours.
const SIMULATION_PATIENCE: Duration = Duration::from_secs(12 * 3600);

#[derive(Parser)]
#[command(name = "cargo xtask", about)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build dist/doorward.wasm as it ships, and hold it to its size budget
    Build,
    /// Fetch the pinned Envoy (or take $ENVOY) and print its path
    Envoy,
    /// Send the scenarios' requests through a real Envoy with the filter
    Demo {
        /// The scenarios to run; all where none is named
        scenarios: Vec<Scenario>,
        /// Leave everything running, and print curl lines to try
        #[arg(long)]
        keep: bool,
    },
    /// Measure what authentication costs beside Envoy's own filters, and write docs/performance.md
    Bench {
        /// Only these listeners; all where none is named
        listeners: Vec<String>,
        /// The full measurement that docs/performance.md is written from (15 minutes); else a quick look
        #[arg(long)]
        full: bool,
        /// Only the module's parts by themselves, without a proxy
        #[arg(long, conflicts_with = "full")]
        micro: bool,
        /// Load one gateway for so many minutes, such as 10m, and plot its memory and latency
        #[arg(long, value_parser = minutes, conflicts_with_all = ["full", "micro", "listeners"])]
        soak: Option<Duration>,
    },
    /// Serve the demo's database of clients, until Ctrl-C
    Registry {
        /// Where it listens
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7000")]
        listen: SocketAddr,
    },
    /// Run worlds that chance makes against the reference model, each from one seed
    Simulate {
        /// How many; 1 where a seed is named
        #[arg(long)]
        seeds: Option<u64>,
        /// The first one
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Load a real Envoy for long, with an OAuth server that fails a third of the time
    Soak(Soak),
    /// Run all that CI runs
    Ci,
}

fn main() -> Result<ExitCode> {
    match Arguments::parse_from(arguments()).chore {
        Chore::Build => {
            let path = module::build()?;
            let size = module::size(&path)?;
            println!("{}  {size} bytes of {}", path.display(), module::BUDGET);
        }
        Chore::Envoy => println!("{}", envoy::binary()?.display()),
        Chore::Demo { scenarios, keep } => {
            let scenarios = if scenarios.is_empty() {
                Scenario::ALL.to_vec()
            } else {
                scenarios
            };
            if !demo::run(&scenarios, keep)? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Chore::Bench {
            listeners,
            full,
            micro,
            soak,
        } => match soak {
            Some(lasting) => bench::run_soak(lasting)?,
            None if micro => bench::run_micro()?,
            None if full => bench::run(Extent::FULL, &listeners)?,
            None => bench::run(Extent::QUICK, &listeners)?,
        },
        Chore::Registry { listen } => {
            let registry = Registry::start_at(listen, &scenarios::registry_rows())?;
            println!("http://{}{}", registry.address(), registry::PATH);
            loop {
                std::thread::park();
            }
        }
        Chore::Soak(soak) => {
            if !soak.run()? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Chore::Simulate { seeds, seed } => {
            let seeds = seeds.unwrap_or(if seed.is_some() { 1 } else { SEEDS });
            let mut test = Command::new("cargo");
            test.current_dir(paths::root())
                .args(["test", "-p", "doorward-testhost", "--test", "simulation"])
                .args(["in_no_world", "--", "--nocapture"])
                .env("SIMULATE_SEEDS", seeds.to_string())
                .env("SIMULATE_SEED", seed.unwrap_or(1).to_string());
            process::run(&mut test, SIMULATION_PATIENCE)?;
        }
        Chore::Ci => {
            let mut ci = Command::new("bash");
            ci.arg(paths::root().join(".ci/run"));
            process::run(&mut ci, CI_PATIENCE)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `10m` or `10`.
fn minutes(text: &str) -> Result<Duration, std::num::ParseIntError> {
    let number: u32 = text.strip_suffix('m').unwrap_or(text).parse()?;
    Ok(Duration::from_secs(60) * number)
}

/// `cargo demo -- --keep` arrives as `demo -- --keep`, where `--keep` would be no option.
fn arguments() -> impl Iterator<Item = String> {
    let separator = |(place, argument): &(usize, String)| *place == 2 && argument == "--";
    std::env::args()
        .enumerate()
        .filter(move |each| !separator(each))
        .map(|(_, argument)| argument)
}
