//! What comes from npm: `npm ci` from a committed lock file, once for each version of it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{lock, module::hash, process};

const PATIENCE: Duration = Duration::from_secs(300);

/// Makes `directory/node_modules` what `directory/package-lock.json` says.
pub fn ci(directory: &Path) -> Result<()> {
    let _lock = lock::exclusive("npm", PATIENCE)?;
    let lock_file = directory.join("package-lock.json");
    let wanted = hash(
        &std::fs::read(&lock_file).with_context(|| format!("reading {}", lock_file.display()))?,
    );
    let stamp = directory.join("node_modules/.installed-lock");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    process::progress(&format!("npm ci in {}", directory.display()));
    let mut command = Command::new("npm");
    command
        .args(["ci", "--no-audit", "--no-fund", "--loglevel", "error"])
        .current_dir(directory);
    process::run(&mut command, PATIENCE).context("Node.js 20 or later with npm is needed")?;
    std::fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))
}
