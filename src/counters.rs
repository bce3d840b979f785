//! The proxy's counters. Each event is counted at once; where very many come, the further ones of
//! a second are counted together on the tick: a hostcall for each would cost every request.

use crate::hostcalls;
use doorward_core::observe::Event;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// How many events of a kind are counted one by one between two ticks.
const AT_ONCE: u32 = 500;

/// One kind's counter.
#[derive(Debug)]
struct Counter {
    metric: u32,
    /// Events since the last tick.
    events: u32,
}

impl Counter {
    fn add(&mut self) {
        self.events = self.events.saturating_add(1);
        if self.events <= AT_ONCE {
            hostcalls::increment(self.metric, 1);
        }
    }

    fn settle(&mut self) {
        let events = std::mem::take(&mut self.events);
        let more = events.saturating_sub(AT_ONCE);
        if more > 0 {
            hostcalls::increment(self.metric, more);
        }
    }
}

/// The counters of one root context, each defined when it is first used.
#[derive(Debug, Default)]
pub struct Counters(RefCell<BTreeMap<Event, Counter>>);

impl Counters {
    /// Counts an event.
    pub fn add(&self, event: Event) {
        let mut counters = self.0.borrow_mut();
        if let Some(counter) = counters.get_mut(&event) {
            counter.add();
        } else if let Ok(metric) = hostcalls::define_counter(&event.name()) {
            let counter = counters.entry(event);
            counter.or_insert(Counter { metric, events: 0 }).add();
        }
    }

    /// Counts what was put off. To be called on each tick.
    pub fn settle(&self) {
        for counter in self.0.borrow_mut().values_mut() {
            counter.settle();
        }
    }
}

/// What a policy counted is not lost when another takes its place.
impl Drop for Counters {
    fn drop(&mut self) {
        self.settle();
    }
}
