//! `cargo demo`: a real Envoy with the filter, a real OAuth server, an upstream that tells what it saw, and the
//! requests of the scenarios, each with the answer it must get.

mod client_signed;
pub mod compose;
pub mod config;
mod key_and_token;
pub mod scenarios;
pub mod signed_assertion;
pub mod step;
pub mod table;

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::client::Client;
use crate::envoy::{Envoy, Options};
use crate::idp::OidcProvider;
use crate::partner::Partner;
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
    partner: Partner,
    _registry: Registry,
}

/// Runs these scenarios, and prints a table of each. False where an answer was not the expected one.
/// With `keep`, all stays up until Ctrl-C; what needs the OAuth server to be down is left out then.
pub fn run(scenarios: &[Scenario], keep: bool) -> Result<bool> {
    let mut stage = Stage::set()?;
    let coloured = table::coloured();
    let mut good = true;
    let mut played = Vec::new();
    for scenario in scenarios {
        let steps = scenario.steps()?;
        let mut rows = Vec::new();
        for step in steps.iter().filter(|step| !(keep && step.needs_idp_down())) {
            rows.push(stage.play(step, *scenario)?);
        }
        good &= rows.iter().all(|row| row.wrong.is_empty());
        println!("\n{}\n{}", scenario.name(), table::render(&rows, coloured));
        played.push((*scenario, steps));
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
        stage.keep(&played)?;
    }
    Ok(good)
}

impl Stage {
    fn set() -> Result<Self> {
        let read = |path: &str| {
            let path = paths::root().join(path);
            std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
        };
        let module = module::build()?;
        progress("starting the OAuth server, the registry and the upstream");
        let idp = OidcProvider::start(&scenarios::idp_clients(), Some(scenarios::ISSUER))?;
        let upstream = Echo::start()?;
        let registry = Registry::start(&scenarios::registry_rows())?;
        let partner = Partner::start()?;
        let ports = config::Ports {
            idp: idp.port(),
            upstream: upstream.port(),
            registry: registry.port(),
        };
        let localise = |yaml: &str| config::localise(yaml, ports, &module);
        let mut whole = localise(&read("envoy.yaml")?)?;
        for scenario in Scenario::ALL {
            if !scenario.is_in_the_root() {
                let name = scenario.name();
                let example = localise(&read(&format!("examples/{name}/envoy.yaml"))?)?;
                whole = compose::with_example(&whole, name, &example)?;
            }
        }
        progress("starting Envoy");
        let local = compose::with_partner(&whole, partner.port())?;
        let envoy = Envoy::start(&local, Options::default())?;
        partner.connect(envoy.address_of(Scenario::SignedAssertion.name())?);
        Ok(Self {
            envoy,
            idp: Some(idp),
            _upstream: upstream,
            partner,
            _registry: registry,
        })
    }

    /// Where a scenario's requests go.
    fn client(&self, scenario: Scenario) -> Result<Client> {
        Ok(if scenario.is_in_the_root() {
            self.envoy.client()
        } else {
            Client::new(self.envoy.address_of(scenario.name())?)
        })
    }

    fn play(&mut self, step: &Step, scenario: Scenario) -> Result<Row> {
        if step.needs_idp_down() {
            self.idp = None;
        }
        let before = self.exchanges()?;
        let client = self.client(scenario)?;
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
            why: step.why(&answer),
            upstream: step.summary(&answer),
            time: answer.elapsed,
            wrong,
        })
    }

    /// How often a token endpoint was asked so far: the OAuth server's, or the partner's.
    fn exchanges(&self) -> Result<u64> {
        let partners = u64::try_from(self.partner.requests().len())?;
        let idps = match &self.idp {
            Some(idp) => idp.counts()?.token,
            None => 0,
        };
        Ok(partners + idps)
    }

    /// Leaves all running until Ctrl-C, with lines to try.
    fn keep(&self, played: &[(Scenario, Vec<Step>)]) -> Result<()> {
        println!("\nEnvoy's admin http://{}", self.envoy.admin_address());
        if let Some(idp) = &self.idp {
            println!("OAuth server http://{}", idp.address());
        }
        for (scenario, steps) in played {
            let base = format!("http://{}", self.client(*scenario)?.address());
            println!("\n# {}: {base}", scenario.name());
            let once = |step: &&Step| !step.needs_idp_down() && step.count() == 1;
            for step in steps.iter().filter(once) {
                println!("\n# {}\n{}", step.title, step.curl(&base));
            }
        }
        println!("\nCtrl-C ends it all.");
        while self.envoy.ended()?.is_none() {
            std::thread::sleep(Duration::from_millis(200));
        }
        bail!("Envoy ended by itself:\n{}", self.envoy.log()?)
    }
}
