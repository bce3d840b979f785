//! What came of a step, held against what should.

use super::kept::Kept;
use super::steps::{Then, Upstream};
use crate::offline::{Called, Story, seen_headers};
use doorward_core::http::{Reply, Request, Verdict};
use doorward_core::policy::document::{MapOr, OneOrMany, Path};
use serde_json::Value;
use std::collections::BTreeMap;

/// How many calls are named: a long pause may make thousands.
const MAX_CALLS: usize = 10;

/// Something that is not as it should be.
pub struct Mismatch {
    /// What it's about, for instance `upstream.headers.x-plan`.
    pub what: String,
    /// Where that is asked for, in the case.
    pub place: Path,
    /// What should be.
    pub expected: String,
    /// What is.
    pub actual: String,
}

/// What came of a request, or of time that passed.
pub struct Seen {
    outcome: Outcome,
    /// The calls that were made.
    pub calls: Vec<String>,
    clusters: Vec<String>,
}

enum Outcome {
    /// Time passed.
    Nothing,
    /// The upstream sees this.
    Upstream(Vec<(String, String)>),
    /// The gateway answers.
    Answered(Box<Answered>),
}

struct Answered {
    status: u16,
    /// Public and detailed; none where it is no refusal.
    reason: Option<(&'static str, &'static str)>,
    description: &'static str,
    headers: Vec<(String, String)>,
    body: String,
}

impl Seen {
    /// What came of time that passed.
    pub fn nothing(story: &Story) -> Seen {
        Seen::of(Outcome::Nothing, story)
    }

    /// What came of a request.
    pub fn new(request: &Request, verdict: &Verdict, story: &Story) -> Seen {
        let outcome = match verdict {
            Verdict::Forward(forward) => Outcome::Upstream(seen_headers(request, forward)),
            Verdict::Refuse(reply) => Outcome::Answered(Box::new(refused(reply))),
            Verdict::Answer(response) => Outcome::Answered(Box::new(Answered {
                status: response.status,
                reason: None,
                description: "",
                headers: response.headers.clone(),
                body: response.body.clone(),
            })),
        };
        Seen::of(outcome, story)
    }

    fn of(outcome: Outcome, story: &Story) -> Seen {
        Seen {
            outcome,
            calls: story.calls.iter().map(in_words).collect(),
            clusters: story
                .calls
                .iter()
                .map(|call| call.cluster.clone())
                .collect(),
        }
    }

    /// The value at a pointer of the answer's JSON body, as text.
    pub fn at(&self, pointer: &str) -> Option<String> {
        let Outcome::Answered(answered) = &self.outcome else {
            return None;
        };
        let body: Value = serde_json::from_str(&answered.body).ok()?;
        match body.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Its status; `None` where the request went on, or there was none.
    pub fn status(&self) -> Option<u16> {
        match &self.outcome {
            Outcome::Answered(answered) => Some(answered.status),
            Outcome::Nothing | Outcome::Upstream(_) => None,
        }
    }

    /// In a few words.
    pub fn in_words(&self) -> String {
        match &self.outcome {
            Outcome::Nothing => "time passed".to_owned(),
            Outcome::Upstream(_) => "goes on to the upstream".to_owned(),
            Outcome::Answered(answered) => match answered.reason {
                Some((public, detailed)) if public == detailed => public.to_owned(),
                Some((public, detailed)) => format!("{public} ({detailed})"),
                None => "answered".to_owned(),
            },
        }
    }

    /// Why it is refused, for who wonders.
    pub fn description(&self) -> Option<&'static str> {
        match &self.outcome {
            Outcome::Answered(answered) if answered.reason.is_some() => Some(answered.description),
            _ => None,
        }
    }
}

fn refused(reply: &Reply) -> Answered {
    Answered {
        status: reply.status,
        reason: Some((reply.reason.public().name, reply.reason.name())),
        description: reply.reason.description(),
        headers: reply.headers.clone(),
        body: reply.body.clone(),
    }
}

fn in_words(call: &Called) -> String {
    let Called {
        cluster,
        method,
        url,
        status,
        given,
    } = call;
    let met = match (status, given) {
        (Some(status), _) => status.to_string(),
        (None, true) => "no answer, as given".to_owned(),
        (None, false) => "no callout is given for it, so it counts as unreachable".to_owned(),
    };
    format!("{cluster}: {method} {url}: {met}")
}

/// Tells everything that isn't as it should be.
///
/// # Errors
/// A value in what is expected that no earlier step kept.
pub fn compare(
    then: &Then,
    place: &Path,
    seen: &Seen,
    kept: &Kept,
    mismatches: &mut Vec<Mismatch>,
) -> Result<(), String> {
    let mut comparison = Comparison {
        place,
        kept,
        mismatches,
    };
    match (&then.upstream, &seen.outcome) {
        (Some(upstream), Outcome::Upstream(headers)) => comparison.upstream(upstream, headers)?,
        (Some(_), _) => comparison.differ(&["upstream"], "the request goes on", seen.short()),
        (None, _) => {}
    }
    let asks = then.status.is_some()
        || then.reason.is_some()
        || then.body.is_some()
        || !then.keep.is_empty()
        || !then.headers.is_empty();
    match &seen.outcome {
        Outcome::Answered(answered) if asks => {
            comparison.answer(then, answered)?;
            comparison.keep(then, seen, answered);
        }
        Outcome::Nothing | Outcome::Upstream(_) if asks => {
            let expected = match (then.status, &then.reason) {
                (Some(status), Some(reason)) => format!("{status} {reason}"),
                (Some(status), None) => status.to_string(),
                (None, Some(reason)) => reason.clone(),
                (None, None) => "an answer".to_owned(),
            };
            comparison.differ(&[], &expected, seen.short());
        }
        _ => {}
    }
    if let Some(calls) = &then.callouts {
        comparison.calls(calls, seen);
    }
    Ok(())
}

impl Seen {
    fn short(&self) -> String {
        match self.status() {
            Some(status) => format!("{status} {}", self.in_words()),
            None => self.in_words(),
        }
    }
}

struct Comparison<'c> {
    place: &'c Path,
    kept: &'c Kept,
    mismatches: &'c mut Vec<Mismatch>,
}

impl Comparison<'_> {
    fn differ(&mut self, keys: &[&str], expected: &str, actual: String) {
        let mut place = self.place.clone();
        for key in keys {
            place = place.key(key);
        }
        let what = match keys {
            [] => "outcome".to_owned(),
            keys => keys.join("."),
        };
        self.mismatches.push(Mismatch {
            what,
            place,
            expected: expected.to_owned(),
            actual,
        });
    }

    fn upstream(&mut self, wanted: &Upstream, headers: &[(String, String)]) -> Result<(), String> {
        self.headers(&["upstream", "headers"], &wanted.headers, headers)?;
        for name in &wanted.without.0 {
            let values = values(headers, name);
            if !values.is_empty() {
                let expected = format!("no {name}");
                self.differ(&["upstream", "without"], &expected, listed(&values));
            }
        }
        if let Some(path) = &wanted.path {
            let actual = values(headers, ":path");
            if actual != [path.as_str()] {
                self.differ(&["upstream", "path"], path, listed(&actual));
            }
        }
        Ok(())
    }

    fn headers(
        &mut self,
        place: &[&str],
        wanted: &BTreeMap<String, OneOrMany<String>>,
        headers: &[(String, String)],
    ) -> Result<(), String> {
        for (name, OneOrMany(expected)) in wanted {
            let actual = values(headers, name);
            let expected = expected.iter().map(|text| self.kept.fill(text));
            let expected: Vec<String> = expected.collect::<Result<_, _>>()?;
            if actual != expected {
                let keys = [place, &[name.as_str()]].concat();
                let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
                self.differ(&keys, &listed(&expected), listed(&actual));
            }
        }
        Ok(())
    }

    fn keep(&mut self, then: &Then, seen: &Seen, answered: &Answered) {
        for (name, pointer) in &then.keep {
            if seen.at(pointer).is_none() {
                let expected = format!("a text or number at {pointer} of the body");
                self.differ(&["keep", name.as_str()], &expected, answered.body.clone());
            }
        }
    }

    fn answer(&mut self, then: &Then, answered: &Answered) -> Result<(), String> {
        if let Some(status) = then.status
            && status != answered.status
        {
            self.differ(
                &["status"],
                &status.to_string(),
                answered.status.to_string(),
            );
        }
        if let Some(reason) = &then.reason {
            let (public, detailed) = answered.reason.unwrap_or(("none", "none"));
            if reason != public && reason != detailed {
                let actual = match public == detailed {
                    true => public.to_owned(),
                    false => format!("{public} ({detailed})"),
                };
                self.differ(&["reason"], reason, actual);
            }
        }
        self.headers(&["headers"], &then.headers, &answered.headers)?;
        if let Some(body) = &then.body {
            self.body(body.value(), &answered.body);
        }
        Ok(())
    }

    /// A text must be the whole body; of JSON every member that is named must be there.
    fn body(&mut self, expected: &Value, actual: &str) {
        if let Value::String(text) = expected {
            if text != actual {
                self.differ(&["body"], text, actual.to_owned());
            }
            return;
        }
        match serde_json::from_str::<Value>(actual) {
            Ok(json) if holds(&json, expected) => {}
            _ => self.differ(&["body"], &expected.to_string(), actual.to_owned()),
        }
    }

    fn calls(&mut self, wanted: &MapOr<BTreeMap<String, usize>, usize>, seen: &Seen) {
        let actual = match seen.calls.split_at_checked(MAX_CALLS) {
            _ if seen.calls.is_empty() => "none".to_owned(),
            Some((some, more @ [_, ..])) => {
                let all = seen.calls.len();
                format!("{all}: {}, and {} more", some.join(", "), more.len())
            }
            _ => format!("{}: {}", seen.calls.len(), seen.calls.join(", ")),
        };
        match wanted {
            MapOr::Other(count) if *count != seen.calls.len() => {
                self.differ(&["callouts"], &count.to_string(), actual);
            }
            MapOr::Other(_) => {}
            MapOr::Map(clusters) => {
                for (cluster, count) in clusters {
                    let made = seen.clusters.iter().filter(|one| *one == cluster).count();
                    if made != *count {
                        let keys = ["callouts", cluster.as_str()];
                        self.differ(&keys, &count.to_string(), actual.clone());
                    }
                }
            }
        }
    }
}

/// Whether a value has all of another's members. The depth is the document's, which is bounded.
fn holds(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => expected
            .iter()
            .all(|(name, value)| actual.get(name).is_some_and(|other| holds(other, value))),
        (Value::Array(actual), Value::Array(expected)) => {
            let pairs = actual.iter().zip(expected);
            actual.len() == expected.len()
                && pairs.into_iter().all(|(one, other)| holds(one, other))
        }
        (actual, expected) => actual == expected,
    }
}

fn values<'h>(headers: &'h [(String, String)], name: &str) -> Vec<&'h str> {
    let same = headers
        .iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(name));
    same.map(|(_, value)| value.as_str()).collect()
}

fn listed(values: &[&str]) -> String {
    match values {
        [] => "nothing".to_owned(),
        [one] => format!("\"{one}\""),
        many => format!("{many:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_body_holds_what_is_named_and_may_hold_more() {
        let actual = json!({"a": 1, "b": {"c": [1, {"d": 2, "e": 3}]}});
        for (expected, good) in [
            (json!({}), true),
            (json!({"a": 1}), true),
            (json!({"b": {"c": [1, {"d": 2}]}}), true),
            (json!({"a": 2}), false),
            (json!({"x": null}), false),
            (json!({"b": {"c": [1]}}), false),
            (json!([]), false),
        ] {
            assert_eq!(holds(&actual, &expected), good, "{expected}");
        }
    }
}
