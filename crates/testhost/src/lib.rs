//! A deterministic proxy-wasm 0.2.1 host, to test a filter and its policies with.
//!
//! It runs the real module, as it ships, in as many VMs as a proxy has threads, on a clock that
//! only the test moves. Callouts wait until the test answers them: late, wrongly, cut short,
//! after the client left, or never. One seed gives one run, to the last byte, and
//! [`Gateway::trace`] tells what happened in it.
//!
//! ```no_run
//! use testhost::{Filter, Gateway, Outcome, Span};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let filter = Filter::from_file("dist/doorward.wasm")?;
//! let policy = std::fs::read("policy.yaml")?;
//! let mut gateway = Gateway::builder(&filter, policy).workers(2).start()?;
//!
//! let request = gateway
//!     .request("GET /orders")
//!     .header("x-client-id", "acme")
//!     .header("x-client-secret", "s3cret")
//!     .worker(1)
//!     .send();
//! assert_eq!(request.outcome(), Outcome::Waiting);
//!
//! let token = r#"{"access_token": "t", "token_type": "Bearer", "expires_in": 300}"#;
//! gateway.callout().answer(200, token);
//! let Outcome::Upstream(upstream) = request.outcome() else {
//!     panic!("{}", gateway.trace());
//! };
//! assert_eq!(upstream.headers.get("authorization").as_deref(), Some("Bearer t"));
//!
//! gateway.advance(30.s());
//! # Ok(())
//! # }
//! ```
//!
//! [`Personality`] says which proxy it plays. What it knows of each was measured on the real
//! one; for Envoy the same probe filter runs here and there in this crate's tests.

mod abi;
mod callout;
mod filter;
mod foreign;
mod gateway;
mod headers;
mod log;
mod metrics;
mod personality;
mod queues;
mod random;
mod request;
mod shared_data;
mod signature;
mod span;
mod status;
mod stream;
mod trace;
mod vm;
mod world;

pub use callout::{Answering, Callout, Cluster, Reply};
pub use filter::Filter;
pub use gateway::{Builder, FailurePolicy, Gateway, OpenCall, PolicyRefused, RequestBuilder};
pub use headers::Headers;
pub use log::{Level, Log};
pub use personality::Personality;
pub use request::{LocalReply, Outcome, Request, Upstream};
pub use span::Span;
pub use trace::{Event, Place, Trace};
