//! The functions that a filter imports: proxy-wasm ABI 0.2.1 and the little of WASI that Rust's
//! standard library needs. Those that aren't here trap.

mod body;
mod calls;
mod headers;
mod memory;
mod metrics;
mod properties;
mod shared;
mod stream;
mod wasi;

use crate::status::Status;
use crate::vm::State;
use wasmtime::{Caller, Linker};

/// The VM that makes a host call.
type Guest<'a> = Caller<'a, State>;

/// What a host call comes to, unless it succeeds.
enum Stop {
    /// The filter sees this status.
    Status(Status),
    /// The VM dies of it.
    Trap(String),
}

type Done<T = ()> = Result<T, Stop>;

impl From<Status> for Stop {
    fn from(status: Status) -> Stop {
        Stop::Status(status)
    }
}

fn trap<T>(why: impl Into<String>) -> Done<T> {
    Err(Stop::Trap(why.into()))
}

fn status(done: Done) -> wasmtime::Result<i32> {
    match done {
        Ok(()) => Ok(Status::Ok as i32),
        Err(Stop::Status(status)) => Ok(status as i32),
        Err(Stop::Trap(why)) => Err(wasmtime::Error::msg(why)),
    }
}

/// Defines all of them.
pub(crate) fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    body::define(linker)?;
    calls::define(linker)?;
    headers::define(linker)?;
    metrics::define(linker)?;
    properties::define(linker)?;
    shared::define(linker)?;
    stream::define(linker)?;
    wasi::define(linker)
}
