//! Starts Envoy on free ports and waits until it serves.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{admin, binary};
use crate::client::Client;
use crate::lock::{self, Lock};
use crate::process::{Server, bound_to_us};
use crate::server::locked;
use crate::{module, paths};

/// Envoys that run at once on this machine, over all test binaries: each compiles the module with all cores.
const AT_ONCE: [&str; 2] = ["envoy-0", "envoy-1"];
/// How long to wait for one of those places.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
const POLL: Duration = Duration::from_millis(20);
/// How long the files of a server that wasn't dropped are kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Lines of the log that an error shows.
const LOG_TAIL: usize = 40;

/// How an Envoy is started.
#[derive(Debug, Clone)]
pub struct Options {
    workers: u32,
    vars: BTreeMap<String, String>,
    env: BTreeMap<String, String>,
    log_level: String,
    component_log_level: String,
    timeout: Duration,
}

impl Default for Options {
    /// Two workers, 60 s to become ready, log level warning (info of the filter).
    fn default() -> Self {
        Self {
            workers: 2,
            vars: BTreeMap::new(),
            env: BTreeMap::new(),
            log_level: "warning".to_owned(),
            component_log_level: "wasm:info".to_owned(),
            timeout: Duration::from_secs(60),
        }
    }
}

impl Options {
    /// The number of worker threads.
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// Replaces `{{name}}` in the configuration by this value. `{{module}}` is the filter, built where it must be,
    /// unless it is set here.
    #[must_use]
    pub fn var(mut self, name: &str, value: impl Display) -> Self {
        self.vars.insert(name.to_owned(), value.to_string());
        self
    }

    /// Sets a variable of Envoy's environment (for `host_env_keys`).
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The log level: trace, debug, info, warning, error.
    #[must_use]
    pub fn log_level(mut self, level: &str) -> Self {
        self.log_level = level.to_owned();
        self
    }

    /// Log levels of single components, such as `wasm:debug,http:trace`, instead of `wasm:info`.
    #[must_use]
    pub fn component_log_level(mut self, levels: &str) -> Self {
        self.component_log_level = levels.to_owned();
        self
    }

    /// How long it may take to become ready, or to refuse its configuration.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The configuration with its variables in place.
    fn fill(&self, template: &str) -> Result<String> {
        let mut filled = template.to_owned();
        if template.contains("{{module}}") && !self.vars.contains_key("module") {
            filled = filled.replace("{{module}}", paths::text(&module::build()?)?);
        }
        for (name, value) in &self.vars {
            filled = filled.replace(&format!("{{{{{name}}}}}"), value);
        }
        if let Some((_, rest)) = filled.split_once("{{") {
            let name: String = rest
                .chars()
                .take_while(|each| each.is_alphanumeric() || *each == '_')
                .collect();
            if !name.is_empty()
                && rest
                    .get(name.len()..)
                    .is_some_and(|rest| rest.starts_with("}}"))
            {
                bail!("the Envoy configuration names {{{{{name}}}}}, which no option sets");
            }
        }
        if !filled.lines().any(|line| line.starts_with("admin:")) {
            filled.push_str(
                "\nadmin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n",
            );
        }
        Ok(filled)
    }
}

/// A running Envoy, which ends when this is dropped, or this process ends.
///
/// Its listeners should ask for port 0: no port can then be taken by another. [`Envoy::address_of`] tells what the
/// system chose. The admin interface is added where the configuration has none.
#[derive(Debug)]
pub struct Envoy {
    // Dropped in this order: the process first, then its place among those that run.
    server: Mutex<Server>,
    directory: PathBuf,
    admin: SocketAddr,
    listeners: Vec<(String, SocketAddr)>,
    _place: Lock,
}

/// An Envoy that was started, and may or may not come up.
struct Starting {
    server: Server,
    directory: PathBuf,
    place: Lock,
}

impl Envoy {
    /// Starts an Envoy with this configuration and waits until it serves. At most two run at once on this machine;
    /// a third waits for its turn, so nothing should hold two while it asks for another.
    pub fn start(template: &str, options: Options) -> Result<Self> {
        let mut starting = Starting::launch(template, &options)?;
        let deadline = Instant::now() + options.timeout;
        loop {
            if let Some(status) = starting.server.ended()? {
                bail!(
                    "Envoy ended with {status} before it was ready:\n{}",
                    tail(&starting.directory)
                );
            }
            if let Some((admin, listeners)) = starting.ready() {
                let Starting {
                    server,
                    directory,
                    place,
                } = starting;
                return Ok(Self {
                    server: Mutex::new(server),
                    directory,
                    admin,
                    listeners,
                    _place: place,
                });
            }
            if Instant::now() > deadline {
                bail!(
                    "Envoy was not ready after {:?}:\n{}",
                    options.timeout,
                    tail(&starting.directory)
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// Starts an Envoy that must end by itself with a failure, as it does when the filter refuses its policy, and
    /// gives its log.
    pub fn start_expecting_refusal(template: &str, options: Options) -> Result<String> {
        let mut starting = Starting::launch(template, &options)?;
        let deadline = Instant::now() + options.timeout;
        loop {
            if let Some(status) = starting.server.ended()? {
                let log = read_log(&starting.directory)?;
                if status.success() {
                    bail!("Envoy ended without an error:\n{log}");
                }
                std::fs::remove_dir_all(&starting.directory)?;
                return Ok(log);
            }
            if starting.ready().is_some() {
                bail!(
                    "Envoy accepted the configuration:\n{}",
                    tail(&starting.directory)
                );
            }
            if Instant::now() > deadline {
                bail!(
                    "Envoy neither refused nor served after {:?}:\n{}",
                    options.timeout,
                    tail(&starting.directory)
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// The first listener's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listeners
            .first()
            .map_or(self.admin, |(_, address)| *address)
    }

    /// The address of the listener of this name.
    pub fn address_of(&self, listener: &str) -> Result<SocketAddr> {
        let found = self.listeners.iter().find(|(name, _)| name == listener);
        found
            .map(|(_, address)| *address)
            .with_context(|| format!("no listener is called {listener:?}"))
    }

    /// The URL of a path at the first listener.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// A client of the first listener.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.address())
    }

    /// The admin interface's address.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// Counters and gauges by name.
    pub fn admin_stats(&self) -> Result<BTreeMap<String, u64>> {
        admin::stats(self.admin)
    }

    /// Every counter that tells of a VM that failed, by name, where it isn't 0. Empty is good.
    pub fn wasm_failures(&self) -> Result<Vec<(String, u64)>> {
        Ok(admin::wasm_failures(self.admin_stats()?, &self.log()?))
    }

    /// All it has logged so far, access logs to stdout and stderr included.
    pub fn log(&self) -> Result<String> {
        read_log(&self.directory)
    }

    /// Waits for a log line that contains `needle`, and gives it.
    pub fn wait_for_log(&self, needle: &str, patience: Duration) -> Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(line) = self.log()?.lines().find(|line| line.contains(needle)) {
                return Ok(line.to_owned());
            }
            if Instant::now() > deadline {
                bail!(
                    "no log line has {needle:?} after {patience:?}:\n{}",
                    tail(&self.directory)
                );
            }
            std::thread::sleep(POLL);
        }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        locked(&self.server).pid()
    }

    /// How it ended, if it did.
    pub fn ended(&self) -> Result<Option<ExitStatus>> {
        locked(&self.server).ended()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // A failed test leaves its log and configuration to be read.
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

impl Starting {
    fn launch(template: &str, options: &Options) -> Result<Self> {
        let config = options.fill(template)?;
        let binary = binary()?;
        let place = lock::one_of(&AT_ONCE, PATIENCE)?;
        let directory = own_directory("envoy")?;
        std::fs::write(directory.join("envoy.yaml"), config)?;
        let log = File::create(directory.join("log"))?;
        let mut command = bound_to_us(binary.as_os_str());
        command
            .arg("--config-path")
            .arg(directory.join("envoy.yaml"))
            .arg("--admin-address-path")
            .arg(directory.join("admin"))
            .args([
                "--disable-hot-restart",
                "--concurrency",
                &options.workers.to_string(),
            ])
            .args(["--log-level", &options.log_level])
            .args(["--component-log-level", &options.component_log_level])
            .envs(&options.env)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(Self {
            server: Server::start(command)?,
            directory,
            place,
        })
    }

    /// Its addresses, once it serves.
    fn ready(&self) -> Option<(SocketAddr, Vec<(String, SocketAddr)>)> {
        let admin = std::fs::read_to_string(self.directory.join("admin"))
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let listeners = admin::listeners_when_ready(admin).ok()??;
        Some((admin, listeners))
    }
}

/// A directory of its own below `target/run`, for one server's files. Those of the day before are removed: a server
/// that ends with its process leaves them.
pub(crate) fn own_directory(kind: &str) -> Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    if number == 0 {
        remove_old(&paths::target("run")?)?;
    }
    paths::target(&format!("run/{kind}-{}-{number}", std::process::id()))
}

fn remove_old(directory: &Path) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let age = entry
            .metadata()
            .and_then(|about| about.modified())
            .ok()
            .and_then(|then| then.elapsed().ok());
        if age.is_some_and(|age| age > KEPT) {
            // Another process may be doing the same.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

fn read_log(directory: &Path) -> Result<String> {
    let bytes = std::fs::read(directory.join("log"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn tail(directory: &Path) -> String {
    let log = read_log(directory).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    lines
        .get(lines.len().saturating_sub(LOG_TAIL)..)
        .unwrap_or_default()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_and_gets_an_admin_interface_once() {
        let options = Options::default().var("port", 80).var("b", "x");
        let filled = options.fill("a: {{port}} {{b}} {c: {d: 1}}").unwrap();
        assert!(filled.starts_with("a: 80 x {c: {d: 1}}\nadmin: "));
        assert_eq!(options.fill("admin: {}").unwrap(), "admin: {}");
    }

    #[test]
    fn a_variable_that_nobody_set_is_named() {
        let error = Options::default()
            .fill("a: {{idp_port}}")
            .unwrap_err()
            .to_string();
        assert!(error.contains("{{idp_port}}"), "{error}");
    }
}
