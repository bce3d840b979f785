//! Decoding a small language that has all kinds of values.
#![allow(dead_code, reason = "fields that only have to be decoded")]

mod broken;

use std::collections::BTreeMap;

use serde::{Deserialize, de};

use crate::policy::document::{
    Duration, ExpressionSource, Json, MAX_PROBLEMS, MapOr, Node, OneOrMany, Path, Problem, Secret,
    Timestamp, Value, decode, problem_at, read,
};

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(default)]
    clients: Vec<Client>,
    #[serde(default)]
    authenticators: BTreeMap<String, Authenticator>,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    identity_headers: BTreeMap<String, Option<ExpressionSource>>,
    #[serde(default)]
    status: BTreeMap<Reason, u16>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Client {
    id: String,
    tenant: Option<String>,
    #[serde(default)]
    scopes: OneOrMany<String>,
    enabled: Option<bool>,
    metadata: Option<Json>,
    #[serde(default)]
    api_keys: Vec<ApiKey>,
    secret: Option<Secret>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct ApiKey {
    id: String,
    sha256: String,
    expires: Option<Timestamp>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Authenticator {
    jwt: Option<Jwt>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Jwt {
    algorithms: Vec<Algorithm>,
    leeway: Option<Duration>,
    audience: Option<OneOrMany<String>>,
    client: Option<ExpressionSource>,
    ratio: Option<f64>,
    size: Option<i8>,
}

#[derive(Deserialize, Debug)]
#[allow(clippy::upper_case_acronyms, reason = "their names in RFC 7518")]
enum Algorithm {
    HS256,
    RS256,
    ES256,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Rule {
    path: String,
    authenticate: Option<Authenticate>,
    by_hand: Option<ByHand>,
    limit: Option<Limit>,
    every: Option<Required>,
}

type Authenticate = MapOr<Combination, String>;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Combination {
    any: Option<Vec<Authenticate>>,
    all: Option<Vec<Authenticate>>,
}

/// A type whose author doesn't know of `MapOr`.
#[derive(Debug)]
struct ByHand(Option<Limit>);

impl<'de> Deserialize<'de> for ByHand {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ByHand;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("unlimited or a limit")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByHand, E> {
                match text {
                    "unlimited" => Ok(ByHand(None)),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<ByHand, A::Error> {
                Limit::deserialize(de::value::MapAccessDeserializer::new(map))
                    .map(Some)
                    .map(ByHand)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Limit {
    rate: Duration,
    per: String,
    burst: u16,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Required {
    flag: bool,
    names: Vec<String>,
    members: BTreeMap<String, String>,
    algorithm: Algorithm,
    inner: Inner,
    ratio: f64,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Inner {
    id: String,
}

#[derive(Deserialize, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum Reason {
    ScopeMissing,
    TokenExpired,
}

fn environment(name: &str) -> Option<String> {
    match name {
        "SECRET" => Some("s3cret ${X}".into()),
        "NAME" => Some("HS256".into()),
        _ => None,
    }
}

fn load(text: &str) -> Result<Document, Vec<Problem>> {
    decode(&read(text.as_bytes())?, &environment)
}

fn shown(text: &str) -> Vec<String> {
    match load(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

const WHOLE: &str = "version: 1\n\
         clients:\n\
         - id: a\n\
         \x20 scopes: one\n\
         \x20 enabled: false\n\
         \x20 secret: x${SECRET}\n\
         \x20 metadata: {n: 1, f: 1.5, s: \"$${SECRET} ${NAME}\", l: [null, true], \"${NAME}\": k}\n\
         \x20 api_keys: [{id: k, sha256: \"00\", expires: 2026-11-01T00:00:00Z}]\n\
         - {id: b, scopes: [x, y], tenant: null}\n\
         authenticators:\n\
         \x20 a: {jwt: {algorithms: [\"${NAME}\", ES256], leeway: 30s, client: 'claims[\"${NAME}\"]', ratio: 2, size: -1}}\n\
         rules:\n\
         - {path: /a, authenticate: one, by_hand: unlimited}\n\
         - {path: /b, authenticate: {any: [\"${NAME}\", {all: [b]}]}, by_hand: {rate: 1s, per: x, burst: 3}}\n\
         identity_headers: {x: null, y: true, z: 5}\n\
         status: {scope_missing: 403}\n";

#[test]
fn a_whole_document_is_decoded() {
    let document = load(WHOLE);
    let problems = document.as_ref().err();
    assert!(problems.is_none(), "{problems:?}");
    let document = document.unwrap();
    let client = &document.clients[0];
    assert_eq!(client.scopes.0, ["one"]);
    assert_eq!(client.enabled, Some(false));
    assert_eq!(client.secret.as_ref().unwrap().expose(), "xs3cret ${X}");
    assert_eq!(
        *client.metadata.as_ref().unwrap().value(),
        serde_json::json!({"n": 1, "f": 1.5, "s": "${SECRET} HS256", "l": [null, true], "${NAME}": "k"})
    );
    assert_eq!(
        client.api_keys[0].expires.unwrap().unix_seconds,
        1_793_491_200
    );
    assert_eq!(document.clients[1].scopes.0, ["x", "y"]);
    assert_eq!(document.clients[1].tenant, None);
    let jwt = document.authenticators["a"].jwt.as_ref().unwrap();
    assert!(matches!(
        jwt.algorithms[..],
        [Algorithm::HS256, Algorithm::ES256]
    ));
    assert_eq!(jwt.leeway.unwrap().0.as_secs(), 30);
    assert_eq!(jwt.client.as_ref().unwrap().0, "claims[\"${NAME}\"]");
    assert!(matches!(&document.rules[0].authenticate, Some(MapOr::Other(name)) if name == "one"));
    let Some(MapOr::Map(Combination { any: Some(any), .. })) = &document.rules[1].authenticate
    else {
        panic!("{:?}", document.rules[1]);
    };
    assert!(matches!(&any[..], [MapOr::Other(name), MapOr::Map(_)] if name == "HS256"));
    let headers: Vec<_> = document
        .identity_headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str(),
                value.as_ref().map(|source| source.0.as_str()),
            )
        })
        .collect();
    assert_eq!(
        headers,
        [("x", None), ("y", Some("true")), ("z", Some("5"))]
    );
    assert_eq!(document.status[&Reason::ScopeMissing], 403);
}

#[test]
fn no_value_of_the_document_or_the_environment_shows() {
    let text = "version: hunter2\nclients: [{id: [hunter2], enabled: hunter2, scopes: {a: hunter2}, secret: [hunter2]}]\n\
                authenticators: {a: {jwt: {algorithms: [hunter2, \"${SECRET}\"], leeway: hunter2, size: hunter2}}}\n";
    let problems = shown(text);
    assert_eq!(problems.len(), 9, "{problems:#?}");
    for problem in problems {
        assert!(
            !problem.contains("hunter2") && !problem.contains("s3cret"),
            "{problem}"
        );
    }
    let tree = read(text.as_bytes()).unwrap();
    assert!(!format!("{tree:?}").contains("hunter2"));
    let good =
        load("version: 1\nclients: [{id: a, secret: hunter2, metadata: {k: hunter2}}]").unwrap();
    assert!(!format!("{good:?}").contains("hunter2"));
}

#[test]
fn problems_are_told_up_to_a_limit() {
    let text = format!(
        "version: 1\nrules: [{}]",
        "{path: 1, shadow: true},".repeat(1000)
    );
    let problems = shown(&text);
    assert_eq!(problems.len(), MAX_PROBLEMS);
}

#[test]
fn a_variable_repeated_does_not_fill_the_memory() {
    let long = |_: &str| Some("x".repeat(1024 * 1024));
    let tree = read(format!("[{}]", "\"${A}\",".repeat(100)).as_bytes()).unwrap();
    let problems = decode::<Vec<String>>(&tree, &long).unwrap_err();
    assert_eq!(problems[0].path, "[8]");
    assert!(
        problems[0]
            .message
            .contains("are longer than 8388608 bytes together"),
        "{problems:?}"
    );
}

/// The trees that differ from `node` in one value, each with the path of that value.
fn mutants(node: &Node, path: &Path, replacement: &Value, found: &mut Vec<(Path, Node)>) {
    let mark = node.mark;
    found.push((
        path.clone(),
        Node {
            value: replacement.clone(),
            mark,
        },
    ));
    match &node.value {
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let mut inner = Vec::new();
                mutants(item, &path.index(index), replacement, &mut inner);
                found.extend(inner.into_iter().map(|(path, mutant)| {
                    let mut items = items.clone();
                    items[index] = mutant;
                    (
                        path,
                        Node {
                            value: Value::List(items),
                            mark,
                        },
                    )
                }));
            }
        }
        Value::Map(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                let mut inner = Vec::new();
                mutants(&entry.value, &path.key(&entry.key), replacement, &mut inner);
                found.extend(inner.into_iter().map(|(path, mutant)| {
                    let mut entries = entries.clone();
                    entries[index].value = mutant;
                    (
                        path,
                        Node {
                            value: Value::Map(entries),
                            mark,
                        },
                    )
                }));
            }
        }
        _ => {}
    }
}

#[test]
fn one_wrong_value_is_one_problem_at_its_place() {
    let tree = read(WHOLE.as_bytes()).unwrap();
    let replacements = [
        Value::Null,
        Value::Bool(true),
        Value::Int(-70_000),
        Value::Float(0.5),
        Value::String("?".to_owned().into()),
        Value::List(Vec::new()),
        Value::List(vec![Node {
            value: Value::Null,
            mark: None,
        }]),
    ];
    let mut wrong = 0;
    for replacement in replacements {
        let mut found = Vec::new();
        mutants(&tree, &Path::root(), &replacement, &mut found);
        for (path, mutant) in found {
            let Err(problems) = decode::<Document>(&mutant, &environment) else {
                continue;
            };
            wrong += 1;
            assert_eq!(problems.len(), 1, "{path} {replacement:?}: {problems:#?}");
            assert!(
                problems[0].path.starts_with(&path.to_string()),
                "{path}: {problems:?}"
            );
            if !path.segments().is_empty()
                && !matches!(&replacement, Value::List(items) if !items.is_empty())
            {
                assert_eq!(
                    problems[0],
                    problem_at(&mutant, &path, problems[0].message.clone())
                );
            }
        }
    }
    assert!(wrong > 200, "{wrong}");
}

#[test]
fn every_pair_of_wrong_values_is_told() {
    let tree = read(WHOLE.as_bytes()).unwrap();
    let mut once = Vec::new();
    let wrong = Value::List(vec![Node {
        value: Value::Int(1),
        mark: None,
    }]);
    mutants(&tree, &Path::root(), &wrong, &mut once);
    let paths = |tree: &Node| match decode::<Document>(tree, &environment) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|problem| problem.path).collect(),
    };
    for (path, mutant) in once {
        let first = paths(&mutant);
        let mut twice = Vec::new();
        mutants(&mutant, &Path::root(), &wrong, &mut twice);
        for (other, mutant) in twice {
            let (one, two) = (path.segments(), other.segments());
            if one.starts_with(two) || two.starts_with(one) {
                continue;
            }
            let both = paths(&mutant);
            assert!(
                first.iter().all(|path| both.contains(path)),
                "{path} and {other}: {first:?}, {both:?}"
            );
        }
    }
}
