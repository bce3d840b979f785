//! From a request's target to the one rule that decides it.

mod pattern;
mod router;
mod target;

pub use pattern::{Pattern, PatternError, Segment};
pub use router::{Matched, Router};
pub use target::{MAX_TARGET, Target, TargetError};
