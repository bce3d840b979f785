//! A real OAuth server: npm `oidc-provider`, from `demo/idp`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::envoy::own_directory;
use crate::process::{Server, bound_to_us};
use crate::{npm, paths};

const READY: Duration = Duration::from_secs(30);

/// A client that the server knows.
#[derive(Debug, Clone, Serialize)]
pub struct OidcClient {
    id: String,
    secret: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
}

impl OidcClient {
    /// A client that proves itself by HTTP Basic and gets RS256 tokens.
    #[must_use]
    pub fn new(id: &str, secret: &str) -> Self {
        let (id, secret) = (id.to_owned(), secret.to_owned());
        Self {
            id,
            secret,
            scopes: Vec::new(),
            auth: None,
            alg: None,
            ttl: None,
        }
    }

    /// The scopes that it may ask for. It gets those that it asks for, and none by itself.
    #[must_use]
    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        self
    }

    /// How it proves itself instead: `client_secret_post`, …
    #[must_use]
    pub fn auth(mut self, method: &str) -> Self {
        self.auth = Some(method.to_owned());
        self
    }

    /// Gets ES256 tokens.
    #[must_use]
    pub fn es256(mut self) -> Self {
        self.alg = Some("ES256".to_owned());
        self
    }

    /// The life of its tokens in seconds, instead of an hour.
    #[must_use]
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.ttl = Some(seconds);
        self
    }
}

/// What was asked of the server since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Counts {
    /// Requests of the token endpoint.
    pub token: u64,
    /// Requests of the published keys.
    pub jwks: u64,
}

/// A running server. It ends when this is dropped, or this process ends.
#[derive(Debug)]
pub struct OidcProvider {
    server: Server,
    address: SocketAddr,
    issuer: String,
    directory: PathBuf,
}

impl OidcProvider {
    /// Starts it on a free port with these clients. `issuer` is the `iss` of its tokens; its address where `None`.
    pub fn start(clients: &[OidcClient], issuer: Option<&str>) -> Result<Self> {
        let home = paths::root().join("demo/idp");
        npm::ci(&home)?;
        let directory = own_directory("idp")?;
        let mut command = bound_to_us("node".as_ref());
        command
            .arg(home.join("server.mjs"))
            .env("CLIENTS", serde_json::to_string(clients)?)
            .env("EXIT_WITH_STDIN", "1")
            .env("HOST", "127.0.0.1")
            .env("PORT", "0")
            .env_remove("ISSUER")
            .env_remove("TTL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(directory.join("log"))?);
        if let Some(issuer) = issuer {
            command.env("ISSUER", issuer);
        }
        let mut server = Server::start(command)?;
        let Some(port) = ready_port(&mut server) else {
            let log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
            bail!("the OAuth server was not ready after {READY:?}:\n{log}");
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let issuer = issuer.map_or_else(|| format!("http://{address}"), str::to_owned);
        Ok(Self {
            server,
            address,
            issuer,
            directory,
        })
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

    /// The `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The token endpoint.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// The published keys.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("http://{}/jwks", self.address)
    }

    /// How often it was asked.
    pub fn counts(&self) -> Result<Counts> {
        let json = Client::new(self.address).get("/__stats").send()?.json()?;
        serde_json::from_value(json).context("the OAuth server's counts")
    }

    /// How often the token endpoint was asked by this client, as HTTP Basic named it.
    pub fn asked(&self, id: &str) -> Result<usize> {
        let json = Client::new(self.address).get("/__stats").send()?.json()?;
        let counts = json
            .get("token_by_client")
            .context("the counts by client")?;
        let count = counts.get(id).and_then(serde_json::Value::as_u64);
        Ok(usize::try_from(count.unwrap_or_default())?)
    }

    /// Stops the process where it is: whoever asks waits until [`Self::thaw`].
    pub fn freeze(&self) -> Result<()> {
        self.server.signal("STOP")
    }

    /// Lets the process go on.
    pub fn thaw(&self) -> Result<()> {
        self.server.signal("CONT")
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// Waits for `ready PORT`.
fn ready_port(server: &mut Server) -> Option<u16> {
    let output = BufReader::new(server.stdout()?);
    let (sender, lines) = mpsc::channel();
    // Reads on after that line: a full pipe would stop the server.
    std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let deadline = std::time::Instant::now() + READY;
    loop {
        let line = lines
            .recv_timeout(deadline.saturating_duration_since(std::time::Instant::now()))
            .ok()?;
        if let Some(port) = line.strip_prefix("ready ") {
            return port.trim().parse().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_a_token_like_cognitos_and_a_wrong_secret_doesnt() {
        let clients = [
            OidcClient::new("a", "s").scopes(&["orders"]),
            OidcClient::new("e", "s").es256(),
        ];
        let idp = OidcProvider::start(&clients, Some("http://idp:9000")).unwrap();
        let ask = |basic: &str| {
            let request = Client::new(idp.address())
                .post("/token")
                .header("authorization", basic);
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            request
                .body("grant_type=client_credentials")
                .send()
                .unwrap()
        };
        for (basic, algorithm) in [("Basic YTpz", "RS256"), ("Basic ZTpz", "ES256")] {
            let answer = ask(basic);
            assert_eq!(answer.status, 200, "{}", answer.text());
            let token = answer.at("/access_token").as_str().unwrap().to_owned();
            let header = jsonwebtoken::decode_header(&token).unwrap();
            assert_eq!(format!("{:?}", header.alg), algorithm);
            let claims = jsonwebtoken::dangerous::insecure_decode::<serde_json::Value>(&token)
                .unwrap()
                .claims;
            assert_eq!(
                (claims["token_use"].as_str(), claims["iss"].as_str()),
                (Some("access"), Some("http://idp:9000"))
            );
        }
        assert_eq!(ask("Basic YTp4").status, 401);
        assert_eq!(idp.counts().unwrap(), Counts { token: 3, jwks: 0 });
    }
}
