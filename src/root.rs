//! One policy's life in one VM.

use crate::bodies::Bodies;
use crate::host::{ProxyHost, log};
use crate::hostcalls::{self, Buffer, HeaderMap};
use crate::request::{RequestContext, Stage, apply, refuse_unread};
use doorward_core::engine::Engine;
use doorward_core::host::{Answer, Host, Level, retry_after};
use doorward_core::http::{Headers, Verdict};
use doorward_core::policy;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// How often time passes where nothing waits for it.
const TICK: u32 = 1000;
/// How often it passes while something waits.
const BUSY_TICK: u32 = 50;
/// The longest reply to a call that is read. The core's own bounds are lower.
const MAX_REPLY: usize = 1024 * 1024;

/// A root context.
pub struct Root {
    id: u32,
    shared: Rc<Shared>,
    tick: Cell<u32>,
}

/// What the requests of a root context share with it.
#[derive(Default)]
pub struct Shared {
    /// Runs the policy; none before it was loaded.
    pub engine: RefCell<Option<Rc<Engine<ProxyHost>>>>,
    /// The requests that wait for a verdict.
    pub waiting: RefCell<BTreeMap<u32, Rc<Cell<Stage>>>>,
    /// The bodies that some of them wait for.
    pub bodies: Bodies,
}

impl Root {
    /// A root context without a policy.
    pub fn new(id: u32) -> Root {
        Root {
            id,
            shared: Rc::default(),
            tick: Cell::new(0),
        }
    }

    fn engine(&self) -> Option<Rc<Engine<ProxyHost>>> {
        self.shared.engine.borrow().clone()
    }

    /// Hears what the queue says.
    fn listen(&self, engine: &Engine<ProxyHost>) {
        if engine.gateway().host.wake.heard() {
            engine.look_again();
        }
    }

    /// Refuses the requests whose bodies the proxy keeps to itself.
    fn refuse_withheld(&self, engine: &Engine<ProxyHost>) {
        for id in self.shared.bodies.withheld() {
            if let Some(verdict) = engine.body_withheld(id) {
                self.shared
                    .bodies
                    .tell_withheld(engine.gateway().host.now());
                self.carry_out(id, &verdict);
            }
        }
    }

    /// Runs what can run and hands out the verdicts.
    fn turn(&self, engine: &Engine<ProxyHost>) {
        for (id, verdict) in engine.turn() {
            self.carry_out(id, &verdict);
        }
        // The next calls are this context's own again; it exists, so this can't fail.
        let _ = hostcalls::set_effective_context(self.id);
        self.set_tick(if engine.is_busy() { BUSY_TICK } else { TICK });
    }

    /// Carries out the verdict on a request that waits for it.
    fn carry_out(&self, id: u32, verdict: &Verdict) {
        self.shared.bodies.forget(id);
        // A caller who went away needs no verdict.
        let Some(stage) = self.shared.waiting.borrow_mut().remove(&id) else {
            return;
        };
        if hostcalls::set_effective_context(id).is_err() {
            return;
        }
        stage.set(apply(verdict));
        if matches!(stage.get(), Stage::Passed(_)) && hostcalls::continue_request().is_err() {
            stage.set(refuse_unread(503, "internal"));
        }
    }

    /// Answers every request that waits for an engine which is about to go.
    fn refuse_waiting(&self) {
        let waiting = std::mem::take(&mut *self.shared.waiting.borrow_mut());
        for (id, stage) in waiting {
            if hostcalls::set_effective_context(id).is_ok() {
                stage.set(refuse_unread(503, "internal"));
            }
        }
        let _ = hostcalls::set_effective_context(self.id);
    }

    fn set_tick(&self, period: u32) {
        let before = self.tick.replace(period);
        if before == period {
            return;
        }
        // A second period beside the first is a trap in Kong's engine.
        if before != 0 {
            hostcalls::set_tick_period(0);
        }
        hostcalls::set_tick_period(period);
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, call: u32, headers: usize, body_size: usize, _: usize) {
        let Some(engine) = self.engine() else {
            return;
        };
        let now = engine.gateway().host.now();
        engine.answer(call, read_answer(headers, body_size, now));
        self.turn(&engine);
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let configuration = match size {
            0 => Vec::new(),
            _ => hostcalls::buffer(Buffer::PluginConfiguration, size).unwrap_or_default(),
        };
        match policy::load_owned(configuration, &|name| std::env::var(name).ok()) {
            Ok(policy) => {
                self.refuse_waiting();
                let waits = !policy.exchanges.is_empty() || !policy.remotes.is_empty();
                let shared = policy.digest.first_chunk().copied().filter(|_| waits);
                let engine = Engine::new(ProxyHost::new(shared), policy);
                *self.shared.engine.borrow_mut() = Some(Rc::new(engine));
                // Calls made now would find clusters that aren't ready: the first tick does.
                self.set_tick(BUSY_TICK);
                true
            }
            Err(problems) => {
                for problem in &problems {
                    log(Level::Error, &format!("policy: {problem}"));
                }
                let count = problems.len();
                log(
                    Level::Error,
                    &format!("the policy is refused: {count} problem(s), see above"),
                );
                false
            }
        }
    }

    fn on_tick(&mut self) {
        let Some(engine) = self.engine() else {
            return;
        };
        let host = &engine.gateway().host;
        host.counters.settle();
        host.wake.announce(host.now());
        self.listen(&engine);
        engine.tick();
        self.refuse_withheld(&engine);
        self.turn(&engine);
    }

    fn on_queue_ready(&mut self, _: u32) {
        let Some(engine) = self.engine() else {
            return;
        };
        self.listen(&engine);
        self.turn(&engine);
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(RequestContext::new(id, self.shared.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// Reads the reply that the proxy holds. Only a reply without any header is a failure: the
/// proxy's own status sticks after the first one (measured on Envoy 1.40).
fn read_answer(headers: usize, body_size: usize, now: Duration) -> Answer {
    if headers == 0 || body_size > MAX_REPLY {
        return Answer::Failed;
    }
    let Some(headers) = hostcalls::header_pairs(HeaderMap::CallReply)
        .ok()
        .and_then(Headers::from_wire)
    else {
        return Answer::Failed;
    };
    let text = |name| std::str::from_utf8(headers.first(name)?).ok();
    let Some(status) = text(":status").and_then(|status| status.parse().ok()) else {
        return Answer::Failed;
    };
    let retry_after = text("retry-after").and_then(|text| retry_after(text, now));
    // Envoy answers calls itself where it can't reach the server; what comes from a server has
    // this header (measured on Envoy 1.40), and what says when to come again is no proxy's.
    let is_real = retry_after.is_some() || headers.first("x-envoy-upstream-service-time").is_some();
    match status {
        503 if !is_real => return Answer::Unreachable,
        504 if !is_real => return Answer::TimedOut,
        _ => {}
    }
    let body = match body_size {
        0 => Ok(Vec::new()),
        _ => hostcalls::buffer(Buffer::CallReplyBody, body_size),
    };
    match body {
        Ok(body) => Answer::Reply {
            status,
            retry_after,
            body,
        },
        Err(_) => Answer::Failed,
    }
}
