//! An OAuth token endpoint that does what a test says, and otherwise behaves as Amazon Cognito's does.
//!
//! `POST /oauth2/token` takes the client credentials grant, `GET /jwks` publishes the keys, and whatever a real
//! server does on a bad day can be scripted: one answer with [`Scripted::next`], or until further notice with
//! [`Scripted::always`].

mod grant;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value, json};

use crate::jwt::{self, Key};
use crate::server::{Listening, Outcome, Received, Reply, locked};

/// The path of the token endpoint.
pub const TOKEN_PATH: &str = "/oauth2/token";
/// The path of the published keys.
pub const JWKS_PATH: &str = "/jwks";

/// How the server behaves where nothing is scripted.
#[derive(Debug, Clone)]
pub struct Settings {
    /// RS256 (default) or ES256.
    pub algorithm: Algorithm,
    /// The key that tokens are signed with (default A).
    pub signer: Key,
    /// The keys that are published (default A): sign with another, and it is unknown.
    pub published: Vec<Key>,
    /// The life of a token (default an hour).
    pub lifetime: Duration,
    /// What `expires_in` says, where it is to differ from the token's life.
    pub expires_in: Option<Value>,
    /// Claims that replace the usual ones; null removes one.
    pub claims: Map<String, Value>,
    /// How long each token takes (default: none).
    pub token_delay: Duration,
    /// How long the keys take (default: none).
    pub jwks_delay: Duration,
    /// Answers the request for the keys instead, where set.
    pub jwks: Option<Outcome>,
    /// The status of `invalid_client` (default 401; Cognito says 400).
    pub refusal_status: u16,
    /// What happens to requests for tokens, in turn and over and over: an accident, or nothing unusual (default:
    /// never an accident).
    pub accidents: Vec<Option<Outcome>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::RS256,
            signer: Key::A,
            published: vec![Key::A],
            lifetime: Duration::from_secs(3600),
            expires_in: None,
            claims: Map::new(),
            token_delay: Duration::ZERO,
            jwks_delay: Duration::ZERO,
            jwks: None,
            refusal_status: 401,
            accidents: Vec::new(),
        }
    }
}

/// A request of the token endpoint.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The request as it arrived.
    pub received: Received,
    /// The client it named, where it named one.
    pub client_id: Option<String>,
    /// When it came.
    pub at: Instant,
    /// Whether it got a token.
    pub granted: bool,
}

#[derive(Debug, Default)]
struct State {
    secrets: BTreeMap<String, Vec<String>>,
    settings: Settings,
    next: VecDeque<Outcome>,
    always: Option<Outcome>,
    token_requests: Vec<TokenRequest>,
    jwks_requests: usize,
    issued: u64,
    accidents_taken: usize,
}

/// A running server on a free port.
#[derive(Debug)]
pub struct Scripted {
    listening: Listening,
    state: Arc<Mutex<State>>,
}

impl Scripted {
    /// Starts it, with no clients.
    pub fn start() -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let listening = Listening::start(move |request| locked(&shared).answer(request))?;
        Ok(Self { listening, state })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address().port()
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &'static str {
        grant::ISSUER
    }

    /// Registers a client, or gives it another secret: only these prove it from now on.
    pub fn set_client(&self, id: &str, secrets: &[&str]) {
        let secrets = secrets.iter().map(|&secret| secret.to_owned()).collect();
        locked(&self.state).secrets.insert(id.to_owned(), secrets);
    }

    /// Changes how it behaves from now on.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut locked(&self.state).settings);
    }

    /// Answers the next request of the token endpoint like this; several are taken in turn.
    pub fn next(&self, outcome: Outcome) {
        locked(&self.state).next.push_back(outcome);
    }

    /// Answers every request of the token endpoint like this, until it is `None` again.
    pub fn always(&self, outcome: Option<Outcome>) {
        locked(&self.state).always = outcome;
    }

    /// Closes the port and all connections: the server is down.
    pub fn stop(&self) -> Result<()> {
        self.listening.stop()
    }

    /// Listens on the same port again.
    pub fn resume(&self) -> Result<()> {
        self.listening.resume()
    }

    /// All requests of the token endpoint so far.
    #[must_use]
    pub fn token_requests(&self) -> Vec<TokenRequest> {
        locked(&self.state).token_requests.clone()
    }

    /// All requests of the token endpoint since the last time this was asked.
    #[must_use]
    pub fn take_token_requests(&self) -> Vec<TokenRequest> {
        std::mem::take(&mut locked(&self.state).token_requests)
    }

    /// How often the keys were asked for.
    #[must_use]
    pub fn jwks_requests(&self) -> usize {
        locked(&self.state).jwks_requests
    }
}

/// Cognito's answer to one who asks too often.
#[must_use]
pub fn too_many_requests(retry_after: u32) -> Outcome {
    let reply = Reply::json(429, &json!({"error": "too_many_requests"}));
    Outcome::Reply(reply.header("retry-after", &retry_after.to_string()))
}

impl State {
    fn answer(&mut self, request: Received) -> Outcome {
        let path = request.path.split('?').next().unwrap_or_default();
        match path {
            TOKEN_PATH => self.token(request),
            JWKS_PATH => self.keys(),
            _ => Outcome::Reply(Reply::new(404, "text/plain", "not here")),
        }
    }

    fn keys(&mut self) -> Outcome {
        self.jwks_requests += 1;
        if let Some(outcome) = &self.settings.jwks {
            return outcome.clone();
        }
        match jwt::jwks(&self.settings.published) {
            Ok(jwks) => Outcome::Reply(Reply::json(200, &jwks).after(self.settings.jwks_delay)),
            Err(error) => Outcome::Reply(Reply::new(500, "text/plain", error.to_string())),
        }
    }

    fn token(&mut self, received: Received) -> Outcome {
        let asked = grant::read(&received);
        let client_id = asked.as_ref().ok().map(|asked| asked.client_id.clone());
        self.token_requests.push(TokenRequest {
            received,
            client_id,
            at: Instant::now(),
            granted: false,
        });
        let scripted = self.next.pop_front().or_else(|| self.always.clone());
        if let Some(outcome) = scripted.or_else(|| self.accident()) {
            return outcome;
        }
        let reply = match asked.and_then(|asked| self.grant(&asked)) {
            Ok(body) => {
                if let Some(request) = self.token_requests.last_mut() {
                    request.granted = true;
                }
                Reply::json(200, &body)
            }
            Err(grant::Refusal { error, detail }) => {
                let status = if error == "invalid_client" {
                    self.settings.refusal_status
                } else {
                    400
                };
                Reply::json(
                    status,
                    &json!({"error": error, "error_description": detail}),
                )
            }
        };
        Outcome::Reply(
            reply
                .header("cache-control", "no-store")
                .after(self.settings.token_delay),
        )
    }

    fn accident(&mut self) -> Option<Outcome> {
        let accidents = &self.settings.accidents;
        let turn = self.accidents_taken.checked_rem(accidents.len())?;
        self.accidents_taken = self.accidents_taken.wrapping_add(1);
        accidents.get(turn).cloned().flatten()
    }

    fn grant(&mut self, asked: &grant::Asked) -> Result<Value, grant::Refusal> {
        let known = self.secrets.get(&asked.client_id);
        if !known.is_some_and(|secrets| secrets.contains(&asked.client_secret)) {
            return Err(grant::refused(
                "invalid_client",
                "unknown client, or not its secret",
            ));
        }
        self.issued += 1;
        grant::token(asked, &self.settings, self.issued)
    }
}
