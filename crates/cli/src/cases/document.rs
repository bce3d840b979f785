//! The file of cases, from its text to checked cases.
//!
//! It is read with the policy's own reader, so it is as strict, and its problems have places.
//! Tokens become variables of the strings in a case: so the outermost keys are read first, then
//! each case's tokens, then the case.

use super::Subject;
use super::kept;
use super::servers::Callout;
use super::signing::{Key, KeySource, TokenSource};
use super::steps::{RawStep, Step, Then, steps};
use crate::input::{Variables, read};
use doorward_core::policy::document::{
    self, Entry, MapOr, Node, Path, Problem, Timestamp, Value, problem_at,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// When a case begins that doesn't say: any time will do, but not another one each day.
const CLOCK: Timestamp = Timestamp {
    // 2026-11-21T12:00:00Z
    unix_seconds: 1_795_262_400,
};

/// The file's outermost keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    clock: Option<Timestamp>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    /// Read once the environment is there.
    #[serde(default, rename = "keys")]
    _keys: BTreeMap<String, KeySource>,
    /// Read once the keys are there.
    #[serde(default, rename = "tokens")]
    _tokens: BTreeMap<String, TokenSource>,
    /// Read with each case.
    #[serde(default, rename = "callouts")]
    _callouts: Vec<Callout>,
    /// Read one by one.
    #[serde(rename = "cases")]
    _cases: Vec<RawCase>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    #[serde(default)]
    given: Given,
    when: MapOr<RawStep, Vec<RawStep>>,
    then: Option<Then>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    clock: Option<Timestamp>,
    /// Read before the case.
    #[serde(default, rename = "tokens")]
    _tokens: BTreeMap<String, TokenSource>,
    #[serde(default)]
    callouts: Vec<Callout>,
}

/// A whole file, its cases not read yet.
pub struct Cases {
    node: Node,
    clock: Timestamp,
    environment: BTreeMap<String, String>,
    keys: BTreeMap<String, Key>,
    variables: Variables,
}

/// A case that can be run.
pub struct Case {
    /// What it proves.
    pub name: String,
    /// Its number in the file, from 0.
    pub index: usize,
    /// When it begins.
    pub clock: Timestamp,
    /// What other servers do: its own first, then everybody's.
    pub callouts: Vec<Callout>,
    /// The public keys, as JWKs.
    pub jwks: BTreeMap<String, serde_json::Value>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    node: Node,
}

impl Cases {
    /// Reads the file's outermost keys.
    ///
    /// # Errors
    /// Everything that is wrong with them; a file that can't be read is such a problem.
    pub fn read(path: &std::path::Path, variables: Variables) -> Result<Cases, Vec<Problem>> {
        let nowhere = Node {
            value: Value::Null,
            mark: None,
        };
        let bytes = read(path).map_err(|error| vec![problem_at(&nowhere, &Path::root(), error)])?;
        let node = document::read(&bytes)?;
        let head = blanked(&node, &["keys", "tokens", "callouts", "cases"]);
        let document: Document = document::decode(&head, &|name| variables.get(name))?;
        let variables = variables.with(document.environment.clone());
        let sources: BTreeMap<String, KeySource> = match node.get("keys") {
            Some(keys) => document::decode(keys, &|name| variables.get(name))
                .map_err(|problems| below("keys", problems))?,
            None => BTreeMap::new(),
        };
        let directory = path.parent().unwrap_or(path);
        let mut keys = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, source) in sources {
            match Key::new(&name, source, directory) {
                Ok(key) => {
                    keys.insert(name, key);
                }
                Err(problem) => {
                    let place = Path::root().key("keys").key(&name);
                    problems.push(problem_at(&node, &place, problem));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Cases {
            node,
            clock: document.clock.unwrap_or(CLOCK),
            environment: document.environment,
            keys,
            variables,
        })
    }

    /// These variables and, before them, those of the file.
    pub fn environment(&self, variables: Variables) -> Variables {
        variables.with(self.environment.clone())
    }

    /// Every case.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn all(&self, subject: &Subject) -> Result<Vec<Case>, Vec<Problem>> {
        let mut cases = Vec::new();
        let mut problems = Vec::new();
        let list = match self.node.get("cases").map(|node| &node.value) {
            Some(Value::List(list)) => list.as_slice(),
            _ => &[],
        };
        if list.is_empty() {
            let place = Path::root().key("cases");
            let problem = problem_at(&self.node, &place, "expected at least one case");
            problems.push(problem);
        }
        for (index, node) in list.iter().enumerate() {
            match self.case(index, node, subject) {
                Ok(case) => cases.push(case),
                Err(found) => problems.extend(found),
            }
        }
        match problems.is_empty() {
            true => Ok(cases),
            false => Err(problems),
        }
    }

    fn case(&self, index: usize, node: &Node, subject: &Subject) -> Result<Case, Vec<Problem>> {
        let place = format!("cases[{index}]");
        let clock = own_clock(node).unwrap_or(self.clock);
        let mut tokens = BTreeMap::new();
        let own = node.get("given").and_then(|given| given.get("tokens"));
        for (tokens_node, place) in [
            (self.node.get("tokens"), "tokens".to_owned()),
            (own, format!("{place}.given.tokens")),
        ] {
            let Some(tokens_node) = tokens_node else {
                continue;
            };
            let sources: BTreeMap<String, TokenSource> =
                document::decode(tokens_node, &|name| self.variables.get(name))
                    .map_err(|problems| below(&place, problems))?;
            for (name, source) in sources {
                let token = source.mint(&self.keys, subject, clock).map_err(|problem| {
                    let problem = problem_at(tokens_node, &Path::root().key(&name), problem);
                    below(&place, vec![problem])
                })?;
                tokens.insert(name, token);
            }
        }
        let variables = self.variables.with(tokens);
        let kept = kept::names(node);
        let environment = |name: &str| match kept.contains(name) {
            true => Some(kept::stand_in(name)),
            false => variables.get(name),
        };
        let case = match node.get("given") {
            Some(given) => with_member(node, "given", blanked(given, &["tokens"])),
            None => node.clone(),
        };
        let raw: RawCase =
            document::decode(&case, &environment).map_err(|found| below(&place, found))?;
        let clock = raw.given.clock.unwrap_or(self.clock);
        let jwks = self.keys.iter();
        let jwks = jwks.filter_map(|(name, key)| Some((name.clone(), key.public_jwk()?)));
        let jwks: BTreeMap<_, _> = jwks.collect();
        let mut callouts = raw.given.callouts;
        let own = Path::root().key("given").key("callouts");
        check(&callouts, &jwks, node, &own).map_err(|found| below(&place, found))?;
        if let Some(node) = self.node.get("callouts") {
            let everybodys: Vec<Callout> = document::decode(node, &environment)
                .map_err(|problems| below("callouts", problems))?;
            check(
                &everybodys,
                &jwks,
                &self.node,
                &Path::root().key("callouts"),
            )?;
            callouts.extend(everybodys);
        }
        let steps = steps(node, raw.when, raw.then).map_err(|found| below(&place, found))?;
        Ok(Case {
            name: raw.name,
            index,
            clock,
            jwks,
            callouts,
            steps,
            node: node.clone(),
        })
    }
}

impl Case {
    /// The line of a place in this case.
    pub fn line(&self, place: &Path) -> Option<u32> {
        self.node.mark_at(place).map(|mark| mark.line)
    }
}

/// Whether each of the callouts at this place can be meant.
fn check(
    callouts: &[Callout],
    jwks: &BTreeMap<String, serde_json::Value>,
    node: &Node,
    place: &Path,
) -> Result<(), Vec<Problem>> {
    let problems = callouts.iter().enumerate().filter_map(|(number, callout)| {
        let problem = callout.check(jwks).err()?;
        Some(problem_at(node, &place.index(number), problem))
    });
    let problems: Vec<Problem> = problems.collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems),
    }
}

/// Known before the tokens, which need it.
fn own_clock(case: &Node) -> Option<Timestamp> {
    match &case.get("given")?.get("clock")?.value {
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The map with these members' values empty.
fn blanked(node: &Node, members: &[&str]) -> Node {
    let Value::Map(entries) = &node.value else {
        return node.clone();
    };
    let entries = entries.iter().map(|entry| {
        let value = match &entry.value.value {
            Value::List(_) if members.contains(&entry.key.as_str()) => Value::List(Vec::new()),
            Value::Map(_) if members.contains(&entry.key.as_str()) => Value::Map(Vec::new()),
            value => value.clone(),
        };
        Entry {
            value: Node {
                value,
                mark: entry.value.mark,
            },
            ..entry.clone()
        }
    });
    Node {
        value: Value::Map(entries.collect()),
        mark: node.mark,
    }
}

/// The map with another value for a member.
fn with_member(node: &Node, member: &str, value: Node) -> Node {
    let mut changed = node.clone();
    if let Value::Map(entries) = &mut changed.value
        && let Some(entry) = entries.iter_mut().find(|entry| entry.key == member)
    {
        entry.value = value;
    }
    changed
}

/// The problems of a part, as those of the whole.
fn below(place: &str, mut problems: Vec<Problem>) -> Vec<Problem> {
    for problem in &mut problems {
        problem.path = match problem.path.as_str() {
            "" => place.to_owned(),
            path if path.starts_with('[') => format!("{place}{path}"),
            path => format!("{place}.{path}"),
        };
    }
    problems
}
