//! A compiled filter.

use crate::abi;
use crate::vm::State;
use anyhow::{Context, Result};
use std::path::Path;
use wasmtime::{Config, Engine, InstancePre, Linker, Module, OptLevel};

/// A compiled filter, ready to be started many times. Compiling takes a second or so; a clone
/// costs nothing, and may be sent to another thread.
#[derive(Clone)]
pub struct Filter {
    pub(crate) ready: InstancePre<State>,
    /// Whether its VMs count their instructions.
    pub(crate) metered: bool,
}

impl Filter {
    /// Compiles a module of proxy-wasm ABI 0.2.1. Imports that this host doesn't have trap
    /// when they are called. An error where it is no module.
    pub fn from_bytes(wasm: &[u8]) -> Result<Filter> {
        Filter::compile(wasm, false)
    }

    /// The same, whose VMs count what they execute: see
    /// [`Gateway::instructions`](crate::Gateway::instructions). They run at about half the speed.
    pub fn metered(wasm: &[u8]) -> Result<Filter> {
        Filter::compile(wasm, true)
    }

    fn compile(wasm: &[u8], metered: bool) -> Result<Filter> {
        let mut config = Config::new();
        config.cranelift_opt_level(OptLevel::Speed);
        config.consume_fuel(metered);
        let engine = Engine::new(&config)?;
        let module = Module::new(&engine, wasm)?;
        let mut linker = Linker::new(&engine);
        abi::define(&mut linker)?;
        linker.define_unknown_imports_as_traps(&module)?;
        Ok(Filter {
            ready: linker.instantiate_pre(&module)?,
            metered,
        })
    }

    /// The same, from a file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Filter> {
        let path = path.as_ref();
        let wasm = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        Filter::from_bytes(&wasm)
    }
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter").finish_non_exhaustive()
    }
}
