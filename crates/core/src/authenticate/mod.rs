//! Who calls: authenticators, alone and combined.

mod api_key;
mod client_credentials;
mod client_keys;
mod combine;
mod identity;
mod jwt;
mod verified;

pub use api_key::ApiKeyAuthenticator;
pub use client_credentials::{ClientCredentials, PairSource, exchanged, with_body};
pub use client_keys::ClientKeys;
pub use combine::{authenticate, mismatch};
pub use identity::{ClientFacts, Identity, MadeHeaders};
pub use jwt::JwtAuthenticator;
pub(crate) use verified::MAX_BYTES as VERIFIED_BYTES;
pub use verified::{Proof, VerifiedToken, VerifiedTokens};

use crate::budget::Endpoint;
use crate::http::Refusal;
use crate::reply::{Challenge, Reason, Scheme};
use crate::tokens::Pair;

/// One way to learn who calls.
#[derive(Debug)]
pub enum Authenticator {
    /// A JSON Web Token.
    Jwt(JwtAuthenticator),
    /// A key of the embedded store.
    ApiKey(ApiKeyAuthenticator),
    /// A caller's id and secret, exchanged for a token.
    ClientCredentials(ClientCredentials),
}

/// Why a decision can't go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The request is refused.
    Refuse(Refusal),
    /// Something must be asked first.
    Need(Need),
}

/// Something that only a callout can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The request's whole body. It is asked for before anything else.
    Body,
    /// A key set that was never fetched, by its index in the policy.
    Keys(usize),
    /// A key set anew, since a token names a key (its `kid`, empty for none) that isn't in it.
    FreshKeys(usize, String),
    /// A token for a pair, by the exchange's index in the policy.
    Token(usize, Pair),
    /// The database's word, by the authenticator's index in the policy, at a URL.
    Lookup(usize, String),
}

impl Need {
    /// The server that is asked; none for what the caller sends.
    pub fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Need::Keys(remote) | Need::FreshKeys(remote, _) => Some(Endpoint::Keys(*remote)),
            Need::Token(exchange, _) => Some(Endpoint::Exchange(*exchange)),
            Need::Lookup(authenticator, _) => Some(Endpoint::Lookup(*authenticator)),
            Need::Body => None,
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refuse(refusal)
    }
}

impl Authenticator {
    /// Whether it asks a database.
    pub fn looks_up(&self) -> bool {
        matches!(self, Authenticator::ClientCredentials(own) if own.lookup.is_some())
    }

    /// How a caller is told to authenticate.
    fn scheme(&self) -> Scheme {
        match self {
            Authenticator::Jwt(_) => Scheme::Bearer,
            Authenticator::ApiKey(_) => Scheme::ApiKey,
            Authenticator::ClientCredentials(own) => match own.from {
                PairSource::Basic => Scheme::Basic,
                PairSource::Parts { .. } => Scheme::ApiKey,
            },
        }
    }

    /// A refusal of a credential that was presented to this authenticator.
    fn refuse(&self, reason: Reason) -> Refusal {
        self.challenge(Refusal::of(reason), true)
    }

    /// A refusal for want of a credential.
    fn missing(&self) -> Refusal {
        self.challenge(Refusal::of(Reason::CredentialsMissing), false)
    }

    fn challenge(&self, refusal: Refusal, presented: bool) -> Refusal {
        Refusal {
            challenges: vec![Challenge {
                scheme: self.scheme(),
                presented,
            }],
            ..refusal
        }
    }
}
