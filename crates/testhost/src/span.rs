//! Durations that read well.

use std::time::Duration;

/// `30.s()` for a duration of 30 seconds.
pub trait Span {
    /// Milliseconds.
    fn ms(self) -> Duration;
    /// Seconds.
    fn s(self) -> Duration;
    /// Minutes.
    fn min(self) -> Duration;
}

impl Span for u64 {
    fn ms(self) -> Duration {
        Duration::from_millis(self)
    }

    fn s(self) -> Duration {
        Duration::from_secs(self)
    }

    fn min(self) -> Duration {
        Duration::from_secs(self.saturating_mul(60))
    }
}
