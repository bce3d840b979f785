//! Time passes: tokens in use are replaced before their end, and what is over is let go.

use super::slots::{SLOTS, Slots};
use crate::engine::Gateway;
use crate::host::Host;
use crate::observe::{Event, Gauge};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

/// How far apart two passes are at least, however often the host ticks.
const PERIOD: Duration = Duration::from_millis(500);
/// How many tokens one pass replaces: a worker that has to replace all it holds at once does it
/// in a minute, and requests that meet a token near its end do it meanwhile.
const REFRESHES: usize = 64;
/// How many slots one pass looks at: some 400 µs of work, and the whole board in 16 passes.
const SWEPT: u64 = 1024;

/// How far this worker has come with looking through the board.
#[derive(Debug, Default)]
pub struct Sweep {
    passed: Cell<Duration>,
    next: Cell<u64>,
    tokens: Cell<u64>,
}

impl<H: Host + 'static> Gateway<H> {
    /// Replaces tokens that are used and near their end, and lets go what is over. Called on
    /// each tick.
    pub fn refresh_tokens(self: &Rc<Self>) {
        if self.policy.exchanges.is_empty() {
            return;
        }
        let now = self.host.now();
        let since = now.checked_sub(self.tokens.sweep.passed.get());
        // A pass in the future was before the clock went back.
        if since.is_some_and(|since| since < PERIOD) {
            return;
        }
        self.tokens.sweep.passed.set(now);
        let free: Vec<bool> = (0..self.policy.exchanges.len())
            .map(|exchange| !self.is_left_alone(exchange, now))
            .collect();
        let due = {
            let flights = self.tokens.flights.borrow();
            let mut held = self.tokens.held.borrow_mut();
            held.due(now, REFRESHES, |held| {
                free.get(held.exchange) == Some(&true) && !flights.contains_key(&self.key_of(held))
            })
        };
        for due in due {
            self.host.count(Event::ExchangeRefreshed);
            // The flight runs by itself.
            drop(self.obtain_token(due.exchange, &due.pair));
        }
        self.sweep_board(now);
    }

    /// Whether an endpoint is to be left alone for now.
    fn is_left_alone(&self, exchange: usize, now: Duration) -> bool {
        let open = self.with_breaker(exchange, |breaker, now| breaker.open_for(now).is_some());
        open || self.paused(exchange, now).is_some()
    }

    /// Looks at some slots. Every worker does, so that none need be the one who does it.
    fn sweep_board(&self, now: Duration) {
        let sweep = &self.tokens.sweep;
        let start = sweep.next.get();
        let end = (start + SWEPT).min(SLOTS);
        let tokens = sweep.tokens.get() + Slots(&self.host).sweep(start..end, now);
        if end < SLOTS {
            sweep.next.set(end);
            sweep.tokens.set(tokens);
            return;
        }
        self.host.gauge(Gauge::TokensKept, tokens);
        sweep.next.set(0);
        sweep.tokens.set(0);
    }
}
