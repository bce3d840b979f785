//! The tokens that this worker used lately.

use super::SlotKey;
use crate::authenticate::TokenClaims;
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
    /// What jwt authenticators made of it, so that a signature is checked once for each
    /// worker and authenticator.
    pub verified: RefCell<Vec<Verified>>,
}

/// Claims that satisfied one authenticator with keys of some generations.
#[derive(Clone)]
pub struct Verified {
    /// The jwt authenticator, by index in the policy: what satisfies one may not satisfy
    /// another.
    pub authenticator: usize,
    /// The generation of each of its key sets: after one changes, the token is judged anew.
    pub generations: Vec<u64>,
    /// The claims.
    pub claims: Rc<TokenClaims>,
}

impl Held {
    /// A token that was not verified yet.
    pub fn new(token: String, refresh_at: Duration, end: Duration) -> Held {
        Held {
            token,
            refresh_at,
            end,
            verified: RefCell::default(),
        }
    }

    /// The claims that satisfied this authenticator with these keys.
    pub fn verified_by(
        &self,
        authenticator: usize,
        generations: &[u64],
    ) -> Option<Rc<TokenClaims>> {
        let verified = self.verified.borrow();
        let found = verified.iter().find(|verified| {
            verified.authenticator == authenticator && verified.generations == generations
        });
        found.map(|verified| verified.claims.clone())
    }

    /// Remembers claims that satisfied an authenticator.
    pub fn remember(&self, verified: Verified) {
        let mut all = self.verified.borrow_mut();
        all.retain(|other| other.authenticator != verified.authenticator);
        all.push(verified);
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
