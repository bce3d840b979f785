//! Saying something often without drowning everything else.

use std::cell::Cell;
use std::time::Duration;

/// How far apart two lines about the same thing are at least.
const PERIOD: Duration = Duration::from_secs(1);

/// Lets a line through now and then, and counts those it kept back.
#[derive(Debug, Default)]
pub struct Throttle {
    next: Cell<Duration>,
    kept_back: Cell<u32>,
}

impl Throttle {
    /// Whether a line may be written now; then, how many were kept back since the last one.
    pub fn pass(&self, now: Duration) -> Option<u32> {
        // A time further ahead than a period was set by a clock that has gone back since.
        let wait = self.next.get().saturating_sub(now);
        if !wait.is_zero() && wait <= PERIOD {
            self.kept_back.set(self.kept_back.get().saturating_add(1));
            return None;
        }
        self.next.set(now.saturating_add(PERIOD));
        Some(self.kept_back.take())
    }
}

/// How many lines an [`Allowance`] has for each second.
const LINES: u32 = 20;

/// Lets each second's first lines through, and counts those it kept back. It is told when a second
/// begins, so that a flood of lines need not ask for the time each.
#[derive(Debug, Default)]
pub struct Allowance {
    second: Cell<u64>,
    lines: Cell<u32>,
    kept_back: Cell<u32>,
}

impl Allowance {
    /// Time passes. To be called more than once a second.
    pub fn renew(&self, now: Duration) {
        // A clock that goes back begins another second, too.
        if self.second.replace(now.as_secs()) != now.as_secs() {
            self.lines.set(0);
        }
    }

    /// Whether a line may be written now; then, how many were kept back since the last one.
    pub fn pass(&self) -> Option<u32> {
        if self.lines.get() >= LINES {
            self.kept_back.set(self.kept_back.get().saturating_add(1));
            return None;
        }
        self.lines.set(self.lines.get() + 1);
        Some(self.kept_back.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_lines_and_the_next_tells_how_many_were_kept_back() {
        let allowance = Allowance::default();
        let at = |millis| allowance.renew(Duration::from_millis(millis));
        at(10_500);
        for _ in 0..LINES {
            assert_eq!(allowance.pass(), Some(0));
        }
        assert_eq!(allowance.pass(), None);
        at(10_999);
        assert_eq!(allowance.pass(), None);
        at(11_000);
        assert_eq!(allowance.pass(), Some(2));
        for _ in 1..LINES {
            assert_eq!(allowance.pass(), Some(0));
        }
        at(5_000);
        assert_eq!(allowance.pass(), Some(0), "the clock went back");
    }

    #[test]
    fn one_line_a_second_tells_how_many_it_stands_for() {
        let throttle = Throttle::default();
        let at = Duration::from_millis;
        assert_eq!(throttle.pass(at(10_000)), Some(0));
        for millisecond in 1..1000 {
            assert_eq!(throttle.pass(at(10_000 + millisecond)), None);
        }
        assert_eq!(throttle.pass(at(11_000)), Some(999));
        assert_eq!(throttle.pass(at(5_000)), Some(0), "the clock went back");
    }
}
