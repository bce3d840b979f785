//! The module as it ships, with callouts that are lost, late and wrong, on a virtual clock.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is test code, which Clippy sees only in functions that are tests themselves"
)]

mod support;

mod bodies;
mod callouts;
mod counters;
mod kong;
mod lives;
