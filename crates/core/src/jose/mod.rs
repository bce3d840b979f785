//! Tokens and keys of JOSE, read strictly and verified.
//!
//! A token is judged in this order, and each step is a call of its own:
//!
//! 1. [`Compact::parse`] takes it apart (RFC 7515 §7.1);
//! 2. the caller looks up [`Compact::algorithm`] in the policy's list;
//! 3. [`KeySet::candidates`] gives the keys that may prove it;
//! 4. [`verify`] checks the signature, with the host's help where it has any;
//! 5. [`Compact::claims`] reads the payload, and [`ClaimRules::check`] judges it.
//!
//! So nothing of a payload is believed, or told to the caller, before the signature is proven.
//!
//! # Why not `jsonwebtoken`
//! It is the oracle of this room's tests. In the module itself the steps are done here, for it
//!
//! - lets the last of several claims of one name win;
//! - ignores `crit` and `b64`, so a token with a critical extension that nobody knows passes;
//! - takes an `iss` that is a list, or, where it is not required, one that is no string at all, and
//!   a `null` for an absent claim; it judges neither `iat` nor how far away `exp` is;
//! - takes HMAC secrets of any length, and leaves a JWK's `use`, `key_ops` and private members to
//!   its caller;
//! - doesn't know ES512, has no place for a host's signature check, sets each key up again at every
//!   call, and brings 680 KB into the module (measured, with its feature `rust_crypto`).
//!
//! A test shows the first three.
//!
//! The arithmetic is done by the RustCrypto crates and `ed25519-dalek`. For RSA that is
//! `crypto-bigint` with the two paddings of RFC 8017 above it: verification is one public power and
//! a comparison, and takes half the size and half the time (measured) of the `rsa` crate, which is a
//! release candidate besides. Its form with a modulus of fixed length is hardly faster in V8 and
//! adds 30 KB.

mod algorithm;
mod claims;
mod compact;
mod error;
pub(crate) mod json;
mod key;
mod keyset;
mod rules;
#[cfg(test)]
mod tests;
mod verify;

pub use algorithm::{Algorithm, Family, Hash, UnknownAlgorithm};
pub use claims::{Claims, MAX_NUMERIC_DATE};
pub use compact::{Compact, DEFAULT_MAX_TOKEN_LEN, MAX_HEADER_MEMBERS, MAX_SIGNATURE_LEN};
pub use error::{KeyError, TokenError};
pub use key::{Key, PrivateKey};
pub use keyset::{KeySet, Limits, MAX_CANDIDATES, SkippedKey};
pub use rules::ClaimRules;
pub use verify::{HostVerifier, NoHost, verify, verify_signature};
