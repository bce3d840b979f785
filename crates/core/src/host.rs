//! What the core needs from whatever runs it: a proxy, a test, the command line.

use crate::jose::HostVerifier;
use crate::observe::{Event, Gauge, Step};
use std::time::Duration;

/// The outside world. Every method returns at once; answers to [`Host::dispatch`] come
/// later, through [`crate::engine::Engine::answer`].
pub trait Host: HostVerifier {
    /// The time since the Unix epoch.
    fn now(&self) -> Duration;

    /// Fills a buffer with random bytes. Hosts may be predictable here (Kong's engine is):
    /// nothing secret may rest on it alone.
    fn random(&self, buffer: &mut [u8]);

    /// Reads from the board that all workers share; `None` where there is nothing or no
    /// board. Other plugins may have written it.
    fn shared_get(&self, key: &str) -> Option<Shared>;

    /// Writes to the board unless it changed since it was read with this `cas`; 0 writes in
    /// any case. `false` where it was not written.
    fn shared_set(&self, key: &str, value: &[u8], cas: u32) -> bool;

    /// Starts a call and returns its id. Only called from [`crate::engine::Engine::turn`].
    fn dispatch(&self, call: &Call) -> Result<u32, DispatchError>;

    /// Asks for a call of [`crate::engine::Engine::turn`] as soon as may be.
    fn wake(&self);

    /// Tells the other workers that the board has news. Each is then to call
    /// [`crate::engine::Engine::look_again`]; who isn't told looks again every 50 ms. Default:
    /// nobody can be told.
    fn wake_others(&self) {}

    /// Whether a verdict may be carried out on another request than the one in whose callback
    /// the host is. Where not (Kong's engine crashes), each request makes its own calls, once
    /// each, and waits for nothing else. Default: yes.
    fn resumes_others(&self) -> bool {
        true
    }

    /// Writes a line to the operator's log.
    fn log(&self, level: Level, line: &str);

    /// Counts an event.
    fn count(&self, event: Event);

    /// Shows a size as it is now. Default: nobody looks.
    fn gauge(&self, _: Gauge, _: u64) {}

    /// Follows a decision. Default: nobody does.
    fn trace(&self, _: Step<'_>) {}
}

/// What the shared board held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// The value.
    pub value: Vec<u8>,
    /// The version to give when it is replaced.
    pub cas: u32,
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A line for each refusal, as far as they aren't too many.
    Debug,
    /// What an operator may like to know.
    Info,
    /// What an operator should look at.
    Warn,
    /// What stops something from working.
    Error,
}

/// A call to another server.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// The proxy's cluster.
    pub cluster: String,
    /// The request's head, pseudo-headers first.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How long it may take.
    pub timeout: Duration,
}

/// Bodies and headers hold secrets: only where the call goes is shown.
impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("cluster", &self.cluster)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// A call could not be started: an unknown cluster, no healthy host, a full circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DispatchError;

/// How a call ended.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// A reply came, perhaps made by the proxy itself.
    Reply {
        /// The HTTP status.
        status: u16,
        /// `Retry-After` in seconds, where the reply has it in that form.
        retry_after: Option<u64>,
        /// The body, whole.
        body: Vec<u8>,
    },
    /// None came, or it was cut short.
    Failed,
    /// None came: the proxy itself says that it could not reach the server.
    Unreachable,
    /// None came in time, as the proxy itself says.
    TimedOut,
    /// It was never sent: too many calls are under way here, or the proxy refused it. That
    /// says nothing about the other side.
    NotSent,
}

/// Bodies hold tokens: only the status is shown.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answer::Reply { status, .. } => write!(f, "Reply({status})"),
            Answer::Failed => f.write_str("Failed"),
            Answer::Unreachable => f.write_str("Unreachable"),
            Answer::TimedOut => f.write_str("TimedOut"),
            Answer::NotSent => f.write_str("NotSent"),
        }
    }
}
