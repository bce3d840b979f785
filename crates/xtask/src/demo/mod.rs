//! `cargo demo`: a real Envoy with the filter, a real OAuth server, an upstream that tells what it saw, and the
//! requests of the scenarios, each with the answer it must get.

pub mod config;
pub mod scenarios;
pub mod step;
pub mod table;

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::envoy::{Envoy, Options};
use crate::idp::OidcProvider;
use crate::process::progress;
use crate::registry::Registry;
use crate::upstream::Echo;
use crate::{module, paths};
use scenarios::Scenario;
use step::Step;
use table::Row;

/// Everything that runs, in the order in which it ends.
struct Stage {
    envoy: Envoy,
    idp: Option<OidcProvider>,
    _upstream: Echo,
    _registry: Registry,
}

/// Runs these scenarios, and prints a table of each. False where an answer was not the expected one.
/// With `keep`, all stays up until Ctrl-C; what needs the OAuth server to be down is left out then.
pub fn run(scenarios: &[Scenario], keep: bool) -> Result<bool> {
    let mut stage = Stage::set()?;
    let coloured = table::coloured();
    let mut good = true;
    for scenario in scenarios {
        let steps = scenario.steps()?;
        let mut rows = Vec::new();
        for step in steps.iter().filter(|step| !(keep && step.needs_idp_down())) {
            rows.push(stage.play(step)?);
        }
        good &= rows.iter().all(|row| row.wrong.is_empty());
        println!("\n{}\n{}", scenario.name(), table::render(&rows, coloured));
    }
    let failures = stage.envoy.wasm_failures()?;
    for (name, count) in &failures {
        println!("Envoy counts {count}: {name}");
    }
    good &= failures.is_empty();
    println!(
        "{}",
        if good {
            "every answer as expected, no failure in Envoy's VMs"
        } else {
            "NOT as expected"
        }
    );
    if keep {
        stage.keep(scenarios)?;
    }
    Ok(good)
}

impl Stage {
    fn set() -> Result<Self> {
        let path = paths::root().join("envoy.yaml");
        let yaml = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        let module = module::build()?;
        progress("starting the OAuth server, the registry and the upstream");
        let idp = OidcProvider::start(&scenarios::idp_clients(), Some(scenarios::ISSUER))?;
        let upstream = Echo::start()?;
        let registry = Registry::start(&scenarios::registry_rows())?;
        let ports = config::Ports {
            idp: idp.port(),
            upstream: upstream.port(),
            registry: registry.port(),
        };
        let local = config::localise(&yaml, ports, &module)?;
        progress("starting Envoy");
        let envoy = Envoy::start(&local, Options::default())?;
        Ok(Self {
            envoy,
            idp: Some(idp),
            _upstream: upstream,
            _registry: registry,
        })
    }

    fn play(&mut self, step: &Step) -> Result<Row> {
        if step.needs_idp_down() {
            self.idp = None;
        }
        let before = self.exchanges()?;
        let client = self.envoy.client();
        let mut answer = step.send(&client)?;
        for _ in 1..step.count() {
            if !step.wrong(&answer, None).is_empty() {
                break;
            }
            answer = step.send(&client)?;
        }
        let exchanges = self.exchanges()?.saturating_sub(before);
        let wrong = step.wrong(&answer, Some(exchanges));
        Ok(Row {
            request: step.title.clone(),
            answer: answer.status.to_string(),
            why: if answer.upstream().is_ok() {
                "passed".to_owned()
            } else {
                step::reason_of(&answer).unwrap_or_default()
            },
            upstream: step.summary(&answer),
            time: answer.elapsed,
            wrong,
        })
    }

    /// How often the token endpoint was asked so far.
    fn exchanges(&self) -> Result<u64> {
        self.idp
            .as_ref()
            .map_or(Ok(0), |idp| Ok(idp.counts()?.token))
    }

    /// Leaves all running until Ctrl-C, with lines to try.
    fn keep(&self, scenarios: &[Scenario]) -> Result<()> {
        println!(
            "\nEnvoy {}\nadmin http://{}",
            self.envoy.url("/"),
            self.envoy.admin_address()
        );
        if let Some(idp) = &self.idp {
            println!("OAuth server http://{}", idp.address());
        }
        for scenario in scenarios {
            println!("\n# {}", scenario.name());
            for step in scenario
                .steps()?
                .iter()
                .filter(|step| !step.needs_idp_down() && step.count() == 1)
            {
                println!(
                    "\n# {}\n{}",
                    step.title,
                    step.curl(self.envoy.url("").as_str())
                );
            }
        }
        println!("\nCtrl-C ends it all.");
        while self.envoy.ended()?.is_none() {
            std::thread::sleep(Duration::from_millis(200));
        }
        bail!("Envoy ended by itself:\n{}", self.envoy.log()?)
    }
}
