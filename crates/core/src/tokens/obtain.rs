//! The story of one token: looked up, waited for, asked for, kept.

use super::reply::{self, ExchangeFailure, Obtained};
use super::slots::{Failure, Slot, Slots};
use super::{Breaker, ByPrefix, Exchange, Held, HeldTokens, Pair, SlotKey};
use crate::engine::Gateway;
use crate::host::{Answer, Host, Level};
use crate::observe::{Event, Throttle};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};
use schnellru::{ByLength, LruMap};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// How often a worker looks whether another one's call has ended.
const WAIT: Duration = Duration::from_millis(50);
/// What a lease is given beyond its calls' own timeouts: more than until a call counts as
/// lost.
const GRACE: Duration = Duration::from_secs(3);
/// How many failures one worker remembers beside the board.
const FAILED: u32 = 1024;
/// The longest that one pair's 429 keeps every other pair away: many endpoints count by
/// client, and a stranger may provoke one.
const MAX_SHARED_PAUSE: Duration = Duration::from_secs(60);
/// How long an endpoint that failed is left alone by the same pair.
const PAUSE: Duration = Duration::from_secs(1);

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

type Flight = Shared<LocalBoxFuture<'static, Result<Rc<Held>, Failed>>>;

/// What one worker holds and is asking for.
#[derive(Default)]
pub struct Tokens {
    held: RefCell<HeldTokens>,
    flights: RefCell<BTreeMap<SlotKey, Flight>>,
    breakers: RefCell<BTreeMap<usize, Breaker>>,
    failed: RefCell<FailedLately>,
    quiet: RefCell<BTreeMap<usize, Throttle>>,
}

/// Failures that the shared board has no place for; the least recently used goes first.
struct FailedLately(LruMap<SlotKey, Failed, ByLength, ByPrefix>);

impl Default for FailedLately {
    fn default() -> FailedLately {
        FailedLately(LruMap::with_hasher(ByLength::new(FAILED), ByPrefix))
    }
}

impl Tokens {
    /// Ends what is under way.
    pub(crate) fn clear(&self) {
        self.flights.borrow_mut().clear();
    }
}

impl<H: Host + 'static> Gateway<H> {
    /// What is known about a pair without asking anybody. A token that nears its end is
    /// replaced in the background.
    pub fn look_up_token(self: &Rc<Self>, exchange: usize, pair: &Pair) -> Lookup {
        let key = SlotKey::of_pair(&self.policy.digest, exchange, pair);
        if let Some(refused) = self.refused_bare(exchange, pair) {
            return Lookup::Failed(refused);
        }
        let lookup = self.known(exchange, &key);
        if let Lookup::Found(held) = &lookup
            && held.refresh_at <= self.host.now()
        {
            // The flight runs by itself; whoever needs its outcome looks again.
            drop(self.obtain_token(exchange, pair));
        }
        lookup
    }

    /// Asks for a token, or joins whoever is asking already.
    pub fn obtain_token(self: &Rc<Self>, exchange: usize, pair: &Pair) -> Flight {
        let key = SlotKey::of_pair(&self.policy.digest, exchange, pair);
        if let Some(flight) = self.tokens.flights.borrow().get(&key) {
            return flight.clone();
        }
        let gateway = self.clone();
        let pair = pair.clone();
        let flight = async move {
            let outcome = gateway.fly(exchange, &pair, &key).await;
            gateway.tokens.flights.borrow_mut().remove(&key);
            outcome
        }
        .boxed_local()
        .shared();
        self.tokens.flights.borrow_mut().insert(key, flight.clone());
        // It goes on when the one who asked goes away.
        self.spawn(flight.clone().map(drop));
        flight
    }

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

    /// Lets a token go that its authenticator doesn't take, so that another is asked for;
    /// what another worker knows that is newer stays.
    pub fn discard_token(&self, exchange: usize, pair: &Pair, token: &str) {
        let key = SlotKey::of_pair(&self.policy.digest, exchange, pair);
        self.tokens.held.borrow_mut().remove(&key);
        Slots(&self.host).discard(&key, token, self.host.now());
    }

    fn known(&self, exchange: usize, key: &SlotKey) -> Lookup {
        let now = self.host.now();
        let held = self.tokens.held.borrow_mut().get(key, now);
        if let Some(held) = &held
            && held.refresh_at > now
        {
            return Lookup::Found(held.clone());
        }
        let slots = Slots(&self.host);
        match slots.get(key, now) {
            Some(Slot::Token {
                token,
                refresh_at,
                end,
            }) => Lookup::Found(match held {
                // The same token, whose verification is still good.
                Some(held) if held.token == token => {
                    self.hold(key, held.refreshed_at(refresh_at, end))
                }
                _ => self.hold(key, Held::new(token, refresh_at, end)),
            }),
            Some(Slot::Failed {
                failure: Failure::Refused,
                end,
            }) => Lookup::Failed(Failed {
                failure: Failure::Refused,
                end,
            }),
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

    /// Whether a pair was refused lately, whatever it was asked for with: where the body is
    /// made of the request, each body would otherwise be a new question.
    fn refused_bare(&self, exchange: usize, pair: &Pair) -> Option<Failed> {
        let key = self.bare_key(exchange, pair)?;
        let now = self.host.now();
        match Slots(&self.host).get(&key, now) {
            Some(Slot::Failed { failure, end }) => Some(Failed { failure, end }),
            _ => self.failed_lately(&key, now),
        }
    }

    /// The key of a pair without its body, where it has one.
    fn bare_key(&self, exchange: usize, pair: &Pair) -> Option<SlotKey> {
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
    fn paused(&self, exchange: usize, now: Duration) -> Option<Failed> {
        let key = SlotKey::of_pause(&self.policy.digest, exchange);
        match Slots(&self.host).get(&key, now)? {
            Slot::Failed { failure, end } => Some(Failed { failure, end }),
            _ => None,
        }
    }

    async fn fly(
        self: &Rc<Self>,
        exchange: usize,
        pair: &Pair,
        key: &SlotKey,
    ) -> Result<Rc<Held>, Failed> {
        let Some(settings) = self.policy.exchanges.get(exchange) else {
            return Err(self.failed(Failure::Unavailable, PAUSE));
        };
        // Looked at before the lease is taken: what this worker's breaker holds back another
        // worker may still do.
        let open = self.with_breaker(exchange, |breaker, now| breaker.open_for(now));
        if let Some(wait) = open {
            let held = self.tokens.held.borrow_mut().get(key, self.host.now());
            return held.ok_or_else(|| self.failed(Failure::Unavailable, wait));
        }
        if let Some(outcome) = self.wait_for_turn(exchange, settings, key).await {
            return outcome;
        }
        match self.ask_endpoint(exchange, settings, pair).await {
            Ok(obtained) => Ok(self.keep(settings, key, obtained)),
            Err(failure) => {
                if failure == ExchangeFailure::Refused
                    && let Some(bare) = self.bare_key(exchange, pair)
                {
                    self.fail(&bare, Failure::Refused, settings.cache_failures);
                }
                self.give_up(exchange, settings, key, failure)
            }
        }
    }

    /// Asks until there is an answer that another try would not change.
    async fn ask_endpoint(
        &self,
        exchange: usize,
        settings: &Exchange,
        pair: &Pair,
    ) -> Result<Obtained, ExchangeFailure> {
        let mut attempt = 1;
        loop {
            // Each try has an assertion of its own: an endpoint takes one only once.
            let assertion = settings.assertion.as_ref();
            let assertion = assertion.map(|own| self.sign_assertion(own, &pair.id));
            let assertion = assertion.transpose();
            let assertion = assertion.map_err(|_| ExchangeFailure::Unavailable(None))?;
            let Ok(call) = settings.call(pair, assertion.as_deref()) else {
                let name = &settings.name;
                self.host.log(
                    Level::Error,
                    &format!(
                        "tokens.{name}: the request to the token endpoint could not be evaluated"
                    ),
                );
                return Err(ExchangeFailure::Unavailable(None));
            };
            let entered = self.with_breaker(exchange, |breaker, now| {
                breaker.enter(&settings.breaker, now)
            });
            let Some(entry) = entered else {
                return Err(ExchangeFailure::Open);
            };
            self.host.count(Event::ExchangeCalled);
            let answer = self.call(call).await;
            let outcome = reply::read(settings, &answer, self.host.now());
            // Whatever it says about a request, it is there: strangers whose pairs it dislikes
            // must not make it look broken to everybody else, nor be asked about again.
            let failed = match &answer {
                Answer::Reply { status, .. } => Some(*status >= 500),
                Answer::Failed => Some(true),
                Answer::NotSent => None,
            };
            self.with_breaker(exchange, |breaker, now| {
                breaker.leave(&settings.breaker, now, entry, failed);
            });
            match outcome {
                Err(ExchangeFailure::Unavailable(None))
                    if failed == Some(true) && attempt < settings.retry.attempts =>
                {
                    let mut random = [0; 2];
                    self.host.random(&mut random);
                    let random = u16::from_le_bytes(random);
                    self.sleep(settings.retry.wait(attempt, random)).await;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn with_breaker<T>(
        &self,
        exchange: usize,
        judge: impl FnOnce(&mut Breaker, Duration) -> T,
    ) -> T {
        let mut breakers = self.tokens.breakers.borrow_mut();
        judge(breakers.entry(exchange).or_default(), self.host.now())
    }

    /// Waits until it is this worker's turn to ask; `Some` where another's asking, or what
    /// is known by now, makes it needless.
    async fn wait_for_turn(
        self: &Rc<Self>,
        exchange: usize,
        settings: &Exchange,
        key: &SlotKey,
    ) -> Option<Result<Rc<Held>, Failed>> {
        let longest = settings.retry.longest(settings.timeout);
        let call_ends = |now: Duration| now.saturating_add(longest).saturating_add(GRACE);
        let mut owner = [0; 8];
        self.host.random(&mut owner);
        let owner = u64::from_le_bytes(owner);
        // Whoever holds a lease may die once; the one who takes it over may not.
        let give_up = call_ends(call_ends(self.host.now()));
        // The clock may go back meanwhile: then the number of turns ends it.
        let mut turns = longest.saturating_add(GRACE).as_millis() * 2 / WAIT.as_millis() + 2;
        loop {
            let now = self.host.now();
            let slots = Slots(&self.host);
            match self.known(exchange, key) {
                Lookup::Found(held) if held.refresh_at > now => return Some(Ok(held)),
                Lookup::Found(held) => {
                    if let Some(pause) = self.paused(exchange, now) {
                        let next = pause.end.min(held.end);
                        return Some(Ok(self.hold(key, held.refreshed_at(next, held.end))));
                    }
                    let next = call_ends(now).min(held.end);
                    let slot = Slot::Token {
                        token: held.token.clone(),
                        refresh_at: next,
                        end: held.end,
                    };
                    if !slots.renew(key, &slot, now) {
                        return Some(Ok(held));
                    }
                    self.hold(key, held.refreshed_at(next, held.end));
                    return None;
                }
                Lookup::Failed(failed) => return Some(Err(failed)),
                Lookup::Unknown => {}
            }
            if slots.lease(key, owner, call_ends(now), now).is_some() {
                return None;
            }
            turns = turns.saturating_sub(1);
            if now >= give_up || turns == 0 {
                return Some(Err(self.failed(Failure::Unavailable, PAUSE)));
            }
            self.sleep(WAIT).await;
        }
    }

    fn keep(&self, settings: &Exchange, key: &SlotKey, obtained: Obtained) -> Rc<Held> {
        let now = self.host.now();
        let Obtained { token, life } = obtained;
        let end = now.saturating_add(life);
        let refresh_at = end.saturating_sub(settings.refresh_before.min(life / 2));
        let slot = Slot::Token {
            token: token.clone(),
            refresh_at,
            end,
        };
        Slots(&self.host).put(key, &slot, now);
        self.hold(key, Held::new(token, refresh_at, end))
    }

    fn give_up(
        &self,
        exchange: usize,
        settings: &Exchange,
        key: &SlotKey,
        failure: ExchangeFailure,
    ) -> Result<Rc<Held>, Failed> {
        // What the endpoint asks for itself holds for every pair, within bounds.
        let shared = match failure {
            ExchangeFailure::Limited(_) | ExchangeFailure::Unavailable(Some(_)) => {
                Some(MAX_SHARED_PAUSE)
            }
            _ => None,
        };
        let (failure, pause) = match failure {
            ExchangeFailure::Refused => {
                if settings.own.is_some() {
                    self.host.count(Event::OwnPairRefused);
                    self.host.log(
                        Level::Error,
                        &format!("tokens.{}: the token endpoint refuses the gateway's own client; check `client`", settings.name),
                    );
                }
                // What the endpoint refuses now isn't served from memory any longer.
                self.tokens.held.borrow_mut().remove(key);
                return Err(self.fail(key, Failure::Refused, settings.cache_failures));
            }
            ExchangeFailure::Limited(seconds) => (Failure::Limited, Duration::from_secs(seconds)),
            ExchangeFailure::Unavailable(Some(seconds)) => {
                (Failure::Unavailable, Duration::from_secs(seconds.max(1)))
            }
            ExchangeFailure::Unavailable(None) => (Failure::Unavailable, PAUSE),
            // Several were let in before it opened; the pair is free again soon.
            ExchangeFailure::Open => (Failure::Unavailable, PAUSE),
            ExchangeFailure::Unusable => (Failure::Unusable, settings.cache_failures),
        };
        self.host.count(Event::ExchangeFailed);
        let throttled = {
            let mut quiet = self.tokens.quiet.borrow_mut();
            quiet.entry(exchange).or_default().pass(self.host.now())
        };
        if let Some(more) = throttled {
            self.host.log(
                Level::Warn,
                &format!(
                    "tokens.{}: no token from the token endpoint ({}); asked again in {} s at the earliest; {more} more since the last such line",
                    settings.name,
                    failure.name(),
                    pause.as_secs().max(1)
                ),
            );
        }
        if let Some(longest) = shared {
            let pause_key = SlotKey::of_pause(&self.policy.digest, exchange);
            self.fail(&pause_key, failure, pause.min(longest));
        }
        let now = self.host.now();
        if let Some(held) = self.tokens.held.borrow_mut().get(key, now) {
            return Ok(held);
        }
        Err(self.fail(key, failure, pause))
    }

    fn fail(&self, key: &SlotKey, failure: Failure, pause: Duration) -> Failed {
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

    fn failed(&self, failure: Failure, pause: Duration) -> Failed {
        Failed {
            failure,
            end: self.host.now().saturating_add(pause),
        }
    }

    fn hold(&self, key: &SlotKey, held: Held) -> Rc<Held> {
        let held = Rc::new(held);
        self.tokens.held.borrow_mut().put(*key, held.clone());
        held
    }
}
