//! The tokens that this worker used lately.

use super::{Pair, SlotKey, Times};
use crate::authenticate::TokenClaims;
use schnellru::{ByLength, LruMap};
use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher};
use std::rc::Rc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How many tokens one worker holds; the least recently used goes first. What was let go
/// is still on the shared board.
const HELD: u32 = 4096;

/// A token and what was learnt from it.
pub struct Held {
    /// The token: visible ASCII. It is wiped when nobody uses it any more.
    pub token: Zeroizing<String>,
    /// Its times.
    pub times: Times,
    /// Where it stands on the shared board.
    pub key: SlotKey,
    /// What jwt authenticators made of it, so that a signature is checked once for each
    /// worker and authenticator.
    pub verified: RefCell<Vec<Verified>>,
}

/// Which token a request was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injected {
    /// Where it stands.
    pub key: SlotKey,
    /// When it was obtained: no two tokens of one key share it.
    pub since: Duration,
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
    pub fn new(key: SlotKey, token: Zeroizing<String>, times: Times) -> Held {
        Held {
            token,
            times,
            key,
            verified: RefCell::default(),
        }
    }

    /// Which token this is.
    pub fn tag(&self) -> Injected {
        Injected {
            key: self.key,
            since: self.times.since,
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
    pub fn refreshed_at(&self, refresh_at: Duration) -> Held {
        Held {
            token: self.token.clone(),
            times: Times {
                refresh_at,
                ..self.times
            },
            key: self.key,
            verified: RefCell::new(self.verified.borrow().clone()),
        }
    }
}

/// Tokens aren't shown.
impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held(until {:?})", self.times.end)
    }
}

/// A bounded number of held tokens.
pub struct HeldTokens(LruMap<SlotKey, Entry, ByLength, ByPrefix>);

/// A token, what it was obtained with, and whether anybody wants it.
struct Entry {
    held: Rc<Held>,
    exchange: usize,
    /// Wiped with the entry: only as long as a worker holds a token can it get the next one.
    pair: Rc<Pair>,
    /// Whether a request used the token since it was obtained.
    used: bool,
}

/// A token that is to be replaced, and what to ask with.
pub struct Due {
    /// The exchange, by index in the policy.
    pub exchange: usize,
    /// Whose token it is.
    pub pair: Rc<Pair>,
}

impl Default for HeldTokens {
    fn default() -> HeldTokens {
        HeldTokens(LruMap::with_hasher(ByLength::new(HELD), ByPrefix))
    }
}

impl HeldTokens {
    /// The token of a key, if it isn't over.
    pub fn get(&mut self, key: &SlotKey, now: Duration) -> Option<Rc<Held>> {
        let entry = self.0.get(key)?;
        (entry.held.times.end > now).then(|| entry.held.clone())
    }

    /// Holds a token. The same one with other times is still as used as it was.
    pub fn put(&mut self, exchange: usize, pair: &Pair, held: Rc<Held>) {
        if let Some(entry) = self.0.get(&held.key) {
            entry.used &= entry.held.times.since == held.times.since;
            entry.held = held;
            return;
        }
        let entry = Entry {
            exchange,
            pair: Rc::new(pair.clone()),
            used: false,
            held,
        };
        self.0.insert(entry.held.key, entry);
    }

    /// A request uses a token.
    pub fn mark_used(&mut self, key: &SlotKey) {
        if let Some(entry) = self.0.get(key) {
            entry.used = true;
        }
    }

    /// Lets a token go.
    pub fn remove(&mut self, key: &SlotKey) -> Option<Rc<Held>> {
        self.0.remove(key).map(|entry| entry.held)
    }

    /// Lets the token go that was obtained then; whether it was there.
    pub fn discard(&mut self, tag: &Injected) -> bool {
        let found = self.0.peek(&tag.key);
        let found = found.is_some_and(|entry| entry.held.times.since == tag.since);
        if found {
            self.0.remove(&tag.key);
        }
        found
    }

    /// Lets go what is over, or near its end and unused: what became of that the board says.
    /// Gives tokens that were used and are to be replaced, at most so many, where `may` allows it.
    pub fn due(
        &mut self,
        now: Duration,
        most: usize,
        may: impl Fn(&SlotKey, usize) -> bool,
    ) -> Vec<Due> {
        let over: Vec<SlotKey> = self
            .0
            .iter()
            .filter(|(_, Entry { held, used, .. })| {
                held.times.end <= now || (!used && held.times.refresh_at <= now)
            })
            .map(|(key, _)| *key)
            .collect();
        for key in &over {
            self.0.remove(key);
        }
        self.0
            .iter()
            .filter(|(_, entry)| entry.held.times.refresh_at <= now)
            .filter(|(key, entry)| may(key, entry.exchange))
            .take(most)
            .map(|(_, entry)| Due {
                exchange: entry.exchange,
                pair: entry.pair.clone(),
            })
            .collect()
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
