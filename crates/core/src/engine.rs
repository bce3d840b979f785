//! Running decisions: those that stand at once, and those that wait for callouts.
//!
//! A [`Gateway`] is one policy's state in one worker. An [`Engine`] runs its tasks: a
//! request that must wait becomes a task, calls are queued until the host gives the engine
//! a [`Engine::turn`], and verdicts come back under the request's id. Time comes from the
//! host alone, so a test can turn the clock.

use crate::decide::{Plan, decide};
use crate::host::{Answer, Call, Host};
use crate::http::{Refusal, Request, Verdict};
use crate::keys::RemoteSets;
use crate::lookup::Lookups;
use crate::policy::Policy;
use crate::reply::Reason;
use crate::tokens::{Slots, Tokens};
use futures_channel::oneshot;
use futures_executor::{LocalPool, LocalSpawner};
use futures_util::task::LocalSpawnExt;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

/// How many requests of one worker may wait for callouts; the next is refused with 503.
const MAX_WAITING: usize = 4096;
/// How long after its own timeout a call that the host never answered counts as lost.
const LOST: Duration = Duration::from_secs(2);

/// One policy's state in one worker.
pub struct Gateway<H> {
    /// The world outside.
    pub host: H,
    /// The policy.
    pub policy: Policy,
    pub(crate) tokens: Tokens,
    pub(crate) keys: RemoteSets,
    pub(crate) lookups: Lookups,
    calls: RefCell<Calls>,
    timers: RefCell<Vec<(Duration, oneshot::Sender<()>)>>,
    decided: RefCell<Vec<(u32, Verdict)>>,
    waiting: Cell<usize>,
    spawner: LocalSpawner,
}

#[derive(Default)]
struct Calls {
    queued: VecDeque<(Call, oneshot::Sender<Answer>)>,
    /// By the host's id, with the time from which a call counts as lost.
    pending: BTreeMap<u32, (Duration, oneshot::Sender<Answer>)>,
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
}

impl<H: Host + 'static> Engine<H> {
    /// An engine for a policy. Creates the shared board's slots.
    pub fn new(host: H, policy: Policy) -> Engine<H> {
        let pool = LocalPool::new();
        if !policy.exchanges.is_empty() || !policy.remotes.is_empty() {
            Slots(&host).create();
        }
        for limit in policy.rules.iter().filter_map(|rule| rule.limit.as_ref()) {
            limit.create(&host);
        }
        let gateway = Rc::new(Gateway {
            keys: RemoteSets::new(policy.remotes.len()),
            lookups: Lookups::default(),
            tokens: Tokens::default(),
            calls: RefCell::default(),
            timers: RefCell::default(),
            decided: RefCell::default(),
            waiting: Cell::new(0),
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
            Err(plan) => self.gateway.resume_later(id, plan),
        }
    }

    /// The answer to a call that was dispatched under this id.
    pub fn answer(&self, call: u32, answer: Answer) {
        let pending = self.gateway.calls.borrow_mut().pending.remove(&call);
        if let Some((_, sender)) = pending {
            // Whoever asked may be gone; the answer is then nobody's.
            let _ = sender.send(answer);
        }
    }

    /// Time passes: key sets are refreshed, sleepers wake, lost calls fail. The host calls
    /// this at least once a second, and every 50 ms while [`Engine::is_busy`].
    pub fn tick(&self) {
        let gateway = &self.gateway;
        gateway.refresh_keys();
        let now = gateway.host.now();
        let due: Vec<_> = gateway
            .timers
            .borrow_mut()
            .extract_if(.., |(end, _)| *end <= now)
            .collect();
        for (_, sleeper) in due {
            let _ = sleeper.send(());
        }
        let lost: Vec<u32> = {
            let calls = gateway.calls.borrow();
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
            let Some((call, sender)) = gateway.calls.borrow_mut().queued.pop_front() else {
                return failed;
            };
            match gateway.host.dispatch(&call) {
                Ok(id) => {
                    let now = gateway.host.now();
                    let lost = now.saturating_add(call.timeout).saturating_add(LOST);
                    let mut calls = gateway.calls.borrow_mut();
                    calls.pending.insert(id, (lost, sender));
                }
                Err(_) => {
                    let _ = sender.send(Answer::Failed);
                    failed = true;
                }
            }
        }
    }
}

impl<H: Host + 'static> Gateway<H> {
    /// Makes a call and waits for its answer.
    pub(crate) async fn call(&self, call: Call) -> Answer {
        let (sender, receiver) = oneshot::channel();
        self.calls.borrow_mut().queued.push_back((call, sender));
        self.host.wake();
        receiver.await.unwrap_or(Answer::Failed)
    }

    /// Waits for some time, in steps of the host's tick.
    pub(crate) async fn sleep(&self, time: Duration) {
        let (sender, receiver) = oneshot::channel();
        let end = self.host.now().saturating_add(time);
        self.timers.borrow_mut().push((end, sender));
        // Dropped with the gateway: nobody is left to go on.
        let _ = receiver.await;
    }

    /// Runs a task beside the requests.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        // It fails only when the pool is gone, and everything with it.
        let _ = self.spawner.spawn_local(task);
        self.host.wake();
    }

    fn resume_later(self: &Rc<Self>, id: u32, plan: Box<Plan>) -> Decision {
        if self.waiting.get() >= MAX_WAITING {
            return Decision::Now(plan.refuse(self, Refusal::for_now(Reason::Overloaded, 1)));
        }
        self.waiting.set(self.waiting.get() + 1);
        let gateway = self.clone();
        self.spawn(async move {
            let verdict = plan.resume(&gateway).await;
            gateway.waiting.set(gateway.waiting.get().saturating_sub(1));
            gateway.decided.borrow_mut().push((id, verdict));
        });
        Decision::Later
    }
}
