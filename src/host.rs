//! The core's host over this proxy.

use crate::envoy::Verifier;
use crate::hostcalls;
use doorward_core::host::{Call, DispatchError, Host, Level, Shared};
use doorward_core::jose::HostVerifier;
use doorward_core::observe::Event;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

/// The proxy, as one root context sees it.
#[derive(Debug)]
pub struct ProxyHost {
    /// The queue whose messages wake this root context. Only calls that were dispatched in
    /// the root context outlive the request that wanted them, and a message is the way there
    /// from a request's callback.
    queue: Option<u32>,
    /// Whether a message is on its way already.
    woken: Cell<bool>,
    counters: RefCell<BTreeMap<Event, u32>>,
    /// The proxy's own signature check.
    pub verifier: Verifier,
}

impl ProxyHost {
    /// Registers a queue of its own, under a name that no other VM has.
    pub fn new() -> ProxyHost {
        let mut name = [0; 16];
        fill_random(&mut name);
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        ProxyHost {
            queue: hostcalls::register_queue(&format!("doorward/1/wake/{name}")).ok(),
            woken: Cell::new(false),
            counters: RefCell::default(),
            verifier: Verifier::default(),
        }
    }

    /// The root context is awake: messages are taken out, and the next wish sends another.
    pub fn awake(&self) {
        self.woken.set(false);
        if let Some(queue) = self.queue {
            while hostcalls::dequeue(queue).is_ok() {}
        }
    }
}

impl HostVerifier for ProxyHost {
    fn verify_signature(
        &self,
        hash: &str,
        spki_der: &[u8],
        signature: &[u8],
        text: &[u8],
    ) -> Option<bool> {
        self.verifier.verify(hash, spki_der, signature, text)
    }
}

impl Host for ProxyHost {
    fn now(&self) -> Duration {
        Duration::from_nanos(hostcalls::current_time())
    }

    fn random(&self, buffer: &mut [u8]) {
        fill_random(buffer);
    }

    fn shared_get(&self, key: &str) -> Option<Shared> {
        let (value, cas) = hostcalls::shared_get(key).ok()?;
        Some(Shared { value, cas })
    }

    fn shared_set(&self, key: &str, value: &[u8], cas: u32) -> bool {
        hostcalls::shared_set(key, value, cas).is_ok()
    }

    fn dispatch(&self, call: &Call) -> Result<u32, DispatchError> {
        let headers = call
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let body = (!call.body.is_empty()).then_some(call.body.as_slice());
        proxy_wasm::hostcalls::dispatch_http_call(
            &call.cluster,
            headers,
            body,
            Vec::new(),
            call.timeout,
        )
        .map_err(|_| DispatchError)
    }

    fn wake(&self) {
        // Without a queue the tick does it, later.
        if let Some(queue) = self.queue
            && !self.woken.replace(true)
            && hostcalls::enqueue(queue, b"1").is_err()
        {
            self.woken.set(false);
        }
    }

    fn log(&self, level: Level, line: &str) {
        log(level, line);
    }

    fn count(&self, event: Event) {
        let mut counters = self.counters.borrow_mut();
        let metric = match counters.get(&event) {
            Some(metric) => *metric,
            None => {
                let Ok(metric) = hostcalls::define_counter(&event.name()) else {
                    return;
                };
                counters.insert(event, metric);
                metric
            }
        };
        hostcalls::increment(metric);
    }
}

/// Writes a line to the proxy's log.
pub fn log(level: Level, line: &str) {
    let level = match level {
        Level::Debug => 1,
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
    };
    hostcalls::log(level, &format!("doorward: {line}"));
}

/// Random bytes from the proxy. Nothing secret rests on them, so a host without any is
/// still a host.
fn fill_random(buffer: &mut [u8]) {
    if getrandom::fill(buffer).is_err() {
        buffer.fill(0);
    }
}
