//! Makes the repository's `envoy.yaml`, written for `docker-compose.yaml`, run on this machine as it is.
//!
//! Three kinds of value change, in block and in flow style, and nothing else:
//! - `port_value`: [`INGRESS`] and [`ADMIN`] become 0, so that the system chooses; [`IDP`], [`UPSTREAM`] and
//!   [`REGISTRY`] become the ports of the demo's own servers. Any other port is an error: the demo opens no fixed port.
//! - `address`: [`ANYWHERE`] and the compose file's services ([`SERVICES`]) become 127.0.0.1.
//! - `filename`: one that ends in `/doorward.wasm` becomes the module that was just built.

use std::path::Path;

use anyhow::{Result, bail};

use crate::paths;

/// The port of Envoy's listener.
pub const INGRESS: u16 = 10000;
/// The port of Envoy's admin interface.
pub const ADMIN: u16 = 9901;
/// The OAuth server's port.
pub const IDP: u16 = 9000;
/// The echo upstream's port.
pub const UPSTREAM: u16 = 8080;
/// The port of the database of clients.
pub const REGISTRY: u16 = 7000;
/// The address of a listener that is reached from outside its container.
pub const ANYWHERE: &str = "0.0.0.0";
/// The compose file's services, which are host names there.
pub const SERVICES: [&str; 3] = ["idp", "upstream", "registry"];
/// Ends the path of the module.
const MODULE: &str = "/doorward.wasm";

/// The ports of the demo's own servers.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// Stands for [`IDP`].
    pub idp: u16,
    /// Stands for [`UPSTREAM`].
    pub upstream: u16,
    /// Stands for [`REGISTRY`].
    pub registry: u16,
}

/// The configuration with these ports and this module.
pub fn localise(yaml: &str, own: Ports, module: &Path) -> Result<String> {
    let mut strange = Vec::new();
    let yaml = with_values(yaml, "port_value", |value| {
        let ports = [
            (INGRESS, 0),
            (ADMIN, 0),
            (IDP, own.idp),
            (UPSTREAM, own.upstream),
            (REGISTRY, own.registry),
        ];
        let local = ports
            .into_iter()
            .find(|(port, _)| value == port.to_string());
        if local.is_none() {
            strange.push(value.to_owned());
        }
        local.map(|(_, local)| local.to_string())
    });
    if !strange.is_empty() {
        bail!(
            "envoy.yaml: port_value {}: the demo knows {INGRESS} (listener), {ADMIN} (admin), {IDP} (OAuth server), \
             {UPSTREAM} (upstream) and {REGISTRY} (registry)",
            strange.join(", ")
        );
    }
    let local = |value: &str| value == ANYWHERE || SERVICES.contains(&value);
    let yaml = with_values(&yaml, "address", |value| {
        local(value).then(|| "127.0.0.1".to_owned())
    });
    let module = paths::text(module)?;
    let yaml = with_values(&yaml, "filename", |value| {
        value.ends_with(MODULE).then(|| format!("\"{module}\""))
    });
    if !yaml.contains(module) {
        bail!(
            "envoy.yaml: no `filename` ends in {MODULE}, so the module that was built would not be the one that runs"
        );
    }
    Ok(yaml)
}

/// Replaces the values of `key: value` for which `change` gives another.
fn with_values(yaml: &str, key: &str, mut change: impl FnMut(&str) -> Option<String>) -> String {
    let mut done = String::with_capacity(yaml.len());
    let mut rest = yaml;
    let pattern = format!("{key}:");
    while let Some((before, after)) = rest.split_once(&pattern) {
        done.push_str(before);
        done.push_str(&pattern);
        let whole_key = !before.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let value_at = after.trim_start_matches(' ');
        let end = value_at
            .find([',', '}', ' ', '\n', '\r'])
            .unwrap_or(value_at.len());
        let (value, following) = value_at.split_at(end);
        match change_of(whole_key, value, &mut change) {
            Some(changed) => {
                done.push(' ');
                done.push_str(&changed);
                rest = following;
            }
            None => rest = after,
        }
    }
    done.push_str(rest);
    done
}

fn change_of(
    whole_key: bool,
    value: &str,
    change: &mut impl FnMut(&str) -> Option<String>,
) -> Option<String> {
    if whole_key {
        change(value.trim_matches(['"', '\'']))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports {
        idp: 41,
        upstream: 42,
        registry: 43,
    };
    const YAML: &str = "\
admin: {address: {socket_address: {address: 0.0.0.0, port_value: 9901}}}
    address:
      socket_address:
        address: idp
        port_value: 9000
        use_remote_address: true
    code: {local: {filename: /etc/doorward/doorward.wasm}}
    filename: /etc/other
";

    #[test]
    fn ports_addresses_and_the_module_become_local_and_nothing_else_changes() {
        let expected = "\
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
    address:
      socket_address:
        address: 127.0.0.1
        port_value: 41
        use_remote_address: true
    code: {local: {filename: \"/d/doorward.wasm\"}}
    filename: /etc/other
";
        assert_eq!(
            localise(YAML, PORTS, Path::new("/d/doorward.wasm")).unwrap(),
            expected
        );
    }

    #[test]
    fn a_port_that_the_demo_doesnt_know_and_a_missing_module_are_errors() {
        for (yaml, named) in [
            (YAML.replace("9000", "9009"), "9009"),
            (YAML.replace("doorward.wasm", "x"), "filename"),
        ] {
            let error = localise(&yaml, PORTS, Path::new("/d/doorward.wasm"))
                .unwrap_err()
                .to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
