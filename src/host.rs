//! The core's host over this proxy.

use crate::counters::Counters;
use crate::envoy::Verifier;
use crate::hostcalls;
use crate::wake::Wake;
use doorward_core::host::{Call, DispatchError, Host, Level, Shared};
use doorward_core::jose::HostVerifier;
use doorward_core::observe::{Event, Gauge};
use std::cell::RefCell;
use std::time::Duration;

/// The proxy, as one root context sees it.
#[derive(Debug)]
pub struct ProxyHost {
    /// How this root context and those of other workers are woken.
    pub wake: Wake,
    /// What is counted.
    pub counters: Counters,
    gauges: RefCell<Vec<(Gauge, u32)>>,
    /// The proxy's own signature check.
    pub verifier: Verifier,
}

impl ProxyHost {
    /// The proxy, with a queue of this root context's own under a name that no other VM has.
    /// `policy`: see [`Wake::new`].
    pub fn new(policy: Option<[u8; 8]>) -> ProxyHost {
        let mut name = [0; 16];
        fill_random(&mut name);
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let host = ProxyHost {
            wake: Wake::new(&name, policy),
            counters: Counters::default(),
            gauges: RefCell::default(),
            verifier: Verifier::default(),
        };
        host.wake.announce(host.now());
        host
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
        self.wake.itself();
    }

    fn wake_others(&self) {
        self.wake.others(self.now());
    }

    fn log(&self, level: Level, line: &str) {
        log(level, line);
    }

    fn count(&self, event: Event) {
        self.counters.add(event);
    }

    fn gauge(&self, gauge: Gauge, value: u64) {
        let mut gauges = self.gauges.borrow_mut();
        if !gauges.iter().any(|(other, _)| *other == gauge)
            && let Ok(metric) = hostcalls::define_gauge(gauge.name())
        {
            gauges.push((gauge, metric));
        }
        for (_, metric) in gauges.iter().filter(|(other, _)| *other == gauge) {
            hostcalls::record(*metric, value);
        }
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
