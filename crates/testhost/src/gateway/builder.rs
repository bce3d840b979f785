//! How a gateway is set up.

use super::Gateway;
use crate::Personality;
use crate::filter::Filter;
use crate::foreign::Function;
use crate::log::Log;
use crate::trace::{Place, Trace};
use crate::world::{Properties, World};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// When a gateway's clock begins: 2026-11-21T12:00:00Z, as seconds since the Unix epoch.
const START: u64 = 1_795_262_400;
/// Envoy's `per_connection_buffer_limit_bytes`, as it comes: 1 MiB.
const BUFFER_LIMIT: usize = 1 << 20;

/// What Envoy does with the requests of a VM that crashed. Default: reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailurePolicy {
    /// 503 until the filter is configured anew.
    FailClosed,
    /// The VM starts again with the next request. If it crashes within a second of that, the
    /// requests until the second is over get 503.
    #[default]
    FailReload,
    /// Later requests pass without the filter.
    FailOpen,
}

/// A gateway that isn't started yet.
#[derive(Clone)]
pub struct Builder {
    filter: Filter,
    plugins: Vec<Vec<u8>>,
    settings: Settings,
    properties: Properties,
    foreign: BTreeMap<String, Option<Function>>,
    start: Duration,
    seed: u64,
    queue_latency: Duration,
    shared_memory: Option<usize>,
}

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) personality: Personality,
    pub(super) workers: usize,
    pub(super) stop_iteration: bool,
    pub(super) buffer_limit: usize,
    pub(super) failure_policy: FailurePolicy,
    pub(super) environment: Vec<(String, String)>,
    pub(super) canary: bool,
}

impl Builder {
    pub(super) fn new(filter: &Filter, configuration: Vec<u8>) -> Builder {
        let address = b"192.0.2.1:40000".to_vec();
        Builder {
            filter: filter.clone(),
            plugins: vec![configuration],
            settings: Settings {
                personality: Personality::Envoy,
                workers: 2,
                stop_iteration: false,
                buffer_limit: BUFFER_LIMIT,
                failure_policy: FailurePolicy::FailReload,
                environment: Vec::new(),
                canary: true,
            },
            properties: Properties::from([(b"source\0address".to_vec(), address)]),
            foreign: BTreeMap::new(),
            start: Duration::from_secs(START),
            seed: 1,
            queue_latency: Duration::ZERO,
            shared_memory: None,
        }
    }

    /// The proxy to play. Default: Envoy.
    #[must_use]
    pub fn personality(mut self, personality: Personality) -> Builder {
        self.settings.personality = personality;
        self
    }

    /// The number of workers. Default: 2. A gateway without any sees no request.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Builder {
        self.settings.workers = workers;
        self
    }

    /// One more listener with a configuration of its own. All listeners share the VMs; each
    /// has a root context there. They are counted from 0, in the order of these calls.
    #[must_use]
    pub fn listener(mut self, configuration: impl Into<Vec<u8>>) -> Builder {
        self.plugins.push(configuration.into());
        self
    }

    /// Envoy's `allow_on_headers_stop_iteration`: body callbacks come while the head is
    /// paused. Default: off, then nothing comes until the request is resumed.
    #[must_use]
    pub fn allow_on_headers_stop_iteration(mut self, allow: bool) -> Builder {
        self.settings.stop_iteration = allow;
        self
    }

    /// How many bytes of body Envoy holds for a filter that pauses it; more is answered
    /// with 413. Default: 1 MiB.
    #[must_use]
    pub fn buffer_limit(mut self, bytes: usize) -> Builder {
        self.settings.buffer_limit = bytes;
        self
    }

    /// What Envoy does after a crash. Default: [`FailurePolicy::FailReload`].
    #[must_use]
    pub fn failure_policy(mut self, policy: FailurePolicy) -> Builder {
        self.settings.failure_policy = policy;
        self
    }

    /// A variable of the VMs' environment. Default: none.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Builder {
        let variable = (name.to_owned(), value.to_owned());
        self.settings.environment.push(variable);
        self
    }

    /// A property that every request has, by its path's parts. Default: only
    /// `source.address`, which is `192.0.2.1:40000`.
    #[must_use]
    pub fn property(mut self, path: &[&str], value: impl AsRef<[u8]>) -> Builder {
        let path = path.join("\0").into_bytes();
        self.properties.insert(path, value.as_ref().to_vec());
        self
    }

    /// A function of the proxy's own; `None` as its answer fails with InternalFailure.
    /// Default: in Envoy `verify_signature`, which really verifies (P-256, P-384, P-521, RSA
    /// PKCS#1; SHA-256, -384, -512), and `clear_route_cache`; none in Kong's engine.
    #[must_use]
    pub fn foreign_function(
        mut self,
        name: &str,
        function: impl Fn(&[u8]) -> Option<Vec<u8>> + 'static,
    ) -> Builder {
        let function: Function = Rc::new(function);
        self.foreign.insert(name.to_owned(), Some(function));
        self
    }

    /// Takes a function of the proxy's own away: calling it gives NotFound in Envoy, and traps
    /// in Kong's engine.
    #[must_use]
    pub fn without_foreign_function(mut self, name: &str) -> Builder {
        self.foreign.insert(name.to_owned(), None);
        self
    }

    /// When the clock begins, as time since the Unix epoch. Default: 2026-11-21T12:00:00Z.
    #[must_use]
    pub fn clock(mut self, since_epoch: Duration) -> Builder {
        self.start = since_epoch;
        self
    }

    /// What all randomness that the filter gets comes from. Default: 1.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = seed;
        self
    }

    /// How long a message in a shared queue takes to wake its VM. Default: it is there when
    /// the callback that sent it is over; Envoy takes 50 µs to 0.6 ms.
    #[must_use]
    pub fn queue_latency(mut self, latency: Duration) -> Builder {
        self.queue_latency = latency;
        self
    }

    /// Whether Envoy's canary VM tries the policy first, as it really does. Default: yes.
    /// Without, a gateway starts faster.
    #[must_use]
    pub fn canary(mut self, canary: bool) -> Builder {
        self.settings.canary = canary;
        self
    }

    /// How many bytes the keys and values of shared data may take in all, as Kong's
    /// `nginx_wasm_shm_kv` says: the least recently used make way, and a value that is larger than
    /// all of it is a trap, as any use of it is where there is none (0, Kong's own default).
    /// Default: without bound, as in Envoy.
    #[must_use]
    pub fn shared_memory(mut self, bytes: usize) -> Builder {
        self.shared_memory = Some(bytes);
        self
    }

    /// Starts the VMs and configures them: in Envoy a canary, which is thrown away, the main
    /// thread's and each worker's; in Kong's engine only the workers'. An error where one of
    /// them refuses its configuration or traps.
    pub fn start(self) -> Result<Gateway, PolicyRefused> {
        let mut world = World::new(self.settings.personality, self.start, self.seed);
        world.properties = self.properties;
        if self.settings.personality == Personality::WasmX {
            // By this a filter tells Kong's engine from Envoy.
            let path = b"ngx\0nginx_version".to_vec();
            world.properties.insert(path, b"1027001".to_vec());
        }
        world.foreign.scripted = self.foreign;
        world.queue_latency = self.queue_latency;
        if let Some(bytes) = self.shared_memory {
            world.data.bound(bytes);
        }
        let mut gateway = Gateway {
            filter: self.filter,
            settings: self.settings,
            world: Rc::new(RefCell::new(world)),
            slots: Vec::new(),
            plugins: self.plugins,
            draining: Vec::new(),
            serials: 0,
            endpoint: None,
            seen: 0,
            upstream_status: 200,
        };
        let workers = (0..gateway.settings.workers).map(Place::Worker);
        let places: Vec<Place> = match gateway.personality() {
            Personality::Envoy => [Place::Main].into_iter().chain(workers).collect(),
            Personality::WasmX => workers.collect(),
        };
        gateway.try_in_canary()?;
        for place in places {
            gateway.add_slot(place)?;
        }
        gateway.settle();
        Ok(gateway)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}

/// The filter refused its configuration, or died of it: Envoy would not have started, or would
/// have gone on with the old one.
#[derive(Debug, Clone)]
pub struct PolicyRefused {
    /// What the filter logged.
    pub log: Vec<Log>,
    /// What had happened.
    pub trace: Trace,
}

impl fmt::Display for PolicyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the filter refused its configuration")?;
        self.log.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for PolicyRefused {}
