//! What all VMs of a proxy share: the clock, the board, the queues, the calls, the requests.

use crate::Personality;
use crate::callout::{Callout, Cluster, Reply};
use crate::foreign::Foreign;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::queues::Queues;
use crate::random::Random;
use crate::shared_data::SharedData;
use crate::stream::Stream;
use crate::trace::{Event, Place, Trace};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// One world, held by the gateway, by each of its VMs and by the requests' handles.
pub(crate) type Shared = Rc<RefCell<World>>;

/// Property paths, their parts divided by NUL, and what stands there.
pub(crate) type Properties = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) struct World {
    pub(crate) personality: Personality,
    pub(crate) start: Duration,
    /// Time since the Unix epoch, had nobody set the wall clock.
    pub(crate) now: Duration,
    /// How far the wall clock was set forward and back.
    pub(crate) ahead: Duration,
    pub(crate) behind: Duration,
    pub(crate) random: Random,
    pub(crate) data: SharedData,
    pub(crate) queues: Queues,
    pub(crate) metrics: Metrics,
    pub(crate) foreign: Foreign,
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) properties: Properties,
    pub(crate) calls: BTreeMap<u64, Callout>,
    pub(crate) calls_made: u64,
    pub(crate) crashes: u64,
    pub(crate) streams: BTreeMap<u64, Stream>,
    pub(crate) streams_made: u64,
    pub(crate) queue_latency: Duration,
    pub(crate) trace: Trace,
    pub(crate) logs: Vec<Log>,
    due: BTreeMap<(Duration, u64), Due>,
    scheduled: u64,
}

/// Something that happens at a time.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    Tick { vm: u64, root: u32, setting: u64 },
    Timeout { call: u64 },
    Reply { call: u64, reply: Reply },
    Queue { vm: u64, root: u32, queue: u32 },
}

impl World {
    pub(crate) fn new(personality: Personality, start: Duration, seed: u64) -> World {
        World {
            personality,
            start,
            now: start,
            ahead: Duration::ZERO,
            behind: Duration::ZERO,
            crashes: 0,
            random: Random::new(seed),
            data: SharedData::new(personality),
            queues: Queues::default(),
            metrics: Metrics::default(),
            foreign: Foreign::default(),
            clusters: BTreeMap::new(),
            properties: Properties::new(),
            calls: BTreeMap::new(),
            calls_made: 0,
            streams: BTreeMap::new(),
            streams_made: 0,
            queue_latency: Duration::ZERO,
            trace: Trace::default(),
            logs: Vec::new(),
            due: BTreeMap::new(),
            scheduled: 0,
        }
    }

    /// What the filter's clock shows.
    pub(crate) fn wall_clock(&self) -> Duration {
        (self.now + self.ahead).saturating_sub(self.behind)
    }

    pub(crate) fn schedule(&mut self, after: Duration, due: Due) {
        self.scheduled += 1;
        let at = self.now.saturating_add(after);
        self.due.insert((at, self.scheduled), due);
    }

    /// The next thing that happens by a time, and when.
    pub(crate) fn take_due(&mut self, by: Duration) -> Option<(Duration, Due)> {
        let first = self.due.first_entry().filter(|entry| entry.key().0 <= by)?;
        let ((at, _), due) = first.remove_entry();
        Some((at, due))
    }

    pub(crate) fn note(&mut self, place: Place, what: impl Into<String>) {
        let at = self.now.saturating_sub(self.start);
        self.trace.push(Event {
            at,
            place,
            what: what.into(),
        });
    }

    pub(crate) fn log(&mut self, place: Place, level: u32, line: String) {
        let log = Log {
            at: self.now.saturating_sub(self.start),
            place,
            level: level.into(),
            line,
        };
        self.note(place, log.to_string());
        self.logs.push(log);
    }
}
