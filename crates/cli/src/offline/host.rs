//! The world around the engine: a clock that only its owner turns, a board in memory, and
//! servers that answer what was given beforehand.

use doorward_core::authenticate::{Identity, Need};
use doorward_core::host::{Answer, Call, DispatchError, Host, Level, Shared};
use doorward_core::http::Refusal;
use doorward_core::jose::{Algorithm, HostVerifier};
use doorward_core::observe::{Demand, Event, Step};
use std::cell::{Cell, RefCell, RefMut};
use std::collections::BTreeMap;
use std::time::Duration;

/// What stands in for the servers that a policy calls.
pub trait Servers {
    /// What a call meets.
    fn answer(&self, call: &Call) -> Met;

    /// A look-up asks for a URL. Default: nobody minds.
    fn asked(&self, _authenticator: usize, _url: &str) {}
}

/// What a call meets.
#[derive(Debug, Clone)]
pub enum Met {
    /// Nothing: it can't even be sent.
    Nothing,
    /// An answer, after this long.
    Answer(Answer, Duration),
    /// Silence.
    Silence,
}

/// What happened on the way to a verdict.
#[derive(Debug, Default)]
pub struct Story {
    /// The rule that matched, and its path variables.
    pub matched: Option<(usize, Vec<(String, String)>)>,
    /// The steps in order, since the decision began for the last time.
    pub steps: Vec<Told>,
    /// The calls that were made, or would be.
    pub calls: Vec<Called>,
    /// The reason for which a rule in shadow mode would have refused.
    pub shadowed: Option<doorward_core::reply::Reason>,
    /// Warnings and errors that the gateway would log.
    pub log: Vec<String>,
}

/// A step that owns what it tells.
#[derive(Debug)]
pub enum Told {
    /// A preflight goes on.
    Preflight,
    /// A demand, and whether it is met.
    Judged(What, bool),
    /// A token's header.
    TokenRead(Algorithm, Option<String>),
    /// The signature is proven.
    SignatureProven,
    /// What an authenticator says.
    Authenticated(usize, Result<Box<Identity>, Box<Refusal>>),
}

/// A demand that owns its name.
#[derive(Debug)]
pub enum What {
    /// `networks`.
    Network,
    /// `limit`.
    Limit,
    /// `scopes`.
    Scopes,
    /// `bind` of a variable.
    Binding(String),
    /// `allow_if`.
    Condition,
    /// A look-up's `allow_if`.
    LookupCondition,
}

/// A call.
#[derive(Debug)]
pub struct Called {
    /// The cluster.
    pub cluster: String,
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// The status of the given answer; `None` where there is none.
    pub status: Option<u16>,
    /// Whether what it met was given; else it counts as unreachable.
    pub given: bool,
}

/// The host.
pub struct OfflineHost<S> {
    now: Cell<Duration>,
    servers: S,
    board: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    calls: Cell<u32>,
    pending: RefCell<Vec<Due>>,
    story: RefCell<Story>,
}

/// An answer that is under way.
struct Due {
    at: Duration,
    call: u32,
    answer: Answer,
}

impl<S> OfflineHost<S> {
    /// A host at this time, with these servers.
    pub fn new(now: Duration, servers: S) -> OfflineHost<S> {
        OfflineHost {
            now: Cell::new(now),
            servers,
            board: RefCell::default(),
            calls: Cell::new(0),
            pending: RefCell::default(),
            story: RefCell::default(),
        }
    }

    /// The next answer that has come in by now.
    pub fn take_answer(&self) -> Option<(u32, Answer)> {
        let mut pending = self.pending.borrow_mut();
        let now = self.now.get();
        let first = pending.iter().position(|due| due.at <= now)?;
        let due = pending.remove(first);
        Some((due.call, due.answer))
    }

    /// Whether answers are under way.
    pub fn awaits_answers(&self) -> bool {
        !self.pending.borrow().is_empty()
    }

    /// Turns the clock.
    pub fn turn_clock(&self, by: Duration) {
        self.now.set(self.now.get().saturating_add(by));
    }

    /// What happened before is forgotten.
    pub fn begin(&self) {
        self.story.take();
    }

    /// What happened so far.
    pub fn story(&self) -> RefMut<'_, Story> {
        self.story.borrow_mut()
    }
}

impl<S> HostVerifier for OfflineHost<S> {
    fn verify_signature(&self, _: &str, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        None
    }
}

impl<S: Servers> Host for OfflineHost<S> {
    fn now(&self) -> Duration {
        self.now.get()
    }

    fn random(&self, buffer: &mut [u8]) {
        if getrandom::fill(buffer).is_err() {
            buffer.fill(0);
        }
    }

    fn shared_get(&self, key: &str) -> Option<Shared> {
        let board = self.board.borrow();
        let (value, cas) = board.get(key)?.clone();
        Some(Shared { value, cas })
    }

    fn shared_set(&self, key: &str, value: &[u8], cas: u32) -> bool {
        let mut board = self.board.borrow_mut();
        let stored = board.get(key).map_or(0, |(_, stored)| *stored);
        if cas != 0 && stored != 0 && cas != stored {
            return false;
        }
        let next = stored.wrapping_add(1).max(1);
        board.insert(key.to_owned(), (value.to_vec(), next));
        true
    }

    fn dispatch(&self, call: &Call) -> Result<u32, DispatchError> {
        let met = self.servers.answer(call);
        self.story().calls.push(Called {
            cluster: call.cluster.clone(),
            method: call_header(call, ":method").to_owned(),
            url: call_url(call),
            status: match &met {
                Met::Answer(Answer::Reply { status, .. }, _) => Some(*status),
                Met::Answer(..) | Met::Nothing | Met::Silence => None,
            },
            given: !matches!(met, Met::Nothing),
        });
        let id = self.calls.get().wrapping_add(1);
        self.calls.set(id);
        match met {
            Met::Nothing => return Err(DispatchError),
            Met::Silence => {}
            Met::Answer(answer, after) => self.pending.borrow_mut().push(Due {
                at: self.now.get().saturating_add(after),
                call: id,
                answer,
            }),
        }
        Ok(id)
    }

    fn wake(&self) {}

    fn log(&self, level: Level, line: &str) {
        if level >= Level::Warn {
            self.story().log.push(line.to_owned());
        }
    }

    fn count(&self, event: Event) {
        if let Event::Shadowed(reason) = event {
            self.story().shadowed = Some(reason);
        }
    }

    fn trace(&self, step: Step<'_>) {
        let mut story = self.story();
        let told = match step {
            Step::Began => {
                story.steps.clear();
                story.matched = None;
                story.shadowed = None;
                return;
            }
            Step::Matched { rule, variables } => {
                story.matched = Some((rule, variables.to_vec()));
                return;
            }
            Step::Asked(Need::Lookup(authenticator, url)) => {
                self.servers.asked(*authenticator, url);
                return;
            }
            // The call itself tells all of the others.
            Step::Asked(Need::Keys(_) | Need::FreshKeys(..) | Need::Token(..) | Need::Body) => {
                return;
            }
            Step::Preflight => Told::Preflight,
            Step::Judged(demand, met) => Told::Judged(what(demand), met),
            Step::TokenRead { algorithm, kid } => {
                Told::TokenRead(algorithm, kid.map(str::to_owned))
            }
            Step::SignatureProven => Told::SignatureProven,
            Step::Authenticated(index, outcome) => Told::Authenticated(
                index,
                outcome
                    .map(|identity| Box::new(identity.clone()))
                    .map_err(|refusal| Box::new(refusal.clone())),
            ),
        };
        story.steps.push(told);
    }
}

/// A call's URL.
pub fn call_url(call: &Call) -> String {
    url_of(
        call_header(call, ":scheme"),
        call_header(call, ":authority"),
        call_header(call, ":path"),
    )
}

/// A URL from its parts.
pub fn url_of(scheme: &str, authority: &str, path: &str) -> String {
    format!("{scheme}://{authority}{path}")
}

/// A header of a call; empty where it has none.
pub fn call_header<'c>(call: &'c Call, name: &str) -> &'c str {
    let found = call.headers.iter().find(|(other, _)| other == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

fn what(demand: Demand<'_>) -> What {
    match demand {
        Demand::Network => What::Network,
        Demand::Limit => What::Limit,
        Demand::Scopes => What::Scopes,
        Demand::Binding(name) => What::Binding(name.to_owned()),
        Demand::Condition => What::Condition,
        Demand::LookupCondition => What::LookupCondition,
    }
}
