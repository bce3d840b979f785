//! Tokens over four workers of an Envoy of their own: obtained once, replaced without a request,
//! let go when nobody uses them or the upstream refuses them.

use std::time::Duration;

use xtask::client::Client;
use xtask::envoy::{Envoy, Options};
use xtask::token_endpoint::Scripted;
use xtask::upstream::Echo;

use crate::config::{self, Listener};
use crate::gateway::{asked, await_until, own_envoy};

const POLICY: &str = r#"
version: 1
authenticators:
  pair:
    client_credentials:
      from: {id: {header: x-client-id}, secret: {header: x-client-secret}}
      exchange: provider
tokens:
  provider: {exchange: {cluster: endpoint, url: "http://auth.example.com/oauth2/token"}}
rules:
  - {match: {path: "/**"}, authenticate: pair}
"#;

struct Party {
    envoy: Envoy,
    upstream: Echo,
    endpoint: Scripted,
}

impl Party {
    fn start() -> Self {
        let (upstream, endpoint) = (Echo::start().unwrap(), Scripted::start().unwrap());
        for id in ["many", "used", "refused", "new"] {
            endpoint.set_client(id, &["s"]);
        }
        let clusters = [("upstream", upstream.port()), ("endpoint", endpoint.port())];
        let template = config::envoy(&[Listener::new("workers", POLICY)], &clusters);
        let envoy = Envoy::start(&template, Options::default().workers(4)).unwrap();
        Self {
            envoy,
            upstream,
            endpoint,
        }
    }

    fn ask(&self, id: &str) -> u16 {
        let client = Client::new(self.envoy.address_of("workers").unwrap());
        let request = client.get("/").header("x-client-id", id);
        request
            .header("x-client-secret", "s")
            .send()
            .unwrap()
            .status
    }

    fn stat(&self, name: &str) -> u64 {
        let stats = self.envoy.admin_stats().unwrap();
        let name = format!("wasmcustom.doorward.{name}");
        stats.get(&name).copied().unwrap_or_default()
    }
}

#[test]
fn four_workers_share_tokens_replace_those_in_use_and_let_refused_ones_go() {
    let _turn = own_envoy();
    let party = Party::start();
    let endpoint = &party.endpoint;

    // First requests on all workers at once.
    endpoint.set(|settings| settings.token_delay = Duration::from_millis(500));
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| assert_eq!(party.ask("many"), 200));
        }
    });
    assert_eq!(asked(endpoint, "many"), 1);
    assert!((1..=3).contains(&party.stat("exchange.awaited")));

    // Used once, replaced without a request; then nobody uses it.
    endpoint.set(|settings| {
        settings.token_delay = Duration::ZERO;
        settings.lifetime = Duration::from_secs(6);
    });
    assert_eq!(party.ask("used"), 200);
    await_until("a refresh", || asked(endpoint, "used") == 2);
    await_until("the gauge", || party.stat("exchange.tokens_kept") > 0);
    assert!(party.stat("exchange.refreshed") >= 1);
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(asked(endpoint, "used"), 2);

    // An upstream that refuses whatever comes.
    endpoint.set(|settings| settings.lifetime = Duration::from_secs(600));
    assert_eq!(party.ask("refused"), 200);
    party.upstream.set_status(401);
    await_until("another token", || {
        assert_eq!(party.ask("refused"), 401);
        asked(endpoint, "refused") == 3
    });
    let times: Vec<_> = endpoint
        .token_requests()
        .into_iter()
        .filter(|request| request.client_id.as_deref() == Some("refused"))
        .map(|request| request.at)
        .collect();
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] > Duration::from_millis(900), "{times:?}");
    }
    assert!(party.stat("exchange.token_rejected") >= 2);

    // A door that is shut is told from an endpoint that fails.
    endpoint.stop().unwrap();
    assert_eq!(party.ask("new"), 503);
    assert_eq!(party.stat("refused.exchange_unreachable"), 1);
    assert_eq!(party.envoy.wasm_failures().unwrap(), []);
}
