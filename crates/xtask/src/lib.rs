//! Doorward's chores, and the harness its end-to-end tests stand on.

pub mod client;
pub mod demo;
pub mod envoy;
pub mod idp;
pub mod lock;
pub mod module;
pub mod npm;
pub mod paths;
pub mod process;
pub mod server;
pub mod token_endpoint;
pub mod upstream;
