//! The tokens that this worker used lately.

use super::SlotKey;
use crate::jose::Claims;
use schnellru::{ByLength, LruMap};
use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;
use std::time::Duration;

/// How many tokens one worker holds; the least recently used goes first. What was let go
/// is still on the shared board.
const HELD: u32 = 4096;

/// A token and what was learnt from it.
pub struct Held {
    /// The token: visible ASCII.
    pub token: String,
    /// When a new one should be asked for.
    pub refresh_at: Duration,
    /// When it is worth nothing any more.
    pub end: Duration,
    /// The outcome of `verify`, so that a signature is checked once for each worker.
    pub verified: RefCell<Option<Verified>>,
}

/// Claims that were verified with keys of some generation.
#[derive(Clone)]
pub struct Verified {
    /// The claims.
    pub claims: Rc<Claims>,
    /// The generation of the keys: after they change, the signature is checked again.
    pub generation: u64,
}

impl Held {
    /// A token that was not verified yet.
    pub fn new(token: String, refresh_at: Duration, end: Duration) -> Held {
        Held {
            token,
            refresh_at,
            end,
            verified: RefCell::new(None),
        }
    }

    /// The same token with another time to be replaced.
    pub fn refreshed_at(&self, refresh_at: Duration, end: Duration) -> Held {
        Held {
            token: self.token.clone(),
            refresh_at,
            end,
            verified: RefCell::new(self.verified.borrow().clone()),
        }
    }
}

/// Tokens aren't shown.
impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held(until {:?})", self.end)
    }
}

/// A bounded number of held tokens.
pub struct HeldTokens(LruMap<SlotKey, Rc<Held>, ByLength, ByPrefix>);

impl Default for HeldTokens {
    fn default() -> HeldTokens {
        HeldTokens(LruMap::with_hasher(ByLength::new(HELD), ByPrefix))
    }
}

impl HeldTokens {
    /// The token of a key, if it isn't over.
    pub fn get(&mut self, key: &SlotKey, now: Duration) -> Option<Rc<Held>> {
        self.0.get(key).filter(|held| held.end > now).cloned()
    }

    /// Holds a token.
    pub fn put(&mut self, key: SlotKey, held: Rc<Held>) {
        self.0.insert(key, held);
    }

    /// Lets a token go.
    pub fn remove(&mut self, key: &SlotKey) {
        self.0.remove(key);
    }
}

/// Hashes keys that are SHA-256 digests by their first bytes: hashing them again would buy
/// nothing.
#[derive(Clone, Copy)]
pub struct ByPrefix;

/// See [`ByPrefix`].
pub struct Prefix(u64);

impl BuildHasher for ByPrefix {
    type Hasher = Prefix;

    fn build_hasher(&self) -> Prefix {
        Prefix(0)
    }
}

impl Hasher for Prefix {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(prefix) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*prefix);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
