//! The service behind the gateway: it answers with what it received.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;

use crate::server::{Listening, Outcome, Received, Reply, locked};

/// An echo server in this process. Each request is answered with a [`Received`] in JSON, and remembered.
#[derive(Debug)]
pub struct Echo {
    listening: Listening,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    requests: Vec<Received>,
    delay: Duration,
    status: u16,
}

impl Echo {
    /// Starts it on a free port.
    pub fn start() -> Result<Self> {
        let state = Arc::new(Mutex::new(State {
            requests: Vec::new(),
            delay: Duration::ZERO,
            status: 200,
        }));
        let shared = Arc::clone(&state);
        let listening = Listening::start(move |received| {
            let mut state = locked(&shared);
            let reply = Reply::json(state.status, &serde_json::json!(received)).after(state.delay);
            state.requests.push(received);
            Outcome::Reply(reply)
        })?;
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

    /// All requests so far, the oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        locked(&self.state).requests.clone()
    }

    /// All requests since the last time this was asked.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Received> {
        std::mem::take(&mut locked(&self.state).requests)
    }

    /// From now on each answer takes this long. Default: at once.
    pub fn set_delay(&self, delay: Duration) {
        locked(&self.state).delay = delay;
    }

    /// From now on each answer has this status. Default: 200.
    pub fn set_status(&self, status: u16) {
        locked(&self.state).status = status;
    }

    /// Closes the port and all connections.
    pub fn stop(&self) -> Result<()> {
        self.listening.stop()
    }

    /// Listens on the same port again.
    pub fn resume(&self) -> Result<()> {
        self.listening.resume()
    }
}
