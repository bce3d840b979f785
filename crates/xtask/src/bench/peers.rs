//! The servers around the Envoy that is measured, and its configuration.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::inputs::{PAIRS, api_key, pair};
use super::lanes::Lane;
use super::policies;
use crate::envoy::{Envoy, Options};
use crate::module;
use crate::process::{Server, bound_to_us};
use crate::token_endpoint::Scripted;

/// How long Envoy may take to start: it compiles the module for each VM, and reads 100,000 keys.
const PATIENCE: Duration = Duration::from_secs(180);
/// The life of the pairs' tokens: longer than any run.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// API keys that the external authorization server knows.
const KEYS: usize = 1_000;

/// The external authorization server.
pub struct Authorizer {
    server: Server,
    /// Where it listens.
    pub port: u16,
}

impl Authorizer {
    /// Starts it as a process of its own, so that its CPU time can be told.
    pub fn start(native: &Path) -> Result<Self> {
        let jwk = policies::jwk("ES256")?;
        let mut point = "04".to_owned();
        for name in ["x", "y"] {
            let text = jwk
                .get(name)
                .and_then(Value::as_str)
                .context("a coordinate")?;
            let bytes = URL_SAFE_NO_PAD.decode(text)?;
            point.extend(bytes.iter().map(|byte| format!("{byte:02x}")));
        }
        let mut command = bound_to_us(native.as_os_str());
        command
            .arg("authorize")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut server = Server::start(command)?;
        let mut input = server.stdin().context("the authorization server's input")?;
        writeln!(input, "{point}")?;
        for number in 0..KEYS {
            writeln!(input, "{}", module::hash(api_key(number).as_bytes()))?;
        }
        drop(input);
        let output = server
            .stdout()
            .context("the authorization server's output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let port = line
            .trim()
            .parse()
            .context("the authorization server's port")?;
        Ok(Self { server, port })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }
}

/// A token endpoint that knows all pairs.
pub fn token_endpoint() -> Result<Scripted> {
    let idp = Scripted::start()?;
    for number in 0..PAIRS {
        let (id, secret) = pair(number);
        idp.set_client(&id, &[&secret]);
    }
    idp.set(|settings| {
        settings.algorithm = Algorithm::ES256;
        settings.lifetime = LIFETIME;
    });
    Ok(idp)
}

/// Starts the Envoy: one worker, a listener for each lane.
pub fn envoy(lanes: &[Lane], idp: u16, authorizer: u16) -> Result<Envoy> {
    let listeners: Vec<_> = lanes
        .iter()
        .map(|lane| listener(lane.name, &lane.filters))
        .collect();
    start(
        &listeners,
        &[cluster("idp", idp), cluster("authorizer", authorizer)],
    )
}

/// Starts an Envoy with one worker.
pub fn start(listeners: &[Value], clusters: &[Value]) -> Result<Envoy> {
    let resources = json!({"listeners": listeners, "clusters": clusters});
    let options = Options::default().workers(1).timeout(PATIENCE);
    Envoy::start(&format!("static_resources: {resources}\n"), options)
}

/// A listener with these filters, which answers by itself.
pub fn listener(name: &str, filters: &[Value]) -> Value {
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    });
    let filters: Vec<_> = filters.iter().cloned().chain([router]).collect();
    // Answered by Envoy itself, so that no upstream's cost is in the figures.
    let route = json!({
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
    });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "use_remote_address": true,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": filters,
    });
    json!({
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
        ]}],
    })
}

fn cluster(name: &str, port: u16) -> Value {
    let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    json!({
        "name": name,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    })
}
