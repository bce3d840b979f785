//! One HTTP request: its head in, a verdict out.

use crate::host::{ProxyHost, log};
use crate::hostcalls::{self, HeaderMap, Refused};
use crate::root::Shared;
use doorward_core::engine::{Decision, Engine};
use doorward_core::host::Level;
use doorward_core::http::{Forward, Headers, Reply, Request, Verdict};
use doorward_core::tokens::Injected;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::cell::Cell;
use std::rc::Rc;

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No verdict stands yet.
    Waiting,
    /// It goes on to the upstream, perhaps with a token that was obtained for it.
    Passed(Option<Injected>),
    /// It was answered here.
    Answered,
}

/// A request's context.
pub struct RequestContext {
    id: u32,
    shared: Rc<Shared>,
    stage: Rc<Cell<Stage>>,
}

impl RequestContext {
    /// A request of which nothing is known yet.
    pub fn new(id: u32, shared: Rc<Shared>) -> RequestContext {
        RequestContext {
            id,
            shared,
            stage: Rc::new(Cell::new(Stage::Waiting)),
        }
    }

    fn decide(&self, engine: &Engine<ProxyHost>, count: usize) -> Stage {
        let headers = hostcalls::header_pairs(HeaderMap::Request)
            .ok()
            .and_then(Headers::from_wire);
        // Some hosts show fewer pairs than they send on: what isn't seen can't be judged.
        let Some(headers) = headers.filter(|headers| headers.len() >= count) else {
            return refuse_unread(400, "header_forbidden");
        };
        engine.gateway().host.verifier.test();
        let request = Request {
            headers,
            source_address: engine
                .gateway()
                .policy
                .needs_source
                .then(source_address)
                .flatten(),
        };
        match engine.decide(self.id, request) {
            Decision::Now(verdict) => apply(&verdict),
            Decision::Later => {
                let mut waiting = self.shared.waiting.borrow_mut();
                waiting.insert(self.id, self.stage.clone());
                Stage::Waiting
            }
        }
    }

    /// Waits for no verdict any more.
    fn leave(&self) {
        if self.shared.waiting.borrow_mut().remove(&self.id).is_some()
            && let Some(engine) = self.shared.engine.borrow().as_deref()
        {
            engine.forget(self.id);
        }
    }

    /// Removes the names that no caller may set.
    fn strip_trailers(&self) -> Result<(), Refused> {
        let engine = self.shared.engine.borrow().clone().ok_or(Refused)?;
        let trailers = hostcalls::header_pairs(HeaderMap::RequestTrailers)?;
        let trailers = Headers::from_wire(trailers).ok_or(Refused)?;
        for name in engine.gateway().policy.reserved_in(&trailers) {
            hostcalls::remove_header(HeaderMap::RequestTrailers, name)?;
        }
        Ok(())
    }

    /// Until a verdict stands nothing goes on, whatever part of the request comes.
    fn action(&self) -> Action {
        match self.stage.get() {
            Stage::Passed(_) => Action::Continue,
            Stage::Waiting | Stage::Answered => Action::Pause,
        }
    }
}

impl Context for RequestContext {
    fn on_done(&mut self) -> bool {
        self.leave();
        true
    }
}

impl HttpContext for RequestContext {
    fn on_http_request_headers(&mut self, count: usize, _: bool) -> Action {
        let engine = self.shared.engine.borrow().clone();
        let stage = match engine {
            Some(engine) => self.decide(&engine, count),
            None => refuse_unread(503, "internal"),
        };
        self.stage.set(stage);
        self.action()
    }

    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.action()
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if self.stage.get() != Stage::Answered && self.strip_trailers().is_err() {
            // Some upstreams merge trailers with headers, so they are no place for a forgery.
            self.leave();
            self.stage.set(refuse_unread(503, "internal"));
        }
        self.action()
    }

    fn on_log(&mut self) {
        if let Stage::Passed(Some(token)) = self.stage.get()
            && upstream_refused()
            && let Some(engine) = self.shared.engine.borrow().as_deref()
        {
            engine.reject_token(&token);
        }
    }
}

/// Whether the upstream itself answered 401; a later filter's or the proxy's own word says
/// nothing about a token.
fn upstream_refused() -> bool {
    let is = |name: &str, value: &[u8]| {
        hostcalls::property(&["response", name]).is_ok_and(|found| found == value)
    };
    is("code", &401i64.to_le_bytes()) && is("code_details", b"via_upstream")
}

/// Carries out a verdict on the request of the effective context.
pub fn apply(verdict: &Verdict) -> Stage {
    match verdict {
        Verdict::Forward(forward) => match edit(forward) {
            Ok(()) => Stage::Passed(forward.injected),
            // Half of the edits could let a forged header through.
            Err(Refused) => {
                log(
                    Level::Error,
                    "the proxy refused to change the request's headers",
                );
                refuse_unread(503, "internal")
            }
        },
        Verdict::Refuse(reply) => answer(reply),
    }
}

fn edit(forward: &Forward) -> Result<(), Refused> {
    for name in &forward.remove {
        hostcalls::remove_header(HeaderMap::Request, name)?;
    }
    for (name, value) in &forward.set {
        hostcalls::set_request_header(name.as_bytes(), value)?;
    }
    Ok(())
}

fn answer(reply: &Reply) -> Stage {
    let details = details(reply.reason.name());
    let sent = hostcalls::send_local_response(
        reply.status,
        &details,
        &reply.headers,
        reply.body.as_bytes(),
        reply.grpc_status,
    );
    answered(sent)
}

/// Refuses a request about which nothing can be said but that.
pub fn refuse_unread(status: u16, reason: &str) -> Stage {
    answered(hostcalls::send_local_response(
        status,
        &details(reason),
        &[],
        b"",
        None,
    ))
}

/// What stands in `%RESPONSE_CODE_DETAILS%`.
fn details(reason: &str) -> String {
    format!("doorward_denied{{{reason}}}")
}

fn answered(sent: Result<(), Refused>) -> Stage {
    if sent.is_err() {
        // The request stays paused: it hangs until the proxy's own timeout, and never passes.
        log(Level::Error, "the proxy refused to send a reply");
    }
    Stage::Answered
}

/// The caller's address as the proxy trusts it, without port.
fn source_address() -> Option<String> {
    let address = hostcalls::property(&["source", "address"]).ok()?;
    let address = String::from_utf8(address).ok()?;
    let (host, _) = address.rsplit_once(':')?;
    Some(host.trim_matches(['[', ']']).to_owned())
}
