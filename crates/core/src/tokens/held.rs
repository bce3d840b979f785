//! The tokens that this worker used lately.

use super::{Pair, SlotKey, Times};
use crate::authenticate::{Identity, Proof};
use crate::cache::{AsItIs, ByBytes, ByPrefix, Weigh, mix};
use crate::jose::Claims;
use schnellru::{ByLength, LruMap};
use std::cell::RefCell;
use std::hash::BuildHasherDefault;
use std::rc::Rc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How many tokens one worker holds; the least recently used goes first. What was let go
/// is still on the shared board.
const HELD: u32 = 16_384;
/// What a held token takes beside its own text, in bytes: the pair it is for, what is known of
/// its bearer, its headers, and the places in the maps (measured in the module: some 1240).
const BESIDE: usize = 1250;
/// How often a token's length its claims take.
const CLAIMS: usize = 3;

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
    pub verified: RefCell<Vec<Rc<Verified>>>,
}

/// Which token a request was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injected {
    /// Where it stands.
    pub key: SlotKey,
    /// When it was obtained: no two tokens of one key share it.
    pub since: Duration,
}

/// What one authenticator made of a token. Whether it still stands is the caller's to judge.
pub struct Verified {
    /// The client_credentials authenticator, by index in the policy: what satisfies one may not
    /// satisfy another.
    pub authenticator: usize,
    /// What proved the token.
    pub proof: Proof,
    /// Its claims; their times alone where nothing else is asked of them any more.
    pub claims: Rc<Claims>,
    /// Who calls with it, without the token itself; `None` where that depends on the request,
    /// too, or isn't known yet.
    pub identity: Option<Identity>,
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

    /// What this authenticator made of it.
    pub fn verified_by(&self, authenticator: usize) -> Option<Rc<Verified>> {
        let verified = self.verified.borrow();
        let mut all = verified.iter();
        all.find(|verified| verified.authenticator == authenticator)
            .cloned()
    }

    /// Remembers what an authenticator made of it.
    pub fn remember(&self, verified: Verified) {
        let mut all = self.verified.borrow_mut();
        all.retain(|other| other.authenticator != verified.authenticator);
        all.push(Rc::new(verified));
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
pub struct HeldTokens {
    tokens: LruMap<SlotKey, Entry, ByBytes, ByPrefix>,
    /// Where a pair's token stands, by a hash of the pair: it spares most requests the digests
    /// that a key takes. Two pairs that share a hash only displace each other here.
    places: LruMap<u64, SlotKey, ByLength, BuildHasherDefault<AsItIs>>,
    keeps_claims: bool,
}

/// A token, what it was obtained with, and whether anybody wants it.
struct Entry {
    held: Rc<Held>,
    exchange: usize,
    /// Wiped with the entry: only as long as a worker holds a token can it get the next one.
    pair: Rc<Pair>,
    /// Whether a request used the token since it was obtained.
    used: bool,
    weight: usize,
}

impl Weigh for Entry {
    fn weight(&self) -> usize {
        self.weight
    }
}

/// A token that is to be replaced, and what to ask with.
pub struct Due {
    /// The exchange, by index in the policy.
    pub exchange: usize,
    /// Whose token it is.
    pub pair: Rc<Pair>,
}

impl HeldTokens {
    /// None yet. They may take so many bytes in all; `keeps_claims` where their claims are kept
    /// with them.
    pub fn new(bytes: usize, keeps_claims: bool) -> HeldTokens {
        HeldTokens {
            tokens: LruMap::with_hasher(ByBytes::new(HELD as usize, bytes), ByPrefix),
            places: LruMap::with_hasher(ByLength::new(HELD), BuildHasherDefault::default()),
            keeps_claims,
        }
    }

    /// The token that a request with this pair uses, where it isn't to be replaced yet.
    pub fn in_use(&mut self, exchange: usize, pair: &Pair, now: Duration) -> Option<Rc<Held>> {
        let key = *self.places.get(&hash(exchange, pair))?;
        let entry = self.tokens.get(&key)?;
        let times = &entry.held.times;
        let good = times.end > now && times.refresh_at > now;
        if !good || entry.exchange != exchange || *entry.pair != *pair {
            return None;
        }
        entry.used = true;
        Some(entry.held.clone())
    }

    /// The token of a key, if it isn't over.
    pub fn get(&mut self, key: &SlotKey, now: Duration) -> Option<Rc<Held>> {
        let entry = self.tokens.get(key)?;
        (entry.held.times.end > now).then(|| entry.held.clone())
    }

    /// Holds a token. The same one with other times is still as used as it was.
    pub fn put(&mut self, exchange: usize, pair: &Pair, held: Rc<Held>) {
        let earlier = self.tokens.remove(&held.key);
        let used = earlier
            .as_ref()
            .is_some_and(|entry| entry.used && entry.held.times.since == held.times.since);
        let length = held.token.len();
        let claims = if self.keeps_claims {
            CLAIMS * length
        } else {
            0
        };
        let entry = Entry {
            exchange,
            pair: earlier.map_or_else(|| Rc::new(pair.clone()), |entry| entry.pair),
            used,
            weight: BESIDE + length + claims,
            held,
        };
        self.places.insert(hash(exchange, pair), entry.held.key);
        self.tokens.insert(entry.held.key, entry);
    }

    /// A request uses a token.
    pub fn mark_used(&mut self, key: &SlotKey) {
        if let Some(entry) = self.tokens.get(key) {
            entry.used = true;
        }
    }

    /// Lets a token go.
    pub fn remove(&mut self, key: &SlotKey) -> Option<Rc<Held>> {
        self.tokens.remove(key).map(|entry| entry.held)
    }

    /// Lets the token go that was obtained then; whether it was there.
    pub fn discard(&mut self, tag: &Injected) -> bool {
        let found = self.tokens.peek(&tag.key);
        let found = found.is_some_and(|entry| entry.held.times.since == tag.since);
        if found {
            self.tokens.remove(&tag.key);
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
            .tokens
            .iter()
            .filter(|(_, Entry { held, used, .. })| {
                held.times.end <= now || (!used && held.times.refresh_at <= now)
            })
            .map(|(key, _)| *key)
            .collect();
        for key in &over {
            self.tokens.remove(key);
        }
        self.tokens
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

/// Spreads pairs. Telling two of them apart is not its work.
fn hash(exchange: usize, pair: &Pair) -> u64 {
    let body = pair.body.as_ref().map_or("", |body| body.expose());
    let mut hash = exchange as u64;
    for part in [&pair.id, pair.secret.expose(), body] {
        let (words, rest) = part.as_bytes().as_chunks::<8>();
        for word in words {
            hash = mix(hash, u64::from_le_bytes(*word));
        }
        // The length divides the parts.
        let rest = rest
            .iter()
            .fold(0, |rest, byte| rest << 8 | u64::from(*byte));
        hash = mix(hash, rest ^ (part.len() as u64) << 56);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::document::Secret;

    const POLICY: [u8; 32] = [7; 32];
    const NOW: Duration = Duration::from_secs(1_000);

    fn pair(id: &str, secret: &str) -> Pair {
        Pair::new(id, secret).unwrap()
    }

    fn put(tokens: &mut HeldTokens, exchange: usize, pair: &Pair, token: &str) -> SlotKey {
        let key = SlotKey::of_pair(&POLICY, exchange, pair);
        let times = Times {
            since: NOW,
            refresh_at: NOW + Duration::from_secs(50),
            end: NOW + Duration::from_secs(60),
        };
        let held = Held::new(key, Zeroizing::new(token.to_owned()), times);
        tokens.put(exchange, pair, Rc::new(held));
        key
    }

    #[test]
    fn only_the_very_pair_at_its_own_exchange_finds_its_token() {
        let mut tokens = HeldTokens::new(1 << 20, false);
        let own = pair("client", "a secret of some length");
        let key = put(&mut tokens, 3, &own, "token");
        let found = |tokens: &mut HeldTokens, exchange, pair: &Pair, at| {
            let held = tokens.in_use(exchange, pair, NOW + Duration::from_secs(at));
            held.map(|held| held.token.to_string())
        };
        assert_eq!(found(&mut tokens, 3, &own, 0).as_deref(), Some("token"));
        let with_body = Pair {
            body: Some(Secret::from("x".to_owned())),
            ..own.clone()
        };
        for (exchange, other) in [
            (2, own.clone()),
            (3, pair("client", "a secret of some lengtH")),
            (3, pair("client", "a secret of some length ")),
            (3, pair("Client", "a secret of some length")),
            (3, pair("clienta", " secret of some length")),
            (3, with_body),
        ] {
            assert_eq!(found(&mut tokens, exchange, &other, 0), None, "{other:?}");
            // Nor where both stood in the same place.
            tokens.places.insert(hash(exchange, &other), key);
            assert_eq!(found(&mut tokens, exchange, &other, 0), None, "{other:?}");
        }
        assert!(found(&mut tokens, 3, &own, 49).is_some());
        assert_eq!(found(&mut tokens, 3, &own, 50), None, "to be replaced");
        tokens.remove(&key);
        assert_eq!(found(&mut tokens, 3, &own, 0), None);
    }

    #[test]
    fn debug_shows_the_end_and_not_the_token() {
        let mut tokens = HeldTokens::new(1 << 20, false);
        let key = put(&mut tokens, 0, &pair("client", "secret"), "hunter2");
        let held = tokens.get(&key, NOW).unwrap();
        assert_eq!(format!("{held:?}"), "Held(until 1060s)");
    }

    #[test]
    fn tokens_are_bounded_in_number_and_in_bytes() {
        const MOST: usize = 1 << 20;
        for (length, keeps_claims, fit) in [(500, false, 599), (500, true, 322), (1, false, 838)] {
            let mut tokens = HeldTokens::new(MOST, keeps_claims);
            for number in 0..20_000 {
                let own = pair(&format!("client-{number}"), "secret");
                for _ in 0..2 {
                    put(&mut tokens, 0, &own, &"t".repeat(length));
                }
            }
            assert_eq!(tokens.tokens.len(), fit, "{length} {keeps_claims}");
            assert!(tokens.tokens.limiter().bytes() <= MOST);
        }
        let mut tokens = HeldTokens::new(usize::MAX, false);
        for number in 0..HELD + 10 {
            put(
                &mut tokens,
                0,
                &pair(&format!("client-{number}"), "secret"),
                "t",
            );
        }
        assert_eq!(tokens.tokens.len(), HELD as usize);
        assert_eq!(tokens.places.len(), HELD as usize);
    }
}
