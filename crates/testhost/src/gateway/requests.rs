//! Clients: sending requests, in one go or piece by piece, and leaving.

use super::builder::FailurePolicy;
use super::{Gateway, stop, wasmx};
use crate::Personality;
use crate::headers::Headers;
use crate::request::{LocalReply, Record, Request, Upstream};
use crate::stream::{Flow, Part, Stream};
use crate::trace::Place;
use crate::vm::Context;
use crate::world::Properties;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Headers of which Envoy makes one where a client sends several (measured).
const JOINED: [&str; 1] = ["authorization"];

/// A request that isn't sent yet.
#[derive(Debug)]
pub struct RequestBuilder<'g> {
    gateway: &'g mut Gateway,
    headers: Headers,
    worker: usize,
    listener: usize,
    parts: VecDeque<Part>,
    trailers: Headers,
    open: bool,
    properties: Properties,
}

impl Gateway {
    /// A request: method, a space, and the target. Its authority is `api.example.com`.
    pub fn request(&mut self, line: &str) -> RequestBuilder<'_> {
        let (method, target) = line.split_once(' ').unwrap_or(("GET", line));
        let headers = [
            (":authority", "api.example.com"),
            (":path", target),
            (":method", method),
            (":scheme", "http"),
        ];
        RequestBuilder {
            gateway: self,
            headers: headers.into_iter().collect(),
            worker: 0,
            listener: 0,
            parts: VecDeque::new(),
            trailers: Headers::new(),
            open: false,
            properties: Properties::new(),
        }
    }

    /// The client of an open request sends more of its body.
    pub fn send_body(&mut self, request: &Request, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.send_part(request, Part::Body { bytes, end: false });
    }

    /// The client of an open request ends it.
    pub fn send_end(&mut self, request: &Request) {
        let bytes = Vec::new();
        self.send_part(request, Part::Body { bytes, end: true });
    }

    /// The client of an open request ends it with trailers.
    pub fn send_trailers(&mut self, request: &Request, trailers: Headers) {
        self.send_part(request, Part::Trailers(trailers));
    }

    fn send_part(&mut self, request: &Request, part: Part) {
        if let Some(stream) = self.world.borrow_mut().streams.get_mut(&request.id) {
            stream.inbound.push_back(part);
        }
        self.feed(request.id);
        self.settle();
    }

    /// The client goes away. Without effect on a request that is over.
    pub fn leave(&mut self, request: &Request) {
        self.note(Place::Test, format!("client {} leaves", request.id));
        self.reset(request.id);
        self.settle();
    }

    /// The status with which the upstream answers from now on. Default: 200. It answers as
    /// soon as it has the whole request.
    pub fn set_upstream_status(&mut self, status: u16) {
        self.upstream_status = status;
    }
}

impl RequestBuilder<'_> {
    /// One more header. One that begins with `:` is put in the place of its namesake.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        let (name, value) = (name.as_ref(), value.as_ref());
        if name.starts_with(b":") {
            self.headers.replace(name, value);
        } else {
            self.headers.add(name, value);
        }
        self
    }

    /// Takes all headers of a name away: `:path` of a CONNECT, say.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.remove(name.as_bytes());
        self
    }

    /// The worker that gets it. Default: 0.
    #[must_use]
    pub fn worker(mut self, worker: usize) -> Self {
        self.worker = worker;
        self
    }

    /// The listener at which it arrives. Default: 0.
    #[must_use]
    pub fn listener(mut self, listener: usize) -> Self {
        self.listener = listener;
        self
    }

    /// One more chunk of its body; each reaches the proxy by itself. Default: no body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        self.parts.push_back(Part::Body { bytes, end: false });
        self
    }

    /// One more trailer. Default: none.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers.add(name, value);
        self
    }

    /// Leaves it open: more of its body follows through [`Gateway::send_body`], and its end
    /// through [`Gateway::send_end`] or [`Gateway::send_trailers`].
    #[must_use]
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// A property of this request, by its path's parts.
    #[must_use]
    pub fn property(mut self, path: &[&str], value: impl AsRef<[u8]>) -> Self {
        let path = path.join("\0").into_bytes();
        self.properties.insert(path, value.as_ref().to_vec());
        self
    }

    /// Sends it, and lets the proxy do all that it can do at this moment.
    #[track_caller]
    pub fn send(mut self) -> Request {
        let bodiless = self.parts.is_empty() && self.trailers.is_empty() && !self.open;
        if !self.trailers.is_empty() {
            let trailers = std::mem::take(&mut self.trailers);
            self.parts.push_back(Part::Trailers(trailers));
        } else if !self.open && !bodiless {
            // In HTTP/1 Envoy learns of the end after the last byte, and says so by itself.
            let bytes = Vec::new();
            self.parts.push_back(Part::Body { bytes, end: true });
        }
        let sent = self.headers.clone();
        let shown = match self.gateway.personality() {
            Personality::Envoy => joined(sent.clone()),
            Personality::WasmX => wasmx::shown(&sent),
        };
        let sent = match self.gateway.personality() {
            Personality::Envoy => shown.clone(),
            Personality::WasmX => sent,
        };
        let Some(slot) = self.gateway.slot_of(Place::Worker(self.worker)) else {
            stop(&format!("there is no worker {}", self.worker));
        };
        let record = Rc::new(RefCell::new(Record::default()));
        let mut world = self.gateway.world.borrow_mut();
        world.streams_made += 1;
        let id = world.streams_made;
        let head = |name| self.headers.get(name).unwrap_or_default();
        let line = format!("client {id}: {} {}", head(":method"), head(":path"));
        world.note(Place::Worker(self.worker), line);
        drop(world);
        let request = Request {
            id,
            record: record.clone(),
        };
        let Some(root) = self.gateway.serving(slot, self.listener) else {
            self.gateway
                .unserved(&mut record.borrow_mut(), self.headers);
            return request;
        };
        let Some(vm) = self.gateway.vm_mut(slot) else {
            return request;
        };
        let serial = vm.state().serial;
        let entry = Context::Request { stream: id, root };
        let context = vm.state_mut().add_context(entry);
        let stream = Stream {
            record,
            place: Place::Worker(self.worker),
            vm: serial,
            root,
            context,
            shown,
            sent,
            head_open: true,
            inbound: self.parts,
            flow: Flow::StopAll,
            held: Vec::new(),
            buffering: false,
            chunk: None,
            trailers: None,
            ended: bodiless,
            replied: false,
            properties: self.properties,
            response: None,
        };
        self.gateway.world.borrow_mut().streams.insert(id, stream);
        self.gateway.begin(slot, id);
        self.gateway.settle();
        request
    }
}

/// The head as Envoy shows it, and sends it on.
fn joined(mut headers: Headers) -> Headers {
    for name in JOINED {
        let values = headers.all(name);
        if values.len() > 1 {
            headers.replace(name.as_bytes(), values.join(",").as_bytes());
        }
    }
    headers
}

impl Gateway {
    /// No VM serves the request: 503, or past the filter where the operator wanted that.
    fn unserved(&self, record: &mut Record, headers: Headers) {
        if self.settings.failure_policy == FailurePolicy::FailOpen {
            record.upstream = Some(Upstream {
                headers,
                complete: true,
                ..Upstream::default()
            });
        } else {
            record.reply = Some(LocalReply::proxys_own(503, "wasm_fail_stream"));
        }
    }
}
