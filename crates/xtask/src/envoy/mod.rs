//! A real Envoy.

mod binary;

pub use binary::{VERSION, binary};
