//! The policy as it is written: serde types whose names are the language's contract.
//!
//! Nothing here is checked beyond its shape; `compile` makes a [`crate::policy::Policy`]
//! of it, and requests never see these types.

mod authenticators;
mod issue;
mod rules;
mod tokens;

pub use authenticators::*;
pub use issue::*;
pub use rules::*;
pub use tokens::*;

use super::document::{ExpressionSource, Json, OneOrMany, Secret, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole document.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The language's version: 1.
    #[cfg_attr(feature = "schema", schemars(extend("const" = 1)))]
    pub version: u64,
    /// Who may call: the embedded store.
    #[serde(default)]
    pub clients: Vec<Client>,
    /// Ways to learn who calls, by name.
    #[serde(default)]
    pub authenticators: BTreeMap<String, Authenticator>,
    /// Tokens that the gateway obtains, by name.
    #[serde(default)]
    pub tokens: BTreeMap<String, Token>,
    /// The first rule that matches decides; none: refused.
    pub rules: Vec<Rule>,
    /// Cross-origin requests.
    pub cors: Option<Cors>,
    /// Headers for the upstream beside the defaults; null switches a default off.
    #[serde(default)]
    pub identity_headers: BTreeMap<String, Option<ExpressionSource>>,
    /// The shape of refusals.
    pub errors: Option<Errors>,
}

/// One caller.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The name that tokens and keys resolve to.
    pub id: String,
    /// The tenant that it belongs to.
    pub tenant: Option<String>,
    /// What it may do.
    #[serde(default)]
    pub scopes: OneOrMany<String>,
    /// false refuses all that belongs to it. Default: true.
    pub enabled: Option<bool>,
    /// Free values for expressions.
    pub metadata: Option<Json>,
    /// Any one of them proves the client.
    #[serde(default)]
    pub secrets: OneOrMany<ClientSecret>,
    /// Long-lived keys.
    #[serde(default)]
    pub api_keys: OneOrMany<ApiKey>,
    /// Keys that prove the client's assertions (private_key_jwt).
    #[serde(default)]
    pub public_keys: OneOrMany<PublicKey>,
}

/// One of a client's public keys: exactly one of `pem` and `jwk`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// A public key (SPKI) or certificate.
    pub pem: Option<Secret>,
    /// A JSON Web Key.
    pub jwk: Option<Json>,
    /// The key's id. Default: the RFC 7638 thumbprint.
    pub kid: Option<String>,
    /// Not accepted before.
    pub not_before: Option<Timestamp>,
    /// Not accepted from then on.
    pub expires: Option<Timestamp>,
    /// Not accepted any more.
    pub revoked: Option<bool>,
}

/// One of a client's secrets: exactly one of `sha256` and `value`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClientSecret {
    /// SHA-256 of the secret, in hex.
    pub sha256: Option<String>,
    /// The secret itself, where tokens are signed with it.
    pub value: Option<Secret>,
    /// Not accepted before.
    pub not_before: Option<Timestamp>,
    /// Not accepted from then on.
    pub expires: Option<Timestamp>,
    /// Not accepted any more.
    pub revoked: Option<bool>,
}

/// One of a client's API keys.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The name of the key in logs; the key itself is never logged.
    pub id: Option<String>,
    /// SHA-256 of the key, in hex.
    pub sha256: String,
    /// Narrows the client's scopes; left out: all of the client's.
    pub scopes: Option<OneOrMany<String>>,
    /// Not accepted before.
    pub not_before: Option<Timestamp>,
    /// Not accepted from then on.
    pub expires: Option<Timestamp>,
    /// Not accepted any more.
    pub revoked: Option<bool>,
}

/// Cross-origin requests.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cors {
    /// true lets CORS preflights pass without credentials. Default: false.
    pub bypass_preflight: Option<bool>,
}

/// The shape of refusals, for the document or for one rule.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// The body. Default: RFC 9457 problem details.
    pub body: Option<ExpressionSource>,
    /// The body's media type. Default: `application/problem+json`, or `application/json`
    /// where `body` is given.
    pub content_type: Option<String>,
    /// Another status for a public reason.
    #[serde(default)]
    pub status: BTreeMap<String, u64>,
    /// Another message for a public reason.
    #[serde(default)]
    pub message: BTreeMap<String, String>,
    /// The realm of challenges. Default: `api`.
    pub realm: Option<String>,
}
