//! What one worker was told lately.

use schnellru::{ByLength, LruMap};
use sha2::{Digest, Sha256};
use std::rc::Rc;
use std::time::Duration;

use crate::cache::ByPrefix;

/// How many answers one worker keeps; the least recently used goes first.
const KEPT: u32 = 1024;

/// SHA-256 of which look-up it is and what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupKey([u8; 32]);

impl LookupKey {
    /// The key of an authenticator's look-up at a URL.
    pub fn new(authenticator: usize, url: &str) -> LookupKey {
        let mut hash = Sha256::new();
        hash.update((authenticator as u64).to_le_bytes());
        hash.update(url);
        LookupKey(hash.finalize().into())
    }
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A JSON object.
    Found(Rc<serde_json::Value>),
    /// The database knows nothing of the client.
    Unknown,
    /// It can't be asked, or its answer is no JSON object.
    Unavailable,
}

/// A bounded number of outcomes, each until its time is over.
pub struct Known(LruMap<LookupKey, Entry, ByLength, ByPrefix>);

/// An outcome, since when it is known, and until when it is good.
struct Entry {
    since: Duration,
    end: Duration,
    outcome: Outcome,
}

impl Default for Known {
    fn default() -> Known {
        Known(LruMap::with_hasher(ByLength::new(KEPT), ByPrefix))
    }
}

impl Known {
    /// An outcome that is still good. One of the future was told before the clock went back.
    pub fn get(&mut self, key: &LookupKey, now: Duration) -> Option<Outcome> {
        let entry = self.0.get(key)?;
        (entry.since <= now && now < entry.end).then(|| entry.outcome.clone())
    }

    /// Keeps an outcome for some time from now.
    pub fn put(&mut self, key: LookupKey, outcome: Outcome, now: Duration, kept: Duration) {
        let entry = Entry {
            since: now,
            end: now.saturating_add(kept),
            outcome,
        };
        self.0.insert(key, entry);
    }

    /// Forgets all: the clock went back, and all would be good for too long.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
