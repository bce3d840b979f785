//! Running one case.

use super::Subject;
use super::document::Case;
use super::expect::{Mismatch, Seen, compare};
use super::kept::Kept;
use super::servers::Given;
use super::steps::{Event, Sent, Step};
use crate::offline::{Line, OfflineHost, decide, pass, request, started};
use doorward_core::engine::Engine;
use std::str::FromStr;
use std::time::Duration;

/// What came of a case.
pub struct Ran {
    /// All that is not as it should be; empty is good.
    pub mismatches: Vec<Mismatch>,
    /// What the last request came to.
    pub last: Option<Seen>,
    /// How many calls were made in all steps.
    pub calls: usize,
}

/// Runs a case on an engine of its own.
///
/// # Errors
/// A request that waits for something that never comes.
pub fn run(subject: &Subject, case: Case) -> Result<(Case, Ran), String> {
    let policy = subject.load().map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })?;
    let mut case = case;
    let now = u64::try_from(case.clock.unix_seconds)
        .map(Duration::from_secs)
        .map_err(|_| "the clock stands before 1970".to_owned())?;
    let servers = Given::new(
        std::mem::take(&mut case.callouts),
        std::mem::take(&mut case.jwks),
    );
    let engine = started(policy, servers, now);
    let mut ran = Ran {
        mismatches: Vec::new(),
        last: None,
        calls: 0,
    };
    let mut kept = Kept::default();
    for step in &case.steps {
        take(&engine, step, &mut kept, &mut ran)?;
        // What later steps need may not be there now.
        let keeps = step.then.as_ref().is_some_and(|then| !then.keep.is_empty());
        if keeps && !ran.mismatches.is_empty() {
            break;
        }
    }
    Ok((case, ran))
}

fn take(
    engine: &Engine<OfflineHost<Given>>,
    step: &Step,
    kept: &mut Kept,
    ran: &mut Ran,
) -> Result<(), String> {
    let host = &engine.gateway().host;
    match &step.event {
        Event::Advance(time) => {
            host.begin();
            pass(engine, *time);
            let seen = Seen::nothing(&host.story());
            judge(step, &seen, kept, ran)?;
        }
        Event::Request(sent) => {
            let body = kept.fill(&sent.body)?;
            let one = request(
                &Line::from_str(&kept.fill(&sent.line)?)?,
                filled_headers(sent, &body, kept)?,
                sent.source,
            );
            for _ in 0..sent.times {
                host.begin();
                let verdict = decide(engine, one.clone(), body.as_bytes())?;
                // Answers to calls that nobody waited for.
                pass(engine, Duration::ZERO);
                let seen = Seen::new(&one, &verdict, &host.story());
                let good = judge(step, &seen, kept, ran)?;
                ran.last = Some(seen);
                if !good {
                    break;
                }
            }
        }
    }
    Ok(())
}

fn filled_headers(sent: &Sent, body: &str, kept: &Kept) -> Result<Vec<(String, String)>, String> {
    let headers = sent.headers.iter();
    let filled = headers.map(|(name, value)| Ok((name.clone(), kept.fill(value)?)));
    let mut headers: Vec<(String, String)> = filled.collect::<Result<_, String>>()?;
    let framed = headers.iter().any(|(name, _)| name == "content-length");
    if !body.is_empty() && !framed {
        headers.push(("content-length".to_owned(), body.len().to_string()));
    }
    Ok(headers)
}

/// Compares what came of a step, and keeps of it what later steps need. Whether it's as it
/// should be.
fn judge(step: &Step, seen: &Seen, kept: &mut Kept, ran: &mut Ran) -> Result<bool, String> {
    ran.calls = ran.calls.saturating_add(seen.calls.len());
    let Some(then) = &step.then else {
        return Ok(true);
    };
    let before = ran.mismatches.len();
    compare(then, &step.place, seen, kept, &mut ran.mismatches)?;
    for (name, pointer) in &then.keep {
        if let Some(value) = seen.at(pointer) {
            kept.put(name, value);
        }
    }
    Ok(ran.mismatches.len() == before)
}
