//! `authenticators`: ways to learn who calls.

use crate::policy::document::{
    Duration, ExpressionSource, Json, MapOr, OneOrMany, Secret, Timestamp,
};
#[cfg(feature = "schema")]
use crate::policy::schema::AlgorithmName;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One authenticator: exactly one of its members.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", schemars(extend("minProperties" = 1, "maxProperties" = 1)))]
pub struct Authenticator {
    /// A JSON Web Token, checked in the filter.
    pub jwt: Option<Jwt>,
    /// A key of the embedded store.
    pub api_key: Option<ApiKeyAuthenticator>,
    /// A caller's id and secret, exchanged for a token.
    pub client_credentials: Option<ClientCredentials>,
}

/// A JSON Web Token.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// The algorithms (RFC 7518) that are accepted; there is no default.
    #[cfg_attr(feature = "schema", schemars(with = "OneOrMany<AlgorithmName>"))]
    pub algorithms: OneOrMany<String>,
    /// What `iss` must be. Default: not checked.
    pub issuer: Option<String>,
    /// `aud` must hold one of them. Default: not checked.
    pub audience: Option<OneOrMany<String>>,
    /// Any of them, chosen by `kid` and algorithm; or the client's own.
    pub keys: Keys,
    /// Tried in order. Default: `Authorization` with Bearer.
    pub from: Option<OneOrMany<Source>>,
    /// How far clocks may differ. Default: 30s.
    pub leeway: Option<Duration>,
    /// Whether `exp` must be there. Default: true.
    pub require_exp: Option<bool>,
    /// The longest life of a token.
    pub max_lifetime: Option<Duration>,
    /// When given, the header's `typ` must be one of them.
    pub typ: Option<OneOrMany<String>>,
    /// Each must equal the claim, or be held in it where it is a list.
    #[serde(default)]
    pub claims: BTreeMap<String, Json>,
    /// The client it belongs to, which must then exist and be enabled.
    pub client: Option<ExpressionSource>,
    /// The token's scopes. Default: `scope`, else `scp`.
    pub scopes: Option<ExpressionSource>,
    /// The token's tenant. Default: the client's.
    pub tenant: Option<ExpressionSource>,
    /// The longest token in bytes. Default: 8192.
    pub max_length: Option<u64>,
}

/// Keys that stand here, or those of the client that a token names.
pub type Keys = MapOr<ClientKeys, OneOrMany<Key>>;

/// The client's own keys.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClientKeys {
    /// The client whose own secret or public key it is.
    pub client: ExpressionSource,
}

/// One key or set of keys: exactly one of secret, pem, jwk, jwks, remote and token.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// A shared secret, for HS256, HS384 and HS512.
    pub secret: Option<SecretKey>,
    /// A public key (SPKI) or certificate.
    pub pem: Option<Secret>,
    /// A JSON Web Key.
    pub jwk: Option<Json>,
    /// A JSON Web Key Set, written here.
    pub jwks: Option<Json>,
    /// A JSON Web Key Set, fetched.
    pub remote: Option<Remote>,
    /// The keys of a token that is signed here, by its name.
    pub token: Option<String>,
    /// The key's id.
    pub kid: Option<String>,
    /// Not accepted before.
    pub not_before: Option<Timestamp>,
    /// Not accepted from then on.
    pub expires: Option<Timestamp>,
}

/// A shared secret: exactly one of its members.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", schemars(extend("minProperties" = 1, "maxProperties" = 1)))]
pub struct SecretKey {
    /// As it is.
    pub value: Option<Secret>,
    /// In base64, with padding.
    pub base64: Option<Secret>,
    /// In base64url, without padding.
    pub base64url: Option<Secret>,
    /// In hex.
    pub hex: Option<Secret>,
}

/// A JSON Web Key Set to fetch.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// The proxy's cluster that the call goes to.
    pub cluster: String,
    /// Where the set is.
    pub url: String,
    /// How old a set may get. Default: 10m.
    pub refresh: Option<Duration>,
    /// How long a fetch may take. Default: 2s.
    pub timeout: Option<Duration>,
}

/// A place in the request: exactly one of header, query and cookie.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// A header's name, in any letter case.
    pub header: Option<String>,
    /// The scheme before the credential in that header, in any letter case.
    pub scheme: Option<String>,
    /// A query parameter's name.
    pub query: Option<String>,
    /// A cookie's name.
    pub cookie: Option<String>,
}

/// A key of the embedded store.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiKeyAuthenticator {
    /// Tried in order.
    pub from: OneOrMany<Source>,
    /// Another shape is malformed, without a look-up.
    pub prefix: Option<String>,
    /// A key of another tenant is no valid key.
    pub require_tenant: Option<ExpressionSource>,
}

/// A caller's id and secret, exchanged for a token.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    /// Where the pair is.
    pub from: PairSource,
    /// The name of the token (an `exchange`) that the pair is exchanged for.
    pub exchange: String,
    /// A jwt authenticator that the token must satisfy; its claims are then `claims`.
    pub verify: Option<String>,
    /// This claim must equal the id presented; needs `verify`.
    pub client_claim: Option<String>,
    /// What the database knows of the client.
    pub lookup: Option<Lookup>,
}

/// What the database knows of a client: a JSON object, which is then `metadata`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The proxy's cluster that the call goes to.
    pub cluster: String,
    /// The URL that is asked with GET.
    pub url: ExpressionSource,
    /// More headers.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// How long a call may take. Default: 1s.
    pub timeout: Option<Duration>,
    /// How long an answer is kept. Default: 30s.
    pub cache: Option<Duration>,
    /// A condition; where it doesn't hold, the client is refused.
    pub allow_if: Option<ExpressionSource>,
}

/// Where a pair is: `id` and `secret`, or `basic`.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PairSource {
    /// The client's id.
    pub id: Option<Source>,
    /// The client's secret.
    pub secret: Option<Source>,
    /// HTTP Basic (RFC 7617) in `Authorization`.
    pub basic: Option<bool>,
}
