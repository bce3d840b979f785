//! PyJWT, a library that real clients sign their tokens with.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::module::hash;
use crate::{lock, paths, process};

const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Reads `{claims, key, algorithm, headers}` and prints the token.
const SIGN: &str = "import json, jwt, sys; a = json.load(sys.stdin); \
    print(jwt.encode(a['claims'], a['key'], algorithm=a['algorithm'], headers=a['headers']))";

/// Signs these claims: by `HS256`, … with the secret, or by `ES256`, … with the private key in PEM.
pub fn sign(claims: &Value, algorithm: &str, key: &str, kid: Option<&str>) -> Result<String> {
    let headers = kid.map_or_else(|| json!({}), |kid| json!({"kid": kid}));
    let order = json!({"claims": claims, "key": key, "algorithm": algorithm, "headers": headers});
    let mut child = Command::new("python3")
        .args(["-c", SIGN])
        .env("PYTHONPATH", installed()?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("running python3")?;
    let input = child
        .stdin
        .take()
        .context("python3 has no standard input")?;
    serde_json::to_writer(input, &order)?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("PyJWT: {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Where the pinned release is, fetched once into `target/pyjwt`.
fn installed() -> Result<PathBuf> {
    let _lock = lock::exclusive("pyjwt", PATIENCE)?;
    let requirements = paths::root().join("crates/xtask/tools/pyjwt.txt");
    let wanted = hash(&std::fs::read(&requirements)?);
    let home = paths::target("pyjwt")?;
    let stamp = home.join("installed");
    let place = home.join("site");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(place);
    }
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    process::progress("fetching PyJWT");
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ])
    .args(["--only-binary=:all:", "--require-hashes", "--requirement"])
    .arg(&requirements)
    .arg("--target")
    .arg(&place);
    process::run(&mut pip, PATIENCE).context("fetching PyJWT needs Python 3 with pip")?;
    std::fs::write(&stamp, wanted)?;
    Ok(place)
}
