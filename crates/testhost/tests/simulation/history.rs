//! What has happened so far, as far as it bears on what may become of a request.

use crate::exchanges::{Breaker, Exchange, exchanges};
use crate::plan::Plan;
use crate::servers::{Call, Said, Server, Token};
use std::time::Duration;
use testhost::Place;

/// What a request presents.
#[derive(Debug, Clone, Default)]
pub struct Presented {
    pub id: Option<String>,
    pub secret: Option<String>,
    /// The client's number, and which of its keys: `key`, `ending`, `revoked`, `no`.
    pub key: Option<(u64, &'static str)>,
    pub jwt: Option<Jwt>,
    /// A session's token, and whether it is forged.
    pub session: Option<(String, bool)>,
    /// Id and secret for the gateway's own token endpoint.
    pub login: Option<(String, String)>,
    /// Whether a credential comes twice.
    pub doubled: bool,
}

/// A token of the provider that a caller has.
#[derive(Debug, Clone)]
pub struct Jwt {
    pub text: String,
    pub subject: String,
    pub key: u64,
    pub iat: Duration,
    pub exp: Duration,
    pub flaw: Flaw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    None,
    Forged,
    Issuer,
}

/// The time in which a request came and was answered, and all that bears on it. Times are those
/// since the start, unless they are called `wall`.
pub struct History<'w> {
    pub calls: &'w [Call],
    /// When the wall clock was set, and how far it then was from the start's, in milliseconds.
    pub jumps: &'w [(Duration, i64)],
    /// When something else went wrong: a worker died, a cluster was down, a policy ended.
    pub troubles: &'w [Duration],
    /// When which worker died.
    pub crashes: &'w [(Place, Duration)],
    pub start: Duration,
    pub plan: &'w Plan,
    pub place: Place,
    /// How often that worker had died.
    pub life: usize,
    pub from: Duration,
    pub to: Duration,
}

/// The wall clock at a time.
pub fn wall(start: Duration, jumps: &[(Duration, i64)], at: Duration) -> Duration {
    let last = jumps.iter().rev().find(|(jumped, _)| *jumped < at);
    let millis = i64::try_from((start + at).as_millis()).unwrap();
    let millis = millis + last.map_or(0, |(_, offset)| *offset);
    Duration::from_millis(u64::try_from(millis).unwrap())
}

/// Whether the wall clock was set in that time.
pub fn jumped(jumps: &[(Duration, i64)], from: Duration, to: Duration) -> bool {
    jumps.iter().any(|(at, _)| (from..=to).contains(at))
}

/// Whether it was set forward in that time, by more than `least` at once.
pub fn set_forward(
    jumps: &[(Duration, i64)],
    from: Duration,
    to: Duration,
    least: Duration,
) -> bool {
    let before = std::iter::once(0).chain(jumps.iter().map(|(_, offset)| *offset));
    let mut steps = before.zip(jumps);
    steps.any(|(before, (at, offset))| {
        let by = u64::try_from(offset - before).unwrap_or_default();
        (from..=to).contains(at) && Duration::from_millis(by) > least
    })
}

impl History<'_> {
    pub fn wall(&self, at: Duration) -> Duration {
        wall(self.start, self.jumps, at)
    }

    /// The earliest and the latest time that the wall clock showed meanwhile.
    pub fn walls(&self) -> (Duration, Duration) {
        let within = self.jumps.iter().map(|(at, _)| *at);
        let within = within.filter(|at| (self.from..=self.to).contains(at));
        let after = Duration::from_millis(1);
        let times = within.flat_map(|at| [at, at + after]);
        let walls = times.chain([self.from, self.to]).map(|at| self.wall(at));
        let all: Vec<Duration> = walls.collect();
        (*all.iter().min().unwrap(), *all.iter().max().unwrap())
    }

    pub fn jumped(&self, from: Duration, to: Duration) -> bool {
        jumped(self.jumps, from, to)
    }

    /// Whether something that ended then and holds for a time may have held meanwhile.
    pub fn recent(&self, ends: Duration, holds: Duration) -> bool {
        ends <= self.to && (ends + holds >= self.from || self.jumped(ends, self.to))
    }

    /// Calls of this policy to a server that have ended, in all workers.
    pub fn ended(&self, server: Server) -> impl Iterator<Item = &Call> {
        let calls = self.calls.iter();
        calls.filter(move |call| {
            call.server == server && call.version == self.plan.version && call.ends <= self.to
        })
    }

    /// Those of this worker since it last started.
    pub fn own(&self, server: Server) -> impl Iterator<Item = &Call> {
        let own = |call: &&Call| call.place == self.place && call.life == self.life;
        self.ended(server).filter(own)
    }

    /// When a token is worth nothing any more, by the wall clock.
    pub fn end(&self, call: &Call, token: &Token) -> Duration {
        token.end(self.wall(call.ends))
    }

    /// The tokens that were given for a pair, worth anything when they came.
    pub fn given<'h>(
        &'h self,
        server: Server,
        pair: &'h (String, String),
    ) -> impl Iterator<Item = (&'h Call, &'h Token)> {
        let calls = self.ended(server).filter(move |call| call.pair == *pair);
        calls.filter_map(|call| match &call.said {
            Said::Token(token) if token.exp.is_none_or(|exp| exp > self.wall(call.ends)) => {
                Some((call, token))
            }
            _ => None,
        })
    }

    /// The key sets that this worker may have gone by; none in the list is no set at all.
    pub fn key_sets(&self) -> Vec<Option<&Vec<u64>>> {
        let mut sets: Vec<Option<&Vec<u64>>> = vec![None];
        let mut calls: Vec<&Call> = self.own(Server::Keys).collect();
        calls.sort_by_key(|call| call.ends);
        for call in calls {
            if let Said::Keys(keys) = &call.said {
                // A clock that goes forward makes an answer count as lost.
                if call.ends < self.from && !self.jumped(call.at, call.ends) {
                    sets.clear();
                }
                sets.push(Some(keys));
            }
        }
        sets
    }

    /// Whether there was anything, within a time before, that explains an exchange without a
    /// token.
    pub fn exchange_troubled(&self, server: Server) -> bool {
        let plan = self.plan;
        let bad = self.ended(server).any(|call| {
            let holds = match &call.said {
                Said::Failed(Some(seconds)) => Duration::from_secs(*seconds),
                Said::Failed(None) | Said::Odd | Said::Lost => Duration::ZERO,
                Said::Unusable => plan.cache_failures,
                // Too late to be of use.
                Said::Token(token) if token.exp.is_some_and(|exp| exp <= self.wall(call.ends)) => {
                    plan.cache_failures
                }
                _ => return false,
            };
            // Another pair's breaker may hold this one back, which then rests for a second.
            let holds = holds.max(plan.open) + Duration::from_secs(3);
            self.recent(call.ends, holds)
        });
        bad || self.disturbed()
    }

    /// How long it is remembered that a pair was refused. Where a token of it is held, it lasts
    /// until every worker has looked for another one, and let this one go.
    pub fn refusal_holds(&self, call: &Call) -> Duration {
        let plan = self.plan;
        let before = self.given(call.server, &call.pair);
        let before = before.filter(|(given, _)| given.ends <= call.at);
        let end = before.map(|(given, token)| self.end(given, token)).max();
        let left = end.map_or(Duration::ZERO, |end| {
            end.saturating_sub(self.wall(call.ends))
        });
        if left.is_zero() {
            return plan.cache_failures;
        }
        // They look when this exchange must have ended and 3 s more, or at the token's end.
        let looked = left.min(plan.longest() + Duration::from_secs(3));
        plan.cache_failures.max(looked + Duration::from_secs(2))
    }

    /// Whether this worker's breaker let another pair's exchange try the endpoint meanwhile, and
    /// nobody else: however long ago it was that it opened, since nobody asked in between.
    pub fn another_tries(&self, server: Server, pair: &(String, String)) -> bool {
        let own = self.calls.iter().filter(|call| {
            (call.server, call.version) == (server, self.plan.version)
                && (call.place, call.life) == (self.place, self.life)
        });
        let all = exchanges(own, self.plan, self.jumps);
        let meanwhile = |at: Duration, ends: Duration| at <= self.to && ends >= self.from;
        let mut others = all.iter().filter(|exchange| exchange.pair() != pair);
        others.any(|probe| {
            let mut breaker = Breaker::default();
            // One that ends in the instant of its beginning says nothing of what was before.
            let before = |other: &&Exchange| other.at() < probe.at() && other.ends <= probe.at();
            for ended in all.iter().filter(before) {
                // Where it can't be told, the endpoint may have failed.
                breaker.hear(ended, ended.failed.unwrap_or(true), self.plan);
            }
            meanwhile(probe.at(), probe.ends) && breaker.holds_back(self.plan)
        })
    }

    /// Whether the proxy itself was in trouble lately.
    pub fn disturbed(&self) -> bool {
        let lately = self.from.saturating_sub(Duration::from_secs(60));
        let crash = self
            .crashes
            .iter()
            .any(|(_, at)| (lately..=self.to).contains(at));
        let other = self
            .troubles
            .iter()
            .any(|at| (lately..=self.to).contains(at));
        crash || other || self.jumped(lately, self.to)
    }
}
