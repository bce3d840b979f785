//! Doorward's chores, and the harness its end-to-end tests stand on.

pub mod envoy;
pub mod lock;
pub mod module;
pub mod npm;
pub mod paths;
pub mod process;
