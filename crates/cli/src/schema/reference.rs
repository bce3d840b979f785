//! The reference of all keys, a table for each object.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

const HEAD: &str = "\
# The policy's keys

<!-- Generated from the types in crates/core/src/policy/raw by `UPDATE_DOCS=1 cargo test --package doorward-cli --test docs`. -->

Every key of the policy language, object by object; [policy.md](policy.md) tells how they
work together. Keys in **bold** are required. *One or many* means that a list of one may be
written without its brackets. `doorward schema` prints the same for editors.
";

/// Objects in the order in which the document leads to them.
pub fn markdown(schema: &Value) -> String {
    let mut text = HEAD.to_owned();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![("document".to_owned(), schema)];
    while !waiting.is_empty() {
        let mut found = Vec::new();
        for (name, object) in waiting {
            text += &section(&name, object);
            for property in properties(object).map(|(_, property)| property) {
                references(schema, property, &mut found);
            }
        }
        found.retain(|(name, object)| {
            object.get("properties").is_some() && seen.insert(name.clone())
        });
        waiting = found;
    }
    text
}

fn section(name: &str, object: &Value) -> String {
    let description = text(object, "description");
    let mut section = format!(
        "\n## {}\n\n{description}\n\n| key | type | default | meaning |\n|---|---|---|---|\n",
        heading(name)
    );
    let required = object.get("required").and_then(Value::as_array);
    for (key, property) in properties(object) {
        let needed = required.is_some_and(|names| names.iter().any(|name| name == key));
        let key = match needed {
            true => format!("**`{key}`**"),
            false => format!("`{key}`"),
        };
        let default = property
            .get("default")
            .filter(|default| is_worth_telling(default))
            .map(|default| match default.as_str() {
                Some(text) => format!("`{text}`"),
                None => format!("`{default}`"),
            });
        section += &format!(
            "| {key} | {} | {} | {} |\n",
            kind(property),
            default.as_deref().unwrap_or_default(),
            meaning(property, default.is_some()).replace('|', "\\|")
        );
    }
    section
}

/// The description, without the default that stands in its own column.
fn meaning(property: &Value, has_default: bool) -> &str {
    let description = text(property, "description");
    match description.split_once("Default: ") {
        Some((before, _)) if has_default => before.trim_end(),
        _ => description,
    }
}

/// That nothing is given by default goes without saying.
fn is_worth_telling(default: &Value) -> bool {
    match default {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    }
}

fn properties(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let properties = object.get("properties").and_then(Value::as_object);
    properties.into_iter().flat_map(Map::iter)
}

/// `ClientCredentials` as `client credentials`.
fn heading(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn anchor(name: &str) -> String {
    heading(name).to_lowercase().replace(' ', "-")
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Every definition that a schema names, with its name.
fn references<'s>(root: &'s Value, schema: &'s Value, found: &mut Vec<(String, &'s Value)>) {
    match schema {
        Value::Object(members) => {
            for (key, value) in members {
                match (key.as_str(), value.as_str()) {
                    ("$ref", Some(target)) => {
                        let name = name_of(target);
                        if let Some(object) = root.get("$defs").and_then(|all| all.get(name)) {
                            found.push((name.to_owned(), object));
                            // A choice between definitions is no object of its own.
                            if let Some(choices) = object.get("anyOf") {
                                for choice in choices.as_array().into_iter().flatten() {
                                    if text(choice, "$ref") != target {
                                        references(root, choice, found);
                                    }
                                }
                            }
                        }
                    }
                    _ => references(root, value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(root, item, found)),
        _ => {}
    }
}

fn name_of(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or_default()
}

/// A type in words, with links to objects.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return named(name_of(reference));
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array)
        && let [one] = all.as_slice()
    {
        return kind(one);
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        return choice(choices);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values = values.iter().filter_map(Value::as_str);
        let values: Vec<String> = values.map(|value| format!("`{value}`")).collect();
        return values.join(", ");
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => return "anything".to_owned(),
    };
    let types = types.into_iter().filter(|name| *name != "null");
    let words = types.map(|name| match name {
        "array" => match schema.get("items") {
            Some(items) => format!("list of {}", kind(items)),
            None => "list".to_owned(),
        },
        "object" => match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) => format!("map of {}", kind(values)),
            _ => "map".to_owned(),
        },
        "integer" => "number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "string" => "text".to_owned(),
        other => other.to_owned(),
    });
    words.collect::<Vec<_>>().join(" or ")
}

fn choice(choices: &[Value]) -> String {
    let is_list = |schema: &&Value| text(schema, "type") == "array";
    let given: Vec<&Value> = choices
        .iter()
        .filter(|schema| text(schema, "type") != "null")
        .collect();
    let list = given.iter().find(|schema| is_list(schema));
    let one_of_it = |schema: &&&Value| list.is_some_and(|list| list.get("items") == Some(**schema));
    match given.iter().find(one_of_it) {
        Some(one) => format!("one or many: {}", kind(one)),
        None => {
            let words: Vec<String> = given.iter().map(|schema| kind(schema)).collect();
            words.join(" or ")
        }
    }
}

fn named(name: &str) -> String {
    match name {
        "Duration" => "duration".to_owned(),
        "Timestamp" => "time".to_owned(),
        "Expression" => "CEL".to_owned(),
        "Secret" => "text (secret)".to_owned(),
        "Json" => "JSON".to_owned(),
        // Choices are spelled out by their parts.
        "CombinationOrstring" => "name, `none` or [combination](#combination)".to_owned(),
        "AnyScopeOrOneOrManystring" => "one or many: text, or [any scope](#any-scope)".to_owned(),
        "ClientKeysOrOneOrManyKey" => {
            "one or many: [key](#key), or [client keys](#client-keys)".to_owned()
        }
        name => format!("[{}](#{})", heading(name).to_lowercase(), anchor(name)),
    }
}
