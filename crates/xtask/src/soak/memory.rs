//! Envoy's memory over time.
//!
//! The module's own heap has no statistic in Envoy 1.40; V8 keeps it in the process, so it is part of the resident
//! set. Envoy's allocator tells its own part (`server.memory_allocated`).

use std::time::Duration;

use anyhow::{Context, Result};

use crate::envoy::Envoy;

/// What comes before is warming up: tables fill, pools grow.
const WARM: Duration = Duration::from_secs(120);
/// Below so many samples after that, nothing can be said.
const ENOUGH: usize = 30;
/// How much more than at first the resident set may have at last: its noise.
const NOISE: f64 = 1.03;

/// One look.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct Sample {
    /// Seconds since the start.
    pub second: u64,
    /// The resident set of the process, in KiB.
    pub resident: u64,
    /// What Envoy's allocator has given out, in KiB.
    pub allocated: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<Sample>);

/// Whether it drifts.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Verdict {
    /// The median of the first third of the samples after warming up, in KiB; none where there are too few.
    pub first: Option<u64>,
    /// That of the last third, in KiB.
    pub last: Option<u64>,
    /// Every sample.
    pub samples: Vec<Sample>,
}

impl Memory {
    pub(super) fn sample(&mut self, envoy: &Envoy, since: Duration) -> Result<()> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", envoy.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        let stats = envoy.admin_stats()?;
        let allocated = stats.get("server.memory_allocated").copied();
        self.0.push(Sample {
            second: since.as_secs(),
            resident: resident.context("no VmRSS in /proc")?,
            allocated: allocated.unwrap_or_default() / 1024,
        });
        Ok(())
    }

    pub(super) fn latest(&self) -> Option<Sample> {
        self.0.last().copied()
    }

    pub(super) fn judge(self) -> Verdict {
        let warm = |sample: &&Sample| sample.second >= WARM.as_secs();
        let warm: Vec<_> = self.0.iter().filter(warm).map(|one| one.resident).collect();
        let third = warm.len() / 3;
        let enough = warm.len() >= ENOUGH;
        let part = |part: Option<&[u64]>| part.filter(|_| enough).and_then(median);
        Verdict {
            first: part(warm.get(..third)),
            last: part(warm.get(warm.len() - third..)),
            samples: self.0,
        }
    }
}

fn median(values: &[u64]) -> Option<u64> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

impl Verdict {
    pub(super) fn is_good(&self) -> bool {
        match (self.first, self.last) {
            (Some(first), Some(last)) => last as f64 <= first as f64 * NOISE,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(resident: impl Fn(u64) -> u64) -> Verdict {
        let sample = |second| Sample {
            second,
            resident: resident(second),
            allocated: 0,
        };
        Memory((0..900).step_by(5).map(sample).collect()).judge()
    }

    #[test]
    fn a_slow_leak_is_seen_and_noise_and_warming_up_are_not() {
        assert!(judged(|second| 100_000 + second % 7 * 300).is_good());
        assert!(judged(|second| 80_000 + second.min(110) * 200).is_good());
        assert!(!judged(|second| 100_000 + second * 12).is_good());
    }
}
