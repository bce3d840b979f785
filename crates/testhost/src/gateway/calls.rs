//! Calls: seeing them, and ending them in every way there is.

use super::lifecycle::context;
use super::{Called, Gateway, stop};
use crate::Personality;
use crate::callout::{Answering, Callout, Cluster, Ending, Reply};
use crate::headers::Headers;
use crate::stream::Flow;
use crate::trace::Place;
use crate::vm::{Context, Delivered};
use crate::world::Due;
use std::ops::Deref;
use std::time::Duration;

/// The longest reply that Envoy hands to a filter (measured); a longer one is a reset.
const MAX_REPLY: usize = 32 << 20;

/// A call that waits for its end; every method that ends it does so at once, and what the
/// filter makes of it is done when the method returns. It reads as the [`Callout`].
#[derive(Debug)]
pub struct OpenCall<'g> {
    gateway: &'g mut Gateway,
    call: Callout,
}

impl Deref for OpenCall<'_> {
    type Target = Callout;

    fn deref(&self) -> &Callout {
        &self.call
    }
}

impl OpenCall<'_> {
    /// Answers with a status and a body.
    pub fn answer(self, status: u16, body: impl Into<Vec<u8>>) {
        self.end(Reply::new(status).body(body));
    }

    /// Ends it in any way.
    pub fn end(self, reply: Reply) {
        self.gateway.answer(self.call.id, reply);
    }

    /// Ends it in any way, in a while. Its timeout wins where it comes first.
    pub fn end_after(self, after: Duration, reply: Reply) {
        let call = self.call.id;
        let mut world = self.gateway.world.borrow_mut();
        world.schedule(after, Due::Reply { call, reply });
    }
}

impl Gateway {
    /// The calls that have no end yet, the oldest first.
    #[must_use]
    pub fn callouts(&self) -> Vec<Callout> {
        self.world.borrow().calls.values().cloned().collect()
    }

    /// The one call that has no end yet. Panics where there are none or several.
    #[track_caller]
    pub fn callout(&mut self) -> OpenCall<'_> {
        let mut calls = self.callouts();
        match (calls.pop(), calls.len()) {
            (Some(call), 0) => OpenCall {
                gateway: self,
                call,
            },
            (None, _) => stop(&format!("no call is under way\n{}", self.trace())),
            (_, more) => stop(&format!("{} calls are under way", more + 1)),
        }
    }

    /// The oldest call to a cluster that has no end yet. Panics where there is none.
    #[track_caller]
    pub fn callout_to(&mut self, cluster: &str) -> OpenCall<'_> {
        let mut calls = self.callouts().into_iter();
        match calls.find(|call| call.cluster == cluster) {
            Some(call) => OpenCall {
                gateway: self,
                call,
            },
            None => stop(&format!("no call to {cluster:?}\n{}", self.trace())),
        }
    }

    /// Ends a call by its id; without effect where it has ended already.
    pub fn answer(&mut self, call: u64, reply: Reply) {
        self.end_call(call, reply);
        self.settle();
    }

    /// Forgets a call: no answer, no timeout, nothing will ever come of it. Proxies don't do
    /// this unless a thread dies; a filter should stand it all the same.
    pub fn lose(&mut self, call: u64) {
        let mut world = self.world.borrow_mut();
        world.note(Place::Test, format!("loses call {call}"));
        world.calls.remove(&call);
    }

    /// From now on this function decides what becomes of each new call. Default: the test
    /// does, or the call's timeout.
    pub fn endpoint(&mut self, endpoint: impl FnMut(&Callout) -> Answering + 'static) {
        self.endpoint = Some(Box::new(endpoint));
        self.seen = self.world.borrow().calls_made;
    }

    /// How many calls were ever dispatched.
    #[must_use]
    pub fn calls_made(&self) -> u64 {
        self.world.borrow().calls_made
    }

    /// Sets the state of a cluster. Default: every cluster is up, whatever its name.
    pub fn set_cluster(&mut self, name: &str, state: Cluster) {
        let mut world = self.world.borrow_mut();
        world.clusters.insert(name.to_owned(), state);
    }

    /// Hands the end of a call to the VM that made it.
    pub(super) fn end_call(&mut self, id: u64, reply: Reply) {
        let mut world = self.world.borrow_mut();
        let Some(call) = world.calls.remove(&id) else {
            return;
        };
        let shown = match &reply.0 {
            Ending::Real { headers, body, .. } => {
                let status = headers.get(":status").unwrap_or_default();
                format!("with {status}, {} bytes", body.len())
            }
            Ending::Refused => "refused".to_owned(),
            Ending::Timeout => "by its timeout".to_owned(),
            Ending::Reset => "reset".to_owned(),
            Ending::CutShort(_) => "cut short".to_owned(),
        };
        world.note(Place::Test, format!("call {id} ends {shown}"));
        drop(world);
        let Some(slot) = self.slot_with(call.vm) else {
            return;
        };
        let personality = self.personality();
        let receiver = match personality {
            Personality::Envoy => call.root,
            Personality::WasmX => call.owner,
        };
        let Some(known) = self.vm(slot).and_then(|vm| {
            let known = vm.state().contexts.get(&receiver);
            known.copied()
        }) else {
            return;
        };
        let (delivered, size) = seen(reply.0, personality);
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        let headers = match personality {
            Personality::WasmX if delivered.headers.get(":status").is_none() => 0,
            _ => number(delivered.headers.len()),
        };
        let arguments = (
            context(receiver),
            call.token.cast_signed(),
            headers,
            number(size),
            number(delivered.trailers.len()),
        );
        if let Some(vm) = self.vm_mut(slot) {
            vm.state_mut().reply = Some(delivered);
        }
        // Kong's engine sends a request upstream whose callback traps (observed).
        let spared = self.spared(personality, known);
        let called = self.call::<_, ()>(slot, "proxy_on_http_call_response", receiver, arguments);
        if let (Called::Trapped, Some(stream)) = (&called, spared) {
            stream.fail_open();
            return;
        }
        if let Some(vm) = self.vm_mut(slot) {
            vm.state_mut().reply = None;
        }
        self.run_after(slot);
        if let (Personality::WasmX, Context::Request { stream, .. }) = (personality, known) {
            self.resume_by_itself(stream, receiver);
        }
    }

    fn spared(&self, personality: Personality, known: Context) -> Option<Spared> {
        let Context::Request { stream, .. } = known else {
            return None;
        };
        if personality == Personality::Envoy {
            return None;
        }
        let world = self.world.borrow();
        let stream = world.streams.get(&stream)?;
        Some(Spared {
            record: stream.record.clone(),
            head: stream.sent.clone(),
        })
    }

    /// Kong's engine takes "all dispatches done" for a word to go on (observed).
    fn resume_by_itself(&mut self, id: u64, owner: u32) {
        let world = self.world.borrow();
        let Some(stream) = world.streams.get(&id) else {
            return;
        };
        let waits = |call: &Callout| call.vm == stream.vm && call.owner == owner;
        let goes = stream.flow != Flow::Go && !stream.replied && !world.calls.values().any(waits);
        drop(world);
        if goes {
            self.resume(id);
        }
    }
}

/// A request that outlives its VM.
struct Spared {
    record: std::rc::Rc<std::cell::RefCell<crate::request::Record>>,
    head: Headers,
}

impl Spared {
    fn fail_open(self) {
        let mut record = self.record.borrow_mut();
        record.hangs = false;
        let upstream = record.upstream.get_or_insert_default();
        upstream.headers = self.head;
        upstream.complete = true;
    }
}

/// What a filter sees of a call's end, and the body's size that it is told.
fn seen(ending: Ending, personality: Personality) -> (Delivered, usize) {
    let nothing = || Delivered {
        headers: Headers::new(),
        body: Some(Vec::new()),
        trailers: Headers::new(),
    };
    let own = |status: &str, text: &str| Delivered {
        headers: [
            (":status", status),
            ("content-length", &text.len().to_string()),
            ("content-type", "text/plain"),
        ]
        .into_iter()
        .collect(),
        body: Some(text.as_bytes().to_vec()),
        trailers: Headers::new(),
    };
    let failed = |dispatch_status: &str| Delivered {
        headers: [(":dispatch_status", dispatch_status)]
            .into_iter()
            .collect(),
        ..nothing()
    };
    use Personality::{Envoy, WasmX};
    let delivered = match (ending, personality) {
        (Ending::Real { body, .. }, Envoy) if body.len() > MAX_REPLY => nothing(),
        (
            Ending::Real {
                mut headers,
                body,
                trailers,
            },
            personality,
        ) => {
            if personality == WasmX {
                headers.remove(b"x-envoy-upstream-service-time");
                headers.add(":dispatch_status", "ok");
            }
            Delivered {
                headers,
                body: Some(body),
                trailers,
            }
        }
        (Ending::Refused, Envoy) => own("503", "upstream connect error"),
        (Ending::Timeout, Envoy) => own("504", "upstream request timeout"),
        (Ending::Reset | Ending::CutShort(_), Envoy) => nothing(),
        (Ending::CutShort(mut headers), WasmX) => {
            headers.add(":dispatch_status", "ok");
            let delivered = Delivered {
                headers,
                body: None,
                trailers: Headers::new(),
            };
            // The size is that of the bytes which came before the cut.
            return (delivered, 1);
        }
        (Ending::Refused, WasmX) => failed("connection refused"),
        (Ending::Timeout, WasmX) => failed("timeout"),
        (Ending::Reset, WasmX) => failed("reset"),
    };
    let size = delivered.body.as_ref().map_or(0, Vec::len);
    (delivered, size)
}
