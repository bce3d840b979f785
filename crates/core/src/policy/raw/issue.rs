//! `sign`, `issue` and `publish_keys`: tokens of the gateway's own.

use super::SecretKey;
use crate::policy::document::{Duration, ExpressionSource, Json, OneOrMany, Secret, Timestamp};
#[cfg(feature = "schema")]
use crate::policy::schema::{AlgorithmName, IssueAuthName, JtiName};
use serde::Deserialize;

/// A token that is signed here.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// The algorithm (RFC 7518).
    #[cfg_attr(feature = "schema", schemars(with = "AlgorithmName"))]
    pub algorithm: String,
    /// The first signs, all are published and accepted.
    pub keys: OneOrMany<SignKey>,
    /// `iss`.
    pub issuer: Option<String>,
    /// `aud`.
    pub audience: Option<OneOrMany<String>>,
    /// The header's `typ`, for instance `at+jwt` (RFC 9068). Default: `JWT`.
    pub typ: Option<String>,
    /// How long it is good.
    pub lifetime: Duration,
    /// The other claims: a map.
    pub claims: Option<ExpressionSource>,
}

/// A key to sign with: exactly one of pem, jwk, secret and client_secret.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SignKey {
    /// A private key (PKCS#8, SEC 1 or PKCS#1).
    pub pem: Option<Secret>,
    /// A private JSON Web Key.
    pub jwk: Option<Json>,
    /// A shared secret.
    pub secret: Option<SecretKey>,
    /// true: the client's own secret.
    pub client_secret: Option<bool>,
    /// The key's id. Default: the RFC 7638 thumbprint; none for a secret.
    pub kid: Option<String>,
    /// Doesn't sign before.
    pub not_before: Option<Timestamp>,
    /// Doesn't sign from then on; what it signed is accepted for its lifetime.
    pub expires: Option<Timestamp>,
}

/// An assertion by which the gateway proves itself (RFC 7523).
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OwnAssertion {
    /// The algorithm (RFC 7518).
    #[cfg_attr(feature = "schema", schemars(with = "AlgorithmName"))]
    pub algorithm: String,
    /// The private key.
    pub key: SignKey,
    /// The key's id. Default: the RFC 7638 thumbprint.
    pub kid: Option<String>,
    /// `aud`. Default: the token endpoint's URL.
    pub audience: Option<OneOrMany<String>>,
    /// How long one is good. Default: 5m.
    pub lifetime: Option<Duration>,
}

/// A token endpoint that is answered here.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Issue {
    /// The token (a `sign`) that is issued.
    pub token: String,
    /// client_secret_post, client_secret_basic or private_key_jwt.
    #[cfg_attr(feature = "schema", schemars(with = "IssueAuthName"))]
    pub client_auth: String,
    /// Where the request holds what.
    pub request: Option<IssueRequest>,
    /// What must hold of an assertion.
    pub assertion: Option<CallersAssertion>,
    /// The body of the answer.
    pub reply: Option<ExpressionSource>,
}

/// JSON pointers (RFC 6901) into the request's body, or form fields.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct IssueRequest {
    /// true: form fields with the names of RFC 6749.
    pub form: Option<bool>,
    /// The client's id.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<String>,
    /// Its assertion.
    pub assertion: Option<String>,
    /// The grant type.
    pub grant_type: Option<String>,
}

/// What must hold of a caller's assertion (RFC 7523 §3).
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CallersAssertion {
    /// The algorithms that are accepted. Default: `ES256`.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<OneOrMany<AlgorithmName>>")
    )]
    pub algorithms: Option<OneOrMany<String>>,
    /// `aud` must hold one of them.
    pub audience: Option<OneOrMany<String>>,
    /// The longest life of an assertion. Default: 24h.
    pub max_lifetime: Option<Duration>,
    /// `required`, or `optional`: without one there is no check for replays.
    /// Default: `optional`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<JtiName>"))]
    pub jti: Option<String>,
}

/// What a metadata document tells of a token endpoint.
#[derive(Debug)]
pub struct Issuer {
    /// The token that is issued.
    pub token: String,
    /// How clients prove themselves.
    pub client_auth: String,
    /// The algorithms of their assertions.
    pub algorithms: Vec<String>,
}

impl Issue {
    /// What a metadata document tells of it.
    pub fn issuer(&self) -> Issuer {
        let assertion = self.assertion.as_ref();
        let algorithms = assertion.and_then(|assertion| assertion.algorithms.as_ref());
        Issuer {
            token: self.token.clone(),
            client_auth: self.client_auth.clone(),
            algorithms: algorithms.map_or_else(|| vec!["ES256".to_owned()], |list| list.0.clone()),
        }
    }
}
