//! Envoy's memory over time.
//!
//! The module's own heap has no statistic in Envoy 1.40, but it can be seen in the process: V8 maps the linear memory
//! of each VM and reserves 8 GiB behind it (measured), of which a growing memory takes more and never gives any back.
//! Envoy's allocator tells its own part (`server.memory_allocated`).

use std::time::Duration;

use anyhow::{Context, Result};

use crate::envoy::Envoy;

/// What comes before is warming up: tables fill, pools grow.
const WARM: Duration = Duration::from_secs(120);
/// Below so many samples after that, nothing can be said.
const ENOUGH: usize = 30;
/// How much more than at first the resident set may have at last: its noise.
const NOISE: f64 = 1.03;

/// Behind a linear memory lies a reservation of more than this, and behind nothing else.
const RESERVED: u64 = 4 << 30;

/// One look.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct Sample {
    /// Seconds since the start.
    pub second: u64,
    /// The resident set of the process, in KiB.
    pub resident: u64,
    /// What Envoy's allocator has given out, in KiB.
    pub allocated: u64,
    /// The linear memories of all VMs, in KiB.
    pub module: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Memory(Vec<Sample>);

/// Whether it drifts.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Verdict {
    /// Of the resident set.
    pub resident: Drift,
    /// Of the linear memories.
    pub module: Drift,
    /// Every sample.
    pub samples: Vec<Sample>,
}

/// How something was at first and at last.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct Drift {
    /// The median of the first third of the samples after warming up, in KiB; none where there are too few.
    pub first: Option<u64>,
    /// That of the last third, in KiB.
    pub last: Option<u64>,
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
            module: linear_memories(&std::fs::read_to_string(format!(
                "/proc/{}/maps",
                envoy.pid()
            ))?) / 1024,
        });
        Ok(())
    }

    pub(super) fn latest(&self) -> Option<Sample> {
        self.0.last().copied()
    }

    pub(super) fn judge(self) -> Verdict {
        Verdict {
            resident: self.drift(|sample| sample.resident),
            module: self.drift(|sample| sample.module),
            samples: self.0,
        }
    }

    fn drift(&self, size: impl Fn(&Sample) -> u64) -> Drift {
        let warm = |sample: &&Sample| sample.second >= WARM.as_secs();
        let warm: Vec<_> = self.0.iter().filter(warm).map(size).collect();
        let third = warm.len() / 3;
        let enough = warm.len() >= ENOUGH;
        let part = |part: Option<&[u64]>| part.filter(|_| enough).and_then(median);
        Drift {
            first: part(warm.get(..third)),
            last: part(warm.get(warm.len() - third..)),
        }
    }
}

/// The bytes of all writable mappings with a large reservation right behind them.
fn linear_memories(maps: &str) -> u64 {
    let number = |hex: &str| u64::from_str_radix(hex, 16).ok();
    let mut sum: u64 = 0;
    let mut before: Option<(u64, u64)> = None;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let range = words.next().and_then(|range| range.split_once('-'));
        let range = range.and_then(|(start, end)| Some((number(start)?, number(end)?)));
        let (Some((start, end)), Some(access)) = (range, words.next()) else {
            continue;
        };
        if access.starts_with("---")
            && end.saturating_sub(start) > RESERVED
            && let Some((memory, memory_end)) = before
            && memory_end == start
        {
            sum = sum.saturating_add(memory_end.saturating_sub(memory));
        }
        before = access.starts_with("rw").then_some((start, end));
    }
    sum
}

fn median(values: &[u64]) -> Option<u64> {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

impl Verdict {
    pub(super) fn is_good(&self) -> bool {
        self.resident.is_good() && self.module.is_good()
    }
}

impl Drift {
    pub(super) fn is_good(&self) -> bool {
        match (self.first, self.last) {
            (Some(first), Some(last)) => last as f64 <= first as f64 * NOISE,
            _ => true,
        }
    }

    /// In words.
    pub(super) fn seen(&self) -> String {
        match (self.first, self.last) {
            (Some(first), Some(last)) => format!("{first} KiB, then {last} KiB"),
            _ => "too short to tell".to_owned(),
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
            module: 0,
        };
        Memory((0..900).step_by(5).map(sample).collect()).judge()
    }

    #[test]
    fn a_slow_leak_is_seen_and_noise_and_warming_up_are_not() {
        assert!(judged(|second| 100_000 + second % 7 * 300).is_good());
        assert!(judged(|second| 80_000 + second.min(110) * 200).is_good());
        assert!(!judged(|second| 100_000 + second * 12).is_good());
    }

    #[test]
    fn linear_memories_are_what_lies_before_a_large_reservation() {
        let maps = "\
1000-2000 rw-p 00000000 00:00 0
100000000-100150000 rw-p 00000000 00:00 0
100150000-300000000 ---p 00000000 00:00 0
300000000-300010000 rw-p 00000000 00:00 0
300020000-500000000 ---p 00000000 00:00 0
500000000-500001000 rw-p 00000000 00:00 0 [heap]
500001000-500002000 ---p 00000000 00:00 0
";
        assert_eq!(linear_memories(maps), 0x150000);
    }
}
