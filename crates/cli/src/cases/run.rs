//! Running one case.

use super::Subject;
use super::document::{Case, Event, Step};
use super::expect::{Mismatch, Seen, compare};
use super::servers::Given;
use crate::offline::{OfflineHost, decide, pass, request, started};
use doorward_core::engine::Engine;
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
    for step in &case.steps {
        take(&engine, step, &mut ran)?;
    }
    Ok((case, ran))
}

fn take(engine: &Engine<OfflineHost<Given>>, step: &Step, ran: &mut Ran) -> Result<(), String> {
    let host = &engine.gateway().host;
    host.begin();
    match &step.event {
        Event::Advance(time) => {
            pass(engine, *time);
            let seen = Seen::nothing(&host.story());
            ran.calls += seen.calls.len();
            if let Some(then) = &step.then {
                compare(then, &step.place, &seen, &mut ran.mismatches);
            }
        }
        Event::Request(sent) => {
            let one = request(&sent.line, sent.headers.clone(), sent.source);
            for _ in 0..sent.times {
                host.begin();
                let verdict = decide(engine, one.clone(), &sent.body)?;
                // Answers to calls that nobody waited for.
                pass(engine, Duration::ZERO);
                let seen = Seen::new(&one, &verdict, &host.story());
                ran.calls += seen.calls.len();
                let before = ran.mismatches.len();
                if let Some(then) = &step.then {
                    compare(then, &step.place, &seen, &mut ran.mismatches);
                }
                ran.last = Some(seen);
                if ran.mismatches.len() > before {
                    break;
                }
            }
        }
    }
    Ok(())
}
