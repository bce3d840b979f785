//! The steps of a case, and what must come of them.

use crate::offline::Line;
use doorward_core::policy::document::{
    Duration, Json, MapOr, Node, OneOrMany, Path, Problem, problem_at,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

/// The most requests of one step: for limits, which are at most some thousands.
const MAX_TIMES: u32 = 100_000;
/// A step as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawStep {
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
    /// Values of the answer's JSON body, by pointer, for later steps.
    #[serde(default)]
    pub keep: BTreeMap<String, String>,
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
    pub line: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
    /// The caller's address.
    pub source: IpAddr,
    /// How often it's sent; what must come of it must come of each.
    pub times: u32,
}

/// The steps; `then` of the case is that of the last.
///
/// # Errors
/// Everything that is wrong with them.
pub fn steps(
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
            || !self.keep.is_empty()
            || !self.headers.is_empty();
        if matches!(step.event, Event::Advance(_)) && (answered || self.upstream.is_some()) {
            return Some("nothing is answered where only time passes: `callouts` may stand here");
        }
        let calls = match &self.callouts {
            Some(MapOr::Map(clusters)) => !clusters.is_empty(),
            Some(MapOr::Other(_)) => true,
            None => false,
        };
        let nothing = !answered && self.upstream.is_none() && !calls;
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
    // What earlier steps keep is put in later, and changes nothing in this form.
    Line::from_str(request)?;
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
    if let Some(kind) = kind
        && !headers.iter().any(|(name, _)| name == "content-type")
    {
        headers.push(("content-type".to_owned(), kind.to_owned()));
    }
    let source = raw.source.as_deref().unwrap_or("127.0.0.1");
    Ok(Sent {
        line: request.to_owned(),
        headers,
        body,
        source: source
            .parse()
            .map_err(|_| "source: expected an address such as 203.0.113.7".to_owned())?,
        times: match raw.times.unwrap_or(1) {
            times @ 1..=MAX_TIMES => times,
            _ => return Err(format!("times: expected 1 to {MAX_TIMES}")),
        },
    })
}
