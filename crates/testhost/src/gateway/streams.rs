//! A request's way through the filter, as Envoy's filter manager leads it.

use super::lifecycle::context;
use super::{Called, Gateway};
use crate::Personality;
use crate::headers::Headers;
use crate::request::{LocalReply, Upstream};
use crate::stream::{Flow, Part, Stream};

/// What callbacks return: 0 to go on, anything else to pause.
const CONTINUE: i32 = 0;

impl Gateway {
    fn with<T>(&self, id: u64, work: impl FnOnce(&mut Stream) -> T) -> Option<T> {
        self.world.borrow_mut().streams.get_mut(&id).map(work)
    }

    /// Creates the context and shows it the head.
    pub(super) fn begin(&mut self, slot: usize, id: u64) {
        let Some((own, root, count, end)) = self.with(id, |stream| {
            let count = i32::try_from(stream.shown.len()).unwrap_or(i32::MAX);
            (stream.context, stream.root, count, i32::from(stream.ended))
        }) else {
            return;
        };
        let record = self.with(id, |stream| stream.record.clone());
        let arguments = (context(own), context(root));
        let created = self.call::<_, ()>(slot, "proxy_on_context_create", own, arguments);
        let action = match created {
            Called::Trapped => Called::Trapped,
            Called::Returned(()) | Called::Missing => {
                let arguments = (context(own), count, end);
                self.call::<_, i32>(slot, "proxy_on_request_headers", own, arguments)
            }
        };
        let action = match action {
            Called::Returned(action) => action,
            Called::Missing => CONTINUE,
            Called::Trapped => {
                if let Some(record) = record {
                    fail(&mut record.borrow_mut());
                }
                return;
            }
        };
        if self.crashes_by_going_on(slot, id, action) {
            return;
        }
        // A reply stops the request whatever the callback returns.
        let replied = self.with(id, |stream| stream.replied).unwrap_or(true);
        if action == CONTINUE && !replied {
            self.pass_head(id);
            self.with(id, |stream| stream.flow = Flow::Go);
            self.complete_if_ended(id);
        } else {
            let stop = if self.settings.stop_iteration {
                Flow::StopOne
            } else {
                Flow::StopAll
            };
            self.with(id, |stream| stream.flow = stop);
        }
        self.run_after(slot);
        self.feed(id);
    }

    /// Going on after a dispatch takes a worker of Kong's engine down (observed).
    fn crashes_by_going_on(&mut self, slot: usize, id: u64, action: i32) -> bool {
        if self.personality() == Personality::Envoy || action != CONTINUE {
            return false;
        }
        let world = self.world.borrow();
        let dispatched = world.streams.get(&id).is_some_and(|stream| {
            let mut calls = world.calls.values();
            calls.any(|call| call.vm == stream.vm && call.owner == stream.context)
        });
        drop(world);
        if dispatched {
            self.crashed(slot, "the worker crashes: Continue after a dispatch");
        }
        dispatched
    }

    /// Shows the filter what the client sent behind the head, as far as it may see it.
    pub(super) fn feed(&mut self, id: u64) {
        loop {
            let part = self.with(id, |stream| match stream.flow {
                Flow::StopAll => None,
                Flow::StopOne | Flow::Go => stream.inbound.pop_front(),
            });
            match part {
                Some(Some(Part::Body { bytes, end })) => self.body(id, bytes, end),
                Some(Some(Part::Trailers(trailers))) => self.trailers(id, trailers),
                Some(None) | None => return,
            }
        }
    }

    /// Runs a callback of a request; `None` where the request is over.
    fn call_stream(
        &mut self,
        id: u64,
        name: &'static str,
        arguments: impl FnOnce(&Stream) -> (usize, bool),
    ) -> Option<i32> {
        let (vm, own, (size, end), record) = self.with(id, |stream| {
            let arguments = arguments(stream);
            (stream.vm, stream.context, arguments, stream.record.clone())
        })?;
        let slot = self.slot_with(vm)?;
        let size = i32::try_from(size).unwrap_or(i32::MAX);
        let called = if name == "proxy_on_request_trailers" {
            self.call::<_, i32>(slot, name, own, (context(own), size))
        } else {
            self.call::<_, i32>(slot, name, own, (context(own), size, i32::from(end)))
        };
        match called {
            Called::Returned(action) => {
                let replied = self.with(id, |stream| stream.replied)?;
                Some(if replied { 1 } else { action })
            }
            Called::Missing => Some(CONTINUE),
            Called::Trapped => {
                fail(&mut record.borrow_mut());
                None
            }
        }
    }

    fn body(&mut self, id: u64, bytes: Vec<u8>, end: bool) {
        self.with(id, |stream| {
            stream.ended |= end;
            if stream.buffering {
                stream.held.extend(bytes);
            } else {
                stream.chunk = Some(bytes);
            }
        });
        let action = self.call_stream(id, "proxy_on_request_body", |stream| {
            (stream.body().map_or(0, <[u8]>::len), end)
        });
        let Some(action) = action else {
            return;
        };
        let Some((over, resumed)) = self.with(id, |stream| {
            if let Some(chunk) = stream.chunk.take() {
                stream.held.extend(chunk);
            }
            if action == CONTINUE {
                // Also where the head was paused: all of it goes, a bypass (measured).
                stream.buffering = false;
                (false, true)
            } else {
                stream.buffering = true;
                stream.flow = Flow::StopOne;
                (stream.held.len() > self.settings.buffer_limit, false)
            }
        }) else {
            return;
        };
        if resumed {
            self.go(id);
        }
        if over {
            let reply = LocalReply::proxys_own(413, "request_payload_too_large");
            self.reply_locally(id, reply);
        }
        self.run_after_of(id);
    }

    fn trailers(&mut self, id: u64, trailers: Headers) {
        self.with(id, |stream| {
            stream.ended = true;
            stream.trailers = Some(trailers);
        });
        let action = self.call_stream(id, "proxy_on_request_trailers", |stream| {
            (stream.trailers.as_ref().map_or(0, Headers::len), true)
        });
        match action {
            None => return,
            Some(CONTINUE) => self.go(id),
            Some(_) => {
                self.with(id, |stream| stream.flow = Flow::StopOne);
            }
        }
        self.run_after_of(id);
    }

    fn run_after_of(&mut self, id: u64) {
        let vm = self.with(id, |stream| stream.vm);
        if let Some(slot) = vm.and_then(|vm| self.slot_with(vm)) {
            self.run_after(slot);
        }
    }

    /// Continues a request that the filter resumed.
    pub(super) fn resume(&mut self, id: u64) {
        let Some(flow) = self.with(id, |stream| stream.flow) else {
            return;
        };
        if flow == Flow::Go {
            return;
        }
        if flow == Flow::StopAll {
            // What came meanwhile is shown in one piece.
            self.with(id, |stream| join_bodies(&mut stream.inbound));
        }
        self.go(id);
        self.feed(id);
    }

    /// Sends on all that waits in the proxy.
    fn go(&mut self, id: u64) {
        self.with(id, |stream| stream.flow = Flow::Go);
        self.pass_head(id);
        self.with(id, |stream| {
            let held = std::mem::take(&mut stream.held);
            let mut record = stream.record.borrow_mut();
            let upstream = record.upstream.get_or_insert_default();
            upstream.body.extend(held);
            if let Some(trailers) = &stream.trailers {
                upstream.trailers = trailers.clone();
            }
        });
        self.complete_if_ended(id);
    }

    /// Sends the head on, unless it has gone.
    fn pass_head(&mut self, id: u64) {
        let mut world = self.world.borrow_mut();
        let Some(stream) = world.streams.get(&id) else {
            return;
        };
        let mut record = stream.record.borrow_mut();
        if record.upstream.is_some() {
            return;
        }
        record.upstream = Some(Upstream {
            headers: stream.sent.clone(),
            ..Upstream::default()
        });
        drop(record);
        let place = stream.place;
        world.note(place, format!("client {id} reaches the upstream"));
    }

    /// The upstream answers as soon as it has all.
    fn complete_if_ended(&mut self, id: u64) {
        let status = self.upstream_status.to_string();
        let ended = self.with(id, |stream| {
            let ended = stream.ended && stream.flow == Flow::Go;
            if ended {
                if let Some(upstream) = &mut stream.record.borrow_mut().upstream {
                    upstream.complete = true;
                }
                let head = [(":status", status.as_str())];
                stream.response = Some(head.into_iter().collect());
            }
            ended
        });
        if ended == Some(true) {
            self.call_stream(id, "proxy_on_response_headers", |_| (1, true));
            self.finish(id);
        }
    }

    pub(super) fn reply_locally(&mut self, id: u64, reply: LocalReply) {
        let mut world = self.world.borrow_mut();
        let Some(stream) = world.streams.get_mut(&id) else {
            return;
        };
        let place = stream.place;
        stream.replied = true;
        let line = format!("client {id} gets {} {}", reply.status, reply.details);
        let head = [(":status", reply.status.to_string())];
        stream.response = Some(head.into_iter().collect());
        stream.record.borrow_mut().reply = Some(reply);
        world.note(place, line);
        drop(world);
        self.finish(id);
    }

    /// Ends a request whose client or proxy gave it up.
    pub(super) fn reset(&mut self, id: u64) {
        if self
            .with(id, |stream| stream.record.borrow_mut().left = true)
            .is_some()
        {
            self.finish(id);
        }
    }

    /// The last callbacks of a request.
    fn finish(&mut self, id: u64) {
        let Some((vm, own)) = self.with(id, |stream| (stream.vm, stream.context)) else {
            return;
        };
        if let Some(slot) = self.slot_with(vm) {
            self.call::<_, ()>(slot, "proxy_on_log", own, context(own));
            let done = self.call::<_, i32>(slot, "proxy_on_done", own, context(own));
            // 0 puts the end off until `proxy_done`.
            if !matches!(done, Called::Returned(0)) {
                self.delete_context(slot, own);
            }
            self.run_after(slot);
        }
        let mut world = self.world.borrow_mut();
        if world.personality == Personality::WasmX {
            // Its calls end with it.
            world
                .calls
                .retain(|_, call| call.vm != vm || call.owner != own);
        }
        world.streams.remove(&id);
    }
}

/// The VM died in a callback of this request.
fn fail(record: &mut crate::request::Record) {
    record.hangs = false;
    record.reply = Some(LocalReply::proxys_own(503, "wasm_fail_stream"));
}

fn join_bodies(parts: &mut std::collections::VecDeque<Part>) {
    let mut joined = None;
    let mut rest = std::collections::VecDeque::new();
    for part in parts.drain(..) {
        match part {
            Part::Body { bytes, end } => {
                let (body, ended): &mut (Vec<u8>, bool) = joined.get_or_insert_default();
                body.extend(bytes);
                *ended |= end;
            }
            trailers @ Part::Trailers(_) => rest.push_back(trailers),
        }
    }
    if let Some((bytes, end)) = joined {
        rest.push_front(Part::Body { bytes, end });
    }
    *parts = rest;
}
