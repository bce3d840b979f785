//! The service behind the gateway: it answers with what it received.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;

use crate::server::{Handler, Head, Listening, Outcome, Received, Reply, locked};

/// An echo server in this process. Each request is answered with a [`Received`] in JSON, and remembered.
#[derive(Debug)]
pub struct Echo {
    listening: Listening,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    heads: Vec<Head>,
    requests: Vec<Received>,
    delay: Duration,
    status: u16,
}

/// The echo as a server sees it.
struct Echoing(Arc<Mutex<State>>);

impl Handler for Echoing {
    fn head(&self, head: Head) {
        locked(&self.0).heads.push(head);
    }

    fn request(&self, received: Received) -> Outcome {
        let mut state = locked(&self.0);
        let reply = Reply::json(state.status, &serde_json::json!(received)).after(state.delay);
        state.requests.push(received);
        Outcome::Reply(reply)
    }
}

impl Echo {
    /// Starts it on a free port.
    pub fn start() -> Result<Self> {
        let state = Arc::new(Mutex::new(State {
            heads: Vec::new(),
            requests: Vec::new(),
            delay: Duration::ZERO,
            status: 200,
        }));
        let listening = Listening::start(Echoing(Arc::clone(&state)))?;
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

    /// The heads of all requests so far, the oldest first, also of those whose body never came.
    #[must_use]
    pub fn heads(&self) -> Vec<Head> {
        locked(&self.state).heads.clone()
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
