//! What one worker was told lately.

use schnellru::{ByLength, LruMap};
use sha2::{Digest, Sha256};
use std::rc::Rc;
use std::time::Duration;

use crate::tokens::ByPrefix;

/// How many answers one worker keeps; the least recently used goes first.
const KEPT: u32 = 4096;

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
pub struct Known(LruMap<LookupKey, (Duration, Outcome), ByLength, ByPrefix>);

impl Default for Known {
    fn default() -> Known {
        Known(LruMap::with_hasher(ByLength::new(KEPT), ByPrefix))
    }
}

impl Known {
    /// An outcome that is still good.
    pub fn get(&mut self, key: &LookupKey, now: Duration) -> Option<Outcome> {
        let (end, outcome) = self.0.get(key)?;
        (*end > now).then(|| outcome.clone())
    }

    /// Keeps an outcome.
    pub fn put(&mut self, key: LookupKey, outcome: Outcome, end: Duration) {
        self.0.insert(key, (end, outcome));
    }
}
