//! A proxy to run the core in: a clock that a test turns, one board for all workers, and
//! calls that wait until the test answers them.
//!
//! The board behaves as Envoy's shared data does: inserting a new key ignores the version, a
//! non-zero version must be the stored one, and nothing is ever deleted.
#![allow(dead_code, reason = "every test file uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

pub mod exchange;
pub mod issue;
pub mod jwt;
mod words;

#[allow(unused_imports, reason = "every test file uses a part of it")]
pub use words::*;

use doorward_core::engine::{Decision, Engine};
use doorward_core::host::{Answer, Call, DispatchError, Host, Level, Shared};
use doorward_core::http::{Request, Verdict};
use doorward_core::jose::HostVerifier;
use doorward_core::observe::{Event, Gauge};
use doorward_core::policy;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

/// When a test's clock begins: 2026-11-21T12:00:00Z.
pub const START: u64 = 1_795_262_400;

/// The host's tick while something waits.
const STEP: Duration = Duration::from_millis(50);

/// Values and their versions.
pub type Board = BTreeMap<String, (Vec<u8>, u32)>;

/// What all workers of a proxy share, and the test's hand in it.
pub struct World {
    pub now: Cell<Duration>,
    pub board: RefCell<Board>,
    /// Whether writes to the board succeed.
    pub writable: Cell<bool>,
    /// Whether calls can be started.
    pub reachable: Cell<bool>,
    /// A board as it was before, and how many of the next reads still see it: another
    /// worker's thread wrote in between.
    pub past: RefCell<Option<(usize, Board)>>,
    pub events: RefCell<Vec<Event>>,
    pub gauges: RefCell<BTreeMap<Gauge, u64>>,
    /// Whether workers reach each other's queues.
    pub wakes: Cell<bool>,
    /// Whether a worker may answer another request than the one it is called for.
    pub resumes: Cell<bool>,
    /// Which workers have an unheard message of another.
    messages: RefCell<BTreeSet<usize>>,
    /// The workers that can be woken.
    awake: Cell<usize>,
    /// How often a signature was to be checked that hosts can check.
    pub checks: Cell<usize>,
    pub log: RefCell<Vec<(Level, String)>>,
    calls: RefCell<Vec<Pending>>,
    made: Cell<usize>,
    random: Cell<u64>,
    versions: Cell<u32>,
}

/// A call that the test has not answered yet.
#[derive(Clone)]
pub struct Pending {
    pub id: u32,
    pub worker: usize,
    pub call: Call,
}

impl Pending {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.call.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn body(&self) -> &str {
        std::str::from_utf8(&self.call.body).unwrap()
    }
}

pub struct FakeHost {
    world: Rc<World>,
    worker: usize,
}

impl HostVerifier for FakeHost {
    fn verify_signature(&self, _: &str, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        self.world.checks.set(self.world.checks.get() + 1);
        None
    }
}

impl Host for FakeHost {
    fn now(&self) -> Duration {
        self.world.now.get()
    }

    fn random(&self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.world.next_random() as u8;
        }
    }

    fn shared_get(&self, key: &str) -> Option<Shared> {
        if let Some((reads, past)) = &mut *self.world.past.borrow_mut()
            && *reads > 0
        {
            *reads -= 1;
            let (value, cas) = past.get(key)?.clone();
            return Some(Shared { value, cas });
        }
        let board = self.world.board.borrow();
        let (value, cas) = board.get(key)?;
        Some(Shared {
            value: value.clone(),
            cas: *cas,
        })
    }

    fn shared_set(&self, key: &str, value: &[u8], cas: u32) -> bool {
        if !self.world.writable.get() {
            return false;
        }
        let mut board = self.world.board.borrow_mut();
        if let Some((_, stored)) = board.get(key)
            && cas != 0
            && cas != *stored
        {
            return false;
        }
        let version = self.world.versions.get() + 1;
        self.world.versions.set(version);
        board.insert(key.to_owned(), (value.to_vec(), version));
        true
    }

    fn dispatch(&self, call: &Call) -> Result<u32, DispatchError> {
        if !self.world.reachable.get() {
            return Err(DispatchError);
        }
        let id = self.world.made.get() + 1;
        self.world.made.set(id);
        let id = id as u32;
        self.world.calls.borrow_mut().push(Pending {
            id,
            worker: self.worker,
            call: call.clone(),
        });
        Ok(id)
    }

    fn wake(&self) {}

    fn wake_others(&self) {
        if self.world.wakes.get() {
            let others = (0..self.world.awake.get()).filter(|other| *other != self.worker);
            self.world.messages.borrow_mut().extend(others);
        }
    }

    fn resumes_others(&self) -> bool {
        self.world.resumes.get()
    }

    fn gauge(&self, gauge: Gauge, value: u64) {
        self.world.gauges.borrow_mut().insert(gauge, value);
    }

    fn log(&self, level: Level, line: &str) {
        self.world.log.borrow_mut().push((level, line.to_owned()));
    }

    fn count(&self, event: Event) {
        self.world.events.borrow_mut().push(event);
    }
}

impl World {
    fn new() -> Rc<World> {
        Rc::new(World {
            now: Cell::new(Duration::from_secs(START)),
            board: RefCell::default(),
            writable: Cell::new(true),
            reachable: Cell::new(true),
            past: RefCell::default(),
            events: RefCell::default(),
            gauges: RefCell::default(),
            wakes: Cell::new(true),
            resumes: Cell::new(true),
            messages: RefCell::default(),
            awake: Cell::new(0),
            checks: Cell::new(0),
            log: RefCell::default(),
            calls: RefCell::default(),
            made: Cell::new(0),
            random: Cell::new(0x9e37_79b9_7f4a_7c15),
            versions: Cell::new(0),
        })
    }

    /// xorshift64: the same run every time.
    pub fn next_random(&self) -> u64 {
        let mut state = self.random.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.random.set(state);
        state >> 8
    }
}

/// A request that was put to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    pub worker: usize,
    pub id: u32,
}

/// The workers of one proxy.
pub struct Proxy {
    pub world: Rc<World>,
    pub workers: Vec<Engine<FakeHost>>,
    verdicts: RefCell<BTreeMap<Ticket, Verdict>>,
    /// Verdicts that had to be waited for, in the order in which they came.
    pub resumed: RefCell<Vec<Ticket>>,
    bodies: RefCell<BTreeSet<Ticket>>,
    requests: Cell<u32>,
}

impl Proxy {
    /// A proxy with some workers that run a policy.
    pub fn new(workers: usize, policy: &str) -> Proxy {
        let world = World::new();
        world.awake.set(workers);
        let workers = (0..workers)
            .map(|worker| engine(&world, worker, policy))
            .collect();
        Proxy {
            world,
            workers,
            verdicts: RefCell::default(),
            resumed: RefCell::default(),
            bodies: RefCell::default(),
            requests: Cell::new(0),
        }
    }

    /// Puts a request to a worker and runs it as far as it goes.
    pub fn ask(&self, worker: usize, request: Request) -> Ticket {
        let id = self.requests.get();
        self.requests.set(id + 1);
        let ticket = Ticket { worker, id };
        match self.workers[worker].decide(id, request) {
            Decision::Now(verdict) => {
                self.verdicts.borrow_mut().insert(ticket, verdict);
            }
            Decision::Later => {}
            Decision::NeedsBody => {
                self.bodies.borrow_mut().insert(ticket);
            }
        }
        self.turn(worker);
        ticket
    }

    /// Puts a request with a body to a worker, and runs it as far as it goes. The body is only
    /// looked at where the decision asks for it.
    pub fn send(&self, worker: usize, request: Request, body: &[u8]) -> Ticket {
        let ticket = self.ask(worker, request);
        if self.awaits_body(ticket) {
            self.body(ticket, body);
        }
        ticket
    }

    /// Whether the body of this request is awaited.
    pub fn awaits_body(&self, ticket: Ticket) -> bool {
        self.bodies.borrow().contains(&ticket)
    }

    /// Hands over the whole body of a request.
    pub fn body(&self, ticket: Ticket, body: &[u8]) {
        assert!(
            self.bodies.borrow_mut().remove(&ticket),
            "no body is awaited"
        );
        let decision = self.workers[ticket.worker].body_whole(ticket.id, body.to_vec());
        if let Decision::Now(verdict) = decision {
            self.verdicts.borrow_mut().insert(ticket, verdict);
        }
        self.turn(ticket.worker);
    }

    /// Tells how much of a body has come.
    pub fn body_so_far(&self, ticket: Ticket, size: usize) {
        if let Some(verdict) = self.workers[ticket.worker].body_so_far(ticket.id, size) {
            self.bodies.borrow_mut().remove(&ticket);
            self.verdicts.borrow_mut().insert(ticket, verdict);
        }
    }

    /// The verdict on a request, if one stands.
    pub fn verdict(&self, ticket: Ticket) -> Option<Verdict> {
        self.verdicts.borrow().get(&ticket).cloned()
    }

    /// The verdict on a request in short, see [`short`]; `waits` without one.
    pub fn said(&self, ticket: Ticket) -> String {
        self.verdict(ticket)
            .map_or_else(|| "waits".to_owned(), |verdict| short(&verdict))
    }

    /// Asks and takes the verdict, which must come without waiting.
    pub fn decide(&self, request: Request) -> Verdict {
        let ticket = self.ask(0, request);
        self.verdict(ticket)
            .expect("the request waits for a callout")
    }

    fn turn(&self, worker: usize) {
        self.turn_alone(worker);
        // Messages are heard at once, one worker after the other.
        loop {
            let heard = self.world.messages.borrow_mut().pop_first();
            let Some(other) = heard else {
                return;
            };
            self.workers[other].look_again();
            self.turn_alone(other);
        }
    }

    fn turn_alone(&self, worker: usize) {
        for (id, verdict) in self.workers[worker].turn() {
            let ticket = Ticket { worker, id };
            let before = self.verdicts.borrow_mut().insert(ticket, verdict);
            assert!(before.is_none(), "a second verdict on one request");
            self.resumed.borrow_mut().push(ticket);
        }
    }

    /// A request's caller goes away.
    pub fn leave(&self, ticket: Ticket) {
        self.workers[ticket.worker].forget(ticket.id);
        self.turn(ticket.worker);
    }

    /// Ticks every worker at this moment.
    pub fn tick(&self) {
        for worker in 0..self.workers.len() {
            self.workers[worker].tick();
            self.turn(worker);
        }
    }

    /// Lets time pass in the host's steps.
    pub fn pass(&self, time: Duration) {
        let end = self.world.now.get() + time;
        while self.world.now.get() < end {
            self.world.now.set((self.world.now.get() + STEP).min(end));
            self.tick();
        }
    }

    /// Lets time jump, as between two requests that are far apart.
    pub fn jump(&self, time: Duration) {
        self.world.now.set(self.world.now.get() + time);
    }

    /// The calls that wait for an answer.
    pub fn calls(&self) -> Vec<Pending> {
        self.world.calls.borrow().clone()
    }

    /// How many calls were ever made.
    pub fn made(&self) -> usize {
        self.world.made.get()
    }

    /// The one call that waits for an answer.
    pub fn call(&self) -> Pending {
        let calls = self.calls();
        assert_eq!(calls.len(), 1, "calls that wait");
        calls.into_iter().next().unwrap()
    }

    /// Answers a call.
    pub fn answer(&self, call: &Pending, answer: Answer) {
        self.deliver(call, answer);
        self.turn(call.worker);
    }

    /// Answers a call, for tests that take the verdicts from the engine themselves.
    pub fn answer_raw(&self, call: &Pending, answer: Answer) -> Vec<(u32, Verdict)> {
        self.deliver(call, answer);
        self.workers[call.worker].turn()
    }

    fn deliver(&self, call: &Pending, answer: Answer) {
        let mut calls = self.world.calls.borrow_mut();
        calls.retain(|other| other.id != call.id);
        self.workers[call.worker].answer(call.id, answer);
    }

    /// Answers the one call that waits.
    pub fn reply(&self, status: u16, body: &str) {
        self.answer(&self.call(), reply(status, body));
    }

    pub fn count(&self, event: Event) -> usize {
        let events = self.world.events.borrow();
        events.iter().filter(|other| **other == event).count()
    }
}

/// One more worker on a board.
pub fn engine(world: &Rc<World>, worker: usize, policy: &str) -> Engine<FakeHost> {
    let host = FakeHost {
        world: world.clone(),
        worker,
    };
    Engine::new(host, load(policy))
}

/// A policy that must be sound.
pub fn load(policy: &str) -> policy::Policy {
    policy::load(policy.as_bytes(), &|_| None).unwrap_or_else(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}
