//! What happened, in order, to be printed when a test fails.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// How many events are kept; the oldest go first.
const KEPT: usize = 20_000;

/// Which thread of the proxy something happened on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The VM that tries a policy before the others load it, and is thrown away.
    Canary,
    /// The main thread: it configures and ticks, and never sees a request.
    Main,
    /// A worker, from 0.
    Worker(usize),
    /// The test itself, as client, endpoint or clock.
    Test,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Canary => f.write_str("canary"),
            Place::Main => f.write_str("main"),
            Place::Worker(worker) => write!(f, "worker {worker}"),
            Place::Test => f.write_str("test"),
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, as time since the start.
    pub at: Duration,
    /// Where.
    pub place: Place,
    /// What, in words.
    pub what: String,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event { at, place, what } = self;
        write!(f, "{:>12.3} ms  {place:<9} {what}", at.as_secs_f64() * 1e3)
    }
}

/// The last 20,000 events. Displayed, it is one line for each.
#[derive(Debug, Clone, Default)]
pub struct Trace(VecDeque<Event>);

impl Trace {
    pub(crate) fn push(&mut self, event: Event) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }

    /// The events, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.0.iter()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|event| writeln!(f, "{event}"))
    }
}
