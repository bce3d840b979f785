//! The examples in a real Envoy: the very `envoy.yaml` of each, and the requests of its scenario.

#![allow(
    clippy::unwrap_used,
    reason = "all of this file is test code, which Clippy sees only in functions that are tests themselves"
)]

use xtask::demo::{compose, config, scenarios};
use xtask::envoy::{Envoy, Options};
use xtask::idp::OidcProvider;
use xtask::partner::Partner;
use xtask::registry::Registry;
use xtask::upstream::Echo;
use xtask::{module, paths};

/// The `iss` of the OAuth server when it runs as the examples' READMEs say.
const ISSUER: &str = "http://127.0.0.1:9000";

#[test]
fn every_example_answers_its_scenario_as_it_stands() {
    let module = module::build().unwrap();
    for scenario in scenarios::Scenario::ALL {
        let name = scenario.name();
        let path = paths::root().join("examples").join(name).join("envoy.yaml");
        let yaml = std::fs::read_to_string(path).unwrap();
        let mut idp = Some(OidcProvider::start(&scenarios::idp_clients(), Some(ISSUER)).unwrap());
        let upstream = Echo::start().unwrap();
        let registry = Registry::start(&scenarios::registry_rows()).unwrap();
        let ports = config::Ports {
            idp: idp.as_ref().unwrap().port(),
            upstream: upstream.port(),
            registry: registry.port(),
        };
        let local = config::localise(&yaml, ports, &module).unwrap();
        let partner = Partner::start().unwrap();
        let local = compose::with_partner(&local, partner.port()).unwrap();
        let envoy = Envoy::start(&local, Options::default()).unwrap();
        partner.connect(envoy.address());
        for step in scenario.steps().unwrap() {
            if step.needs_idp_down() {
                drop(idp.take());
            }
            for _ in 0..step.count() {
                let answer = step.send(&envoy.client()).unwrap();
                let wrong = step.wrong(&answer, None);
                assert!(wrong.is_empty(), "{name}, {}: {wrong:?}", step.title);
            }
        }
        assert_eq!(envoy.wasm_failures().unwrap(), [], "{name}");
    }
}
