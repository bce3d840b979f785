//! A real Envoy, one for each configuration that a test needs.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use xtask::{envoy::{Envoy, Options}, module, upstream::Echo};
//!
//! let echo = Echo::start()?;
//! let options = Options::default().var("module", module::build()?.display()).var("upstream", echo.port());
//! let envoy = Envoy::start(include_str!("envoy.yaml"), options)?;
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
