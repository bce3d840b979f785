//! `tokens`: what the gateway obtains.

use super::{OwnAssertion, Sign};
use crate::policy::document::{Duration, ExpressionSource, OneOrMany, Secret};
#[cfg(feature = "schema")]
use crate::policy::schema::ClientAuthName;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One token: exactly one of its members.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", schemars(extend("minProperties" = 1, "maxProperties" = 1)))]
pub struct Token {
    /// Obtained from a token endpoint.
    pub exchange: Option<Exchange>,
    /// Signed here.
    pub sign: Option<Sign>,
}

/// A token endpoint and how to ask it (RFC 6749 §4.4).
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The proxy's cluster that the call goes to.
    pub cluster: String,
    /// The token endpoint.
    pub url: String,
    /// The gateway's own pair; left out where the caller's is exchanged.
    pub client: Option<OwnClient>,
    /// client_secret_basic, client_secret_post, client_secret_json or private_key_jwt.
    /// Default: `client_secret_basic`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<ClientAuthName>"))]
    pub auth: Option<String>,
    /// The scopes to ask for.
    pub scopes: Option<OneOrMany<String>>,
    /// More form fields.
    #[serde(default)]
    pub form: BTreeMap<String, ExpressionSource>,
    /// A JSON body instead of a form.
    pub json: Option<ExpressionSource>,
    /// More headers.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// The assertion of private_key_jwt.
    pub assertion: Option<OwnAssertion>,
    /// Where the reply holds what.
    pub response: Option<Response>,
    /// Where the reply tells none and the token has no `exp`. Default: 5m.
    pub default_lifetime: Option<Duration>,
    /// How long one call may take. Default: 3s.
    pub timeout: Option<Duration>,
    /// How long before its end a token is replaced; never more than half of its life.
    /// Default: 60s.
    pub refresh_before: Option<Duration>,
    /// How often an endpoint that fails is tried.
    pub retry: Option<Retry>,
    /// When an endpoint that fails is left alone.
    pub breaker: Option<Breaker>,
    /// A refused pair is not asked about again for this long. Default: 5s.
    pub cache_failures: Option<Duration>,
}

/// How often an endpoint that can't be reached or answers 5xx is tried.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Tries in all. Default: 2.
    pub attempts: Option<u64>,
    /// The longest first wait; each further one may be twice as long. Default: 100ms.
    pub base: Option<Duration>,
    /// The longest wait. Default: 2s.
    pub max: Option<Duration>,
}

/// When an endpoint that fails is left alone.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// After how many failures on end. Default: 5.
    pub failures: Option<u64>,
    /// For how long; then one request tries it. Default: 10s.
    pub open: Option<Duration>,
}

/// The gateway's own pair.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OwnClient {
    /// The client's id.
    pub id: String,
    /// Its secret; not needed with private_key_jwt.
    pub secret: Option<Secret>,
}

/// JSON pointers (RFC 6901) into the reply.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// Default: `/access_token`.
    pub token: Option<String>,
    /// Default: `/expires_in`.
    pub expires_in: Option<String>,
    /// Default: `/token_type`.
    pub token_type: Option<String>,
}
