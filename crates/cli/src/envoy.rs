//! Policies inside an Envoy configuration.

use crate::input::Variables;
use doorward_core::policy::document::{self, Node, Value};
use serde_json::{Map, Value as Json};

/// The name of a plugin or root that is Doorward's.
const NAME: &str = "doorward";

/// One plugin configuration (`envoy.extensions.wasm.v3.PluginConfig`) with a policy.
pub struct Plugin {
    /// Where it stands: its name and line.
    pub name: String,
    /// The policy, as the filter would get it or as JSON.
    pub policy: Vec<u8>,
    key_values: Vec<(String, String)>,
    host_env_keys: Vec<String>,
}

impl Plugin {
    /// What the VM's environment holds: its own values, and those that it takes from the
    /// proxy's environment, for which what was given to this command stands.
    pub fn environment(&self, given: &Variables) -> Variables {
        let taken = self.host_env_keys.iter().filter_map(|name| {
            let value = given.get(name)?;
            Some((name.clone(), value))
        });
        given.with(taken.chain(self.key_values.iter().cloned()))
    }
}

/// Every plugin that is called doorward, by its name or its root's; where none is, every
/// plugin that has a configuration.
///
/// # Errors
/// What can't be read as YAML, or holds no plugin at all.
pub fn plugins(bytes: &[u8]) -> Result<Vec<Plugin>, String> {
    let node = document::read(bytes).map_err(|problems| {
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        texts.join("; ")
    })?;
    let mut found = Vec::new();
    search(&node, &mut found);
    let ours = |plugin: &&Node| {
        let named = |key| plugin.get(key).and_then(text);
        named("name") == Some(NAME) || named("root_id") == Some(NAME)
    };
    let any_is_ours = found.iter().any(ours);
    let plugins = found.iter().filter(|plugin| !any_is_ours || ours(plugin));
    let plugins: Vec<Plugin> = plugins.map(|node| plugin(node)).collect::<Result<_, _>>()?;
    match plugins.is_empty() {
        true => Err("no Wasm plugin with a configuration is in it".to_owned()),
        false => Ok(plugins),
    }
}

/// The one plugin of a configuration.
///
/// # Errors
/// Those of [`plugins`], and where there are several.
pub fn only_plugin(bytes: &[u8]) -> Result<Plugin, String> {
    let mut plugins = plugins(bytes)?;
    match (plugins.pop(), plugins.as_slice()) {
        (Some(plugin), []) => Ok(plugin),
        _ => Err("several plugins are in it; give one policy as a file".to_owned()),
    }
}

/// The depth is the document's, which is bounded when it is read.
fn search<'n>(node: &'n Node, found: &mut Vec<&'n Node>) {
    match &node.value {
        Value::Map(entries) => {
            if node.get("vm_config").is_some() && node.get("configuration").is_some() {
                found.push(node);
            }
            entries.iter().for_each(|entry| search(&entry.value, found));
        }
        Value::List(items) => items.iter().for_each(|item| search(item, found)),
        _ => {}
    }
}

fn plugin(node: &Node) -> Result<Plugin, String> {
    let name = node.get("name").and_then(text).unwrap_or("a plugin");
    let configuration = node.get("configuration");
    let line = configuration
        .and_then(|node| node.mark)
        .map(|mark| mark.line);
    let name = match line {
        Some(line) => format!("{name}'s policy at line {line}"),
        None => format!("{name}'s policy"),
    };
    let value = configuration.and_then(|node| node.get("value"));
    let policy = match value.map(|node| &node.value) {
        Some(Value::String(text)) => text.as_bytes().to_vec(),
        // A google.protobuf.Struct: the policy is written natively.
        Some(Value::Map(_)) => value.map(json).unwrap_or_default().to_string().into_bytes(),
        _ => {
            return Err(format!(
                "{name}: `configuration` needs a `value`: a text (StringValue) or a map (Struct)"
            ));
        }
    };
    let variables = node
        .get("vm_config")
        .and_then(|vm| vm.get("environment_variables"));
    let key_values = match variables.and_then(|node| node.get("key_values")) {
        Some(Node {
            value: Value::Map(entries),
            ..
        }) => entries
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), text(&entry.value)?.to_owned())))
            .collect(),
        _ => Vec::new(),
    };
    let host_env_keys = match variables.and_then(|node| node.get("host_env_keys")) {
        Some(Node {
            value: Value::List(items),
            ..
        }) => items.iter().filter_map(text).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Ok(Plugin {
        name,
        policy,
        key_values,
        host_env_keys,
    })
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::String(value) => value.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            let members = entries.iter();
            let members = members.map(|entry| (entry.key.clone(), json(&entry.value)));
            Json::Object(members.collect::<Map<_, _>>())
        }
    }
}
