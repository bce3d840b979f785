//! The callers: each client about once a second.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Answer, Client, Connection};
use crate::demo::step::reason_of;
use crate::server::locked;

/// Every client's secret.
pub(super) const SECRET: &str = "s3cr:t/% +&=";
/// Threads that call, each for its share of the clients.
pub(super) const THREADS: usize = 8;
/// How often each client calls.
const PERIOD: Duration = Duration::from_secs(1);
/// How many wrong answers are kept to be shown.
const SHOWN: usize = 10;

/// What callers got so far.
pub(super) struct Load {
    gateway: Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By status and reason.
    answers: BTreeMap<String, u64>,
    wrong: u64,
    shown: Vec<String>,
}

impl Load {
    pub(super) fn new(gateway: SocketAddr) -> Self {
        Self {
            gateway: Client::new(gateway),
            state: Mutex::default(),
        }
    }

    /// Calls for these clients until it is done.
    pub(super) fn call(&self, ids: &[String], done: &AtomicBool) {
        let mut connection = None;
        let pause = PERIOD / u32::try_from(ids.len()).unwrap_or(1).max(1);
        let mut due = Instant::now();
        for id in ids.iter().cycle() {
            if done.load(Ordering::SeqCst) {
                return;
            }
            self.count(id, ask(self.gateway, &mut connection, id));
            due += pause;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    fn count(&self, id: &str, answer: anyhow::Result<Answer>) {
        let (name, good) = match &answer {
            Ok(answer) if answer.status == 200 => ("200".to_owned(), true),
            Ok(answer) => {
                let reason = reason_of(answer).unwrap_or_default();
                let good = answer.status == 503 && reason == "exchange_unavailable";
                (format!("{} {reason}", answer.status), good)
            }
            Err(_) => ("no answer".to_owned(), false),
        };
        let mut state = locked(&self.state);
        if !good {
            state.wrong += 1;
            if state.shown.len() < SHOWN {
                let detail = answer.map_or_else(|error| format!("{error:#}"), |one| one.text());
                state.shown.push(format!("{id}: {name}: {detail}"));
            }
        }
        *state.answers.entry(name).or_default() += 1;
    }

    /// How many answers of each kind there were.
    pub(super) fn answers(&self) -> BTreeMap<String, u64> {
        locked(&self.state).answers.clone()
    }

    /// How many answers were neither 200 nor an honest 503, and some of them in words.
    pub(super) fn wrong(&self) -> (u64, Vec<String>) {
        let state = locked(&self.state);
        (state.wrong, state.shown.clone())
    }
}

/// Asks on a kept connection.
fn ask(gateway: Client, connection: &mut Option<Connection>, id: &str) -> anyhow::Result<Answer> {
    let kept = match connection {
        Some(kept) => kept,
        None => connection.insert(gateway.connect()?),
    };
    let request = kept.get(&format!("/{id}")).header("x-client-id", id);
    let answer = request.header("x-client-secret", SECRET).send();
    if answer.is_err() {
        *connection = None;
    }
    answer
}
