//! The story of one token: waited for, asked for, kept.

use super::known::{Failed, Lookup};
use super::reply::{self, ExchangeFailure, Obtained};
use super::resilience::{Entry, PAUSE};
use super::slots::{Failure, Slot, Slots, whole_millis};
use super::{Breaker, BreakerSettings, Exchange, Held, Pair, SlotKey};
use crate::budget::Endpoint;
use crate::engine::Gateway;
use crate::host::{Answer, Call, Host, Level};
use crate::observe::Event;
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};
use std::rc::Rc;
use std::time::Duration;

/// How often a worker looks whether another one's call has ended, beside being told.
const WAIT: Duration = Duration::from_millis(50);
/// What a lease is given beyond its calls' own timeouts: more than until a call counts as
/// lost.
const GRACE: Duration = Duration::from_secs(3);
/// The longest that one pair's 429 keeps every other pair away: many endpoints count by
/// client, and a stranger may provoke one.
const MAX_SHARED_PAUSE: Duration = Duration::from_secs(60);
/// How long after a token is to be replaced every worker that uses it has looked for a newer one:
/// more than a tick and the time between two passes.
const LOOK: Duration = Duration::from_secs(2);

/// The way to a token, on which everybody goes who wants it.
pub(super) type Flight = Shared<LocalBoxFuture<'static, Outcome>>;

type Outcome = Result<Rc<Held>, Failed>;

impl<H: Host + 'static> Gateway<H> {
    /// What a request finds of a pair's token without asking anybody. A token that nears its
    /// end is replaced in the background.
    pub fn look_up_token(self: &Rc<Self>, exchange: usize, pair: &Pair, now: Duration) -> Lookup {
        if pair.body.is_none() {
            let mut tokens = self.tokens.held.borrow_mut();
            if let Some(held) = tokens.in_use(exchange, pair, now) {
                return Lookup::Found(held);
            }
        }
        let key = SlotKey::of_pair(&self.policy.digest, exchange, pair);
        if let Some(refused) = self.refused_bare(exchange, pair) {
            return Lookup::Failed(refused);
        }
        let lookup = self.known(exchange, pair, &key);
        if let Lookup::Found(held) = &lookup {
            self.tokens.held.borrow_mut().mark_used(exchange, pair);
            // Where each request must make its own call, none is made that it doesn't wait for.
            if held.times().refresh_at <= self.host.now() && self.host.resumes_others() {
                // The flight runs by itself; whoever needs its outcome looks again.
                drop(self.obtain_token(exchange, pair));
            }
        }
        lookup
    }

    /// Waits for a token that a request needs.
    pub async fn await_token(self: &Rc<Self>, exchange: usize, pair: &Pair) -> Outcome {
        let key = SlotKey::of_pair(&self.policy.digest, exchange, pair);
        let outcome = match self.host.resumes_others() {
            true => self.obtain_token(exchange, pair).await,
            false => self.fly(exchange, pair, &key).await,
        };
        self.tokens.held.borrow_mut().mark_used(exchange, pair);
        outcome
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

    async fn fly(
        self: &Rc<Self>,
        exchange: usize,
        pair: &Pair,
        key: &SlotKey,
    ) -> Result<Rc<Held>, Failed> {
        let Some(settings) = self.policy.exchanges.get(exchange) else {
            return Err(self.failed(Failure::Unavailable, PAUSE));
        };
        // Looked at before the lease is taken, and not told to the board: what this worker's breaker
        // holds back another worker may still do.
        let held_back = self.with_breaker(exchange, |breaker, now| breaker.holds_back(now));
        if let Some(wait) = held_back {
            let now = self.host.now();
            let held = self.tokens.held.borrow_mut().get(exchange, pair, now);
            return held.ok_or_else(|| self.failed(Failure::Unavailable, wait));
        }
        let turn = self.wait_for_turn(exchange, settings, pair, key).await;
        if let Turn::Needless(outcome) = turn {
            return outcome;
        }
        let outcome = match self.ask_endpoint(exchange, settings, pair).await {
            Ok(obtained) => Ok(self.keep(exchange, settings, pair, key, obtained)),
            Err(failure) => {
                if failure == ExchangeFailure::Refused
                    && let Some(bare) = self.bare_key(exchange, pair)
                {
                    self.fail(&bare, Failure::Refused, settings.cache_failures);
                }
                let lease = match turn {
                    Turn::Leased(owner) => Some(owner),
                    _ => None,
                };
                self.give_up(exchange, settings, pair, key, lease, failure)
            }
        };
        if let Turn::Leased(_) = turn {
            self.host.wake_others();
        }
        outcome
    }

    /// Asks, if the breaker lets it. A failure is one that no retry mended: an endpoint that
    /// fails now and then is not one to be left alone.
    async fn ask_endpoint(
        &self,
        exchange: usize,
        settings: &Exchange,
        pair: &Pair,
    ) -> Result<Obtained, ExchangeFailure> {
        let entered = self.with_breaker(exchange, |breaker, now| {
            breaker.enter(&settings.breaker, now)
        });
        let Some(entry) = entered else {
            return Err(ExchangeFailure::Open);
        };
        let mut passage = Passage {
            gateway: self,
            exchange,
            settings: &settings.breaker,
            entry,
            failed: None,
        };
        let (outcome, failed) = self.try_endpoint(exchange, settings, pair).await;
        passage.failed = failed;
        outcome
    }

    /// Asks until there is an answer that another try would not change. Also tells whether the
    /// endpoint failed; `None` where it was not asked.
    async fn try_endpoint(
        &self,
        exchange: usize,
        settings: &Exchange,
        pair: &Pair,
    ) -> (Result<Obtained, ExchangeFailure>, Option<bool>) {
        let end = self.host.now().saturating_add(settings.trying_time());
        let mut timeout = settings.timeout;
        let mut attempt = 1;
        loop {
            let Some(mut call) = self.exchange_call(settings, pair) else {
                return (Err(ExchangeFailure::Unavailable(None)), None);
            };
            call.timeout = timeout;
            self.host.count(Event::ExchangeCalled);
            let answer = self.call(Endpoint::Exchange(exchange), call).await;
            let outcome = reply::read(settings, &answer, self.host.now());
            // Whatever it says about a request, it is there: strangers whose pairs it dislikes
            // must not make it look broken to everybody else, nor be asked about again.
            let failed = match &answer {
                Answer::Reply { status, .. } => Some(*status >= 500),
                Answer::Failed | Answer::Unreachable | Answer::TimedOut => Some(true),
                Answer::NotSent => None,
            };
            if outcome.is_ok() || failed != Some(true) || !self.host.resumes_others() {
                return (outcome, failed);
            }
            // What says when to come again isn't asked before.
            if let Err(ExchangeFailure::Unavailable(Some(_))) = outcome {
                return (outcome, failed);
            }
            let mut random = [0; 2];
            self.host.random(&mut random);
            let wait = settings.retry.wait(attempt, u16::from_le_bytes(random));
            let left = end.saturating_sub(self.host.now().saturating_add(wait));
            if attempt >= settings.retry.attempts || left.is_zero() {
                return (outcome, failed);
            }
            self.sleep(wait).await;
            // Somebody else was told meanwhile when to come again.
            if self.paused(exchange, self.host.now()).is_some() {
                return (outcome, failed);
            }
            timeout = settings.timeout.min(left);
            attempt += 1;
        }
    }

    /// The call for one try, which has an assertion of its own where one proves the client: an
    /// endpoint takes each only once.
    fn exchange_call(&self, settings: &Exchange, pair: &Pair) -> Option<Call> {
        let assertion = settings.assertion.as_ref();
        let assertion = assertion.map(|own| self.sign_assertion(own, &pair.id));
        let assertion = assertion.transpose().ok()?;
        let call = settings.call(pair, assertion.as_deref()).ok();
        if call.is_none() {
            let name = &settings.name;
            self.host.log(
                Level::Error,
                &format!("tokens.{name}: the request to the token endpoint could not be evaluated"),
            );
        }
        call
    }

    pub(super) fn with_breaker<T>(
        &self,
        exchange: usize,
        judge: impl FnOnce(&mut Breaker, Duration) -> T,
    ) -> T {
        let mut breakers = self.tokens.breakers.borrow_mut();
        judge(breakers.entry(exchange).or_default(), self.host.now())
    }

    /// Waits until it is this worker's turn to ask.
    async fn wait_for_turn(
        self: &Rc<Self>,
        exchange: usize,
        settings: &Exchange,
        pair: &Pair,
        key: &SlotKey,
    ) -> Turn {
        let longest = settings.longest();
        let call_ends = |now: Duration| now.saturating_add(longest).saturating_add(GRACE);
        let mut owner = [0; 8];
        self.host.random(&mut owner);
        let owner = u64::from_le_bytes(owner);
        // Whoever holds a lease may die once; the one who takes it over may not.
        let give_up = call_ends(call_ends(self.host.now()));
        // The clock may go back meanwhile: then the number of turns ends it.
        let mut turns = longest.saturating_add(GRACE).as_millis() * 2 / WAIT.as_millis() + 2;
        let mut waited = false;
        loop {
            let now = self.host.now();
            let slots = Slots(&self.host);
            match self.known(exchange, pair, key) {
                Lookup::Found(held) if held.times().refresh_at > now => {
                    return Turn::Needless(Ok(held));
                }
                Lookup::Found(held) => return self.turn_to_renew(exchange, key, &held, longest),
                Lookup::Failed(failed) => return Turn::Needless(Err(failed)),
                Lookup::Unknown if !self.host.resumes_others() => return Turn::Alone,
                Lookup::Unknown => {}
            }
            match slots.lease(key, owner, call_ends(now), now) {
                Some(true) => return Turn::Leased(owner),
                Some(false) => return Turn::Alone,
                None => {}
            }
            turns = turns.saturating_sub(1);
            if now >= give_up || turns == 0 {
                return Turn::Needless(Err(self.failed(Failure::Unavailable, PAUSE)));
            }
            if !std::mem::replace(&mut waited, true) {
                self.host.count(Event::ExchangeAwaited);
            }
            // Another worker's message can't be missed: it is heard only once this one rests.
            self.wait_for_others(WAIT).await;
        }
    }

    /// Moves the time at which a token is replaced, so that nobody else does it meanwhile.
    fn turn_to_renew(
        &self,
        exchange: usize,
        key: &SlotKey,
        held: &Rc<Held>,
        longest: Duration,
    ) -> Turn {
        let now = self.host.now();
        let end = held.times().end;
        if let Some(pause) = self.paused(exchange, now) {
            let held = held.refreshed_at(whole_millis(pause.end).min(end));
            return Turn::Needless(Ok(self.hold(held)));
        }
        let next = now.saturating_add(longest).saturating_add(GRACE);
        let moved = held.refreshed_at(whole_millis(next).min(end));
        if !Slots(&self.host).renew(key, &self.sealed(key, &moved), now) {
            return Turn::Needless(Ok(held.clone()));
        }
        self.hold(moved);
        Turn::Alone
    }

    fn give_up(
        &self,
        exchange: usize,
        settings: &Exchange,
        pair: &Pair,
        key: &SlotKey,
        lease: Option<u64>,
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
                self.host.count(Event::ExchangeRefused);
                // What the endpoint refuses now isn't served from memory any longer: neither from
                // this worker's, nor from that of others, who look again when this refresh would
                // have ended.
                let now = self.host.now();
                let lost = self.tokens.held.borrow_mut().remove(exchange, pair);
                let lost = lost.map(|held| held.times());
                let lost = lost.filter(|times| times.end > now);
                let looked = lost.map(|times| times.refresh_at.saturating_sub(now));
                let looked = looked.map(|wait| wait.saturating_add(LOOK));
                let pause = settings.cache_failures.max(looked.unwrap_or_default());
                return Err(self.fail(key, Failure::Refused, pause));
            }
            ExchangeFailure::Limited(seconds) => (Failure::Limited, Duration::from_secs(seconds)),
            ExchangeFailure::Unavailable(Some(seconds)) => {
                (Failure::Unavailable, Duration::from_secs(seconds.max(1)))
            }
            ExchangeFailure::Unavailable(None) => (Failure::Unavailable, PAUSE),
            ExchangeFailure::Unreachable => (Failure::Unreachable, PAUSE),
            ExchangeFailure::TimedOut => (Failure::TimedOut, PAUSE),
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
        if let Some(held) = self.tokens.held.borrow_mut().get(exchange, pair, now) {
            return Ok(held);
        }
        // A token that was to be replaced may have ended meanwhile, and somebody else asks by now:
        // that one's word will be the newer one, and nobody is to ask a third time before it.
        if let Some(Slot::Leased { owner, .. }) = Slots(&self.host).get(key, now)
            && lease != Some(owner)
        {
            return Err(self.failed(failure, pause));
        }
        Err(self.fail(key, failure, pause))
    }
}

/// An exchange that a breaker let in, and hears of at its end. That comes without an outcome where
/// the request's own task asks, and its client leaves.
struct Passage<'g, H: Host + 'static> {
    gateway: &'g Gateway<H>,
    exchange: usize,
    settings: &'g BreakerSettings,
    entry: Entry,
    failed: Option<bool>,
}

impl<H: Host + 'static> Drop for Passage<'_, H> {
    fn drop(&mut self) {
        let (entry, failed) = (self.entry, self.failed);
        self.gateway.with_breaker(self.exchange, |breaker, now| {
            breaker.leave(self.settings, now, entry, failed);
        });
    }
}

/// Whose turn it is to ask.
enum Turn {
    /// Nobody's: another one asked, or what is known by now is enough.
    Needless(Outcome),
    /// This worker's, and others may wait for it: whoever holds this lease.
    Leased(u64),
    /// This worker's, and nobody waits for it.
    Alone,
}
