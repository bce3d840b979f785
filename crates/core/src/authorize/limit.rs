//! How often somebody may call: a token bucket whose burst is its rate, shared by the
//! workers of a proxy.
//!
//! A bucket is one time on the shared board: when it will be full again (the generic cell
//! rate algorithm). Each limit has a fixed number of buckets, and keys that fall into one
//! share its rate: so memory is bounded, and a flood of keys forgets nobody.

use crate::decide::Context;
use crate::expression::{Expression, Scope, Variable};
use crate::host::Host;
use crate::http::Refusal;
use crate::reply::Reason;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

/// How many buckets a limit has.
const BUCKETS: u64 = 1024;
/// How often a bucket is tried while other workers keep changing it.
const TRIES: usize = 16;

/// A limit of one rule.
#[derive(Debug)]
pub struct Limit {
    /// Whose calls count together.
    pub per: Expression,
    /// How many, in which time.
    pub rate: Rate,
    /// Whether only refusals count.
    pub failures_only: bool,
    /// The limit's place among the policy's limits: names its buckets.
    pub ordinal: usize,
}

/// A number of calls in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
}

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Rate, &'static str> {
        const FORM: &str = "a rate is a number of calls and a span, as in 100/s, 10/m or 1000/h";
        let (count, unit) = text.split_once('/').ok_or(FORM)?;
        let count: u32 = count.trim().parse().map_err(|_| FORM)?;
        let seconds = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(FORM),
        };
        match count {
            0 => Err("a rate of 0 would refuse everybody; leave the rule out instead"),
            1..=1_000_000 => Ok(Rate {
                count,
                period: Duration::from_secs(seconds),
            }),
            _ => Err("a rate is at most 1000000; leave the limit out instead"),
        }
    }
}

impl Rate {
    /// The time in which one call's worth comes back.
    fn step(self) -> Duration {
        self.period / self.count
    }

    /// Whether a bucket that is full again at `full` lets a call in at `now`; else how long
    /// to wait.
    fn admits(self, full: Duration, now: Duration) -> Result<(), Duration> {
        // A time further ahead than a whole period is no bucket of ours (another policy's,
        // or the clock went back): it counts as empty, which a period mends.
        let ahead = full.saturating_sub(now).min(self.period);
        let room = self.period.saturating_sub(self.step());
        match ahead.checked_sub(room) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(wait) => Err(wait),
        }
    }

    /// When the bucket is full again after one more call.
    fn taken(self, full: Duration, now: Duration) -> Duration {
        let ahead = full.saturating_sub(now).min(self.period);
        now.saturating_add(ahead).saturating_add(self.step())
    }
}

impl Limit {
    /// Whether authentication comes first.
    pub fn needs_client(&self) -> bool {
        self.per.uses(Variable::Client)
    }

    /// Creates the limit's buckets; see [`crate::tokens::Slots::create`].
    pub fn create(&self, host: &impl Host) {
        for bucket in 0..BUCKETS {
            let name = self.bucket_name(bucket);
            if host.shared_get(&name).is_none() {
                host.shared_set(&name, &[], 0);
            }
        }
    }

    /// Counts a call and refuses it if there were too many. Where only failures count,
    /// nothing is counted yet.
    pub fn enter<H: Host>(&self, context: &Context<'_, H>, scope: &Scope) -> Result<(), Refusal> {
        let bucket = self.bucket(context, scope);
        self.pass(context, bucket, !self.failures_only)
    }

    /// Counts a failure, where failures count.
    pub fn failed<H: Host>(&self, context: &Context<'_, H>, scope: &Scope) {
        if self.failures_only {
            // It is refused already; whether the bucket had room is the next call's matter.
            let _ = self.pass(context, self.bucket(context, scope), true);
        }
    }

    fn pass<H: Host>(
        &self,
        context: &Context<'_, H>,
        bucket: u64,
        take: bool,
    ) -> Result<(), Refusal> {
        let host = &context.gateway.host;
        let name = self.bucket_name(bucket);
        for _ in 0..TRIES {
            let Some(shared) = host.shared_get(&name) else {
                break;
            };
            let full = shared
                .value
                .first_chunk()
                .map_or(0, |bytes| u64::from_le_bytes(*bytes));
            let full = Duration::from_nanos(full);
            if let Err(wait) = self.rate.admits(full, context.now) {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                return Err(Refusal::for_now(Reason::RateLimited, seconds.max(1)));
            }
            if !take {
                return Ok(());
            }
            let full = self.rate.taken(full, context.now).as_nanos();
            let full = u64::try_from(full).unwrap_or(u64::MAX);
            if host.shared_set(&name, &full.to_le_bytes(), shared.cas) {
                return Ok(());
            }
        }
        // No board, or one that changes all the time: without counting there is no limit.
        Err(Refusal::for_now(Reason::LimitUncounted, 1))
    }

    /// The bucket of a caller. A key that can't be evaluated shares one with all such.
    fn bucket<H>(&self, context: &Context<'_, H>, scope: &Scope) -> u64 {
        let key = self.per.evaluate_text(scope).unwrap_or_default();
        let mut hash = Sha256::new();
        hash.update(context.gateway.policy.digest);
        hash.update((self.ordinal as u64).to_le_bytes());
        hash.update(network_of(&key).as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        digest
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes) % BUCKETS)
    }

    fn bucket_name(&self, bucket: u64) -> String {
        format!("doorward/1/limit/{}/{bucket}", self.ordinal)
    }
}

/// An IPv6 address counts by its /64, which is what one subscriber has; all else as it is.
fn network_of(key: &str) -> String {
    match key.parse() {
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => format!("{:x}/64", address.to_bits() >> 64),
        },
        _ => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[test]
    fn a_bucket_lets_its_rate_in_at_once_and_then_one_by_one() {
        let rate = rate("10/m");
        let now = Duration::from_secs(1_000_000);
        let mut full = Duration::ZERO;
        for call in 0..10 {
            assert_eq!(rate.admits(full, now), Ok(()), "{call}");
            full = rate.taken(full, now);
        }
        assert_eq!(rate.admits(full, now), Err(Duration::from_secs(6)));
        let later = now + Duration::from_secs(6);
        assert_eq!(rate.admits(full, later), Ok(()));
        full = rate.taken(full, later);
        assert!(rate.admits(full, later).is_err());
        let rested = later + Duration::from_secs(60);
        for _ in 0..10 {
            assert_eq!(rate.admits(full, rested), Ok(()));
            full = rate.taken(full, rested);
        }
        assert!(rate.admits(full, rested).is_err());
    }

    #[test]
    fn a_time_that_is_no_buckets_mends_itself() {
        let rate = rate("1/s");
        let now = Duration::from_secs(1000);
        let wait = rate.admits(Duration::from_secs(u64::MAX), now).unwrap_err();
        assert!(wait <= Duration::from_secs(1));
        assert!(rate.taken(Duration::from_secs(u64::MAX), now) <= now + Duration::from_secs(2));
    }

    #[test]
    fn rates_are_read() {
        for text in ["100/s", "10/m", "1/h", "1000000/s"] {
            assert!(text.parse::<Rate>().is_ok(), "{text}");
        }
        for text in [
            "",
            "10",
            "10/d",
            "0/s",
            "-1/s",
            "1000001/s",
            "1.5/s",
            "s/10",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn ipv6_addresses_count_by_their_network() {
        assert_eq!(
            network_of("2001:db8:1:2::3"),
            network_of("2001:db8:1:2:ffff::1")
        );
        assert_ne!(network_of("2001:db8:1:2::3"), network_of("2001:db8:1:3::3"));
        assert_eq!(network_of("::ffff:10.1.2.3"), "10.1.2.3");
        assert_eq!(network_of("10.1.2.3"), "10.1.2.3");
        assert_eq!(network_of("client-7"), "client-7");
    }
}
