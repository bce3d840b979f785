//! `docker-compose.yaml` can't be run where no image can be pulled; what can be known of it without is tested here.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this file is test code, which Clippy sees only in functions that are tests themselves"
)]

use compose_spec::Compose;
use serde_json::{Value, json};
use xtask::demo::{config, scenarios};
use xtask::{envoy, paths};

fn read() -> String {
    std::fs::read_to_string(paths::root().join("docker-compose.yaml")).unwrap()
}

fn service(name: &str) -> Value {
    let file: Value = serde_yaml::from_str(&read()).unwrap();
    file["services"][name].clone()
}

#[test]
fn the_compose_file_follows_the_specification() {
    let compose: Compose = serde_yaml::from_str(&read()).unwrap();
    compose.validate_all().unwrap();
}

#[test]
fn a_misspelt_key_would_be_noticed() {
    let misspelt = read().replace("    volumes:", "    volume:");
    assert!(serde_yaml::from_str::<Compose>(&misspelt).is_err());
}

#[test]
fn the_containers_are_the_demos_parts() {
    assert_eq!(
        service("envoy")["image"],
        format!("envoyproxy/envoy:v{}", envoy::VERSION)
    );
    let published = [config::INGRESS, config::ADMIN].map(|port| format!("127.0.0.1:{port}:{port}"));
    assert_eq!(service("envoy")["ports"], json!(published));
    let ports = [config::IDP, config::UPSTREAM, config::REGISTRY];
    for (name, port) in config::SERVICES.into_iter().zip(ports) {
        assert_eq!(
            service(name)["environment"]["PORT"],
            port.to_string(),
            "{name}"
        );
    }
    let environment = service("idp")["environment"].clone();
    assert_eq!(environment["ISSUER"], scenarios::ISSUER);
    let clients: Value = serde_json::from_str(environment["CLIENTS"].as_str().unwrap()).unwrap();
    assert_eq!(clients, json!(scenarios::idp_clients()));
}

#[test]
fn every_file_that_is_mounted_exists_or_is_built() {
    for name in ["envoy", "idp", "upstream", "registry"] {
        for volume in service(name)["volumes"].as_array().unwrap() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            // What doesn't begin with a dot is a volume.
            assert!(
                !source.starts_with('.')
                    || source == "./dist"
                    || paths::root().join(source).exists(),
                "{name}: {source}"
            );
        }
    }
}
