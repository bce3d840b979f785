//! An Envoy with so many workers and the servers around it, shared by the tests that run at the same time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::Duration;

use xtask::client::{Answer, Client, Connection, Request};
use xtask::envoy::{Envoy, Options};
use xtask::idp::{OidcClient, OidcProvider};
use xtask::registry::{self, ApiToken, Registry};
use xtask::token_endpoint::Scripted;
use xtask::upstream::Echo;

use crate::client_exchange::{HEADERS, PATH, SECRET, with_pair};
use crate::config::{self, Listener};
use crate::gateway::{asked, assert_passed, await_until};

/// How long an exchange takes where it has to last.
pub const SLOW: Duration = Duration::from_millis(600);
/// The life of an `aging` client's tokens.
pub const LIFE: Duration = Duration::from_secs(12);
/// How long a look-up may take.
pub const TIMEOUT: Duration = Duration::from_secs(2);
/// How long the registry's answers are kept where their age matters.
pub const SHORT_CACHE: Duration = Duration::from_secs(2);

/// Which OAuth server stands behind a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// npm `oidc-provider`.
    Real,
    /// One that does what it's told.
    Scripted,
}

/// Scripted endpoints; each has a listener of its name. Those whose behaviour a test changes are that test's own.
const SCRIPTED: &[&str] = &[
    "calm",
    "crowd",
    "away",
    "aging",
    "down",
    "limited",
    "unknown-key",
    "lookup-slow",
    "lookup-failing",
    "lookup-down",
    "lookup-short",
];
/// Listeners before a real server: the first is stopped for a while now and then, the second for good.
const REAL: &str = "real";
const REAL_DOWN: &str = "real-down";
/// The clients of the real server, which can't be added later.
const REAL_CLIENTS: &[&str] = &[
    "good", "thousand", "crowd", "lonely", "guessed", "held", "new", "disabled", "rotated", "away",
];

/// Everything that runs for one number of workers.
pub struct Stage {
    pub envoy: Envoy,
    pub upstream: Echo,
    /// By listener.
    registries: BTreeMap<&'static str, Registry>,
    workers: u32,
    scripted: BTreeMap<&'static str, Scripted>,
    real: OidcProvider,
    /// Taken for writing by who stops the real server for a while, so that nobody else waits for it.
    real_runs: RwLock<()>,
    real_down: Mutex<Option<OidcProvider>>,
    /// Both servers that go down have gone, after a token was obtained.
    gone: [OnceLock<()>; 2],
}

/// The stage of each number of workers, while some test holds it: only two Envoys may run at once.
static STAGES: [Mutex<Weak<Stage>>; 2] = [Mutex::new(Weak::new()), Mutex::new(Weak::new())];

impl Stage {
    /// The stage with two or four workers, started where no other test holds it.
    pub fn with_workers(workers: u32) -> Arc<Stage> {
        let place = &STAGES[usize::from(workers != 2)];
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        place.upgrade().unwrap_or_else(|| {
            let stage = Arc::new(Stage::start(workers));
            *place = Arc::downgrade(&stage);
            stage
        })
    }

    fn start(workers: u32) -> Stage {
        let real_clients = REAL_CLIENTS.iter().map(|id| OidcClient::new(id, SECRET));
        let aging = OidcClient::new("aging", SECRET).ttl(LIFE.as_secs() as u32);
        let real_clients: Vec<_> = real_clients.chain([aging]).collect();
        let scripted: BTreeMap<_, _> = SCRIPTED
            .iter()
            .map(|name| (*name, Scripted::start().unwrap()))
            .collect();
        let real = OidcProvider::start(&real_clients, None).unwrap();
        let real_down = OidcProvider::start(&real_clients, None).unwrap();
        let names = SCRIPTED.iter().chain([&REAL, &REAL_DOWN]);
        let registries: BTreeMap<_, _> = names
            .map(|name| (*name, Registry::start(&[]).unwrap()))
            .collect();
        let upstream = Echo::start().unwrap();
        let mut listeners: Vec<_> = scripted
            .iter()
            .map(|(name, endpoint)| {
                let cache = match *name {
                    "lookup-short" => SHORT_CACHE,
                    _ => Duration::from_secs(60),
                };
                let base = "http://auth.example.com";
                let policy = policy(name, endpoint.issuer(), base, "/oauth2/token", cache);
                Listener::new(name, policy)
            })
            .collect();
        for (name, idp) in [(REAL, &real), (REAL_DOWN, &real_down)] {
            let minute = Duration::from_secs(60);
            let policy = policy(name, idp.issuer(), idp.issuer(), "/token", minute);
            listeners.push(Listener::new(name, policy));
        }
        let mut clusters = vec![
            ("upstream".to_owned(), upstream.port()),
            (REAL.to_owned(), real.port()),
            (REAL_DOWN.to_owned(), real_down.port()),
        ];
        let endpoints = scripted.iter();
        clusters.extend(endpoints.map(|(name, one)| ((*name).to_owned(), one.port())));
        let rows = registries.iter();
        clusters.extend(rows.map(|(name, one)| (format!("registry-{name}"), one.port())));
        let clusters: Vec<_> = clusters
            .iter()
            .map(|(name, port)| (name.as_str(), *port))
            .collect();
        let options = Options::default().workers(workers);
        Stage {
            envoy: Envoy::start(&config::envoy(&listeners, &clusters), options).unwrap(),
            upstream,
            registries,
            workers,
            scripted,
            real,
            real_runs: RwLock::default(),
            real_down: Mutex::new(Some(real_down)),
            gone: Default::default(),
        }
    }

    /// No VM has failed so far, whichever test it was that made it.
    pub fn assert_well(&self) {
        assert_eq!(self.envoy.wasm_failures().unwrap(), []);
        assert_eq!(self.envoy.ended().unwrap(), None);
    }
}

/// The policy of `examples/client-exchange`, before this provider.
fn policy(cluster: &str, issuer: &str, base: &str, token: &str, cache: Duration) -> String {
    format!(
        r#"
version: 1
authenticators:
  pair-token:
    jwt:
      algorithms: [RS256, ES256]
      issuer: "{issuer}"
      keys: [{{remote: {{cluster: {cluster}, url: "{base}/jwks"}}}}]
      claims: {{token_use: access}}
  pair:
    client_credentials:
      from: {HEADERS}
      exchange: provider
      verify: pair-token
      client_claim: client_id
      lookup:
        cluster: registry-{cluster}
        url: "'http://registry{path}' + url_encode(client.id)"
        headers: {{{key_header}: "{key}"}}
        timeout: {timeout}ms
        cache: {cache}ms
        allow_if: metadata.enabled == true
tokens:
  provider:
    exchange: {{cluster: {cluster}, url: "{base}{token}", timeout: 6s, cache_failures: 30s}}
rules:
  - match: {{path: "/api/**"}}
    authenticate: pair
    upstream: {{headers: {{x-plan: metadata.plan, x-tenant: metadata.tenant}}}}
"#,
        path = registry::PATH,
        key_header = registry::KEY_HEADER,
        key = registry::KEY,
        timeout = TIMEOUT.as_millis(),
        cache = cache.as_millis(),
    )
}

/// A stage seen with one of the providers.
pub struct Side<'s> {
    pub stage: &'s Stage,
    provider: Provider,
}

/// One client before one listener.
pub struct Party<'s> {
    pub client: Client,
    pub registry: &'s Registry,
    listener: &'static str,
    pub id: &'static str,
    stage: &'s Stage,
    provider: Provider,
    _real_runs: Option<RwLockReadGuard<'s, ()>>,
}

impl<'s> Side<'s> {
    pub fn new(stage: &'s Stage, provider: Provider) -> Self {
        Self { stage, provider }
    }

    /// A client that the provider and the registry know, before the listener of this name; where the provider is
    /// the real one, before that.
    pub fn party(&self, listener: &'static str, id: &'static str) -> Party<'s> {
        let (listener, runs) = match self.provider {
            Provider::Scripted => {
                self.scripted(listener).set_client(id, &[SECRET]);
                (listener, None)
            }
            Provider::Real if listener == "down" => (REAL_DOWN, None),
            Provider::Real => {
                let runs = self.stage.real_runs.read();
                (REAL, Some(runs.unwrap_or_else(PoisonError::into_inner)))
            }
        };
        let registry = &self.stage.registries[listener];
        registry.put(&ApiToken::new(id, "gold")).unwrap();
        Party {
            registry,
            client: Client::new(self.stage.envoy.address_of(listener).unwrap()),
            listener,
            id,
            stage: self.stage,
            provider: self.provider,
            _real_runs: runs,
        }
    }

    pub fn is_scripted(&self) -> bool {
        self.provider == Provider::Scripted
    }

    /// The scripted endpoint of this name.
    pub fn scripted(&self, name: &str) -> &'s Scripted {
        &self.stage.scripted[name]
    }

    /// The provider of the listener `down` goes away for good, once `held` has its token.
    pub fn take_down(&self) {
        let held = self.party("down", "held");
        self.stage.gone[usize::from(self.provider == Provider::Real)].get_or_init(|| {
            for mut connection in held.connections_on_all_workers() {
                assert_passed(&held.with(connection.post(PATH), SECRET));
            }
            match self.provider {
                Provider::Scripted => self.scripted("down").stop().unwrap(),
                Provider::Real => drop(self.stage.real_down.lock().unwrap().take()),
            }
        });
    }
}

impl Party<'_> {
    /// An order by this client with this secret, on a connection of its own.
    pub fn order(&self, secret: &str) -> Answer {
        self.with(self.client.post(PATH), secret)
    }

    /// Sends a request with this client's id and this secret.
    pub fn with(&self, request: Request<'_>, secret: &str) -> Answer {
        with_pair(request, self.id, secret).send().unwrap()
    }

    /// How often the token endpoint was asked for this client.
    pub fn exchanges(&self) -> usize {
        match self.provider {
            Provider::Scripted => asked(&self.stage.scripted[self.listener], self.id),
            Provider::Real => self.stage.real.asked(self.id).unwrap(),
        }
    }

    /// Does this while exchanges take at least [`SLOW`]. Not for a party whose listener others use.
    pub fn while_slow<T>(&mut self, work: impl FnOnce(&Self) -> T) -> T {
        self.while_taking(SLOW, work)
    }

    /// Does this while exchanges take about this long: the scripted endpoint thinks, the real one's process is
    /// stopped for that time.
    pub fn while_taking<T>(&mut self, time: Duration, work: impl FnOnce(&Self) -> T) -> T {
        match self.provider {
            Provider::Scripted => {
                let endpoint = &self.stage.scripted[self.listener];
                endpoint.set(|settings| settings.token_delay = time);
                let done = work(self);
                endpoint.set(|settings| settings.token_delay = Duration::ZERO);
                done
            }
            Provider::Real => {
                self._real_runs = None;
                let stage = self.stage;
                let alone = stage.real_runs.write();
                let _alone = alone.unwrap_or_else(PoisonError::into_inner);
                stage.real.freeze().unwrap();
                std::thread::scope(|scope| {
                    scope.spawn(move || {
                        std::thread::sleep(time);
                        stage.real.thaw().unwrap();
                    });
                    work(self)
                })
            }
        }
    }

    /// Connections to the listener, at least one on each worker.
    pub fn connections_on_all_workers(&self) -> Vec<Connection> {
        let accepted = |worker: u32| {
            let stats = self.stage.envoy.admin_stats().unwrap();
            let name = format!(
                "listener.{}.worker_{worker}.downstream_cx_active",
                self.listener
            );
            stats.get(&name).copied().unwrap_or_default()
        };
        let mut connections = Vec::new();
        await_until("connections on all workers", || {
            connections.push(self.client.connect().unwrap());
            std::thread::sleep(Duration::from_millis(10));
            (0..self.stage.workers).all(|worker| accepted(worker) > 0)
        });
        connections
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.stage.workers as usize
    }
}
