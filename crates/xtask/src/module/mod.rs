//! Builds `dist/doorward.wasm`.

mod exports;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{lock, npm, paths, process};

/// What the module may weigh, in bytes: it is what a proxy compiles before it serves its first request.
pub const BUDGET: u64 = 1_500_000;

const TARGET: &str = "wasm32-wasip1";
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// What both Envoy's V8 and wasmtime accept. `--all-features` makes a module that Envoy refuses.
const FEATURES: [&str; 8] = [
    "--mvp-features",
    "--enable-bulk-memory",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-simd",
];

/// Set by an outer cargo or by a tool around it for the *host's* build, and wrong for the module's.
const LEAKS: [&str; 14] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTDOCFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_MAKEFLAGS",
    "CARGO_TARGET_DIR",
    "CLIPPY_ARGS",
    "LLVM_PROFILE_FILE",
    "MAKEFLAGS",
    "MFLAGS",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
];

/// Builds the module as it ships and gives its path. Cheap where nothing changed; may be called by many at once.
///
/// It has a target directory of its own, so that it can run inside `cargo test` without waiting for that one's lock.
pub fn build() -> Result<PathBuf> {
    let _lock = lock::exclusive("module", PATIENCE)?;
    let compiled = compile("doorward")?;
    let wasm =
        std::fs::read(&compiled).with_context(|| format!("reading {}", compiled.display()))?;
    let module = paths::root().join("dist/doorward.wasm");
    let stamp = paths::target("module")?.join("finished");
    let recipe = hash(format!("{}{FEATURES:?}{:?}", hash(&wasm), exports::UNUSED).as_bytes());
    let finished = std::fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == recipe);
    if !(finished && module.exists()) {
        finish(&wasm, &module)?;
        std::fs::write(&stamp, recipe)?;
    }
    Ok(module)
}

/// Builds another package of this workspace for the module's target, as the module is built but for what follows
/// the compiler, and gives the path.
pub fn build_beside(package: &str) -> Result<PathBuf> {
    let _lock = lock::exclusive("module", PATIENCE)?;
    compile(package)
}

/// The names of all functions that a module imports and exports.
pub fn names(module: &Path) -> Result<Vec<String>> {
    exports::names(&std::fs::read(module)?)
}

/// The module's size in bytes; an error where it is over [`BUDGET`].
pub fn size(module: &Path) -> Result<u64> {
    let size = std::fs::metadata(module)?.len();
    if size > BUDGET {
        bail!("{}: {size} bytes, the budget is {BUDGET}", module.display());
    }
    Ok(size)
}

/// SHA-256 in lower-case hex.
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn compile(package: &str) -> Result<PathBuf> {
    ensure_target()?;
    process::progress(&format!("building {package} for {TARGET}"));
    let directory = paths::target("module")?;
    let mut command = cargo();
    command
        .args([
            "build",
            "--package",
            package,
            "--lib",
            "--release",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(&directory)
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags()?);
    if !process::watched() {
        command.arg("--quiet");
    }
    process::run(&mut command, PATIENCE)?;
    let file = format!("release/{}.wasm", package.replace('-', "_"));
    Ok(directory.join(TARGET).join(file))
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::root());
    for name in LEAKS {
        command.env_remove(name);
    }
    command
}

/// SIMD is on in every host that matters, and the paths of whoever builds stay out of the module's messages.
fn rust_flags() -> Result<String> {
    let mut flags = vec!["-Ctarget-feature=+simd128".to_owned()];
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    if let Some(home) = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))) {
        flags.push(format!("--remap-path-prefix={}=cargo", paths::text(&home)?));
    }
    flags.push(format!(
        "--remap-path-prefix={}=doorward",
        paths::text(&paths::root())?
    ));
    Ok(flags.join("\u{1f}"))
}

/// rust-toolchain.toml names the target, so rustup brings it; another toolchain may lack it.
fn ensure_target() -> Result<()> {
    let asked = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(paths::root())
        .stderr(Stdio::null())
        .output()
        .context("running rustc")?;
    let libraries = String::from_utf8(asked.stdout).context("rustc --print target-libdir")?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    process::progress(&format!("rustup target add {TARGET}"));
    let mut command = Command::new("rustup");
    command
        .args(["target", "add", TARGET])
        .current_dir(paths::root());
    process::run(&mut command, PATIENCE)
        .with_context(|| format!("the Rust target {TARGET} is missing: install it for the toolchain of rust-toolchain.toml"))
}

/// Removes what the filter doesn't need, optimises, and puts the result in its place in one step.
fn finish(wasm: &[u8], module: &Path) -> Result<()> {
    let tools = paths::root().join("crates/xtask/tools");
    npm::ci(&tools)?;
    process::progress("wasm-opt");
    let work = paths::target("module")?;
    let (lean, optimised) = (work.join("lean.wasm"), work.join("optimised.wasm"));
    std::fs::write(&lean, exports::without_unused(wasm)?)?;
    let mut command = Command::new("node");
    command
        .arg(tools.join("node_modules/binaryen/bin/wasm-opt"))
        .args([
            "-O3",
            "--strip-debug",
            "--strip-producers",
            "--strip-target-features",
        ])
        .args(FEATURES)
        .arg("-o")
        .args([&optimised, &lean]);
    process::run(&mut command, PATIENCE)?;
    if let Some(directory) = module.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::rename(&optimised, module).with_context(|| format!("writing {}", module.display()))
}
