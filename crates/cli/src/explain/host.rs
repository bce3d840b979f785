//! The world around the engine: a clock that stands still, a board in memory, and answers
//! from files.

use super::answers::{Answers, call_header, call_url};
use doorward_core::authenticate::{Identity, Need};
use doorward_core::host::{Answer, Call, DispatchError, Host, Level, Shared};
use doorward_core::http::Refusal;
use doorward_core::jose::{Algorithm, HostVerifier};
use doorward_core::observe::{Demand, Event, Step};
use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

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
    /// The status of the given answer; `None` where none was given.
    pub status: Option<u16>,
}

/// The host.
pub struct ExplainHost {
    now: Cell<Duration>,
    answers: Answers,
    board: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    calls: Cell<u32>,
    pending: RefCell<VecDeque<(u32, Answer)>>,
    story: RefCell<Story>,
}

impl ExplainHost {
    /// A host at this time, with these answers.
    pub fn new(now: Duration, answers: Answers) -> ExplainHost {
        ExplainHost {
            now: Cell::new(now),
            answers,
            board: RefCell::default(),
            calls: Cell::new(0),
            pending: RefCell::default(),
            story: RefCell::default(),
        }
    }

    /// The next answer that comes in.
    pub fn take_answer(&self) -> Option<(u32, Answer)> {
        self.pending.borrow_mut().pop_front()
    }

    /// Turns the clock.
    pub fn turn_clock(&self, by: Duration) {
        self.now.set(self.now.get().saturating_add(by));
    }

    /// The time is this from now on, and what happened before is forgotten.
    pub fn begin(&self, now: Duration) {
        self.now.set(now);
        self.story.take();
    }

    /// What happened so far.
    pub fn story(&self) -> RefMut<'_, Story> {
        self.story.borrow_mut()
    }
}

impl HostVerifier for ExplainHost {
    fn verify_signature(&self, _: &str, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        None
    }
}

impl Host for ExplainHost {
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
        let answer = self.answers.find(call).cloned();
        self.story().calls.push(Called {
            cluster: call.cluster.clone(),
            method: call_header(call, ":method").to_owned(),
            url: call_url(call),
            status: match &answer {
                Some(Answer::Reply { status, .. }) => Some(*status),
                Some(Answer::Failed | Answer::NotSent) | None => None,
            },
        });
        let answer = answer.ok_or(DispatchError)?;
        let id = self.calls.get().wrapping_add(1);
        self.calls.set(id);
        self.pending.borrow_mut().push_back((id, answer));
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
                self.answers.asked(*authenticator, url);
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
