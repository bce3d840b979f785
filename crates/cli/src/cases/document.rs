//! The file of cases, from its text to checked cases.
//!
//! It is read with the policy's own reader, so it is as strict, and its problems have places.
//! Tokens become variables of the strings in a case: so the outermost keys are read first, then
//! each case's tokens, then the case.

use super::Subject;
use super::servers::Callout;
use super::signing::{Key, KeySource, TokenSource};
use crate::input::{Variables, read};
use crate::offline::Line;
use doorward_core::policy::document::{
    self, Duration, Entry, Json, MapOr, Node, OneOrMany, Path, Problem, Timestamp, Value,
    problem_at,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

/// The most requests of one step: for limits, which are at most some thousands.
const MAX_TIMES: u32 = 100_000;
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
    #[serde(default)]
    keys: BTreeMap<String, KeySource>,
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    request: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, OneOrMany<String>>,
    body: Option<String>,
    json: Option<Json>,
    source: Option<String>,
    times: Option<u32>,
    advance: Option<Duration>,
    then: Option<Then>,
}

/// What must come of a step.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Then {
    /// The request goes on, and this is what the upstream sees.
    pub upstream: Option<Upstream>,
    /// The answer's status.
    pub status: Option<u16>,
    /// Why it is refused: the public reason or the detailed one.
    pub reason: Option<String>,
    /// Headers that the answer must have.
    #[serde(default)]
    pub headers: BTreeMap<String, OneOrMany<String>>,
    /// The answer's body: a text, or JSON that it must hold.
    pub body: Option<Json>,
    /// How many calls were made in this step.
    pub callouts: Option<MapOr<BTreeMap<String, usize>, usize>>,
}

/// What the upstream sees.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Headers with all their values.
    #[serde(default)]
    pub headers: BTreeMap<String, OneOrMany<String>>,
    /// Headers that it must not see.
    #[serde(default)]
    pub without: OneOrMany<String>,
    /// Path and query.
    pub path: Option<String>,
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

/// Something that happens, and what must come of it.
pub struct Step {
    /// What happens.
    pub event: Event,
    /// What must come of it.
    pub then: Option<Then>,
    /// Where `then` stands in the case.
    pub place: Path,
}

/// Something that happens.
pub enum Event {
    /// Time passes.
    Advance(std::time::Duration),
    /// A request comes.
    Request(Box<Sent>),
}

/// A request, so and so often.
pub struct Sent {
    /// Method and target.
    pub line: Line,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// The caller's address.
    pub source: IpAddr,
    /// How often it's sent; what must come of it must come of each.
    pub times: u32,
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
        let head = blanked(&node, &["tokens", "callouts", "cases"]);
        let document: Document = document::decode(&head, &|name| variables.get(name))?;
        let directory = path.parent().unwrap_or(path);
        let mut keys = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, source) in document.keys {
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
        let variables = variables.with(document.environment.clone());
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
        let environment = |name: &str| variables.get(name);
        let case = match node.get("given") {
            Some(given) => with_member(node, "given", blanked(given, &["tokens"])),
            None => node.clone(),
        };
        let raw: RawCase =
            document::decode(&case, &environment).map_err(|found| below(&place, found))?;
        let clock = raw.given.clock.unwrap_or(self.clock);
        let mut callouts = raw.given.callouts;
        if let Some(node) = self.node.get("callouts") {
            let everybodys: Vec<Callout> = document::decode(node, &environment)
                .map_err(|problems| below("callouts", problems))?;
            callouts.extend(everybodys);
        }
        let steps = steps(node, raw.when, raw.then).map_err(|found| below(&place, found))?;
        let jwks = self.keys.iter();
        let jwks = jwks.filter_map(|(name, key)| Some((name.clone(), key.public_jwk()?)));
        let case = Case {
            name: raw.name,
            index,
            clock,
            jwks: jwks.collect(),
            callouts,
            steps,
            node: node.clone(),
        };
        for (number, callout) in case.callouts.iter().enumerate() {
            if let Err(problem) = callout.check(&case.jwks) {
                let own = Path::root().key("given").key("callouts").index(number);
                return Err(below(&place, vec![problem_at(node, &own, problem)]));
            }
        }
        Ok(case)
    }
}

impl Case {
    /// The line of a place in this case.
    pub fn line(&self, place: &Path) -> Option<u32> {
        self.node.mark_at(place).map(|mark| mark.line)
    }
}

/// Known before the tokens, which need it.
fn own_clock(case: &Node) -> Option<Timestamp> {
    match &case.get("given")?.get("clock")?.value {
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The steps; `then` of the case is that of the last.
fn steps(
    node: &Node,
    when: MapOr<RawStep, Vec<RawStep>>,
    then: Option<Then>,
) -> Result<Vec<Step>, Vec<Problem>> {
    let when_at = Path::root().key("when");
    let raw: Vec<(Path, RawStep)> = match when {
        MapOr::Map(step) => vec![(when_at.clone(), step)],
        MapOr::Other(steps) => {
            let steps = steps.into_iter().enumerate();
            steps
                .map(|(index, step)| (when_at.index(index), step))
                .collect()
        }
    };
    let mut problems = Vec::new();
    let mut steps = Vec::new();
    for (place, raw) in raw {
        match step(raw, &place) {
            Ok(step) => steps.push(step),
            Err(problem) => problems.push(problem_at(node, &place, problem)),
        }
    }
    match (steps.last_mut(), then) {
        (None, _) if problems.is_empty() => {
            problems.push(problem_at(node, &when_at, "expected at least one step"));
        }
        (Some(last), Some(then)) => match &last.then {
            Some(_) => problems.push(problem_at(
                node,
                &Path::root().key("then"),
                "the last step has a `then` of its own; one is enough",
            )),
            None => {
                last.then = Some(then);
                last.place = Path::root().key("then");
            }
        },
        _ => {}
    }
    if problems.is_empty() && steps.iter().all(|step| step.then.is_none()) {
        let problem = "a case without `then` proves nothing";
        problems.push(problem_at(node, &Path::root(), problem));
    }
    for step in &steps {
        if let Some(problem) = step.then.as_ref().and_then(|then| then.contradiction(step)) {
            problems.push(problem_at(node, &step.place, problem));
        }
    }
    match problems.is_empty() {
        true => Ok(steps),
        false => Err(problems),
    }
}

impl Then {
    fn contradiction(&self, step: &Step) -> Option<&'static str> {
        let answered = self.status.is_some()
            || self.reason.is_some()
            || self.body.is_some()
            || !self.headers.is_empty();
        if matches!(step.event, Event::Advance(_)) && (answered || self.upstream.is_some()) {
            return Some("nothing is answered where only time passes: `callouts` may stand here");
        }
        let nothing = !answered && self.upstream.is_none() && self.callouts.is_none();
        if nothing {
            return Some("nothing is asked for: `upstream: {}` says that the request goes on");
        }
        (answered && self.upstream.is_some())
            .then_some("a request goes on (`upstream`) or is answered (`status`, …), never both")
    }
}

fn step(raw: RawStep, place: &Path) -> Result<Step, String> {
    let event = match (&raw.request, raw.advance) {
        (Some(request), None) => Event::Request(Box::new(sent(request, &raw)?)),
        (None, Some(time)) => {
            let alone = raw.headers.is_empty()
                && raw.body.is_none()
                && raw.json.is_none()
                && raw.source.is_none()
                && raw.times.is_none();
            match alone {
                true => Event::Advance(time.0),
                false => return Err("only `then` may stand beside `advance`".to_owned()),
            }
        }
        _ => return Err("expected either `request` or `advance`".to_owned()),
    };
    Ok(Step {
        event,
        then: raw.then,
        place: place.key("then"),
    })
}

fn sent(request: &str, raw: &RawStep) -> Result<Sent, String> {
    let line = Line::from_str(request)?;
    let mut headers = Vec::new();
    for (name, values) in &raw.headers {
        for value in &values.0 {
            headers.push((name.to_ascii_lowercase(), value.clone()));
        }
    }
    let body = match (&raw.body, &raw.json) {
        (Some(_), Some(_)) => return Err("`body` and `json` are both the body".to_owned()),
        (Some(text), None) => Some((None, text.clone())),
        (None, Some(json)) => Some((Some("application/json"), json.value().to_string())),
        (None, None) => None,
    };
    let (kind, body) = body.unwrap_or_default();
    let mut add = |name: &str, value: String| {
        if !headers.iter().any(|(other, _)| other == name) {
            headers.push((name.to_owned(), value));
        }
    };
    if let Some(kind) = kind {
        add("content-type", kind.to_owned());
    }
    if !body.is_empty() {
        add("content-length", body.len().to_string());
    }
    let source = raw.source.as_deref().unwrap_or("127.0.0.1");
    Ok(Sent {
        line,
        headers,
        body: body.into_bytes(),
        source: source
            .parse()
            .map_err(|_| "source: expected an address such as 203.0.113.7".to_owned())?,
        times: match raw.times.unwrap_or(1) {
            times @ 1..=MAX_TIMES => times,
            _ => return Err(format!("times: expected 1 to {MAX_TIMES}")),
        },
    })
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
