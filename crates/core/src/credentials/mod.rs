//! What a request carries to say who calls, and who may: where credentials stand, how they
//! are taken out, and the embedded store of clients.

mod basic;
mod clients;
pub mod key_shape;
mod places;
mod secrets;
mod source;

pub use basic::{BasicPair, read_basic};
pub use clients::{ApiKey, Client, ClientIndex, Clients, digest};
pub use places::{Kept, Places};
pub use secrets::{SecretDigest, SecretWorth, judge_secret};
pub use source::{ExtractError, Source, extract, pairs as source_pairs};
