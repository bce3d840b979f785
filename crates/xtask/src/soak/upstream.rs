//! The upstream, which looks at every token that it gets, and keeps no request.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use serde::Deserialize;

use crate::jwt;
use crate::server::{Listening, Outcome, Received, Reply, locked};

/// How many wrong ones are kept to be shown.
const SHOWN: usize = 10;
/// The seconds that a token may be over when the upstream sees it: `exp` counts whole seconds, and the way from
/// the gateway takes a moment.
const UNDER_WAY: i64 = 1;

/// The server.
pub(super) struct Checking {
    listening: Listening,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    passed: u64,
    wrong: u64,
    shown: Vec<String>,
}

#[derive(Deserialize)]
struct Claims {
    client_id: String,
    iat: i64,
    exp: i64,
}

impl Checking {
    pub(super) fn start() -> Result<Self> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let listening = Listening::start(move |request: Received| {
            let problem = problem(&request);
            let mut seen = locked(&shared);
            seen.passed += 1;
            let status = match problem {
                None => 200,
                Some(problem) => {
                    seen.wrong += 1;
                    if seen.shown.len() < SHOWN {
                        seen.shown.push(problem);
                    }
                    500
                }
            };
            Outcome::Reply(Reply::new(status, "text/plain", ""))
        })?;
        Ok(Self { listening, seen })
    }

    pub(super) fn port(&self) -> u16 {
        self.listening.address().port()
    }

    /// How many requests came.
    pub(super) fn passed(&self) -> u64 {
        locked(&self.seen).passed
    }

    /// How many of them had no correct token, and some of them in words.
    pub(super) fn wrong(&self) -> (u64, Vec<String>) {
        let seen = locked(&self.seen);
        (seen.wrong, seen.shown.clone())
    }
}

/// What is wrong with a request: its path tells whose it is.
fn problem(request: &Received) -> Option<String> {
    let id = request.path.trim_start_matches('/');
    let wrong = |what: &str| Some(format!("{id}: {what}"));
    let [bearer] = request.headers_named("authorization")[..] else {
        return wrong("not one Authorization");
    };
    let Some(token) = bearer.strip_prefix("Bearer ") else {
        return wrong("no Bearer");
    };
    let Ok(token) = jsonwebtoken::dangerous::insecure_decode::<Claims>(token) else {
        return wrong("no token of the endpoint's");
    };
    let now = jwt::now().unwrap_or(i64::MAX);
    let Claims {
        client_id,
        iat,
        exp,
    } = token.claims;
    if client_id != id {
        return wrong(&format!("the token of {client_id}"));
    }
    if now > exp.saturating_add(UNDER_WAY) || now < iat {
        return wrong(&format!("a token from {iat} to {exp} at {now}"));
    }
    if request.headers_named("x-auth-client") != [id] {
        return wrong("x-auth-client of another");
    }
    if request.header("x-client-secret").is_some() {
        return wrong("the secret");
    }
    None
}
