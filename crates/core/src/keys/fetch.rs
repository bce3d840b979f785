//! Fetching key sets.

use super::sets::{Flight, KeysState, RemoteKeys};
use crate::engine::Gateway;
use crate::host::{Answer, Call, Host, Level};
use crate::jose::{Key, KeySet, Limits};
use crate::observe::Event;
use crate::tokens::{Slot, SlotKey, Slots};
use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::time::Duration;

/// How long a worker's word to the others about a fetch counts.
const FRESH: Duration = Duration::from_secs(10);
/// How soon a fetch that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// How long after a failure requests that need the set are refused without another try.
const PAUSE: Duration = Duration::from_secs(1);
/// How long keys are trusted while their server is down.
const MAX_STALE: Duration = Duration::from_secs(24 * 3600);
/// How often a worker looks whether another one's fetch has ended.
const WAIT: Duration = Duration::from_millis(50);

impl<H: Host + 'static> Gateway<H> {
    /// A set as it is now.
    pub fn keys(&self, remote: usize) -> KeysState {
        self.keys_at(remote, self.host.now())
    }

    /// A set as it is at `now`, for whoever knows the time already: asking the proxy costs.
    pub fn keys_at(&self, remote: usize, now: Duration) -> KeysState {
        let Some(state) = self.keys.0.get(remote) else {
            return KeysState {
                set: None,
                generation: NonZeroU32::MIN,
            };
        };
        let state = state.borrow();
        let stale = now > state.fetched_at.saturating_add(MAX_STALE);
        KeysState {
            set: state.set.clone().filter(|_| !stale),
            generation: state.generation,
        }
    }

    /// Starts every fetch that is due. Called on each tick.
    pub fn refresh_keys(self: &Rc<Self>) {
        let now = self.host.now();
        let sets = self.keys.0.iter().zip(&self.policy.remotes);
        for (remote, (state, settings)) in sets.enumerate() {
            let wait = state.borrow().due.saturating_sub(now);
            // Further ahead than it is ever set: the clock went back since.
            if wait.is_zero() || wait > settings.refresh.max(RETRY) {
                drop(self.join_fetch(remote));
            }
        }
    }

    /// Fetches a set for a request, or joins whoever does already.
    pub fn fetch_keys(self: &Rc<Self>, remote: usize) -> Flight {
        if self.host.resumes_others() {
            return self.join_fetch(remote);
        }
        let gateway = self.clone();
        async move { gateway.fetch(remote).await }
            .boxed_local()
            .shared()
    }

    fn join_fetch(self: &Rc<Self>, remote: usize) -> Flight {
        let Some(state) = self.keys.0.get(remote) else {
            return std::future::ready(()).boxed_local().shared();
        };
        if let Some(flight) = &state.borrow().fetch {
            return flight.clone();
        }
        let gateway = self.clone();
        let flight = async move {
            gateway.fetch(remote).await;
            if let Some(state) = gateway.keys.0.get(remote) {
                state.borrow_mut().fetch = None;
            }
        }
        .boxed_local()
        .shared();
        state.borrow_mut().fetch = Some(flight.clone());
        self.spawn(flight.clone());
        flight
    }

    /// Whether a request may cause the first fetch now; not right after one failed.
    pub fn may_fetch_keys(&self, remote: usize) -> bool {
        self.keys
            .0
            .get(remote)
            .is_some_and(|state| state.borrow().failed_until <= self.host.now())
    }

    /// Whether a token with this unknown `kid` (empty for none) may cause a fetch now.
    pub fn may_refetch_keys(&self, remote: usize, kid: &str) -> bool {
        let state = self.keys.0.get(remote);
        state.is_some_and(|state| state.borrow().unknown.may_fetch(kid, self.host.now()))
    }

    /// Fetches a set because a token names a key that isn't in it: once in a while, and
    /// once for all workers.
    pub fn refetch_keys(self: &Rc<Self>, remote: usize, kid: &str) -> Flight {
        let (Some(state), Some(settings)) =
            (self.keys.0.get(remote), self.policy.remotes.get(remote))
        else {
            return std::future::ready(()).boxed_local().shared();
        };
        if let Some(flight) = &state.borrow().refetch {
            return flight.clone();
        }
        let gateway = self.clone();
        let kid = kid.to_owned();
        let refresh = settings.refresh;
        let flight = async move {
            let changed = gateway.refetch(remote).await;
            if let Some(state) = gateway.keys.0.get(remote) {
                let mut state = state.borrow_mut();
                let now = gateway.host.now();
                state.unknown.fetched(&kid, changed, refresh, now);
                state.refetch = None;
            }
        }
        .boxed_local()
        .shared();
        if !self.host.resumes_others() {
            return flight;
        }
        state.borrow_mut().refetch = Some(flight.clone());
        self.spawn(flight.clone());
        flight
    }

    /// Whether the set changed; `None` where it was not fetched.
    async fn refetch(self: &Rc<Self>, remote: usize) -> Option<bool> {
        let settings = self.policy.remotes.get(remote)?;
        let state = self.keys.0.get(remote)?;
        // The board only says whether another worker just fetched the set and found the
        // one that this worker has. The keys themselves never stand on it, for other
        // plugins might write there.
        let key = SlotKey::of_keys(&self.policy.digest, remote);
        let digest = || state.borrow().digest;
        let lease_ends = |now: Duration| now.saturating_add(settings.timeout).saturating_add(RETRY);
        // Whoever holds the lease may die, and a board that can't be written grants none.
        let give_up = lease_ends(self.host.now());
        // The clock may go back meanwhile: then the number of turns ends it.
        let mut turns = settings.timeout.saturating_add(RETRY).as_millis() / WAIT.as_millis() + 2;
        loop {
            turns = turns.saturating_sub(1);
            let now = self.host.now();
            let slots = Slots(&self.host);
            match slots.get(&key, now) {
                Some(Slot::Fetched { digest: found, .. }) if found == digest() => return None,
                Some(Slot::Fetched { .. } | Slot::Token { .. } | Slot::Failed { .. }) => break,
                None if slots.lease(&key, 0, lease_ends(now), now).is_some() => break,
                _ if !self.host.resumes_others() || now >= give_up || turns == 0 => break,
                Some(Slot::Leased { .. }) | None => self.wait_for_others(WAIT).await,
            }
        }
        let (before, started) = (state.borrow().generation, self.host.now());
        self.fetch_keys(remote).await;
        let now = self.host.now();
        let end = now.saturating_add(FRESH);
        let slot = Slot::Fetched {
            digest: digest(),
            end,
        };
        Slots(&self.host).put(&key, &slot, now);
        self.host.wake_others();
        let state = state.borrow();
        (state.fetched_at >= started).then_some(state.generation != before)
    }

    async fn fetch(self: &Rc<Self>, remote: usize) {
        let (Some(settings), Some(state)) =
            (self.policy.remotes.get(remote), self.keys.0.get(remote))
        else {
            return;
        };
        let answer = self.call_always(request(settings)).await;
        let now = self.host.now();
        let outcome = match &answer {
            Answer::Reply {
                status: 200, body, ..
            } => usable(body),
            Answer::Reply { status, .. } => Err(format!("its server answered {status}")),
            _ => Err("its server can't be reached".to_owned()),
        };
        let mut state = state.borrow_mut();
        match outcome {
            Ok(((set, skipped), digest)) => {
                self.host.count(Event::KeysFetched);
                state.fetched_at = now;
                state.due = now.saturating_add(self.jittered(settings.refresh));
                if digest == state.digest && state.set.is_some() {
                    return;
                }
                for problem in &skipped {
                    self.host.count(Event::KeySkipped);
                    let line = format!("{}: a key can't be used: {problem}", settings.url);
                    self.host.log(Level::Warn, &line);
                }
                state.set = Some(Rc::new(set));
                state.digest = digest;
                let next = state.generation.checked_add(1);
                state.generation = next.unwrap_or(NonZeroU32::MIN);
                state.unknown.changed();
            }
            Err(problem) => {
                self.host.count(Event::KeysFailed);
                state.failed_until = now.saturating_add(PAUSE);
                state.due = now.saturating_add(RETRY.min(settings.refresh));
                let consequence = match state.set {
                    Some(_) => "the last good set goes on",
                    None => "tokens that need it are answered with 503",
                };
                self.host.log(
                    Level::Warn,
                    &format!("{}: no key set: {problem}; {consequence}", settings.url),
                );
            }
        }
    }

    /// A tenth less at random, so that workers and proxies don't all come at once.
    fn jittered(&self, period: Duration) -> Duration {
        let mut random = [0; 2];
        self.host.random(&mut random);
        let part = u32::from(u16::from_le_bytes(random));
        period.saturating_sub(period / 10 * part / 65536)
    }
}

/// The keys of a fetched set that can be used, why the others can't, and the set's digest.
type Usable = ((KeySet, Vec<String>), [u8; 32]);

/// Reads a fetched set. One without any usable key is an error of its server's: taking it
/// for its word would refuse everybody.
fn usable(body: &[u8]) -> Result<Usable, String> {
    let (set, skipped) =
        KeySet::parse_jwks(body, Limits::default()).map_err(|error| error.to_string())?;
    let mut problems: Vec<String> = skipped.iter().map(ToString::to_string).collect();
    // A secret that everybody can fetch proves nothing.
    let (secret, public): (Vec<Key>, Vec<Key>) =
        set.into_keys().into_iter().partition(Key::is_secret);
    problems.extend(secret.iter().map(|key| {
        let kid = key.kid().unwrap_or("without kid").escape_debug();
        format!("{kid}: a secret (kty oct) has no place in a set that is fetched")
    }));
    if public.is_empty() {
        return Err("it has no key that can be used".to_owned());
    }
    let set = KeySet::from_keys(public);
    Ok(((set, problems), Sha256::digest(body).into()))
}

fn request(settings: &RemoteKeys) -> Call {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Call {
        cluster: settings.cluster.clone(),
        headers: vec![
            header(":method", "GET"),
            header(":scheme", settings.scheme),
            header(":authority", &settings.authority),
            header(":path", &settings.path),
            header("accept", "application/jwk-set+json, application/json"),
        ],
        body: Vec::new(),
        timeout: settings.timeout,
    }
}
