//! Waking root contexts: this one from a request's callback, and those of the other workers.
//!
//! Only calls that were dispatched in the root context outlive the request that wanted them, and
//! a message in a queue is the way there from a request's callback (some 50 µs on Envoy; another
//! worker's takes under a millisecond). Each root context has a queue under a name that no other
//! VM has, and tells of it in a table on the shared board, with a heartbeat: a queue whose VM is
//! gone would take messages for ever. A message is a hint only; whoever hears none ticks.

use crate::hostcalls;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// How many root contexts can be woken by others. Envoy has one for each worker and policy; the
/// rest look at the board on their ticks.
const PLACES: usize = 64;
/// How often a queue is told of anew, and the others' are read.
const BEAT: Duration = Duration::from_secs(1);
/// How old a heartbeat may be. Ticks come at least once a second.
const STALE: Duration = Duration::from_secs(5);
/// How many messages are taken out at once: more than others send between two ticks.
const MAX_MESSAGES: usize = 1024;
/// What a root context tells itself, and what it tells others.
const TO_ITSELF: &[u8] = b"1";
const TO_OTHERS: &[u8] = b"2";

/// A root context's queue, and what it knows of the others'.
#[derive(Debug)]
pub struct Wake {
    queue: Option<u32>,
    /// Whether a message to itself is on its way already.
    woken: Cell<bool>,
    place: Cell<usize>,
    told: Cell<Duration>,
    others: RefCell<Vec<u32>>,
    read: Cell<Duration>,
}

impl Wake {
    /// Registers a queue under this name, and makes the table's places where they don't exist:
    /// on Envoy inserting a key is not exclusive, replacing it is.
    pub fn new(name: &str) -> Wake {
        for place in 0..PLACES {
            let key = key(place);
            if hostcalls::shared_get(&key).is_err() {
                // Without a table nobody else is woken.
                let _ = hostcalls::shared_set(&key, &[], 0);
            }
        }
        Wake {
            queue: hostcalls::register_queue(&format!("doorward/1/wake/{name}")).ok(),
            woken: Cell::new(false),
            place: Cell::new(0),
            told: Cell::default(),
            others: RefCell::default(),
            read: Cell::default(),
        }
    }

    /// Wakes this root context. Without a queue the tick does it, later.
    pub fn itself(&self) {
        if let Some(queue) = self.queue
            && !self.woken.replace(true)
            && hostcalls::enqueue(queue, TO_ITSELF).is_err()
        {
            self.woken.set(false);
        }
    }

    /// The root context is awake: messages are taken out, and the next wish sends another.
    /// Whether one of them was another worker's.
    pub fn heard(&self) -> bool {
        self.woken.set(false);
        let Some(queue) = self.queue else {
            return false;
        };
        (0..MAX_MESSAGES)
            .map_while(|_| hostcalls::dequeue(queue).ok())
            .fold(false, |heard, message| heard | (message != TO_ITSELF))
    }

    /// Tells the others of this queue, once in a while.
    pub fn announce(&self, now: Duration) {
        let Some(queue) = self.queue else {
            return;
        };
        if is_within(self.told.get(), now, BEAT) {
            return;
        }
        // The place that it has, or the first one that nobody needs any more.
        for step in 0..PLACES {
            let place = (self.place.get() + step) % PLACES;
            let Ok((value, cas)) = hostcalls::shared_get(&key(place)) else {
                continue;
            };
            let taken = decode(&value)
                .is_some_and(|(other, beat)| other != queue && is_within(beat, now, STALE));
            if taken || cas == 0 {
                continue;
            }
            if hostcalls::shared_set(&key(place), &encode(queue, now), cas).is_ok() {
                self.place.set(place);
                self.told.set(now);
                return;
            }
        }
    }

    /// Wakes the other root contexts that are alive.
    pub fn others(&self, now: Duration) {
        if !is_within(self.read.get(), now, BEAT) {
            self.read.set(now);
            let alive = (0..PLACES).filter_map(|place| {
                let (value, _) = hostcalls::shared_get(&key(place)).ok()?;
                let (queue, beat) = decode(&value)?;
                (Some(queue) != self.queue && is_within(beat, now, STALE)).then_some(queue)
            });
            self.others.replace(alive.collect());
        }
        for queue in self.others.borrow().iter() {
            // It may be gone by now.
            let _ = hostcalls::enqueue(*queue, TO_OTHERS);
        }
    }
}

/// A queue that nobody reads any more is told of no longer.
impl Drop for Wake {
    fn drop(&mut self) {
        let key = key(self.place.get());
        if let Ok((value, cas)) = hostcalls::shared_get(&key)
            && decode(&value).is_some_and(|(queue, _)| Some(queue) == self.queue)
        {
            let _ = hostcalls::shared_set(&key, &[], cas);
        }
    }
}

/// Whether a moment lies less than a time back; one in the future was before the clock went
/// back.
fn is_within(moment: Duration, now: Duration, time: Duration) -> bool {
    now.checked_sub(moment).is_some_and(|age| age < time)
}

fn key(place: usize) -> String {
    format!("doorward/1/queue/{place}")
}

fn encode(queue: u32, beat: Duration) -> Vec<u8> {
    let beat = u64::try_from(beat.as_millis()).unwrap_or(u64::MAX);
    [&queue.to_le_bytes()[..], &beat.to_le_bytes()].concat()
}

fn decode(value: &[u8]) -> Option<(u32, Duration)> {
    let (queue, beat) = value.split_first_chunk()?;
    let beat = u64::from_le_bytes(beat.try_into().ok()?);
    Some((u32::from_le_bytes(*queue), Duration::from_millis(beat)))
}
