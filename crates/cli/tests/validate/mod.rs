//! As much of JSON Schema as `doorward schema` uses; a keyword beyond that is a panic, so that
//! none goes unheeded. A whole validator would bring thirty crates for one test.

use regex_lite::Regex;
use serde_json::Value;

/// What of a value doesn't fit the schema, each with its place.
pub fn problems(schema: &Value, value: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    check(schema, schema, value, "", &mut problems);
    problems
}

fn fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let mut problems = Vec::new();
    check(root, schema, value, "", &mut problems);
    problems.is_empty()
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, problems: &mut Vec<String>) {
    let Value::Object(keywords) = schema else {
        assert_eq!(schema, &Value::Bool(true), "{place}");
        return;
    };
    for (keyword, rule) in keywords {
        let good = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "examples" | "format" => {
                true
            }
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(pointer).unwrap(), value, place, problems);
                true
            }
            "anyOf" => rule
                .as_array()
                .unwrap()
                .iter()
                .any(|one| fits(root, one, value)),
            "type" => match rule {
                Value::Array(types) => types.iter().any(|one| is_of(one, value)),
                one => is_of(one, value),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "pattern" => value
                .as_str()
                .is_none_or(|text| Regex::new(rule.as_str().unwrap()).unwrap().is_match(text)),
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= rule.as_f64().unwrap()),
            "minProperties" => members(value).count() as u64 >= rule.as_u64().unwrap(),
            "maxProperties" => members(value).count() as u64 <= rule.as_u64().unwrap(),
            "required" => {
                let mut names = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|name| name.as_str().unwrap());
                !value.is_object() || names.all(|name| value.get(name).is_some())
            }
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{place}[{number}]"), problems);
                }
                true
            }
            "properties" => {
                for (name, member) in members(value) {
                    if let Some(rule) = rule.get(name) {
                        check(root, rule, member, &format!("{place}.{name}"), problems);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = |name: &str| {
                    keywords
                        .get("properties")
                        .is_some_and(|all| all.get(name).is_some())
                };
                let mut good = true;
                for (name, member) in members(value).filter(|(name, _)| !known(name)) {
                    match rule {
                        Value::Bool(allowed) => good &= allowed,
                        rule => check(root, rule, member, &format!("{place}.{name}"), problems),
                    }
                }
                good
            }
            other => panic!("the validator doesn't know {other}"),
        };
        if !good {
            problems.push(format!("{place}: {keyword} {rule}"));
        }
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type is called {other}"),
    }
}
