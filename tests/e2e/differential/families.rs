//! The families of tokens, and what the RFCs say about each.

use crate::differential::{claims_families, header_families, signature_families};
use crate::forge::Forge;

/// What a verifier of the differential run's policy must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The token is good.
    Accept,
    /// The RFCs or the policy refuse it.
    Refuse,
    /// The RFCs leave it to the verifier. Doorward refuses; the text says why.
    Open(&'static str),
}

/// Tokens that differ from a good one in the same way.
pub struct Family {
    /// Its name, once in the whole list.
    pub name: &'static str,
    /// Where the expectation is from.
    pub source: &'static str,
    pub expected: Expected,
    /// Makes those of one algorithm.
    pub tokens: fn(Forge) -> Vec<String>,
}

pub fn accept(
    name: &'static str,
    source: &'static str,
    tokens: fn(Forge) -> Vec<String>,
) -> Family {
    let expected = Expected::Accept;
    Family {
        name,
        source,
        expected,
        tokens,
    }
}

pub fn refuse(
    name: &'static str,
    source: &'static str,
    tokens: fn(Forge) -> Vec<String>,
) -> Family {
    let expected = Expected::Refuse;
    Family {
        name,
        source,
        expected,
        tokens,
    }
}

pub fn open(
    name: &'static str,
    source: &'static str,
    why: &'static str,
    tokens: fn(Forge) -> Vec<String>,
) -> Family {
    let expected = Expected::Open(why);
    Family {
        name,
        source,
        expected,
        tokens,
    }
}

/// All of them.
pub fn all() -> Vec<Family> {
    let mut families = header_families::all();
    families.extend(claims_families::all());
    families.extend(signature_families::all());
    families
}
