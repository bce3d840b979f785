//! What the core needs from whatever runs it: a proxy, a test, the command line.

use crate::jose::HostVerifier;
use crate::observe::{Event, Gauge, Step};
use crate::policy::document::Timestamp;
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
        /// `Retry-After` in seconds; see [`retry_after`].
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

/// The months of an HTTP date.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// For how many seconds a `Retry-After` (RFC 9110 §10.2.3) asks, which is a number or a date in the
/// form that is not obsolete, `Sun, 06 Nov 1994 08:49:37 GMT`. A date that is past asks for none,
/// and `None` is no such text.
pub fn retry_after(text: &str, now: Duration) -> Option<u64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // What doesn't fit is longer than anybody waits.
        return Some(text.parse().unwrap_or(u64::MAX));
    }
    let (_, date) = text.strip_suffix(" GMT")?.split_once(", ")?;
    let (date, time) = date.rsplit_once(' ')?;
    let (day, date) = date.split_once(' ')?;
    let (month, year) = date.split_once(' ')?;
    let month = MONTHS.iter().position(|one| *one == month)? + 1;
    let date: Timestamp = format!("{year}-{month:02}-{day}T{time}Z").parse().ok()?;
    let end = Duration::from_secs(u64::try_from(date.unix_seconds).unwrap_or(0));
    let left = end.saturating_sub(now);
    Some(left.as_secs() + u64::from(left.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_is_seconds_or_a_date() {
        // Sun, 06 Nov 1994 08:49:07.5 GMT
        let now = Duration::from_millis(784_111_747_500);
        for (text, seconds) in [
            ("30", Some(30)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Fri, 31 Dec 1950 23:59:59 GMT", Some(0)),
            ("Mon, 06 Nov 1995 08:49:37 GMT", Some(365 * 24 * 3600 + 30)),
            ("", None),
            ("-1", None),
            ("+5", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 nov 1994 08:49:37 GMT", None),
            ("Sun, 36 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 GMT", None),
            ("Sun,  GMT", None),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun Nov  6 08:49:37 1994", None),
        ] {
            assert_eq!(retry_after(text, now), seconds, "{text}");
        }
    }
}
