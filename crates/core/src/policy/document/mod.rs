//! From configuration bytes to typed structs, with every error and its place.
//!
//! [`read`] turns YAML, JSON or a binary `google.protobuf.Struct` into a tree of [`Node`]s that
//! remember their line and column. [`decode()`] turns the tree into the raw structs of the policy,
//! replaces `${NAME}` on the way, and reports all problems at once. Whoever checks the raw
//! structs further places a problem with [`problem_at`].
//!
//! Nothing here prints a value of the document: it may be a secret.

mod decode;
mod environment;
mod expression;
mod node;
mod path;
mod problem;
mod protobuf;
mod read;
#[cfg(feature = "schema")]
mod schema;
mod secret;
mod suggest;
mod value_types;
mod yaml;

pub use decode::{MAX_PROBLEMS, decode, recover};
pub use environment::MAX_REPLACED_BYTES;
pub use expression::ExpressionSource;
pub use node::{Entry, Mark, Node, Value};
pub use path::{Path, Segment};
pub use problem::{Problem, problem_at};
pub use read::{MAX_BYTES, MAX_DEPTH, MAX_NODES, read};
pub use secret::{Json, Secret};
pub use suggest::suggest;
pub use value_types::{Duration, MAX_DURATION, MapOr, OneOrMany, Timestamp};

#[cfg(test)]
mod tests;
