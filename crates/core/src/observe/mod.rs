//! What is counted and told about.

mod step;
mod throttle;

pub use step::{Demand, Step};
pub use throttle::{Allowance, Throttle};

use crate::reply::Reason;

/// Something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A request went on to the upstream.
    Allowed,
    /// A request was answered by the gateway itself, and not refused.
    Answered,
    /// A request was refused.
    Refused(Reason),
    /// A token was asked for at a token endpoint.
    ExchangeCalled,
    /// A token endpoint could not be reached or answered with something unusable.
    ExchangeFailed,
    /// A token endpoint refused a pair.
    ExchangeRefused,
    /// A token in use was replaced on a tick, before a request met its end.
    ExchangeRefreshed,
    /// A worker waited for another one's call to a token endpoint.
    ExchangeAwaited,
    /// A token was let go because an upstream answered 401 to it.
    TokenRejected,
    /// A token endpoint refused the gateway's own pair: somebody should look at once.
    OwnPairRefused,
    /// A client was looked up.
    LookupCalled,
    /// A look-up got no usable answer.
    LookupFailed,
    /// A request went on that a rule in shadow mode would have refused.
    Shadowed(Reason),
    /// A key set was fetched.
    KeysFetched,
    /// A key set could not be fetched or used.
    KeysFailed,
    /// A key of a fetched set could not be used and was skipped.
    KeySkipped,
}

impl Event {
    /// Every event, for hosts that define their counters ahead.
    pub fn all() -> impl Iterator<Item = Event> {
        [
            Event::Allowed,
            Event::Answered,
            Event::ExchangeCalled,
            Event::ExchangeFailed,
            Event::ExchangeRefused,
            Event::ExchangeRefreshed,
            Event::ExchangeAwaited,
            Event::TokenRejected,
            Event::OwnPairRefused,
            Event::LookupCalled,
            Event::LookupFailed,
            Event::KeysFetched,
            Event::KeysFailed,
            Event::KeySkipped,
        ]
        .into_iter()
        .chain(Reason::ALL.iter().copied().map(Event::Refused))
        .chain(Reason::ALL.iter().copied().map(Event::Shadowed))
    }

    /// The counter's name, for instance `doorward.refused.token_expired`.
    pub fn name(self) -> String {
        let name = match self {
            Event::Allowed => "allowed",
            Event::Answered => "answered",
            Event::Refused(reason) => return format!("doorward.refused.{}", reason.name()),
            Event::ExchangeCalled => "exchange.called",
            Event::ExchangeFailed => "exchange.failed",
            Event::ExchangeRefused => "exchange.refused",
            Event::ExchangeRefreshed => "exchange.refreshed",
            Event::ExchangeAwaited => "exchange.awaited",
            Event::TokenRejected => "exchange.token_rejected",
            Event::OwnPairRefused => "exchange.own_pair_refused",
            Event::Shadowed(reason) => return format!("doorward.shadowed.{}", reason.name()),
            Event::LookupCalled => "lookup.called",
            Event::LookupFailed => "lookup.failed",
            Event::KeysFetched => "keys.fetched",
            Event::KeysFailed => "keys.failed",
            Event::KeySkipped => "keys.skipped",
        };
        format!("doorward.{name}")
    }
}

/// A size that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gauge {
    /// Tokens on the board that all workers share, as it was found on the last way through it.
    TokensKept,
}

impl Gauge {
    /// The gauge's name.
    pub fn name(self) -> &'static str {
        match self {
            Gauge::TokensKept => "doorward.exchange.tokens_kept",
        }
    }
}
