//! A partner who runs the same gateway: what is asked of it is asked of an Envoy that is named later, once that has
//! started and its port is known.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::Result;

use crate::client::Client;
use crate::server::{Listening, Outcome, Received, Reply, locked};

/// What a proxy says of its own, and what the servers here say by themselves.
const NOT_PASSED_ON: [&str; 5] = ["content-length", "date", "server", "connection", "host"];

/// A server that passes on what it is asked.
#[derive(Debug)]
pub struct Partner {
    listening: Listening,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    target: Option<SocketAddr>,
    requests: Vec<Received>,
}

impl Partner {
    /// Starts it on a free port. Until it is told where to, it answers 503.
    pub fn start() -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let listening = Listening::start(move |request: Received| {
            let target = {
                let mut state = locked(&shared);
                state.requests.push(request.clone());
                state.target
            };
            let passed =
                target.map(|target| tokio::task::block_in_place(|| pass(target, &request)));
            Outcome::Reply(match passed {
                Some(Ok(reply)) => reply,
                Some(Err(error)) => Reply::new(502, "text/plain", error.to_string()),
                None => Reply::new(503, "text/plain", "not connected yet"),
            })
        })?;
        Ok(Self { listening, state })
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listening.address().port()
    }

    /// From now on everything goes to this address.
    pub fn connect(&self, target: SocketAddr) {
        locked(&self.state).target = Some(target);
    }

    /// All requests so far, the oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        locked(&self.state).requests.clone()
    }
}

fn pass(target: SocketAddr, received: &Received) -> Result<Reply> {
    let mut request = Client::new(target).request(&received.method, &received.path);
    for (name, value) in &received.headers {
        if !NOT_PASSED_ON.contains(&name.as_str()) {
            request = request.header(name, value);
        }
    }
    let answer = request
        .body(received.body.clone().unwrap_or_default())
        .send()?;
    let mut reply = Reply::new(answer.status, "application/json", answer.body);
    reply.headers = answer.headers;
    reply
        .headers
        .retain(|(name, _)| !NOT_PASSED_ON.contains(&name.to_ascii_lowercase().as_str()));
    Ok(reply)
}
