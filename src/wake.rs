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

/// How many root contexts can be woken by others. Envoy has one for each worker and policy, and
/// those whose policies never wait for each other take no place; the rest look at the board on
/// their ticks.
const PLACES: usize = 256;
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
    /// The beginning of the policy's digest, where its workers wait for each other: only they
    /// have news for each other.
    policy: Option<[u8; 8]>,
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
    pub fn new(name: &str, policy: Option<[u8; 8]>) -> Wake {
        for place in (0..PLACES).filter(|_| policy.is_some()) {
            let key = key(place);
            if hostcalls::shared_get(&key).is_err() {
                // Without a table nobody else is woken.
                let _ = hostcalls::shared_set(&key, &[], 0);
            }
        }
        Wake {
            policy,
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
        let (Some(queue), Some(policy)) = (self.queue, self.policy) else {
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
                .is_some_and(|found| found.queue != queue && is_within(found.beat, now, STALE));
            if taken || cas == 0 {
                continue;
            }
            if hostcalls::shared_set(&key(place), &encode(queue, now, policy), cas).is_ok() {
                self.place.set(place);
                self.told.set(now);
                return;
            }
        }
    }

    /// Wakes the other root contexts that are alive.
    pub fn others(&self, now: Duration) {
        if self.policy.is_none() {
            return;
        }
        if !is_within(self.read.get(), now, BEAT) {
            self.read.set(now);
            let alive = (0..PLACES).filter_map(|place| {
                let (value, _) = hostcalls::shared_get(&key(place)).ok()?;
                let found = decode(&value)?;
                let meant = Some(found.queue) != self.queue && Some(found.policy) == self.policy;
                (meant && is_within(found.beat, now, STALE)).then_some(found.queue)
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
            && decode(&value).is_some_and(|found| Some(found.queue) == self.queue)
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

/// What a place says.
struct Told {
    queue: u32,
    beat: Duration,
    policy: [u8; 8],
}

fn encode(queue: u32, beat: Duration, policy: [u8; 8]) -> Vec<u8> {
    let beat = u64::try_from(beat.as_millis()).unwrap_or(u64::MAX);
    [&queue.to_le_bytes()[..], &beat.to_le_bytes(), &policy].concat()
}

fn decode(value: &[u8]) -> Option<Told> {
    let (queue, rest) = value.split_first_chunk()?;
    let (beat, policy) = rest.split_first_chunk()?;
    Some(Told {
        queue: u32::from_le_bytes(*queue),
        beat: Duration::from_millis(u64::from_le_bytes(*beat)),
        policy: policy.try_into().ok()?,
    })
}
