//! The tokens that this worker used lately.

use super::{Pair, Times};
use crate::authenticate::{ClientFacts, Identity, MadeHeaders, Proof};
use crate::cache::{AsItIs, ByBytes, Weigh, chunk, millis, mix};
use crate::jose::Claims;
use schnellru::LruMap;
use std::cell::{Cell, Ref, RefCell};
use std::hash::BuildHasherDefault;
use std::rc::Rc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How many tokens one worker holds; the least recently used goes first. What was let go
/// is still on the shared board.
const HELD: usize = 14_336;
/// What their places take, in bytes: 25 each. Once many tokens came and went there are more than
/// twice as many places.
const PLACES: usize = 25 * 32_768;
/// What [`Held`], [`Pair`], [`Verified`] and [`ClientFacts`] take in the module, with the counts
/// beside them where they have any.
const OF_HELD: usize = 72;
const OF_PAIR: usize = 28;
const OF_VERIFIED: usize = 56;
const OF_CLIENT: usize = 36;
#[cfg(target_pointer_width = "32")]
const _: () = {
    assert!(size_of::<Held>() + 8 == OF_HELD);
    assert!(size_of::<Pair>() + 8 == OF_PAIR);
    assert!(size_of::<Verified>() == OF_VERIFIED);
    assert!(size_of::<ClientFacts>() + 8 == OF_CLIENT);
};

/// A token and what was learnt from it.
pub struct Held {
    /// The token: visible ASCII. It is wiped when nobody uses it any more.
    pub token: Zeroizing<String>,
    /// The exchange that gave it, by index in the policy.
    pub exchange: usize,
    /// Whose token it is. Wiped with it: only as long as a worker holds a token can it get the
    /// next one.
    pub pair: Rc<Pair>,
    /// Its times, in milliseconds since the epoch.
    since: u64,
    refresh_at: u64,
    end: u64,
    /// Whether a request used the token since it was obtained.
    used: Cell<bool>,
    /// What jwt authenticators made of it, so that a signature is checked once for each
    /// worker and authenticator.
    verified: RefCell<Vec<Verified>>,
}

/// Which token a request was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injected {
    /// Its pair's place.
    place: u64,
    /// When it was obtained: no two tokens of one pair share it.
    pub since: Duration,
}

/// What one authenticator made of a token. Whether it still stands is the caller's to judge.
#[derive(Clone)]
pub struct Verified {
    /// The client_credentials authenticator, by index in the policy: what satisfies one may not
    /// satisfy another.
    pub authenticator: usize,
    /// What proved the token.
    pub proof: Proof,
    /// Its claims, where anything is asked of them any more.
    pub claims: Option<Rc<Claims>>,
    /// Who calls with it; `None` where that depends on the request, too, or isn't known yet.
    pub bearer: Option<Bearer>,
}

/// Who calls with a held token, without what the token and its pair tell anyway.
#[derive(Clone)]
pub struct Bearer {
    /// The client of the store that it is; `None` for one that only its pair names.
    client: Option<Rc<ClientFacts>>,
    tenant: Option<Rc<str>>,
    scopes: Rc<[String]>,
    made: Option<Rc<MadeHeaders>>,
}

impl Bearer {
    /// Keeps who calls, whose client is the pair's. What is `bare` of a client is shared.
    pub fn of(identity: &Identity, bare: &ClientFacts) -> Bearer {
        let client = identity.client.clone();
        let scopes = match identity.scopes.is_empty() {
            true => &bare.scopes,
            false => &identity.scopes,
        };
        Bearer {
            client: client.filter(|client| !client.is_bare()).map(Rc::new),
            tenant: identity.tenant.clone(),
            scopes: scopes.clone(),
            made: identity.made.clone(),
        }
    }

    fn bytes(&self) -> usize {
        let client = self.client.as_ref().map_or(0, |_| chunk(OF_CLIENT));
        let tenant = self.tenant.as_ref();
        let tenant = tenant.map_or(0, |tenant| shared(tenant.len()));
        let scopes = match self.scopes.len() {
            0 => 0,
            count => shared(12 * count),
        };
        let each_scope = self.scopes.iter().map(|scope| chunk(scope.len()));
        let made = self.made.as_ref().map_or(0, |made| made.bytes());
        client + tenant + scopes + each_scope.sum::<usize>() + made
    }
}

/// What a text or bytes take behind a count.
fn shared(length: usize) -> usize {
    chunk(8 + length)
}

impl Held {
    /// A token that was not verified yet.
    pub fn new(exchange: usize, pair: &Pair, token: Zeroizing<String>, times: Times) -> Held {
        Held {
            token,
            exchange,
            pair: Rc::new(pair.clone()),
            since: millis(times.since),
            refresh_at: millis(times.refresh_at),
            end: millis(times.end),
            used: Cell::default(),
            verified: RefCell::default(),
        }
    }

    /// Its times.
    pub fn times(&self) -> Times {
        Times {
            since: Duration::from_millis(self.since),
            refresh_at: Duration::from_millis(self.refresh_at),
            end: Duration::from_millis(self.end),
        }
    }

    /// Which token this is.
    pub fn tag(&self) -> Injected {
        Injected {
            place: place(self.exchange, &self.pair),
            since: Duration::from_millis(self.since),
        }
    }

    /// What this authenticator made of it.
    pub fn verified_by(&self, authenticator: usize) -> Option<Ref<'_, Verified>> {
        let all = self.verified.borrow();
        let by = |verified: &&Verified| verified.authenticator == authenticator;
        Ref::filter_map(all, |all| all.iter().find(by)).ok()
    }

    /// Who calls with it, by what an authenticator made of it, if it kept that.
    pub fn bearer(&self, verified: &Verified, bare: &ClientFacts) -> Option<Identity> {
        let bearer = verified.bearer.as_ref()?;
        let client = match &bearer.client {
            Some(client) => ClientFacts::clone(client),
            None => ClientFacts {
                id: self.pair.id.clone(),
                ..bare.clone()
            },
        };
        Some(Identity {
            client: Some(client),
            tenant: bearer.tenant.clone(),
            scopes: bearer.scopes.clone(),
            claims: verified.claims.clone(),
            metadata: None,
            is_token: true,
            exchanged: None,
            made: bearer.made.clone(),
            authorization_verified: false,
        })
    }

    /// Remembers what an authenticator made of it.
    pub fn remember(&self, verified: Verified) {
        let mut all = self.verified.borrow_mut();
        all.retain(|other| other.authenticator != verified.authenticator);
        all.reserve_exact(1);
        all.push(verified);
    }

    /// The same token with another time to be replaced.
    pub fn refreshed_at(&self, refresh_at: Duration) -> Held {
        Held {
            token: self.token.clone(),
            exchange: self.exchange,
            pair: self.pair.clone(),
            since: self.since,
            refresh_at: millis(refresh_at),
            end: self.end,
            used: self.used.clone(),
            verified: RefCell::new(self.verified.borrow().clone()),
        }
    }

    fn is_of(&self, exchange: usize, pair: &Pair) -> bool {
        self.exchange == exchange && *self.pair == *pair
    }

    /// What it takes in the module, beside its place. Measured there: 977 bytes of a token of 500
    /// with two scopes, whose pair takes 42.
    fn bytes(&self) -> usize {
        let Pair { id, secret, body } = &*self.pair;
        let pair = chunk(OF_PAIR)
            + shared(id.len())
            + chunk(secret.expose().len())
            + body.as_ref().map_or(0, |body| chunk(body.expose().len()));
        let verified = self.verified.borrow();
        let told = verified.iter().map(|verified| {
            let claims = verified.claims.as_deref();
            claims.map_or(0, Claims::bytes) + verified.bearer.as_ref().map_or(0, Bearer::bytes)
        });
        chunk(OF_HELD)
            + chunk(self.token.len())
            + pair
            + chunk(OF_VERIFIED * verified.len())
            + told.sum::<usize>()
    }
}

/// Tokens aren't shown.
impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held(until {:?})", self.times().end)
    }
}

/// A bounded number of held tokens.
pub struct HeldTokens {
    /// By a hash of the pair, which spares most requests the digests that a key of the board
    /// takes. Two pairs that share a hash only displace each other.
    tokens: LruMap<u64, Entry, ByBytes, BuildHasherDefault<AsItIs>>,
}

/// A token, and what it took when it was last weighed.
struct Entry {
    held: Rc<Held>,
    weight: u32,
}

impl Entry {
    fn new(held: Rc<Held>) -> Entry {
        Entry {
            weight: u32::try_from(held.bytes()).unwrap_or(u32::MAX),
            held,
        }
    }
}

impl Weigh for Entry {
    fn weight(&self) -> usize {
        self.weight as usize
    }
}

impl HeldTokens {
    /// None yet. They may take so many bytes in all, their places included.
    pub fn new(bytes: usize) -> HeldTokens {
        let bound = ByBytes::new(HELD, bytes.saturating_sub(PLACES));
        HeldTokens {
            tokens: LruMap::with_hasher(bound, BuildHasherDefault::default()),
        }
    }

    /// The token that a request with this pair uses, where it isn't to be replaced yet.
    pub fn in_use(&mut self, exchange: usize, pair: &Pair, now: Duration) -> Option<Rc<Held>> {
        let now = millis(now);
        let held = self.of(exchange, pair)?;
        let good = held.end > now && held.refresh_at > now;
        good.then(|| {
            held.used.set(true);
            held.clone()
        })
    }

    /// The token of a pair, if it isn't over.
    pub fn get(&mut self, exchange: usize, pair: &Pair, now: Duration) -> Option<Rc<Held>> {
        let held = self.of(exchange, pair)?;
        (held.end > millis(now)).then(|| held.clone())
    }

    fn of(&mut self, exchange: usize, pair: &Pair) -> Option<&Rc<Held>> {
        let entry = self.tokens.get(&place(exchange, pair))?;
        entry.held.is_of(exchange, pair).then_some(&entry.held)
    }

    /// Holds a token. The same one with other times is still as used as it was.
    pub fn put(&mut self, held: Rc<Held>) {
        let place = place(held.exchange, &held.pair);
        let earlier = self.tokens.peek(&place).map(|entry| &entry.held);
        let used = earlier.is_some_and(|earlier| {
            let same = earlier.since == held.since && earlier.is_of(held.exchange, &held.pair);
            same && earlier.used.get()
        });
        held.used.set(used);
        self.tokens.insert(place, Entry::new(held));
    }

    /// Counts what was learnt from a token since it was put here.
    pub fn weigh(&mut self, held: &Rc<Held>) {
        let place = place(held.exchange, &held.pair);
        let found = self.tokens.peek(&place);
        if found.is_some_and(|entry| Rc::ptr_eq(&entry.held, held)) {
            self.tokens.insert(place, Entry::new(held.clone()));
        }
    }

    /// A request uses a token.
    pub fn mark_used(&mut self, exchange: usize, pair: &Pair) {
        if let Some(held) = self.of(exchange, pair) {
            held.used.set(true);
        }
    }

    /// Lets a pair's token go.
    pub fn remove(&mut self, exchange: usize, pair: &Pair) -> Option<Rc<Held>> {
        self.of(exchange, pair)?;
        let entry = self.tokens.remove(&place(exchange, pair))?;
        Some(entry.held)
    }

    /// Lets the token go that was obtained then, if it was there.
    pub fn discard(&mut self, tag: &Injected) -> Option<Rc<Held>> {
        let entry = self.tokens.peek(&tag.place)?;
        if entry.held.since != millis(tag.since) {
            return None;
        }
        self.tokens.remove(&tag.place).map(|entry| entry.held)
    }

    /// Lets go what is over, or near its end and unused: what became of that the board says.
    /// Gives tokens that were used and are to be replaced, at most so many, where `may` allows it.
    pub fn due(
        &mut self,
        now: Duration,
        most: usize,
        may: impl Fn(&Held) -> bool,
    ) -> Vec<Rc<Held>> {
        let now = millis(now);
        let over: Vec<u64> = self
            .tokens
            .iter()
            .filter(|(_, Entry { held, .. })| {
                held.end <= now || (!held.used.get() && held.refresh_at <= now)
            })
            .map(|(place, _)| *place)
            .collect();
        for place in &over {
            self.tokens.remove(place);
        }
        self.tokens
            .iter()
            .map(|(_, entry)| &entry.held)
            .filter(|held| held.refresh_at <= now && may(held))
            .take(most)
            .cloned()
            .collect()
    }
}

/// Spreads pairs. Telling two of them apart is not its work.
fn place(exchange: usize, pair: &Pair) -> u64 {
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
mod tests;
