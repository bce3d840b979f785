//! What is known of a pair without asking anybody: in this worker's hand, and on the board.

use super::held::{HeldTokens, Injected};
use super::obtain::Flight;
use super::reply::Obtained;
use super::slots::{Failure, Slot, Slots, Times, token_head, whole_millis};
use super::{Breaker, Exchange, Held, Pair, Seal, SlotKey};
use crate::authenticate::{ClientFacts, VERIFIED_BYTES};
use crate::cache::ByPrefix;
use crate::engine::Gateway;
use crate::host::Host;
use crate::observe::{Event, Throttle};
use crate::policy::Policy;
use schnellru::{ByLength, LruMap};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use zeroize::Zeroizing;

/// What tokens may take in one worker, in bytes: those that are held, and those of callers that
/// it verified lately, which take no more than [`VERIFIED_BYTES`] of it. A worker's whole memory
/// is to stay below 12 MiB.
const MAX_BYTES: usize = 10_496 * 1024;
/// How many failures one worker remembers beside the board.
const FAILED: u32 = 1024;
/// How old a token is at least when it is let go because an upstream refused it: with it each
/// pair's token is let go, and asked for anew, once a second at the most.
const MIN_AGE: Duration = Duration::from_secs(1);
/// Which part of the time before its end a token is replaced later at random, so that tokens
/// obtained together don't end together.
const JITTER: u32 = 10;

/// What is known about a pair at once.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// A token that is good for now.
    Found(Rc<Held>),
    /// There is none, and asking must wait.
    Failed(Failed),
    /// Nobody has asked yet.
    Unknown,
}

/// Why there is no token, and until when that is taken for true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// Until when, since the epoch.
    pub end: Duration,
}

/// What one worker holds and is asking for.
pub struct Tokens {
    pub(super) held: RefCell<HeldTokens>,
    pub(super) flights: RefCell<BTreeMap<SlotKey, Flight>>,
    pub(super) breakers: RefCell<BTreeMap<usize, Breaker>>,
    pub(super) quiet: RefCell<BTreeMap<usize, Throttle>>,
    pub(super) sweep: super::refresh::Sweep,
    failed: RefCell<FailedLately>,
    /// A client of whom nothing is known: what it hasn't is shared by all such.
    pub(crate) bare_client: ClientFacts,
}

/// Failures that the shared board has no place for; the least recently used goes first.
struct FailedLately(LruMap<SlotKey, Failed, ByLength, ByPrefix>);

impl Default for FailedLately {
    fn default() -> FailedLately {
        FailedLately(LruMap::with_hasher(ByLength::new(FAILED), ByPrefix))
    }
}

impl Tokens {
    /// None yet, for a policy.
    pub(crate) fn new(policy: &Policy) -> Tokens {
        let verified = match policy.verifies_callers_tokens() {
            true => VERIFIED_BYTES,
            false => 0,
        };
        let held = HeldTokens::new(MAX_BYTES - verified);
        Tokens {
            held: RefCell::new(held),
            flights: RefCell::default(),
            breakers: RefCell::default(),
            quiet: RefCell::default(),
            sweep: super::refresh::Sweep::default(),
            failed: RefCell::default(),
            bare_client: ClientFacts::of_id("".into()),
        }
    }

    /// Ends what is under way.
    pub(crate) fn clear(&self) {
        self.flights.borrow_mut().clear();
    }
}

impl<H: Host> Gateway<H> {
    /// Remembers that even a new token of this pair doesn't satisfy an authenticator, so that
    /// nobody asks for another one for a while.
    pub fn dislike_tokens(&self, exchange: usize, pair: &Pair, authenticator: usize) {
        if let Some(settings) = self.policy.exchanges.get(exchange) {
            let key = self.dislike_key(exchange, pair, authenticator);
            self.fail(&key, Failure::Unusable, settings.cache_failures);
        }
    }

    /// Whether that is remembered.
    pub fn dislikes_tokens(&self, exchange: usize, pair: &Pair, authenticator: usize) -> bool {
        let key = self.dislike_key(exchange, pair, authenticator);
        let now = self.host.now();
        Slots(&self.host).get(&key, now).is_some() || self.failed_lately(&key, now).is_some()
    }

    fn dislike_key(&self, exchange: usize, pair: &Pair, authenticator: usize) -> SlotKey {
        let policy = &self.policy.digest;
        let pair = SlotKey::of_pair(policy, exchange, pair);
        SlotKey::of_dislike(policy, authenticator, &pair)
    }

    /// Lets a token go that is of no use, so that another is asked for; what another worker
    /// knows that is newer stays.
    pub fn discard_token(&self, token: &Held) {
        self.tokens.held.borrow_mut().discard(&token.tag());
        self.empty_slot(token);
    }

    fn empty_slot(&self, token: &Held) {
        let since = token.times().since;
        Slots(&self.host).discard(&self.key_of(token), since, self.host.now());
    }

    /// Where a held token stands on the board.
    pub(super) fn key_of(&self, held: &Held) -> SlotKey {
        SlotKey::of_pair(&self.policy.digest, held.exchange, &held.pair)
    }

    /// An upstream answered 401 to a request with this token: it is let go, unless it is so
    /// young that the next one would be no better.
    pub fn reject_token(&self, token: &Injected) {
        let age = self.host.now().checked_sub(token.since);
        // A token of the future was obtained before the clock went back.
        if age.is_some_and(|age| age < MIN_AGE) {
            return;
        }
        let held = self.tokens.held.borrow_mut().discard(token);
        if let Some(held) = held {
            self.host.count(Event::TokenRejected);
            self.empty_slot(&held);
        }
    }

    pub(super) fn known(&self, exchange: usize, pair: &Pair, key: &SlotKey) -> Lookup {
        let now = self.host.now();
        let held = self.tokens.held.borrow_mut().get(exchange, pair, now);
        if let Some(held) = &held
            && held.times().refresh_at > now
        {
            return Lookup::Found(held.clone());
        }
        match Slots(&self.host).get(key, now) {
            Some(Slot::Token { times, sealed }) => match (held, times.since) {
                // The same token, whose verification is still good.
                (Some(held), since) if held.times().since == since => {
                    Lookup::Found(self.hold(held.refreshed_at(times.refresh_at)))
                }
                (held, _) => match self.opened(pair, key, &times, &sealed) {
                    Some(token) => {
                        Lookup::Found(self.hold(Held::new(exchange, pair, token, times)))
                    }
                    // Not sealed by anybody who holds the pair: nothing is there, and nobody is
                    // to wait for its end.
                    None => {
                        Slots(&self.host).discard(key, times.since, now);
                        held.map_or(Lookup::Unknown, Lookup::Found)
                    }
                },
            },
            Some(Slot::Failed {
                failure: Failure::Refused,
                end,
            }) => {
                // What the endpoint refuses now isn't served once that is forgotten, either.
                self.tokens.held.borrow_mut().remove(exchange, pair);
                Lookup::Failed(Failed {
                    failure: Failure::Refused,
                    end,
                })
            }
            // A token in the hand outweighs another worker's bad luck.
            other => match (held, other) {
                (Some(held), _) => Lookup::Found(held),
                (None, Some(Slot::Failed { failure, end })) => {
                    Lookup::Failed(Failed { failure, end })
                }
                (None, _) => self
                    .failed_lately(key, now)
                    .or_else(|| self.paused(exchange, now))
                    .map_or(Lookup::Unknown, Lookup::Failed),
            },
        }
    }

    fn opened(
        &self,
        pair: &Pair,
        key: &SlotKey,
        times: &Times,
        sealed: &[u8],
    ) -> Option<Zeroizing<String>> {
        let seal = Seal::new(&self.policy.digest, pair, key);
        let text = seal.open(&token_head(key, times), sealed)?;
        let token = std::str::from_utf8(&text).ok()?;
        Some(Zeroizing::new(token.to_owned()))
    }

    /// What stands on the board for a held token.
    pub(super) fn sealed(&self, key: &SlotKey, held: &Held) -> Slot {
        let times = held.times();
        let seal = Seal::new(&self.policy.digest, &held.pair, key);
        let head = token_head(key, &times);
        Slot::Token {
            times,
            sealed: seal.close(&head, held.token.as_bytes()),
        }
    }

    /// Whether a pair was refused lately, whatever it was asked for with: where the body is
    /// made of the request, each body would otherwise be a new question.
    pub(super) fn refused_bare(&self, exchange: usize, pair: &Pair) -> Option<Failed> {
        let key = self.bare_key(exchange, pair)?;
        self.failure(&key, self.host.now())
    }

    /// The key of a pair without its body, where it has one.
    pub(super) fn bare_key(&self, exchange: usize, pair: &Pair) -> Option<SlotKey> {
        pair.body.as_ref()?;
        let bare = Pair {
            body: None,
            ..pair.clone()
        };
        Some(SlotKey::of_pair(&self.policy.digest, exchange, &bare))
    }

    /// What this worker knows of a failure that the board had no place for.
    fn failed_lately(&self, key: &SlotKey, now: Duration) -> Option<Failed> {
        let mut failed = self.tokens.failed.borrow_mut();
        failed.0.get(key).filter(|failed| failed.end > now).copied()
    }

    /// Whether the endpoint asked to be left alone, by whichever pair.
    pub(super) fn paused(&self, exchange: usize, now: Duration) -> Option<Failed> {
        self.failure(&SlotKey::of_pause(&self.policy.digest, exchange), now)
    }

    /// The failure that stands under a key, on the board or, where that has no place for it, in
    /// this worker's memory.
    fn failure(&self, key: &SlotKey, now: Duration) -> Option<Failed> {
        match Slots(&self.host).get(key, now) {
            Some(Slot::Failed { failure, end }) => Some(Failed { failure, end }),
            _ => self.failed_lately(key, now),
        }
    }

    /// Keeps a token that was just obtained, for this worker and the others.
    pub(super) fn keep(
        &self,
        exchange: usize,
        settings: &Exchange,
        pair: &Pair,
        key: &SlotKey,
        obtained: Obtained,
    ) -> Rc<Held> {
        let now = whole_millis(self.host.now());
        let Obtained { token, life } = obtained;
        let before = settings.refresh_before.min(life / 2);
        let mut random = [0];
        self.host.random(&mut random);
        let before = before.saturating_sub(before / JITTER * u32::from(random[0]) / 256);
        let end = whole_millis(now.saturating_add(life));
        let times = Times {
            since: now,
            refresh_at: whole_millis(end.saturating_sub(before)),
            end,
        };
        let held = Held::new(exchange, pair, token, times);
        Slots(&self.host).put(key, &self.sealed(key, &held), now);
        self.hold(held)
    }

    /// Remembers a failure, for this worker and the others.
    pub(super) fn fail(&self, key: &SlotKey, failure: Failure, pause: Duration) -> Failed {
        let failed = self.failed(failure, pause);
        let slot = Slot::Failed {
            failure,
            end: failed.end,
        };
        if !Slots(&self.host).put(key, &slot, self.host.now()) {
            self.tokens.failed.borrow_mut().0.insert(*key, failed);
        }
        failed
    }

    pub(super) fn failed(&self, failure: Failure, pause: Duration) -> Failed {
        Failed {
            failure,
            end: self.host.now().saturating_add(pause),
        }
    }

    pub(super) fn hold(&self, held: Held) -> Rc<Held> {
        let held = Rc::new(held);
        self.tokens.held.borrow_mut().put(held.clone());
        held
    }

    /// Counts what was learnt from a held token.
    pub(crate) fn weigh_token(&self, held: &Rc<Held>) {
        self.tokens.held.borrow_mut().weigh(held);
    }
}
