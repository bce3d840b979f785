//! What must hold of the calls that were made: single flight, backoff, breakers.

use crate::exchanges::{Breaker, exchanges};
use crate::history::{jumped, wall};
use crate::plan::Plan;
use crate::servers::{Call, Said, Server, Token};
use std::collections::BTreeMap;
use std::time::Duration;
use testhost::Place;

/// How long a pair rests whose endpoint failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long other pairs rest at the most when one was told to come later.
const SHARED_PAUSE: Duration = Duration::from_secs(60);
/// Times are kept in whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);

/// All calls of a world, and what excuses those that look wrong.
pub struct Calls<'w> {
    pub calls: &'w [Call],
    pub plans: &'w [Plan],
    pub jumps: &'w [(Duration, i64)],
    pub start: Duration,
    /// When an upstream refused a token, or might have.
    pub rejections: bool,
    /// Whether calls could ever not be made.
    pub unreachable: bool,
    /// How often each worker has died.
    pub lives: &'w BTreeMap<Place, usize>,
    pub end: Duration,
}

impl Calls<'_> {
    pub fn check(&self) -> Result<(), String> {
        let mut by_pair: BTreeMap<_, Vec<&Call>> = BTreeMap::new();
        for call in self.calls {
            let tokens = matches!(call.server, Server::Tokens | Server::Own);
            // Key sets and the registry's answers are each worker's own.
            let worker = (!tokens).then_some((call.place, call.life));
            let key = (call.version, call.server, &call.pair, worker);
            by_pair.entry(key).or_default().push(call);
        }
        for calls in by_pair.values() {
            for (at, later) in calls.iter().enumerate() {
                for earlier in &calls[..at] {
                    self.single_flight(earlier, later, calls)?;
                }
                if at > 0 && later.server != Server::Keys && later.server != Server::Registry {
                    self.backoff(&calls[..at], later)?;
                }
            }
        }
        self.shared_pauses()?;
        self.fresh_keys()?;
        self.breakers()
    }

    fn plan(&self, call: &Call) -> &Plan {
        &self.plans[call.version as usize]
    }

    fn jumped(&self, from: Duration, to: Duration) -> bool {
        jumped(self.jumps, from, to)
    }

    fn wall(&self, at: Duration) -> Duration {
        wall(self.start, self.jumps, at)
    }

    /// When a token should be asked for anew, and when it ends.
    fn times(&self, call: &Call, token: &Token) -> (Duration, Duration) {
        let arrived = self.wall(call.ends);
        let end = token.end(arrived);
        let life = end.saturating_sub(arrived);
        let before = self.plan(call).refresh_before.min(life / 2);
        (end.saturating_sub(before), end)
    }

    /// Whether tokens may be let go before their end.
    fn fickle(&self, call: &Call) -> bool {
        let plan = self.plan(call);
        let judged = plan.verify || plan.lookup.is_some();
        self.rejections || (judged && call.server == Server::Tokens)
    }

    /// Whether a token was held when a call began: then it replaces that one.
    fn replaces(&self, call: &Call, calls: &[&Call]) -> Option<Duration> {
        let ends = calls.iter().filter_map(|other| match &other.said {
            Said::Token(token) if other.ends <= call.at => Some(self.times(other, token).1),
            _ => None,
        });
        ends.max().filter(|end| *end > self.wall(call.at))
    }

    /// The tries of one worker that a call ends, itself among them, the last first.
    fn tries<'c>(&self, last: &'c Call, calls: &[&'c Call]) -> Vec<&'c Call> {
        // Waits between tries end with a tick.
        let longest = Duration::from_millis(self.plan(last).max + 100);
        let mut tries = vec![last];
        let before = calls.iter().rev().filter(|call| call.at < last.at);
        for call in before.filter(|call| (call.place, call.life) == (last.place, last.life)) {
            let next = tries[tries.len() - 1];
            if call.said != Said::Failed(None) || call.ends + longest < next.at {
                break;
            }
            tries.push(call);
        }
        tries
    }

    fn first_try<'c>(&self, call: &'c Call, calls: &[&'c Call]) -> &'c Call {
        let tries = self.tries(call, calls);
        tries[(tries.len() - 1).min(self.plan(call).attempts - 1)]
    }

    fn single_flight(&self, earlier: &Call, later: &Call, all: &[&Call]) -> Result<(), String> {
        let overlap = later.at < earlier.ends && earlier.at <= later.at;
        if !overlap || self.jumped(earlier.at.saturating_sub(Duration::from_secs(20)), later.at) {
            return Ok(());
        }
        // Tries to replace a token are made under that token, which may end meanwhile or be let
        // go; others then don't wait for them.
        for call in [earlier, later] {
            let replaced = self.replaces(self.first_try(call, all), all);
            if replaced.is_some_and(|end| end <= self.wall(later.at) || self.fickle(call)) {
                return Ok(());
            }
        }
        Err(format!("two calls at once: {}, {}", earlier, later))
    }

    /// How long a call's pair is not to be asked about again.
    fn rest(&self, call: &Call, run: usize) -> Duration {
        let plan = self.plan(call);
        match &call.said {
            Said::Token(token) => {
                let (refresh, end) = self.times(call, token);
                let arrived = self.wall(call.ends);
                if end <= arrived {
                    return plan.cache_failures;
                }
                if self.fickle(call) {
                    return Duration::ZERO;
                }
                refresh.saturating_sub(arrived)
            }
            Said::Refused | Said::Unusable => plan.cache_failures,
            Said::Limited(seconds) | Said::Failed(Some(seconds)) => Duration::from_secs(*seconds),
            Said::Odd => PAUSE,
            Said::Failed(None) if run >= plan.attempts => PAUSE,
            _ => Duration::ZERO,
        }
    }

    fn backoff(&self, before: &[&Call], next: &Call) -> Result<(), String> {
        let last = before[before.len() - 1];
        let run = self.tries(last, before).len();
        let plan = self.plan(next);
        let exact = run <= plan.attempts || run.is_multiple_of(plan.attempts);
        // Of two calls at once, which are excused or told of elsewhere, the later word stands.
        let alone = before[..before.len() - 1]
            .iter()
            .all(|call| call.ends <= last.at);
        let lately = last.at.saturating_sub(Duration::from_secs(20));
        if next.at < last.ends || self.jumped(lately, next.at) || !exact || !alone {
            return Ok(());
        }
        // Tries to replace a token go on when it ends meanwhile, whatever others hear who then ask.
        let first = self.first_try(next, before);
        let replaced = self.replaces(first, before);
        if first.at < last.at && replaced.is_some_and(|end| end <= self.wall(next.at)) {
            return Ok(());
        }
        let mut rest = self.rest(last, run);
        // Another worker can't go on with the tries of this one.
        let other = (last.place, last.life) != (next.place, next.life);
        if other && last.said == Said::Failed(None) && run == plan.attempts {
            rest = PAUSE;
        }
        // A failure to replace a token isn't remembered beyond that token's end.
        let refused = last.said == Said::Refused;
        if let Some(end) = self.replaces(last, before).filter(|_| !refused) {
            let left = end.saturating_sub(self.wall(last.ends));
            // A token that is over when it comes is no token.
            let given = match &last.said {
                Said::Token(token) => self.times(last, token).1 > self.wall(last.ends),
                _ => false,
            };
            if self.fickle(last) && !given {
                return Ok(());
            }
            // The next who may replace it comes when this exchange must have ended, and 3 s more.
            let renewal = Duration::from_secs(3);
            rest = if given {
                rest
            } else {
                rest.min(left).min(renewal)
            };
        }
        if next.at + ROUNDING < last.ends + rest {
            return Err(format!(
                "asked again before {rest:?} were over: {}, {}",
                last, next
            ));
        }
        Ok(())
    }

    /// Who is told when to come again keeps all others away.
    fn shared_pauses(&self) -> Result<(), String> {
        for told in self.calls {
            let (Said::Limited(seconds) | Said::Failed(Some(seconds))) = told.said else {
                continue;
            };
            let pause = Duration::from_secs(seconds).min(SHARED_PAUSE);
            let early = self.calls.iter().find(|call| {
                (call.server, call.version) == (told.server, told.version)
                    && call.at > told.ends
                    && call.at + ROUNDING < told.ends + pause
                    // A jump while it was under way gives the call up: nobody hears its answer.
                    && !self.jumped(told.at, call.at)
                    && self.is_last_word(told, call.at)
            });
            if let Some(call) = early {
                return Err(format!("asked though told to come later: {told}, {call}"));
            }
        }
        Ok(())
    }

    /// Whether nobody was told another, shorter time since.
    fn is_last_word(&self, told: &Call, by: Duration) -> bool {
        !self.calls.iter().any(|other| {
            (other.server, other.version) == (told.server, told.version)
                && matches!(other.said, Said::Limited(_) | Said::Failed(Some(_)))
                && told.ends <= other.ends
                && other.ends <= by
                && !std::ptr::eq(other, told)
        })
    }

    /// Every VM fetches its key set in time, however its clock is set.
    fn fresh_keys(&self) -> Result<(), String> {
        let plan = &self.plans[self.plans.len() - 1];
        // A failure is tried again in 5 s, and ticks are a second apart.
        let longest = plan.refresh_keys.max(Duration::from_secs(5)) + Duration::from_secs(2);
        let live = |call: &&Call| {
            let lives = self.lives.get(&call.place).copied().unwrap_or(0);
            call.server == Server::Keys && call.version == plan.version && call.life == lives
        };
        let calls: Vec<&Call> = self.calls.iter().filter(live).collect();
        for (at, last) in calls.iter().enumerate() {
            // A clock that goes back makes a set twice as old at the most.
            let times = 1 + u32::from(self.jumped(last.at, last.ends + longest));
            let next = last.ends + longest * times;
            // A request that finds its key in no set asks again in the same instant.
            let in_time = |call: &&Call| call.place == last.place && call.at <= next;
            let asked = calls[at + 1..].iter().any(in_time);
            if next < self.end && !asked && last.said != Said::Lost && !self.unreachable {
                return Err(format!("no keys were fetched for {longest:?} after {last}"));
            }
        }
        Ok(())
    }

    /// After so many failed exchanges on end a worker leaves the endpoint alone.
    fn breakers(&self) -> Result<(), String> {
        let mut by_worker: BTreeMap<_, Vec<&Call>> = BTreeMap::new();
        for call in self.calls {
            if matches!(call.server, Server::Tokens | Server::Own) {
                let key = (call.version, call.server, call.place, call.life);
                by_worker.entry(key).or_default().push(call);
            }
        }
        for calls in by_worker.values() {
            self.breaker(calls)?;
        }
        Ok(())
    }

    fn breaker(&self, calls: &[&Call]) -> Result<(), String> {
        let plan = self.plan(calls[0]);
        let all = exchanges(calls.iter().copied(), plan, self.jumps);
        let mut breaker = Breaker::default();
        for last in &all {
            // From one on that can't be told nobody knows what the breaker has counted.
            let Some(failed) = last.failed else {
                return Ok(());
            };
            if !breaker.hear(last, failed, plan) {
                continue;
            }
            // The tries of what was let in before it opened go on.
            let after = || all.iter().filter(|next| next.at() > last.ends);
            let early = after().find(|next| {
                next.at() < last.ends + plan.open && !self.jumped(last.ends, next.at())
            });
            if let Some(early) = early {
                let (last, early) = (last.last(), early.last());
                return Err(format!("called with the breaker open: {last}, {early}"));
            }
            let Some(probe) = after().min_by_key(|next| next.at()) else {
                continue;
            };
            let beside = after().find(|next| {
                !std::ptr::eq(*next, probe) && probe.failed.is_some() && next.at() < probe.ends
            });
            if let Some(beside) = beside {
                let (probe, beside) = (probe.last(), beside.last());
                return Err(format!("two find out at once: {probe}, {beside}"));
            }
        }
        Ok(())
    }
}
