//! The evaluator against the `cel` crate's own, on the same tree: where CEL says what an
//! operator or function yields, both must say so.

use std::sync::Arc;

use cel::parser::PrattParser;
use cel::{Context, Env};
use serde_json::{Value as Json, json};

use super::super::{Expression, Place, Scope};

fn by_cel(source: &str) -> Option<Json> {
    let mut env = Env::stdlib();
    env.add_extension(cel::extensions::strings).unwrap();
    let tree = PrattParser::new().parse(source).unwrap();
    let context = Context::with_env(Arc::new(env));
    cel::Value::resolve(&tree, &context)
        .ok()
        .map(|value| json(&value))
}

fn json(value: &cel::Value) -> Json {
    match value {
        cel::Value::Int(value) => json!(value),
        cel::Value::UInt(value) => json!(value),
        cel::Value::Float(value) if value.is_finite() => json!(value),
        cel::Value::Float(value) => json!(value.to_string()),
        cel::Value::Bool(value) => json!(value),
        cel::Value::String(value) => json!(value.as_str()),
        cel::Value::Null => Json::Null,
        cel::Value::List(items) => items.iter().map(json).collect(),
        other => panic!("{other:?} is not compared"),
    }
}

/// None for what is refused at load already.
fn here(source: &str) -> Option<Option<Json>> {
    let expression = Expression::compile(&format!("[{source}]"), Place::ErrorBody).ok()?;
    let Ok(value) = expression.evaluate(&Scope::new()) else {
        return Some(None);
    };
    Some(match value.to_json() {
        Ok(json) => Some(json[0].clone()),
        Err(_) => Expression::compile(&format!("string({source})"), Place::ErrorBody)
            .unwrap()
            .evaluate_json(&Scope::new())
            .ok(),
    })
}

#[test]
fn every_operator_agrees_on_every_pair_of_values() {
    const VALUES: [&str; 24] = [
        "null",
        "true",
        "false",
        "0",
        "1",
        "-1",
        "7",
        "9223372036854775807",
        "-9223372036854775808",
        "0u",
        "7u",
        "18446744073709551615u",
        "0.0",
        "-1.5",
        "7.0",
        "9223372036854775808.0",
        "1e300",
        "'a'",
        "''",
        "'ü'",
        "[1, 'a']",
        "[]",
        "[7u, [1.0]]",
        "'7'",
    ];
    const LARGE: (&str, &str) = ("9223372036854775807", "9223372036854775808.0");
    const OPERATORS: [&str; 14] = [
        "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in", "&&", "||",
    ];
    let mut differ = Vec::new();
    for left in VALUES {
        for right in VALUES {
            for operator in OPERATORS {
                // That crate rounds the integer here; CEL compares the numbers as they are.
                if (left, right) == LARGE || (right, left) == LARGE {
                    continue;
                }
                let source = format!("({left}) {operator} ({right})");
                let Some(ours) = here(&source) else {
                    continue;
                };
                let theirs = by_cel(&source);
                if ours != theirs {
                    differ.push(format!("{source}: {ours:?}, cel says {theirs:?}"));
                }
            }
        }
    }
    assert!(
        differ.is_empty(),
        "{} differ:\n{}",
        differ.len(),
        differ.join("\n")
    );
}

#[test]
fn every_conversion_and_function_agrees() {
    const VALUES: [&str; 16] = [
        "null",
        "true",
        "7",
        "-7",
        "7u",
        "18446744073709551615u",
        "7.9",
        "-7.9",
        "1e300",
        "'7'",
        "'-7'",
        "'7.5'",
        "'true'",
        "'x'",
        "b'ab'",
        "[1]",
    ];
    let mut sources = Vec::new();
    for value in VALUES {
        for function in ["int", "uint", "double", "string", "bool", "size"] {
            sources.push(format!("{function}({value})"));
        }
        sources.push(format!("{value} == {value} ? 1 : 2"));
        sources.push(format!("[1, 2, 3][{value}]"));
    }
    const TEXTS: [&str; 5] = ["''", "'a'", "'äöüö'", "'a,b,,c'", "'  aXa '"];
    const PARTS: [&str; 5] = ["''", "'a'", "'ö'", "','", "'öü'"];
    for text in TEXTS {
        for function in ["lowerAscii", "upperAscii", "trim", "size"] {
            sources.push(format!("{text}.{function}()"));
        }
        for part in PARTS {
            for function in [
                "contains",
                "startsWith",
                "endsWith",
                "split",
                "indexOf",
                "lastIndexOf",
            ] {
                sources.push(format!("{text}.{function}({part})"));
            }
            sources.push(format!("{text}.replace({part}, 'zz')"));
            for number in -1..=6 {
                sources.push(format!("{text}.split({part}, {number})"));
                sources.push(format!("{text}.replace({part}, 'zz', {number})"));
                sources.push(format!("{text}.indexOf({part}, {number})"));
                sources.push(format!("{text}.lastIndexOf({part}, {number})"));
            }
        }
        for start in -1..=6 {
            sources.push(format!("{text}.charAt({start})"));
            sources.push(format!("{text}.substring({start})"));
            for end in -1..=6 {
                sources.push(format!("{text}.substring({start}, {end})"));
            }
        }
    }
    for comprehension in [
        "[1, 2, 3].all(x, x > 0)",
        "[1, 'a'].all(x, x > 1)",
        "[1, 'a'].all(x, x > 0)",
        "['a', 1].exists(x, x > 0)",
        "['a', 1].exists(x, x > 1)",
        "[1, 2].exists_one(x, x > 1)",
        "[1, 1].exists_one(x, x > 0)",
        "[1, 'a'].exists_one(x, x > 0)",
        "[3, 1].map(x, x * 2)",
        "[3, 1].map(x, x > 1, x * 2)",
        "[3, 1].filter(x, x > 1)",
        "[3, 'a'].filter(x, x > 1)",
        "{'a': 1}.map(x, x)",
        "[].all(x, x)",
        "[].exists(x, x)",
        "7.map(x, x)",
        "['a', 'b'].join('-')",
        "['a', 1].join('-')",
        "[].join()",
        "has({'a': 1}.a)",
        "has({'a': 1}.b)",
        "{'a': 1}.b",
        "{'a': 1}['a']",
        "{1: 'a'}[1.0]",
        "{1: 'a'}[1u]",
        "{1: 'a', 2: 'b'}[3]",
        "1 in {1: 'a'}",
        "{'a': 1} == {'a': 1.0}",
        "{'a': 1} == {'b': 1}",
        "true ? 1 : 1 / 0",
        "'x' ? 1 : 2",
        "!true",
        "!1",
        "-(7)",
        "-(7u)",
        "-(7.5)",
    ] {
        sources.push(comprehension.to_owned());
    }
    let mut differ = Vec::new();
    for source in &sources {
        let Some(ours) = here(source) else {
            continue;
        };
        let theirs = by_cel(source);
        if ours != theirs {
            differ.push(format!("{source}: {ours:?}, cel says {theirs:?}"));
        }
    }
    assert!(
        differ.is_empty(),
        "{} of {} differ:\n{}",
        differ.len(),
        sources.len(),
        differ.join("\n")
    );
}
