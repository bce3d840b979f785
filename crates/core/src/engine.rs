//! Running decisions: those that stand at once, and those that wait for callouts.
//!
//! A [`Gateway`] is one policy's state in one worker. An [`Engine`] runs its tasks: a
//! request that must wait becomes a task, calls are queued until the host gives the engine
//! a [`Engine::turn`], and verdicts come back under the request's id. Time comes from the
//! host alone, so a test can turn the clock.

mod bodies;

pub use bodies::MAX_BODY_TIME;

use crate::authenticate::VerifiedTokens;
use crate::budget::{CallBudget, Endpoint, Waiters};
use crate::decide::{Plan, decide};
use crate::host::{Answer, Call, Host};
use crate::http::{Refusal, Request, Verdict};
use crate::issue::replay;
use crate::keys::RemoteSets;
use crate::lookup::Lookups;
use crate::observe::Allowance;
use crate::policy::{Policy, Rule};
use crate::reply::Reason;
use crate::tokens::{Injected, Signer, Slots, Tokens};
use bodies::Bodies;
use futures_channel::oneshot;
use futures_executor::{LocalPool, LocalSpawner};
use futures_util::FutureExt;
use futures_util::future::{AbortHandle, abortable};
use futures_util::task::LocalSpawnExt;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

/// How many requests of one worker may wait for callouts; the next is refused with 503.
const MAX_WAITING: usize = 4096;
/// How many bytes of heads they may hold: a VM's memory is bounded, and a trap in it hits
/// everybody.
const MAX_WAITING_BYTES: usize = 32 * 1024 * 1024;
/// How long a call is waited for at the most once the clock went back under it.
const RE_ANCHORED: Duration = Duration::from_secs(60);
/// How long after its own timeout a call that the host never answered counts as lost.
const LOST: Duration = Duration::from_secs(2);

/// One policy's state in one worker.
pub struct Gateway<H> {
    /// The world outside.
    pub host: H,
    /// The policy.
    pub policy: Policy,
    pub(crate) tokens: Tokens,
    pub(crate) verified: VerifiedTokens,
    /// For the lines about refusals.
    pub(crate) lines: Allowance,
    pub(crate) signer: Signer,
    pub(crate) keys: RemoteSets,
    pub(crate) lookups: Lookups,
    calls: RefCell<Calls>,
    timers: RefCell<Vec<Timer>>,
    pub(crate) waiters: Waiters,
    decided: RefCell<Vec<(u32, Verdict)>>,
    bodies: Bodies,
    waiting: RefCell<BTreeMap<u32, Waiting>>,
    waiting_bytes: Cell<usize>,
    last_tick: Cell<Duration>,
    spawner: LocalSpawner,
}

/// A request that waits, and what it holds.
struct Waiting {
    task: AbortHandle,
    /// The request, until its task begins.
    plan: Rc<Cell<Option<Box<Plan>>>>,
    bytes: usize,
}

/// Somebody who sleeps.
struct Timer {
    end: Duration,
    /// How long the sleep is: an end further ahead was set by a clock gone back since.
    time: Duration,
    /// Whether another worker's word wakes them, too.
    listens: bool,
    sleeper: oneshot::Sender<()>,
}

struct Calls {
    queued: VecDeque<(Call, Asker)>,
    /// By the host's id, with the time from which a call counts as lost.
    pending: BTreeMap<u32, (Duration, Asker)>,
    budget: CallBudget,
}

/// Who waits for a call's answer.
struct Asker {
    sender: oneshot::Sender<Answer>,
    /// On whose account it counts; none for calls that callers can't multiply.
    endpoint: Option<Endpoint>,
}

impl Calls {
    fn answer(&mut self, asker: Asker, answer: Answer) {
        if let Some(endpoint) = asker.endpoint {
            self.budget.leave(endpoint);
        }
        // Whoever asked may be gone; the answer is then nobody's.
        let _ = asker.sender.send(answer);
    }
}

/// A gateway and what runs its tasks.
pub struct Engine<H> {
    gateway: Rc<Gateway<H>>,
    pool: RefCell<LocalPool>,
}

/// What is to become of a request for now.
#[derive(Debug)]
pub enum Decision {
    /// It is decided.
    Now(Verdict),
    /// [`Engine::turn`] will give the verdict under the request's id.
    Later,
    /// Its body must be known first: the host keeps all of the request back, tells how much of
    /// the body has come with [`Engine::body_so_far`], and hands it over with
    /// [`Engine::body_whole`]. A body that takes longer than [`MAX_BODY_TIME`] is refused by
    /// [`Engine::turn`].
    NeedsBody,
}

impl<H: Host + 'static> Engine<H> {
    /// An engine for a policy. Creates the shared board's slots.
    pub fn new(host: H, policy: Policy) -> Engine<H> {
        let pool = LocalPool::new();
        if !policy.exchanges.is_empty() || !policy.remotes.is_empty() {
            Slots(&host).create();
        }
        for limit in policy.rules.iter().filter_map(|rule| rule.limit.as_ref()) {
            limit.create(&policy.digest, &host);
        }
        let lookups = policy.authenticators.iter().filter(|one| one.looks_up());
        let servers = policy.exchanges.len() + lookups.count();
        if policy.rules.iter().any(Rule::takes_assertions) {
            replay::create(&host);
        }
        let gateway = Rc::new(Gateway {
            keys: RemoteSets::new(policy.remotes.len()),
            lookups: Lookups::default(),
            tokens: Tokens::new(&policy),
            verified: VerifiedTokens::default(),
            lines: Allowance::default(),
            signer: Signer::new(&host),
            calls: RefCell::new(Calls {
                queued: VecDeque::new(),
                pending: BTreeMap::new(),
                budget: CallBudget::new(servers),
            }),
            timers: RefCell::default(),
            waiters: Waiters::default(),
            decided: RefCell::default(),
            bodies: Bodies::default(),
            waiting: RefCell::default(),
            waiting_bytes: Cell::new(0),
            // The clock may go back before the first tick.
            last_tick: Cell::new(host.now()),
            spawner: pool.spawner(),
            host,
            policy,
        });
        Engine {
            gateway,
            pool: RefCell::new(pool),
        }
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway<H> {
        &self.gateway
    }

    /// Decides a request, or starts what must be known first. `id` is the caller's name for
    /// the request.
    pub fn decide(&self, id: u32, request: Request) -> Decision {
        match decide(&self.gateway, request) {
            Ok(verdict) => Decision::Now(verdict),
            Err(plan) if plan.needs_body() => self.gateway.await_body(id, plan),
            Err(plan) => self.gateway.resume_later(id, plan),
        }
    }

    /// A request's caller went away: nothing is decided for it any more, and its place is
    /// free. Calls that others may want go on.
    pub fn forget(&self, id: u32) {
        self.gateway.bodies.forget(id);
        if let Some(waiting) = self.gateway.leave(id) {
            waiting.task.abort();
            drop(waiting.plan.take());
            // The task itself goes with the next turn.
            self.gateway.host.wake();
        }
    }

    /// The answer to a call that was dispatched under this id.
    pub fn answer(&self, call: u32, answer: Answer) {
        let mut calls = self.gateway.calls.borrow_mut();
        if let Some((_, asker)) = calls.pending.remove(&call) {
            calls.answer(asker, answer);
        }
    }

    /// Another worker says that the board has news: whoever waits for that looks again. It is
    /// a hint only; the board says what is true.
    pub fn look_again(&self) {
        self.gateway.awaken(|timer| timer.listens);
    }

    /// An upstream answered 401 to a request that carried this token.
    pub fn reject_token(&self, token: &Injected) {
        self.gateway.reject_token(token);
    }

    /// Time passes: key sets and tokens are refreshed, sleepers wake, lost calls fail. The host calls
    /// this at least once a second, and every 50 ms while [`Engine::is_busy`].
    pub fn tick(&self) {
        let gateway = &self.gateway;
        gateway.refresh_keys();
        gateway.refresh_tokens();
        let now = gateway.host.now();
        gateway.lines.renew(now);
        gateway.refuse_late_bodies(now);
        // A clock that goes back would leave sleepers asleep for as long.
        let went_back = gateway.last_tick.replace(now) > now;
        if went_back {
            gateway.lookups.forget();
        }
        gateway.awaken(|timer| {
            let left = timer.end.saturating_sub(now);
            left.is_zero() || left > timer.time || went_back
        });
        let lost: Vec<u32> = {
            let mut calls = gateway.calls.borrow_mut();
            if went_back {
                for (end, _) in calls.pending.values_mut() {
                    *end = now.saturating_add(RE_ANCHORED);
                }
            }
            let late = calls.pending.iter().filter(|(_, (end, _))| *end <= now);
            late.map(|(id, _)| *id).collect()
        };
        for call in lost {
            self.answer(call, Answer::Failed);
        }
    }

    /// Runs what can run, dispatches what is queued, and returns the verdicts that came out.
    pub fn turn(&self) -> Vec<(u32, Verdict)> {
        loop {
            // A turn within a turn would be the host's mistake; it must not become a panic.
            let Ok(mut pool) = self.pool.try_borrow_mut() else {
                break;
            };
            pool.run_until_stalled();
            drop(pool);
            if !self.dispatch() {
                break;
            }
        }
        self.gateway.decided.take()
    }

    /// Whether something waits for a timer.
    pub fn is_busy(&self) -> bool {
        !self.gateway.timers.borrow().is_empty()
    }

    /// Dispatches what is queued; whether a task can go on for it.
    fn dispatch(&self) -> bool {
        let gateway = &self.gateway;
        let mut failed = false;
        loop {
            let Some((call, asker)) = gateway.calls.borrow_mut().queued.pop_front() else {
                return failed;
            };
            match gateway.host.dispatch(&call) {
                Ok(id) => {
                    let now = gateway.host.now();
                    let lost = now.saturating_add(call.timeout).saturating_add(LOST);
                    let mut calls = gateway.calls.borrow_mut();
                    calls.pending.insert(id, (lost, asker));
                }
                Err(_) => {
                    gateway.calls.borrow_mut().answer(asker, Answer::NotSent);
                    failed = true;
                }
            }
        }
    }
}

impl<H: Host + 'static> Gateway<H> {
    /// Makes a call and waits for its answer, unless too many are under way.
    pub(crate) async fn call(&self, endpoint: Endpoint, call: Call) -> Answer {
        if !self.calls.borrow_mut().budget.enter(endpoint) {
            return Answer::NotSent;
        }
        self.queue(call, Some(endpoint)).await
    }

    /// Makes a call that callers can't multiply, and waits for its answer.
    pub(crate) async fn call_always(&self, call: Call) -> Answer {
        self.queue(call, None).await
    }

    async fn queue(&self, call: Call, endpoint: Option<Endpoint>) -> Answer {
        let (sender, receiver) = oneshot::channel();
        let asker = Asker { sender, endpoint };
        self.calls.borrow_mut().queued.push_back((call, asker));
        self.host.wake();
        receiver.await.unwrap_or(Answer::Failed)
    }

    /// Waits for some time, in steps of the host's tick.
    pub(crate) async fn sleep(&self, time: Duration) {
        self.rest(time, false).await;
    }

    /// Waits for some time, or until another worker says that the board has news.
    pub(crate) async fn wait_for_others(&self, time: Duration) {
        self.rest(time, true).await;
    }

    async fn rest(&self, time: Duration, listens: bool) {
        let (sleeper, receiver) = oneshot::channel();
        let end = self.host.now().saturating_add(time);
        self.timers.borrow_mut().push(Timer {
            end,
            time,
            listens,
            sleeper,
        });
        // Dropped with the gateway: nobody is left to go on.
        let _ = receiver.await;
    }

    /// Wakes sleepers.
    fn awaken(&self, whom: impl Fn(&Timer) -> bool) {
        let awake: Vec<_> = self
            .timers
            .borrow_mut()
            .extract_if(.., |timer| whom(timer))
            .collect();
        for timer in awake {
            let _ = timer.sleeper.send(());
        }
    }

    /// Runs a task beside the requests.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        // It fails only when the pool is gone, and everything with it.
        let _ = self.spawner.spawn_local(task);
        self.host.wake();
    }

    fn resume_later(self: &Rc<Self>, id: u32, mut plan: Box<Plan>) -> Decision {
        let bytes = plan.size();
        let held = self.waiting_bytes.get().saturating_add(bytes);
        let full = self.waiting.borrow().len() >= MAX_WAITING || held > MAX_WAITING_BYTES;
        if full || !plan.take_place(&self.waiters) {
            return Decision::Now(plan.refuse(self, Refusal::for_now(Reason::Overloaded, 1)));
        }
        let gateway = self.clone();
        let plan = Rc::new(Cell::new(Some(plan)));
        let taken = plan.clone();
        let (task, abort) = abortable(async move {
            let Some(plan) = taken.take() else {
                return;
            };
            let verdict = plan.resume(&gateway).await;
            gateway.leave(id);
            gateway.decided.borrow_mut().push((id, verdict));
        });
        self.waiting_bytes.set(held);
        // An id that is there already was another request's, which is gone.
        if let Some(gone) = self.leave(id) {
            gone.task.abort();
        }
        let waiting = Waiting {
            task: abort,
            plan,
            bytes,
        };
        self.waiting.borrow_mut().insert(id, waiting);
        self.spawn(task.map(drop));
        Decision::Later
    }

    /// Frees a request's place among those that wait.
    fn leave(&self, id: u32) -> Option<Waiting> {
        let waiting = self.waiting.borrow_mut().remove(&id)?;
        let held = self.waiting_bytes.get().saturating_sub(waiting.bytes);
        self.waiting_bytes.set(held);
        Some(waiting)
    }
}

/// Flights hold the gateway, and the gateway its flights: they end with the engine.
impl<H> Drop for Engine<H> {
    fn drop(&mut self) {
        self.gateway.tokens.clear();
        self.gateway.keys.clear();
        self.gateway.lookups.clear();
    }
}
