//! Why a token or a key is not taken.

use std::borrow::Cow;
use std::fmt;

/// Why a token is refused: the detailed reason, which the caller may not get to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenError {
    /// Not a compact JWS of RFC 7515 §7.1 with a JSON object in it, or one with a header parameter
    /// that must be understood and isn't (`crit`, `b64`).
    Malformed,
    /// Longer than the policy allows.
    TooLong,
    /// `alg` is unknown (`none` is), or not listed in the policy.
    Algorithm,
    /// No key has the token's `kid` and fits its `alg`.
    KeyUnknown,
    /// No key that fits proves the signature.
    Signature,
    /// `exp` has passed.
    Expired,
    /// `nbf` has not come yet, or `iat` lies ahead.
    NotYetValid,
    /// Valid for longer than the policy allows.
    Lifetime,
    /// `iss` is absent or another one.
    Issuer,
    /// `aud` is absent or names others only.
    Audience,
    /// A registered claim has a wrong type, a required one is absent, or one doesn't have the value
    /// that the policy asks for.
    Claims,
    /// `typ` is absent or another one.
    Type,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the token is malformed",
            Self::TooLong => "the token is too long",
            Self::Algorithm => "the token's algorithm is not accepted",
            Self::KeyUnknown => "no key is known for the token",
            Self::Signature => "the token's signature is wrong",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::Lifetime => "the token is valid for too long",
            Self::Issuer => "the token has another issuer",
            Self::Audience => "the token is meant for another audience",
            Self::Claims => "the token's claims are not accepted",
            Self::Type => "the token has another type",
        })
    }
}

impl std::error::Error for TokenError {}

/// Why a key can't be used. Its words are for the operator and never hold key material.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError(Cow<'static, str>);

impl KeyError {
    pub(super) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(message.into())
    }

    /// What is wrong and what mends it, in lower case and without a full stop.
    pub fn message(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeyError {}
