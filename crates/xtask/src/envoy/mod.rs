//! A real Envoy, one for each configuration that a test needs.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use xtask::{envoy::{Envoy, Options}, upstream::Echo};
//!
//! let echo = Echo::start()?;
//! let template = "…port_value: {{upstream}} … filename: {{module}} …";
//! let envoy = Envoy::start(template, Options::default().var("upstream", echo.port()))?;
//! assert_eq!(envoy.client().get("/").send()?.status, 401);
//! assert_eq!(envoy.wasm_failures()?, []);
//! # Ok(()) }
//! ```

mod admin;
mod binary;
mod process;

pub use binary::{VERSION, binary};
pub(crate) use process::own_directory;
pub use process::{Envoy, Options};
