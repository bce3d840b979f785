//! Calm under failure: waits between tries, and leaving an endpoint alone that fails.

use std::time::Duration;

/// How long an endpoint that failed is left alone by the same pair.
pub const PAUSE: Duration = Duration::from_secs(1);

/// Tries and the waits between them: exponential backoff with full jitter, so that clients
/// which failed together don't come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all, at least one.
    pub attempts: u32,
    /// The longest wait before the second try; each further one may be twice as long.
    pub base: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            attempts: 2,
            base: Duration::from_millis(100),
            max: Duration::from_secs(2),
        }
    }
}

impl Retry {
    /// The wait after a failed try, the first being 1; `random` chooses evenly among all
    /// waits up to the longest.
    pub fn wait(&self, attempt: u32, random: u16) -> Duration {
        let doubled = 1u32
            .checked_shl(attempt.saturating_sub(1))
            .unwrap_or(u32::MAX);
        let longest = self.base.saturating_mul(doubled).min(self.max);
        longest / 65536 * u32::from(random)
    }

    /// How long all tries and waits may take, each try taking `timeout` at the most.
    pub fn longest(&self, timeout: Duration) -> Duration {
        let waits = self.max.saturating_mul(self.attempts.saturating_sub(1));
        timeout.saturating_mul(self.attempts).saturating_add(waits)
    }
}

/// When an endpoint is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// After how many failures on end.
    pub failures: u32,
    /// For how long; then one call tries it.
    pub open: Duration,
}

impl Default for BreakerSettings {
    fn default() -> BreakerSettings {
        BreakerSettings {
            failures: 5,
            open: Duration::from_secs(10),
        }
    }
}

/// One endpoint's failures in one worker.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    open_until: Duration,
    longest: Duration,
    probing: bool,
    /// Grows whenever the breaker opens: what was let in before says nothing after.
    epoch: u32,
}

impl Breaker {
    /// For how long no call is made yet.
    pub fn open_for(&self, now: Duration) -> Option<Duration> {
        let wait = self.open_until.saturating_sub(now);
        // One that is further ahead than it was ever set was set by a clock gone back since.
        (!wait.is_zero() && wait <= self.longest).then_some(wait)
    }

    /// For how long nobody else is to ask: while the endpoint is left alone, and, a moment at a
    /// time, while one call tries it.
    pub fn holds_back(&self, now: Duration) -> Option<Duration> {
        self.open_for(now).or(self.probing.then_some(PAUSE))
    }

    /// Lets a call in, or not. What it gives is to be given back with the call's outcome.
    pub fn enter(&mut self, settings: &BreakerSettings, now: Duration) -> Option<Entry> {
        if self.failures < settings.failures {
            return Some(Entry(self.epoch));
        }
        // One call finds out; the others needn't.
        if self.open_for(now).is_some() || self.probing {
            return None;
        }
        self.probing = true;
        Some(Entry(self.epoch))
    }

    /// Tells how a call ended that was let in; `None`: it was never made.
    pub fn leave(
        &mut self,
        settings: &BreakerSettings,
        now: Duration,
        Entry(epoch): Entry,
        failed: Option<bool>,
    ) {
        if epoch != self.epoch {
            return;
        }
        self.probing = false;
        match failed {
            None => {}
            Some(false) => self.failures = 0,
            Some(true) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= settings.failures {
                    self.open_until = now.saturating_add(settings.open);
                    self.longest = settings.open;
                    self.epoch = self.epoch.wrapping_add(1);
                }
            }
        }
    }
}

/// A call that a breaker let in.
#[derive(Debug, Clone, Copy)]
pub struct Entry(u32);

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn waits_double_up_to_their_bound() {
        let retry = Retry {
            attempts: 9,
            base: Duration::from_millis(100),
            max: Duration::from_secs(1),
        };
        for (attempt, longest) in [
            (1, 100),
            (2, 200),
            (3, 400),
            (4, 800),
            (5, 1000),
            (99, 1000),
        ] {
            let longest = Duration::from_millis(longest);
            assert_eq!(retry.wait(attempt, 0), Duration::ZERO);
            let wait = retry.wait(attempt, u16::MAX);
            assert!(
                wait <= longest && wait > longest * 9 / 10,
                "{attempt}: {wait:?}"
            );
        }
        assert_eq!(retry.longest(at(3)), at(9 * 3 + 8));
    }

    #[test]
    fn a_breaker_opens_after_failures_on_end_and_lets_one_probe_in() {
        let settings = BreakerSettings {
            failures: 3,
            open: at(10),
        };
        let mut breaker = Breaker::default();
        let end = |breaker: &mut Breaker, now, failed| {
            let entry = breaker.enter(&settings, now).expect("let in");
            breaker.leave(&settings, now, entry, failed);
        };
        for failed in [true, true, false, true, true] {
            // A success in between begins the count anew; a call that wasn't made says nothing.
            end(&mut breaker, at(0), Some(failed));
            end(&mut breaker, at(0), None);
        }
        let early = breaker.enter(&settings, at(1)).unwrap();
        end(&mut breaker, at(1), Some(true));
        assert!(breaker.enter(&settings, at(2)).is_none());
        assert_eq!(breaker.open_for(at(2)), Some(at(9)));
        assert_eq!(breaker.open_for(at(11)), None);
        let probe = breaker.enter(&settings, at(11)).expect("the probe");
        assert!(breaker.enter(&settings, at(11)).is_none(), "beside it");
        // What was let in before it opened neither closes it nor lets another probe in.
        for failed in [false, true] {
            breaker.leave(&settings, at(12), early, Some(failed));
            assert!(breaker.enter(&settings, at(12)).is_none());
        }
        breaker.leave(&settings, at(12), probe, Some(true));
        assert!(breaker.enter(&settings, at(13)).is_none(), "open again");
        end(&mut breaker, at(22), None);
        end(&mut breaker, at(22), Some(false));
        for _ in 0..5 {
            assert!(breaker.enter(&settings, at(23)).is_some(), "closed");
        }
    }

    #[test]
    fn a_clock_that_goes_back_leaves_no_breaker_open() {
        let settings = BreakerSettings {
            failures: 1,
            open: at(10),
        };
        let mut breaker = Breaker::default();
        let entry = breaker.enter(&settings, at(10_000)).unwrap();
        breaker.leave(&settings, at(10_000), entry, Some(true));
        assert!(breaker.enter(&settings, at(10_001)).is_none());
        assert!(breaker.enter(&settings, at(100)).is_some());
    }
}
