//! How often the OAuth server may be called.
//!
//! Single flight and caching: a client's token is replaced when half of its life is over at the earliest, so there
//! are at most `clients × (time / (life / 2) + 1)` tokens. Tries: a call that fails one time in `n` needs
//! `n / (n − 1)` calls for each token on average; failed flights are not made again for a pause, and the breaker only
//! takes calls away. The sum may lie above that average by chance, which four standard deviations allow for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::token_endpoint::TokenRequest;

/// `exp` counts whole seconds, so half of a life may be that much shorter.
const ROUNDING: Duration = Duration::from_secs(1);

/// What the OAuth server was asked for so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    made: u64,
    granted: u64,
    /// By client: when it last got a token.
    last: BTreeMap<String, Instant>,
    /// The times between two tokens of one client, the shortest.
    shortest: Option<Duration>,
}

/// Whether that was too often.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Verdict {
    /// Calls.
    pub made: u64,
    /// Calls that got a token.
    pub granted: u64,
    /// The most tokens that there may be.
    pub granted_bound: u64,
    /// The most calls that there may be.
    pub made_bound: u64,
    /// The shortest time between two tokens of one client, in seconds.
    pub shortest: Option<f64>,
    /// The shortest that it may be, in seconds.
    pub shortest_bound: f64,
}

impl Calls {
    pub(super) fn add(&mut self, requests: Vec<TokenRequest>) {
        for request in requests {
            self.made += 1;
            let Some(id) = request.client_id.filter(|_| request.granted) else {
                continue;
            };
            self.granted += 1;
            if let Some(before) = self.last.insert(id, request.at) {
                let apart = request.at.saturating_duration_since(before);
                self.shortest = Some(self.shortest.map_or(apart, |other| other.min(apart)));
            }
        }
    }

    pub(super) fn made(&self) -> u64 {
        self.made
    }

    pub(super) fn granted(&self) -> u64 {
        self.granted
    }

    pub(super) fn judge(
        &self,
        time: Duration,
        clients: usize,
        life: Duration,
        fails_one_of: usize,
    ) -> Verdict {
        let half = (life / 2).saturating_sub(ROUNDING);
        let times = (time.as_secs_f64() / half.as_secs_f64()).floor() + 1.0;
        let granted = clients as f64 * times;
        let fails = 1.0 / fails_one_of as f64;
        let average = granted / (1.0 - fails);
        // Of a negative binomial distribution.
        let deviation = (granted * fails).sqrt() / (1.0 - fails);
        Verdict {
            made: self.made,
            granted: self.granted,
            granted_bound: granted as u64,
            made_bound: (average + 4.0 * deviation).ceil() as u64,
            shortest: self.shortest.map(|time| time.as_secs_f64()),
            shortest_bound: half.as_secs_f64(),
        }
    }
}

impl Verdict {
    pub(super) fn is_good(&self) -> bool {
        self.granted <= self.granted_bound
            && self.made <= self.made_bound
            && self.shortest.is_none_or(|time| time >= self.shortest_bound)
    }
}
