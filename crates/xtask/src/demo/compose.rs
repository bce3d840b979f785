//! Puts the examples' `envoy.yaml` together, so that one Envoy runs them all.

use anyhow::{Context, Result};
use serde_yaml::Value;

/// The cluster of a partner whose tokens the gateway obtains.
const PARTNER: &str = "partner";

/// The configuration with the listener of one more, under this name, and the clusters that it lacks.
///
/// The listener's VM gets an id of its own: Envoy tells VMs by id and code, not by their environment variables.
pub fn with_example(whole: &str, name: &str, example: &str) -> Result<String> {
    let mut whole: Value = serde_yaml::from_str(whole)?;
    let mut example: Value = serde_yaml::from_str(example)?;
    let mut listener = resources(&mut example, "listeners")?
        .pop()
        .context("no listener")?;
    member(&mut listener, "name", &name.into());
    member(&mut listener, "vm_id", &format!("doorward-{name}").into());
    let clusters = std::mem::take(resources(&mut example, "clusters")?);
    resources(&mut whole, "listeners")?.push(listener);
    let all = resources(&mut whole, "clusters")?;
    for cluster in clusters {
        if all
            .iter()
            .all(|other| other.get("name") != cluster.get("name"))
        {
            all.push(cluster);
        }
    }
    Ok(serde_yaml::to_string(&whole)?)
}

/// The configuration with the partner at this port of the machine.
pub fn with_partner(whole: &str, port: u16) -> Result<String> {
    let mut whole: Value = serde_yaml::from_str(whole)?;
    for cluster in resources(&mut whole, "clusters")? {
        if cluster.get("name").and_then(Value::as_str) == Some(PARTNER) {
            member(cluster, "port_value", &port.into());
        }
    }
    Ok(serde_yaml::to_string(&whole)?)
}

fn resources<'v>(whole: &'v mut Value, kind: &str) -> Result<&'v mut Vec<Value>> {
    let resources = whole.get_mut("static_resources");
    let found = resources.and_then(|resources| resources.get_mut(kind)?.as_sequence_mut());
    found.with_context(|| format!("no static_resources.{kind}"))
}

/// Sets every member of this name that stands somewhere in the value, but `name` on top only.
fn member(value: &mut Value, name: &str, new: &Value) {
    match value {
        Value::Mapping(members) => {
            for (key, value) in members {
                if key.as_str() == Some(name) {
                    value.clone_from(new);
                } else if name != "name" {
                    member(value, name, new);
                }
            }
        }
        Value::Sequence(items) if name != "name" => {
            items.iter_mut().for_each(|item| member(item, name, new));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_comes_in_with_its_listener_its_own_vm_and_the_clusters_that_lack() {
        let whole = "static_resources: {listeners: [{name: a, vm_id: doorward}], clusters: [{name: upstream, x: 1}]}";
        let example = "static_resources: {listeners: [{name: ingress, filters: [{name: f, vm_id: doorward}]}], \
            clusters: [{name: upstream, x: 2}, {name: partner, address: {port_value: 0}}]}";
        let both = with_example(whole, "b", example).unwrap();
        let expected = "static_resources: {listeners: [{name: a, vm_id: doorward}, \
            {name: b, filters: [{name: f, vm_id: doorward-b}]}], \
            clusters: [{name: upstream, x: 1}, {name: partner, address: {port_value: 41}}]}";
        let both: Value = serde_yaml::from_str(&with_partner(&both, 41).unwrap()).unwrap();
        assert_eq!(both, serde_yaml::from_str::<Value>(expected).unwrap());
    }
}
