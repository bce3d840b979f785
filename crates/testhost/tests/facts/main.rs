//! What this host knows of real proxies, fact by fact, with a filter that does as it is told.
//!
//! The rows of `table` run in the host and in a real Envoy: where the two disagree, the host is
//! wrong. Kong's engine can't be run here; its rows are what was observed there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is test code, which Clippy sees only in functions that are tests themselves"
)]

mod envoy;
mod model;
mod probe;
mod table;
mod wasmx;
