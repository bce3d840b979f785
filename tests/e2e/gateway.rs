//! The Envoy that most tests share.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use xtask::client::{Answer, Client, Connection};
use xtask::envoy::{Envoy, Options};
use xtask::idp::OidcProvider;
use xtask::partner::Partner;
use xtask::server::{Head, Received};
use xtask::token_endpoint::Scripted;
use xtask::upstream::Echo;

use crate::config::{self, Listener};
use crate::{
    bodies, client_exchange, client_signed, exchange_replies, four_surfaces, grpc,
    hostile_requests, key_and_token, oauth_clients, observation, outage, policy_forms, real_parts,
    signed_assertion, token_endpoint, upstream_view,
};

/// How long a condition is awaited.
pub const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// Envoy with all listeners, and the servers around it.
pub struct Gateway {
    pub envoy: Envoy,
    pub upstream: Echo,
    pub idp: OidcProvider,
    /// Who runs the same gateway: leads to the listener of [`signed_assertion`].
    pub partner: Partner,
    endpoints: BTreeMap<&'static str, Scripted>,
}

/// Started by whichever test comes first; ends with the process.
pub static GATEWAY: LazyLock<Gateway> = LazyLock::new(|| {
    let endpoints: BTreeMap<_, _> = [client_exchange::ENDPOINTS, exchange_replies::ENDPOINTS]
        .into_iter()
        .flatten()
        .chain(bodies::ENDPOINTS)
        .chain(observation::ENDPOINTS)
        .chain(outage::ENDPOINTS)
        .map(|name| (*name, Scripted::start().unwrap()))
        .collect();
    let idp = OidcProvider::start(&real_parts::clients(), None).unwrap();
    let upstream = Echo::start().unwrap();
    let mut clusters: Vec<_> = endpoints
        .iter()
        .map(|(name, endpoint)| (*name, endpoint.port()))
        .collect();
    let partner = Partner::start().unwrap();
    clusters.extend([
        ("upstream", upstream.port()),
        ("idp", idp.port()),
        ("partner", partner.port()),
    ]);
    let listeners: Vec<Listener> = [
        client_exchange::listeners(),
        client_signed::listeners(),
        exchange_replies::listeners(),
        bodies::listeners(),
        four_surfaces::listeners(),
        grpc::listeners(),
        hostile_requests::listeners(),
        key_and_token::listeners(),
        oauth_clients::listeners(),
        observation::listeners(),
        outage::listeners(),
        policy_forms::listeners(),
        real_parts::listeners(idp.issuer()),
        signed_assertion::listeners(),
        token_endpoint::listeners(),
        upstream_view::listeners(),
    ]
    .concat();
    // The filter's own debug lines must hold no secret either.
    let options = Options::default()
        .component_log_level("wasm:debug")
        .env("HOST_SECRET", policy_forms::HOST_SECRET);
    let envoy = Envoy::start(&config::envoy(&listeners, &clusters), options).unwrap();
    partner.connect(envoy.address_of(signed_assertion::LISTENER).unwrap());
    Gateway {
        envoy,
        upstream,
        idp,
        partner,
        endpoints,
    }
});

/// The turn to start an Envoy of one's own: at most two run at once, and one of them is shared.
pub fn own_envoy() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gateway {
    /// A client of the listener of this name.
    pub fn client(&self, listener: &str) -> Client {
        Client::new(self.envoy.address_of(listener).unwrap())
    }

    /// The token endpoint of this name.
    pub fn endpoint(&self, name: &str) -> &Scripted {
        &self.endpoints[name]
    }

    /// What reached the upstream under this path.
    pub fn passed(&self, path: &str) -> Vec<Received> {
        let requests = self.upstream.requests().into_iter();
        requests.filter(|seen| seen.path == path).collect()
    }

    /// The heads that reached the upstream under this path, whatever became of their bodies.
    pub fn heads(&self, path: &str) -> Vec<Head> {
        let heads = self.upstream.heads().into_iter();
        heads.filter(|head| head.path == path).collect()
    }

    /// No VM has failed so far, whichever test it was that made it.
    pub fn assert_well(&self) {
        assert_eq!(self.envoy.wasm_failures().unwrap(), []);
        assert_eq!(self.envoy.ended().unwrap(), None);
    }

    /// Counters of the filter.
    pub fn counter(&self, name: &str) -> u64 {
        let stats = self.envoy.admin_stats().unwrap();
        let name = format!("wasmcustom.doorward.{name}");
        stats.get(&name).copied().unwrap_or_default()
    }

    /// Connections to a listener, at least one on each worker.
    pub fn connections_on_both_workers(&self, listener: &str) -> Vec<Connection> {
        let address = self.envoy.address_of(listener).unwrap();
        let accepted = |worker: u32| {
            let stats = self.envoy.admin_stats().unwrap();
            let name = format!("listener.{listener}.worker_{worker}.downstream_cx_active");
            stats.get(&name).copied().unwrap_or_default()
        };
        let mut connections = Vec::new();
        await_until("connections on both workers", || {
            connections.push(Client::new(address).connect().unwrap());
            std::thread::sleep(POLL);
            accepted(0) > 0 && accepted(1) > 0
        });
        connections
    }
}

/// Waits until this holds.
pub fn await_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}"
        );
        std::thread::sleep(POLL);
    }
}

/// The requests of the token endpoint that named this client.
pub fn asked(endpoint: &Scripted, id: &str) -> usize {
    let requests = endpoint.token_requests();
    let same =
        |request: &&xtask::token_endpoint::TokenRequest| request.client_id.as_deref() == Some(id);
    requests.iter().filter(same).count()
}

/// The answer is a refusal with this status and public reason.
#[track_caller]
pub fn assert_refused(answer: &Answer, status: u16, reason: &str) {
    let said = answer.at("/reason");
    assert_eq!(
        (answer.status, said.as_str()),
        (status, Some(reason)),
        "{}",
        answer.text()
    );
}

/// The upstream answered; what it saw.
#[track_caller]
pub fn assert_passed(answer: &Answer) -> Received {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.upstream().unwrap()
}
