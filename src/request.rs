//! One HTTP request: its head in, a verdict out.

use crate::host::{ProxyHost, log};
use crate::hostcalls::{self, Buffer, HeaderMap, Refused};
use crate::root::Shared;
use doorward_core::engine::{Decision, Engine};
use doorward_core::host::Level;
use doorward_core::http::{Forward, Headers, Reply, Request, Response, Verdict};
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
    /// Whether the verdict waits for the rest of the body.
    awaits_body: Cell<bool>,
    /// How many bytes of the body the proxy holds.
    body_size: Cell<usize>,
}

impl RequestContext {
    /// A request of which nothing is known yet.
    pub fn new(id: u32, shared: Rc<Shared>) -> RequestContext {
        RequestContext {
            id,
            shared,
            stage: Rc::new(Cell::new(Stage::Waiting)),
            awaits_body: Cell::new(false),
            body_size: Cell::new(0),
        }
    }

    fn decide(&self, engine: &Engine<ProxyHost>, count: usize, is_whole: bool) -> Stage {
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
        let decision = match engine.decide(self.id, request) {
            Decision::NeedsBody if is_whole => engine.body_whole(self.id, Vec::new()),
            decision => decision,
        };
        match decision {
            Decision::Now(verdict) => return apply(&verdict),
            Decision::Later => {}
            Decision::NeedsBody => {
                self.awaits_body.set(true);
                self.shared.bodies.await_first(self.id);
            }
        }
        let mut waiting = self.shared.waiting.borrow_mut();
        waiting.insert(self.id, self.stage.clone());
        Stage::Waiting
    }

    /// A part of the body that the verdict waits for has come. The proxy keeps the parts
    /// together, and hands over the whole.
    fn take_body(&self, engine: &Engine<ProxyHost>, is_whole: bool) {
        let size = self.body_size.get();
        let verdict = match is_whole {
            false => engine.body_so_far(self.id, size),
            true => {
                self.awaits_body.set(false);
                match read_body(engine, self.id, size) {
                    Decision::Now(verdict) => Some(verdict),
                    // It is in the engine's hands now, which will tell.
                    Decision::Later | Decision::NeedsBody => None,
                }
            }
        };
        if let Some(verdict) = verdict {
            self.awaits_body.set(false);
            self.shared.waiting.borrow_mut().remove(&self.id);
            self.stage.set(apply(&verdict));
        }
    }

    fn body_came(&self, size: usize, is_whole: bool) {
        self.body_size.set(size);
        if self.awaits_body.get()
            && self.stage.get() == Stage::Waiting
            && let Some(engine) = self.shared.engine.borrow().clone()
        {
            self.shared.bodies.show();
            self.take_body(&engine, is_whole);
        }
    }

    /// Waits for no verdict any more.
    fn leave(&self) {
        self.shared.bodies.forget(self.id);
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

impl Context for RequestContext {}

impl HttpContext for RequestContext {
    fn on_http_request_headers(&mut self, count: usize, is_whole: bool) -> Action {
        let engine = self.shared.engine.borrow().clone();
        let stage = match engine {
            Some(engine) => self.decide(&engine, count, is_whole),
            None => refuse_unread(503, "internal"),
        };
        self.stage.set(stage);
        self.action()
    }

    fn on_http_request_body(&mut self, size: usize, is_whole: bool) -> Action {
        self.body_came(size, is_whole);
        self.action()
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        if self.stage.get() != Stage::Answered && self.strip_trailers().is_err() {
            // Some upstreams merge trailers with headers, so they are no place for a forgery.
            self.leave();
            self.stage.set(refuse_unread(503, "internal"));
        }
        self.body_came(self.body_size.get(), true);
        self.action()
    }
}

/// The request is over. That is told by the context's deletion alone: a proxy crosses into the
/// module for each callback that it has, and calls those for the end (done, log, delete) right
/// after each other.
impl Drop for RequestContext {
    fn drop(&mut self) {
        self.leave();
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

/// Decides with the whole body, which the proxy holds.
fn read_body(engine: &Engine<ProxyHost>, id: u32, size: usize) -> Decision {
    if let Some(verdict) = engine.body_so_far(id, size) {
        return Decision::Now(verdict);
    }
    let body = match size {
        0 => Ok(Vec::new()),
        _ => hostcalls::buffer(Buffer::RequestBody, size),
    };
    match body {
        Ok(body) if body.len() == size => engine.body_whole(id, body),
        // What isn't seen can't be judged.
        _ => match engine.body_withheld(id) {
            Some(verdict) => Decision::Now(verdict),
            None => Decision::Later,
        },
    }
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
        Verdict::Refuse(reply) => refuse(reply),
        Verdict::Answer(response) => answer(response),
    }
}

fn edit(forward: &Forward) -> Result<(), Refused> {
    for name in &forward.remove {
        hostcalls::remove_header(HeaderMap::Request, name)?;
    }
    for (name, value) in forward.to_set() {
        hostcalls::set_request_header(name, value)?;
    }
    Ok(())
}

fn answer(response: &Response) -> Stage {
    answered(hostcalls::send_local_response(
        response.status,
        &format!("doorward_answered{{{}}}", response.what),
        &response.headers,
        response.body.as_bytes(),
        None,
    ))
}

fn refuse(reply: &Reply) -> Stage {
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
