//! `cargo xtask bench`: what authentication costs, Doorward beside Envoy's own filters in one Envoy.
//!
//! Every method is a listener of the same process, loaded in turn, again and again: what the machine does besides
//! hits all of them alike, so the ratios hold where absolute figures don't.

mod bars;
mod first_vm;
mod inputs;
mod lanes;
mod load;
mod module_alone;
mod peers;
mod plot;
mod policies;
mod report;
mod soak;

use std::time::Duration;

use anyhow::{Context, Result};

use self::inputs::Inputs;
use self::lanes::{Kind, Lane, Parts};
use self::load::Turn;
use self::peers::Authorizer;
use crate::envoy::Envoy;
use crate::token_endpoint::Scripted;
use crate::{module, process};

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// The length of a turn.
    turn: Duration,
    /// Turns of each listener, and starts of an Envoy.
    turns: usize,
    /// Whether the result goes into `docs/`.
    publish: bool,
}

impl Extent {
    /// Under three minutes, to see where one stands.
    pub const QUICK: Self = Self {
        turn: Duration::from_secs(1),
        turns: 3,
        publish: false,
    };
    /// What `docs/performance.md` is written from.
    pub const FULL: Self = Self {
        turn: Duration::from_secs(3),
        turns: 7,
        publish: true,
    };
}

/// A lane's turns.
#[derive(Debug)]
struct Measured {
    lane: Lane,
    turns: Vec<Turn>,
}

/// All that runs for a benchmark.
struct Stand {
    inputs: Inputs,
    lanes: Vec<Lane>,
    authorizer: Authorizer,
    /// Kept, for pairs are exchanged there.
    _idp: Scripted,
    envoy: Envoy,
}

impl Stand {
    fn start(only: &[String]) -> Result<Self> {
        load::check_wrk()?;
        let doorward = module::build()?;
        let noop = module::build_beside("doorward-bench-noop")?;
        let native = inputs::native()?;
        let inputs = Inputs::prepare(&native)?;
        let idp = peers::token_endpoint()?;
        let authorizer = Authorizer::start(&native)?;
        let mut lanes = lanes::all(&Parts {
            module: &doorward,
            noop: &noop,
            idp: format!("http://{}", idp.address()),
            issuer: idp.issuer(),
            authorizer: authorizer.port,
        })?;
        lanes.retain(|lane| only.is_empty() || only.iter().any(|name| name == lane.name));
        process::progress("starting Envoy");
        let envoy = peers::envoy(&lanes, idp.port(), authorizer.port)?;
        let stand = Self {
            inputs,
            lanes,
            authorizer,
            _idp: idp,
            envoy,
        };
        stand.warm_up()?;
        Ok(stand)
    }

    /// Fetches keys, obtains the pairs' tokens, and lets the engine compile what is hot.
    fn warm_up(&self) -> Result<()> {
        let ours = |lane: &&Lane| lane.kind == Kind::Doorward;
        for lane in self.lanes.iter().filter(ours) {
            process::progress(&format!("warming up {}", lane.name));
            // The first requests may come before the keys; a pair's first one waits for its exchange.
            let mut tries = 0;
            let (least, seconds) = if lane.input == "pairs" {
                (2, 5)
            } else {
                (1, 1)
            };
            loop {
                let turn = self.turn(lane, 0, Duration::from_secs(seconds));
                tries += 1;
                if tries >= least && (turn.is_ok() || tries > 7) {
                    turn.with_context(|| format!("warming up {}", lane.name))?;
                    break;
                }
            }
        }
        Ok(())
    }

    fn turn(&self, lane: &Lane, begin: usize, lasting: Duration) -> Result<Turn> {
        let address = self.envoy.address_of(lane.name)?;
        let requests = self.inputs.path(lane.input);
        let mut serving = vec![self.envoy.pid()];
        if lane.name.starts_with("ext_authz") {
            serving.push(self.authorizer.pid());
        }
        load::turn(address, &requests, begin, lasting, lane.refuses, &serving)
            .with_context(|| format!("listener {}", lane.name))
    }

    /// All lanes in turn, again and again.
    fn measure(self, extent: Extent) -> Result<Vec<Measured>> {
        let mut turns: Vec<Vec<Turn>> = vec![Vec::new(); self.lanes.len()];
        for number in 0..extent.turns {
            process::progress(&format!("turn {} of {}", number + 1, extent.turns));
            for (lane, turns) in self.lanes.iter().zip(&mut turns) {
                // Another part of the different tokens in each turn, so that none is cheap by having been there.
                let begin = number * inputs::TOKENS / extent.turns;
                turns.push(self.turn(lane, begin, extent.turn)?);
            }
        }
        let failures = self.envoy.wasm_failures()?;
        anyhow::ensure!(failures.is_empty(), "VMs failed: {failures:?}");
        let measured = self.lanes.into_iter().zip(turns);
        Ok(measured
            .map(|(lane, turns)| Measured { lane, turns })
            .collect())
    }
}

/// Measures, prints the tables, and writes `docs/performance.md` if the extent is for that. `only` names listeners;
/// empty means all.
pub fn run(extent: Extent, only: &[String]) -> Result<()> {
    let measured = Stand::start(only)?.measure(extent)?;
    let alone = module_alone::measure(extent.turns)?;
    report::write(&measured, &alone, extent)
}

/// Prints what the module costs by itself.
pub fn run_micro() -> Result<()> {
    print!(
        "{}",
        report::module_alone(&module_alone::measure(Extent::FULL.turns)?)
    );
    Ok(())
}

/// Loads one gateway for so long and plots memory and latency over the time.
pub fn run_soak(lasting: Duration) -> Result<()> {
    soak::run(Stand::start(&soak::LANES.map(str::to_owned))?, lasting)
}
