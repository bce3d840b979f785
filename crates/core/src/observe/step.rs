//! The steps of a decision, for whoever wants to follow one.

use crate::authenticate::{Identity, Need};
use crate::http::Refusal;
use crate::jose::Algorithm;

/// One step of a decision. It borrows what the decision has at hand, so that telling it to
/// nobody costs nothing.
#[derive(Debug, Clone, Copy)]
pub enum Step<'s> {
    /// A decision begins. It begins anew once something was asked: what was told since the
    /// last beginning is void then.
    Began,
    /// A CORS preflight goes on without credentials.
    Preflight,
    /// The first rule that matches, by its index in the policy, and the path's variables.
    Matched {
        /// The rule.
        rule: usize,
        /// Names and values of the path variables.
        variables: &'s [(String, String)],
    },
    /// A demand was judged, and whether it is met. Demands that a rule doesn't make are met.
    Judged(Demand<'s>, bool),
    /// A token could be taken apart; nothing of it is proven yet.
    TokenRead {
        /// `alg` of its header.
        algorithm: Algorithm,
        /// `kid` of its header.
        kid: Option<&'s str>,
    },
    /// A key proves the token's signature.
    SignatureProven,
    /// What an authenticator says, by its index in the policy.
    Authenticated(usize, Result<&'s Identity, &'s Refusal>),
    /// The decision waits for what only a callout can tell.
    Asked(&'s Need),
}

/// What a rule or a look-up may demand beside a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand<'s> {
    /// `networks`.
    Network,
    /// `limit`.
    Limit,
    /// `scopes`.
    Scopes,
    /// `bind`, for this path variable.
    Binding(&'s str),
    /// `allow_if` of the rule.
    Condition,
    /// `allow_if` of a look-up.
    LookupCondition,
}
