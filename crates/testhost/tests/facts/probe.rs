//! Builds the probe.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use testhost::Filter;
use xtask::{paths, process};

/// The built module's path.
pub static MODULE: LazyLock<PathBuf> = LazyLock::new(|| {
    let _lock = xtask::lock::exclusive("probe", Duration::from_secs(600)).unwrap();
    let target = paths::target("probe").unwrap();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What an outer cargo or a tool around it set is for the host's build.
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
    ] {
        command.env_remove(name);
    }
    command
        .current_dir(paths::root().join("crates/testhost/probe"))
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--target",
            "wasm32-wasip1",
        ])
        .arg("--target-dir")
        .arg(&target);
    process::run(&mut command, Duration::from_secs(600)).unwrap();
    target.join("wasm32-wasip1/release/probe.wasm")
});

/// Compiled once for all tests of this binary.
pub static FILTER: LazyLock<Filter> = LazyLock::new(|| Filter::from_file(&*MODULE).unwrap());
