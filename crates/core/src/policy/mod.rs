//! The policy: from a document to what requests are judged by.
//!
//! `document` reads text and finds places for errors, `raw` names the language's keys,
//! `compile` checks all of it and makes a [`Policy`], which can't hold anything that a
//! request would still have to check.

mod compile;
pub mod document;
mod raw;
#[cfg(feature = "schema")]
mod schema;

pub use compile::{Url, absolute_url, load, load_owned};
#[cfg(feature = "schema")]
pub use schema::schema;

use crate::authenticate::Authenticator;
use crate::authorize::{Authorize, Limit};
use crate::credentials::{Clients, Kept, Places};
use crate::expression::{Expression, Variable, VariableSet};
use crate::http::{HeaderNames, Headers};
use crate::issue::{ClientAuth, Issue};
use crate::keys::RemoteKeys;
use crate::publish::Publication;
use crate::reply::ErrorFormat;
use crate::route::Router;
use crate::tokens::{Exchange, Signing};
use std::rc::Rc;

/// A policy that was checked and compiled.
#[derive(Debug)]
pub struct Policy {
    /// SHA-256 of the configuration and the values it took from the environment. It is part
    /// of every key under which something derived from this policy is shared.
    pub digest: [u8; 32],
    /// The embedded store.
    pub clients: Clients,
    /// All authenticators; others name them by index.
    pub authenticators: Vec<Authenticator>,
    /// All token endpoints; others name them by index.
    pub exchanges: Vec<Exchange>,
    /// All tokens that are signed here; others name them by index.
    pub signings: Vec<Signing>,
    /// All fetched key sets; others name them by index.
    pub remotes: Vec<RemoteKeys>,
    /// Which rule a request meets.
    pub router: Router,
    /// The rules, in the document's order.
    pub rules: Vec<Rule>,
    /// Every place that some authenticator reads.
    pub places: Places,
    /// The headers that tell the upstream who calls.
    pub identity: Vec<(String, HeaderValue)>,
    /// The headers that no caller may set, however they are spelt.
    pub reserved: HeaderNames,
    /// Whether CORS preflights pass without credentials.
    pub bypass_preflight: bool,
    /// How refusals look where no rule matches.
    pub errors: Rc<ErrorFormat>,
    /// Whether some decision needs the caller's address.
    pub needs_source: bool,
}

impl Policy {
    /// The names of these headers or trailers that no caller may set, as they are spelt.
    pub fn reserved_in<'h>(&self, headers: &'h Headers) -> impl Iterator<Item = &'h [u8]> {
        headers.names().filter(|name| self.reserved.contains(name))
    }

    /// Whether some request may ask for the claims of a token that was verified for an earlier
    /// one. Where none does, what they say of its bearer is enough.
    pub fn keeps_claims(&self) -> bool {
        let claims = VariableSet::of(&[Variable::Claims]);
        let read = |uses: VariableSet| uses.union(claims) == uses;
        let looks = |one: &Authenticator| match one {
            Authenticator::Jwt(own) => !own.identifies_by_claims_alone(),
            Authenticator::ClientCredentials(own) => own.lookup.is_some(),
            Authenticator::ApiKey(_) => false,
        };
        self.rules.iter().any(|rule| read(rule.uses)) || self.authenticators.iter().any(looks)
    }

    /// Whether callers bring tokens themselves that are verified here.
    pub fn verifies_callers_tokens(&self) -> bool {
        let is_jwt =
            |index: usize| matches!(self.authenticators.get(index), Some(Authenticator::Jwt(_)));
        self.rules.iter().any(|rule| rule.authenticate.any(&is_jwt))
    }
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Who may call.
    pub authenticate: Authenticate,
    /// The token endpoint that is answered here, where the rule is one.
    pub issue: Option<Issue>,
    /// The keys that are answered here, where the rule publishes some.
    pub publish: Option<Publication>,
    /// What the caller must be allowed.
    pub authorize: Authorize,
    /// What the upstream gets.
    pub upstream: Upstream,
    /// How this rule's refusals look.
    pub errors: Rc<ErrorFormat>,
    /// How often somebody may call.
    pub limit: Option<Limit>,
    /// Whether refusals are only counted.
    pub shadow: bool,
    /// Whether all its headers for the upstream are the same for the same caller, whatever the
    /// request.
    pub headers_tell_identity_alone: bool,
    /// What the rule's expressions use, so that it is built once and only where needed.
    pub uses: VariableSet,
}

impl Rule {
    /// Whether the gateway answers itself, so that nothing goes on to an upstream.
    pub fn is_answered_here(&self) -> bool {
        self.issue.is_some() || self.publish.is_some()
    }

    /// Whether clients prove themselves by assertions here.
    pub fn takes_assertions(&self) -> bool {
        let auth = self.issue.as_ref().map(|issue| &issue.client_auth);
        matches!(auth, Some(ClientAuth::Assertion(_)))
    }
}

/// Who may call: authenticators by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authenticate {
    /// Everybody.
    Public,
    /// One authenticator.
    One(usize),
    /// The first that succeeds.
    Any(Vec<Authenticate>),
    /// All of them.
    All(Vec<Authenticate>),
}

impl Authenticate {
    /// Whether one of its authenticators is like this. The depth is the document's, which is
    /// bounded when it is read.
    fn any(&self, is: &impl Fn(usize) -> bool) -> bool {
        match self {
            Authenticate::Public => false,
            Authenticate::One(index) => is(*index),
            Authenticate::Any(members) | Authenticate::All(members) => {
                members.iter().any(|member| member.any(is))
            }
        }
    }
}

/// What the upstream gets.
#[derive(Debug)]
pub struct Upstream {
    /// What becomes of `Authorization`.
    pub authorization: Authorization,
    /// Names of headers, parameters and cookies that go on although they were consumed, in
    /// lower case.
    pub keep: Kept,
    /// More headers, names in lower case.
    pub headers: Vec<(String, HeaderValue)>,
}

/// What becomes of `Authorization` on the way to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorization {
    /// An exchanged token, or the JWT in it that this rule verified.
    Keep,
    /// Nothing goes on.
    Remove,
    /// The gateway's own token from the exchange of this index.
    Inject(usize),
    /// A token that is signed here, by its index.
    Sign(usize),
}

/// A header's value for the upstream.
#[derive(Debug)]
pub enum HeaderValue {
    /// `client.id`, without evaluating an expression.
    ClientId,
    /// `tenant`, without evaluating an expression.
    Tenant,
    /// `scopes.join(" ")`, without evaluating an expression.
    Scopes,
    /// Any other expression.
    Expression(Expression),
}

impl HeaderValue {
    /// The expression, where there is one to evaluate.
    pub fn expression(&self) -> Option<&Expression> {
        match self {
            HeaderValue::Expression(expression) => Some(expression),
            HeaderValue::ClientId | HeaderValue::Tenant | HeaderValue::Scopes => None,
        }
    }
}
