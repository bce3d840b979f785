//! The whole story, for people and for programs.

use super::names::Names;
use super::words;
use crate::offline::{Called, Story, Told, seen_headers};
use doorward_core::http::{Forward, Reply, Request, Response, Verdict};
use doorward_core::policy::Policy;
use serde_json::{Map, Value, json};

/// What came of a request, and how.
pub struct Report<'r> {
    rule: Option<usize>,
    authenticators: Vec<(String, Option<&'static str>)>,
    steps: Vec<String>,
    names: &'r Names,
    story: &'r Story,
    request: &'r Request,
    verdict: &'r Verdict,
}

impl<'r> Report<'r> {
    /// Puts a report together.
    pub fn new(
        policy: &'r Policy,
        names: &'r Names,
        request: &'r Request,
        verdict: &'r Verdict,
        story: &'r Story,
    ) -> Report<'r> {
        let authenticators = story.steps.iter().filter_map(|told| match told {
            Told::Authenticated(index, outcome) => Some((
                names.authenticator(*index).to_owned(),
                outcome.as_ref().err().map(|refusal| refusal.reason.name()),
            )),
            _ => None,
        });
        Report {
            rule: story.matched.as_ref().map(|(rule, _)| *rule),
            authenticators: authenticators.collect(),
            steps: words::steps(policy, names, story),
            names,
            story,
            request,
            verdict,
        }
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let method = self.request.method();
        let target = String::from_utf8_lossy(self.request.raw_target()).into_owned();
        let mut text = format!(
            "{method} {target} on {}\n",
            self.request.host().unwrap_or_default()
        );
        if self.rule.is_none() && self.story.steps.is_empty() {
            text += "  no rule is asked\n";
        }
        for step in &self.steps {
            text += &format!("  {step}\n");
        }
        let calls: Vec<String> = self.story.calls.iter().map(call_in_words).collect();
        for (call, times) in counted(&calls) {
            match times {
                1 => text += &format!("  {call}\n"),
                _ => text += &format!("  {call} ({times} times)\n"),
            }
        }
        for line in &self.story.log {
            text += &format!("  the gateway would log: {line}\n");
        }
        text.push('\n');
        text + &match self.verdict {
            Verdict::Forward(forward) => self.forwarded(forward),
            Verdict::Refuse(reply) => refused(reply),
            Verdict::Answer(response) => answered(response),
        }
    }

    fn forwarded(&self, forward: &Forward) -> String {
        let mut text = match self.story.shadowed {
            Some(reason) => format!(
                "goes on to the upstream, for the rule is in shadow mode; it would be refused: {}: {}\n",
                reason.name(),
                reason.description()
            ),
            None => "goes on to the upstream\n".to_owned(),
        };
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for name in &forward.remove {
            text += &format!("  - {}\n", shown(name));
        }
        for (name, value) in forward.to_set() {
            text += &format!("  + {}: {}\n", shown(name), shown(value));
        }
        text += "the upstream sees\n";
        for (name, value) in seen_headers(self.request, forward) {
            text += &format!("  {name}: {value}\n");
        }
        text
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let mut report = json!({
            "rule": self.rule.map(|index| json!({
                "index": index,
                "path": self.names.rule(index).map(|rule| rule.path.as_str()),
                "line": self.names.rule(index).and_then(|rule| rule.line),
                "variables": self.story.matched.as_ref().map(|(_, variables)| {
                    variables.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>()
                }),
            })),
            "authenticators": self.authenticators.iter().map(|(name, reason)| json!({
                "name": name,
                "reason": reason,
            })).collect::<Value>(),
            "steps": self.steps,
            "calls": self.story.calls.iter().map(|call| json!({
                "cluster": call.cluster,
                "method": call.method,
                "url": call.url,
                "status": call.status,
            })).collect::<Value>(),
            "log": self.story.log,
            "shadowed": self.story.shadowed.map(|reason| reason.name()),
        });
        let verdict = match self.verdict {
            Verdict::Forward(forward) => json!({
                "verdict": "forward",
                "upstream": {
                    "remove": forward.remove.iter().map(|name| String::from_utf8_lossy(name)).collect::<Value>(),
                    "set": forward.to_set().map(|(name, value)| json!([String::from_utf8_lossy(name), String::from_utf8_lossy(value)])).collect::<Value>(),
                    "headers": seen_headers(self.request, forward).into_iter().map(|(name, value)| json!([name, value])).collect::<Value>(),
                },
            }),
            Verdict::Refuse(reply) => json!({
                "verdict": "refuse",
                "reason": reply.reason.name(),
                "public_reason": reply.reason.public().name,
                "description": reply.reason.description(),
                "answer": {
                    "status": reply.status,
                    "headers": reply.headers,
                    "body": reply.body,
                    "grpc_status": reply.grpc_status,
                },
            }),
            Verdict::Answer(response) => json!({
                "verdict": "answer",
                "answers": response.what,
                "answer": {
                    "status": response.status,
                    "headers": response.headers,
                    "body": response.body,
                },
            }),
        };
        if let (Some(report), Value::Object(verdict)) = (report.as_object_mut(), verdict) {
            report.extend(verdict);
        }
        report
    }
}

/// Equal lines once, with their number, in the order of their first.
fn counted(lines: &[String]) -> Vec<(&str, usize)> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for line in lines {
        match counted.iter_mut().find(|(other, _)| other == line) {
            Some((_, times)) => *times += 1,
            None => counted.push((line, 1)),
        }
    }
    counted
}

fn call_in_words(call: &Called) -> String {
    let Called {
        cluster,
        method,
        url,
        status,
        ..
    } = call;
    match status {
        Some(status) => format!("cluster {cluster} answers {method} {url}: {status}, as given"),
        None => format!(
            "would call cluster {cluster}: {method} {url}; no answer was given, so it counts as unreachable"
        ),
    }
}

fn refused(reply: &Reply) -> String {
    let public = reply.reason.public();
    let mut text = format!(
        "refused with {}: {}\n  {}: {}\n",
        reply.status,
        public.name,
        reply.reason.name(),
        reply.reason.description()
    );
    if let Some(status) = reply.grpc_status {
        text += &format!("  grpc-status: {status}\n");
    }
    text + &shown(&reply.headers, &reply.body)
}

fn answered(response: &Response) -> String {
    let text = format!(
        "answered with {}, by the gateway itself: {}\n",
        response.status, response.what
    );
    text + &shown(&response.headers, &response.body)
}

fn shown(headers: &[(String, String)], body: &str) -> String {
    let mut text = String::new();
    for (name, value) in headers {
        text += &format!("  {name}: {value}\n");
    }
    text + &format!("  {}\n", body.replace('\n', "\n  "))
}
