//! All of Doorward's logic, with no proxy, no clock and no I/O in it.
//!
//! A request's story is told in [`decide`]; the rooms below are its parts. Whatever runs the
//! core (the filter, a test, the command line) gives it a [`host::Host`] and an
//! [`engine::Engine`] to run in.
#![forbid(unsafe_code)]

pub mod authenticate;
pub mod authorize;
pub mod budget;
mod cache;
pub mod credentials;
pub mod decide;
pub mod engine;
pub mod expression;
pub mod forward;
pub mod host;
pub mod http;
pub mod issue;
pub mod jose;
pub mod keys;
pub mod lookup;
pub mod observe;
pub mod policy;
pub mod publish;
pub mod reply;
pub mod route;
pub mod tokens;
mod variables;
