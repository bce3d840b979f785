//! The database of clients, as a policy's `lookup` asks it: a small service over a real SQLite file.
//!
//! `GET /v1/api-tokens/{id}` answers with what the table `api_tokens` says of a client, to whoever knows the key.
//! Rows can be changed while it runs, and it can be slow, fail, or go away and come back on the same port.

mod database;
mod service;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::sync::oneshot;

use crate::envoy::own_directory;
use crate::server::locked;
use database::Database;
use service::State;

/// What a caller must send in `x-registry-key`.
pub const KEY: &str = "doorward-demo-key-of-the-registry";
/// The header that carries [`KEY`].
pub const KEY_HEADER: &str = "x-registry-key";
/// The path of a client's metadata, without its id.
pub const PATH: &str = "/v1/api-tokens/";

/// A row of `api_tokens`: what the database knows of a client. Its members are those of the JSON answer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ApiToken {
    /// The client's id, the primary key.
    pub id: String,
    /// Whether it may call.
    pub enabled: bool,
    /// What it pays for.
    pub plan: String,
    /// Whom it belongs to.
    pub tenant: String,
}

impl ApiToken {
    /// An enabled client of the tenant `acme`.
    #[must_use]
    pub fn new(id: &str, plan: &str) -> Self {
        Self {
            id: id.to_owned(),
            enabled: true,
            plan: plan.to_owned(),
            tenant: "acme".to_owned(),
        }
    }

    /// One that may not call.
    #[must_use]
    pub fn disabled(self) -> Self {
        Self {
            enabled: false,
            ..self
        }
    }
}

/// A running registry. It ends when this is dropped, or this process ends.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    state: Arc<State>,
    running: Mutex<Option<Running>>,
    directory: PathBuf,
}

/// The thread that serves, and how it's told to end.
#[derive(Debug)]
struct Running {
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Registry {
    /// Starts it on a free port of 127.0.0.1 with these rows.
    pub fn start(rows: &[ApiToken]) -> Result<Self> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), rows)
    }

    /// Starts it at this address with these rows.
    pub fn start_at(address: SocketAddr, rows: &[ApiToken]) -> Result<Self> {
        let directory = own_directory("registry")?;
        let database = Database::create(&directory.join("registry.sqlite"))?;
        for row in rows {
            database.put(row)?;
        }
        let listener = listen(address)?;
        let state = Arc::new(State::new(database));
        let registry = Self {
            address: listener.local_addr()?,
            running: Mutex::new(Some(serve(listener, Arc::clone(&state))?)),
            state,
            directory,
        };
        Ok(registry)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Writes a client's row, whether or not there is one.
    pub fn put(&self, row: &ApiToken) -> Result<()> {
        self.state.database().put(row)
    }

    /// Enables or disables a client that is there.
    pub fn set_enabled(&self, id: &str, enabled: bool) -> Result<()> {
        self.state.database().set_enabled(id, enabled)
    }

    /// Takes a client's row away: 404 from now on.
    pub fn remove(&self, id: &str) -> Result<()> {
        self.state.database().remove(id)
    }

    /// How often it was asked about this client, with the right key or not.
    #[must_use]
    pub fn asked(&self, id: &str) -> usize {
        self.state.asked(id)
    }

    /// From now on each answer takes this long. Default: at once.
    pub fn set_delay(&self, delay: Duration) {
        self.state.set_delay(delay);
    }

    /// From now on each answer has this status and no metadata; `None`: the usual answers.
    pub fn fail_with(&self, status: Option<u16>) {
        self.state.fail_with(status);
    }

    /// Closes the port and all connections: who calls is refused.
    pub fn stop(&self) -> Result<()> {
        let Some(running) = locked(&self.running).take() else {
            return Ok(());
        };
        // Fails only where the thread has ended by itself.
        let _ = running.end.send(());
        let ended = running.thread.join();
        ended.map_err(|_| anyhow!("the registry's thread panicked"))
    }

    /// Listens again on the same port after [`Self::stop`].
    pub fn resume(&self) -> Result<()> {
        self.stop()?;
        *locked(&self.running) = Some(serve(listen(self.address)?, Arc::clone(&self.state))?);
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.stop();
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves in a thread with a runtime of its own: when that is dropped, the port and all connections close with it.
fn serve(listener: TcpListener, state: Arc<State>) -> Result<Running> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the registry's runtime")?;
    let listener = {
        let _entered = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let (end, ended) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("registry".to_owned())
        .spawn(move || {
            runtime.spawn(async move { axum::serve(listener, service::router(state)).await });
            // An error means that the handle is gone, which ends it too.
            let _ = runtime.block_on(ended);
        })?;
    Ok(Running { end, thread })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Answer, Client};
    use serde_json::json;

    fn ask(registry: &Registry, id: &str, key: &str) -> Answer {
        let request = Client::new(registry.address()).get(&format!("{PATH}{id}"));
        request.header(KEY_HEADER, key).send().unwrap()
    }

    #[test]
    fn a_known_client_has_metadata_and_changes_show_at_once() {
        let registry = Registry::start(&[ApiToken::new("a/b", "gold")]).unwrap();
        let row = json!({"id": "a/b", "enabled": true, "plan": "gold", "tenant": "acme"});
        assert_eq!(ask(&registry, "a%2Fb", KEY).json().unwrap(), row);
        registry.set_enabled("a/b", false).unwrap();
        let answer = ask(&registry, "a%2Fb", KEY);
        assert_eq!(answer.at("/enabled"), json!(false));
        registry.put(&ApiToken::new("a/b", "silver")).unwrap();
        assert_eq!(ask(&registry, "a%2Fb", KEY).at("/plan"), json!("silver"));
        registry.remove("a/b").unwrap();
        assert_eq!(ask(&registry, "a%2Fb", KEY).status, 404);
        assert_eq!(registry.asked("a/b"), 4);
        assert!(registry.set_enabled("a/b", true).is_err());
    }

    #[test]
    fn without_the_key_nothing_is_told() {
        let registry = Registry::start(&[ApiToken::new("a", "gold")]).unwrap();
        for id in ["a", "unknown"] {
            assert_eq!(ask(&registry, id, "guess").status, 401, "{id}");
        }
    }

    #[test]
    fn it_fails_on_command_and_goes_away_and_comes_back_with_its_rows() {
        let registry = Registry::start(&[ApiToken::new("a", "gold")]).unwrap();
        registry.fail_with(Some(500));
        assert_eq!(ask(&registry, "a", KEY).status, 500);
        registry.fail_with(None);
        let mut kept = Client::new(registry.address()).connect().unwrap();
        assert_eq!(kept.get(PATH).send().unwrap().status, 404);
        registry.stop().unwrap();
        assert!(kept.get(PATH).send().is_err());
        assert!(Client::new(registry.address()).connect().is_err());
        registry.resume().unwrap();
        assert_eq!(ask(&registry, "a", KEY).status, 200);
    }
}
