//! Tokens that the gateway obtains, or signs itself ([`Signing`]): how they are asked for, kept
//! and shared.
//!
//! A token lives in two places. Each worker holds what it used lately, with the claims
//! already verified ([`Held`]); all workers share a board of a fixed number of slots
//! ([`Slots`]), which also carries what must not be asked again for a while and who is
//! asking right now, so that one pair's first requests on all workers make one call. Tokens
//! on the board are sealed ([`Seal`]): only who holds the pair can read or place them.

mod exchange;
mod held;
mod known;
mod obtain;
mod pair;
mod refresh;
mod reply;
mod resilience;
mod seal;
mod signed;
mod slots;

pub use exchange::{ClientAuth, Exchange, Pointers};
pub use held::{Bearer, Held, HeldTokens, Injected, Verified};
pub use known::{Failed, Lookup, Tokens};
pub use pair::{Pair, SlotKey};
pub use resilience::{Breaker, BreakerSettings, Retry};
pub use seal::Seal;
pub use signed::{RESERVED, SignError, Signed, Signer, Signing, SigningKeys};
pub use slots::{Failure, SLOTS, Slot, Slots, Times, token_head};
