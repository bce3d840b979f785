//! What the caller is told: reasons, bodies and challenges.

mod challenge;
mod format;
mod reason;

pub use challenge::{Challenge, Scheme};
pub use format::ErrorFormat;
pub use reason::{
    EXCHANGE_LIMITED, GRANT_UNSUPPORTED, PUBLIC_REASONS, PublicReason, RATE_LIMITED, Reason,
};
