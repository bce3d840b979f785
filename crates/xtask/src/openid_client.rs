//! A client credentials grant by npm's `openid-client`, from `tests/clients`.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{npm, paths};

/// Who asks, and how it proves itself.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Party<'a> {
    /// The issuer: its metadata tell where the token endpoint is.
    pub issuer: &'a str,
    /// How the metadata are found: `oauth2` (RFC 8414) or `oidc` (OpenID Connect Discovery).
    pub algorithm: &'a str,
    /// The client's id.
    pub client: &'a str,
    /// `client_secret_basic`, `client_secret_post` or `private_key_jwt`.
    pub auth: &'a str,
    /// The client's secret, for the first two.
    pub secret: &'a str,
    /// The client's private key on P-256 in PEM, for the third.
    pub key: &'a str,
    /// That key's id.
    pub kid: &'a str,
}

/// What came of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Granted {
    /// The issuer's metadata.
    pub metadata: Value,
    /// The access token.
    pub token: String,
    /// Its claims, verified by the issuer's published keys.
    pub claims: Value,
}

/// Asks for a token. The issuer's host is looked for at `address`, by plain HTTP. What openid-client does not accept
/// is the error.
pub fn grant(address: SocketAddr, party: &Party<'_>) -> Result<Granted> {
    let home = paths::root().join("tests/clients");
    npm::ci(&home)?;
    let mut order = json!(party);
    if let Some(order) = order.as_object_mut() {
        order.insert("base".to_owned(), json!(format!("http://{address}")));
    }
    let mut child = Command::new("node")
        .arg(home.join("client-credentials.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("running node")?;
    let input = child.stdin.take().context("node has no standard input")?;
    serde_json::to_writer(input, &order)?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("openid-client: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("what node printed")
}
