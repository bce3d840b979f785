//! Libraries that clients use, from PyPI: fetched once, as crates/xtask/tools/python.txt pins them.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::module::hash;
use crate::{lock, paths, process};

const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Runs a script that reads one JSON value from its standard input, `order`, and prints one: what it does not accept
/// it raises, and that is the error here.
pub(crate) fn run(script: &str, order: &Value) -> Result<Value> {
    let mut child = Command::new("python3")
        // Authlib warns that it moves its own JOSE half to joserfc, which it uses already.
        .args(["-W", "ignore", "-c", script])
        .env("PYTHONPATH", installed()?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("running python3")?;
    let input = child
        .stdin
        .take()
        .context("python3 has no standard input")?;
    serde_json::to_writer(input, order)?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}", said.lines().last().unwrap_or("python3 said nothing"));
    }
    serde_json::from_slice(&output.stdout).context("what python3 printed")
}

/// Where the pinned releases are, fetched once into `target/python`.
fn installed() -> Result<PathBuf> {
    let _lock = lock::exclusive("python", PATIENCE)?;
    let requirements = paths::root().join("crates/xtask/tools/python.txt");
    let wanted = hash(&std::fs::read(&requirements)?);
    let home = paths::target("python")?;
    let stamp = home.join("installed");
    let place = home.join("site");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(place);
    }
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    process::progress("fetching PyJWT and Authlib");
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
    process::run(&mut pip, PATIENCE)
        .context("fetching PyJWT and Authlib needs Python 3 with pip")?;
    std::fs::write(&stamp, wanted)?;
    Ok(place)
}
