//! The database's word about a client: asked for over HTTP, kept for a while.
//!
//! It is kept in each worker and not on the shared board: what it says decides who gets in,
//! and other plugins may write there.

mod ask;
mod known;

pub use ask::Lookups;
pub use known::{Known, LookupKey, Outcome};

use crate::expression::Expression;
use crate::policy::document::Secret;
use std::time::Duration;

/// How to ask for what the database knows of a client.
#[derive(Debug)]
pub struct Lookup {
    /// The authenticator's name, for logs.
    pub name: String,
    /// The proxy's cluster.
    pub cluster: String,
    /// The URL.
    pub url: Expression,
    /// More headers, names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// How long a call may take.
    pub timeout: Duration,
    /// How long an answer is kept.
    pub cache: Duration,
    /// What must hold of the answer.
    pub allow_if: Option<Expression>,
}
