//! The proxy's log.

use crate::trace::Place;
use std::fmt;
use std::time::Duration;

/// How much a line matters, as the filter said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 0.
    Trace,
    /// 1.
    Debug,
    /// 2.
    Info,
    /// 3.
    Warn,
    /// 4.
    Error,
    /// 5 and above; also what a VM wrote to its standard error, such as a panic's message.
    Critical,
}

impl From<u32> for Level {
    fn from(level: u32) -> Level {
        match level {
            0 => Level::Trace,
            1 => Level::Debug,
            2 => Level::Info,
            3 => Level::Warn,
            4 => Level::Error,
            _ => Level::Critical,
        }
    }
}

/// A line that a VM logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// When, as time since the start.
    pub at: Duration,
    /// Who.
    pub place: Place,
    /// How much it matters.
    pub level: Level,
    /// The line; bytes that are no UTF-8 are replaced.
    pub line: String,
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Critical => "critical",
        };
        write!(f, "{level}: {}", self.line)
    }
}
