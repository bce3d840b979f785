//! What a worker's calls to a token endpoint make up: exchanges of one or more tries, and what
//! its breaker hears of them.

use crate::history::{jumped, set_forward};
use crate::plan::Plan;
use crate::servers::{Call, Said};
use std::time::Duration;

/// Waits between tries end with a tick, which comes every 50 ms.
const TICK: Duration = Duration::from_millis(100);
/// How long after its timeout a call counts as lost whose answer never came.
const LOST: Duration = Duration::from_secs(2);

/// The tries that one worker made for a pair, one after another.
pub struct Exchange<'c> {
    tries: Vec<&'c Call>,
    /// When it is over, at the latest.
    pub ends: Duration,
    /// Whether the endpoint failed; `None` where that can't be told from outside.
    pub failed: Option<bool>,
}

impl<'c> Exchange<'c> {
    pub fn at(&self) -> Duration {
        self.tries[0].at
    }

    pub fn pair(&self) -> &'c (String, String) {
        &self.tries[0].pair
    }

    pub fn last(&self) -> &'c Call {
        self.tries[self.tries.len() - 1]
    }

    /// How long after the last try another one may follow, if that failed; `None` if none does.
    fn next_within(&self, plan: &Plan) -> Option<Duration> {
        let made = self.tries.len();
        let wait = Duration::from_millis((plan.base << (made - 1)).min(plan.max));
        (made < plan.attempts).then_some(wait + TICK)
    }

    fn wait(&self, plan: &Plan) -> Option<Duration> {
        let failed = self.last().said == Said::Failed(None);
        self.next_within(plan).filter(|_| failed)
    }

    fn goes_on_with(&self, call: &Call, plan: &Plan, jumps: &[(Duration, i64)]) -> bool {
        let last = self.last();
        // A clock that goes so far forward makes a call count as lost before it is answered.
        let lost = set_forward(jumps, last.at, last.ends.min(call.at), LOST);
        let over = lost || (last.said == Said::Failed(None) && last.ends <= call.at);
        let within = |longest| over && call.at <= last.ends + longest;
        call.pair == last.pair && self.next_within(plan).is_some_and(within)
    }

    fn close(&mut self, plan: &Plan, jumps: &[(Duration, i64)]) {
        let wait = self.wait(plan);
        self.ends = self.last().ends + wait.unwrap_or_default();
        // Where no further try was made, something kept the worker from it, or it died; and a
        // clock that goes forward makes an answer count as lost.
        let told = wait.is_none() && !jumped(jumps, self.at(), self.ends);
        self.failed = match self.last().said {
            Said::Failed(_) if told => Some(true),
            Said::Lost => None,
            _ => told.then_some(false),
        };
    }
}

/// The exchanges that one worker's calls of one endpoint make up, as they ended.
pub fn exchanges<'c>(
    calls: impl Iterator<Item = &'c Call>,
    plan: &Plan,
    jumps: &[(Duration, i64)],
) -> Vec<Exchange<'c>> {
    let mut all: Vec<Exchange> = Vec::new();
    for call in calls {
        let mut same = all.iter_mut().rev();
        match same.find(|exchange| exchange.goes_on_with(call, plan, jumps)) {
            Some(exchange) => exchange.tries.push(call),
            None => all.push(Exchange {
                tries: vec![call],
                ends: call.ends,
                failed: None,
            }),
        }
    }
    for exchange in &mut all {
        exchange.close(plan, jumps);
    }
    all.sort_by_key(|exchange| exchange.ends);
    all
}

/// What a breaker has counted.
#[derive(Default)]
pub struct Breaker {
    failures: usize,
    /// When it opened last.
    pub opened: Option<Duration>,
}

impl Breaker {
    /// Hears how an exchange ended, in the order of their ends; whether it opens for that.
    pub fn hear(&mut self, exchange: &Exchange, failed: bool, plan: &Plan) -> bool {
        // What was let in before it opened says nothing after.
        if self.opened.is_some_and(|opened| exchange.at() <= opened) {
            return false;
        }
        self.failures = if failed { self.failures + 1 } else { 0 };
        let opens = self.failures >= plan.failures;
        if opens {
            self.opened = Some(exchange.ends);
        }
        opens
    }

    /// Whether it is open, or lets only one exchange in.
    pub fn holds_back(&self, plan: &Plan) -> bool {
        self.failures >= plan.failures
    }
}
