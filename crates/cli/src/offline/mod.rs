//! The filter's engine on this machine: a clock that stands still until it is turned, and
//! servers that answer what was given beforehand. Nothing is called.

mod host;
mod request;

pub use host::{
    Called, Met, OfflineHost, Servers, Story, Told, What, call_header, call_url, url_of,
};
pub use request::{Line, header, request, seen_headers};

use doorward_core::engine::{Decision, Engine};
use doorward_core::http::{Request, Verdict};
use doorward_core::policy::Policy;
use std::time::Duration;

/// How far the clock is turned while something waits, as the filter's tick does.
const TICK: Duration = Duration::from_millis(50);
/// How far while nothing does.
const IDLE_TICK: Duration = Duration::from_secs(1);
/// How many such steps a long time has at the most; each is longer then.
const MAX_IDLE_TICKS: u32 = 3_600;
/// How long before the request the gateway was started: longer than it lets a key set alone
/// whose server failed.
const STARTED: Duration = Duration::from_secs(5);
/// How often it is turned before the request counts as stuck: a minute and more of waiting.
const MAX_TICKS: usize = 2_000;

/// An engine as a request finds it: the first tick, which fetches key sets, is long over.
pub fn started<S: Servers + 'static>(
    policy: Policy,
    servers: S,
    now: Duration,
) -> Engine<OfflineHost<S>> {
    let host = OfflineHost::new(now.saturating_sub(STARTED), servers);
    let engine = Engine::new(host, policy);
    engine.tick();
    engine.turn();
    pass(&engine, STARTED);
    engine.gateway().host.begin();
    engine
}

/// Runs the engine as the filter does, until the verdict stands.
///
/// # Errors
/// A request that waits for something that never comes.
pub fn decide<S: Servers + 'static>(
    engine: &Engine<OfflineHost<S>>,
    request: Request,
    body: &[u8],
) -> Result<Verdict, String> {
    const ID: u32 = 1;
    let decision = match engine.decide(ID, request) {
        Decision::NeedsBody => engine.body_whole(ID, body.to_vec()),
        decision => decision,
    };
    match decision {
        Decision::Now(verdict) => return Ok(verdict),
        Decision::Later | Decision::NeedsBody => {}
    }
    let host = &engine.gateway().host;
    for _ in 0..MAX_TICKS {
        if let Some((_, verdict)) = engine.turn().into_iter().next() {
            return Ok(verdict);
        }
        match host.take_answer() {
            Some((call, answer)) => engine.answer(call, answer),
            None => {
                host.turn_clock(TICK);
                engine.tick();
            }
        }
    }
    Err("the request waits for something that never comes".to_owned())
}

/// Lets time pass, and whatever is due in it happen.
pub fn pass<S: Servers + 'static>(engine: &Engine<OfflineHost<S>>, time: Duration) {
    let host = &engine.gateway().host;
    let idle = IDLE_TICK.max(time / MAX_IDLE_TICKS);
    let mut left = time;
    settle(engine);
    while !left.is_zero() {
        let busy = engine.is_busy() || host.awaits_answers();
        let step = left.min(if busy { TICK } else { idle });
        host.turn_clock(step);
        engine.tick();
        settle(engine);
        left = left.saturating_sub(step);
    }
}

/// Delivers what has come in.
fn settle<S: Servers + 'static>(engine: &Engine<OfflineHost<S>>) {
    engine.turn();
    while let Some((call, answer)) = engine.gateway().host.take_answer() {
        engine.answer(call, answer);
        engine.turn();
    }
}
