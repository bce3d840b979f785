//! `rules`: the first that matches decides.

use super::{Errors, Issue};
use crate::policy::document::{ExpressionSource, MapOr, OneOrMany};
#[cfg(feature = "schema")]
use crate::policy::schema::CountName;
use serde::Deserialize;
use std::collections::BTreeMap;

/// One rule.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is about.
    #[serde(rename = "match")]
    pub matches: Match,
    /// Who may call.
    pub authenticate: Option<Authenticate>,
    /// A token endpoint that is answered here.
    pub issue: Option<Issue>,
    /// Tokens whose public keys are answered here, as a JSON Web Key Set.
    pub publish_keys: Option<OneOrMany<String>>,
    /// What the caller must be allowed.
    pub authorize: Option<Authorize>,
    /// What the upstream gets.
    pub upstream: Option<Upstream>,
    /// The shape of this rule's refusals, key by key.
    pub errors: Option<Errors>,
    /// How often somebody may call.
    pub limit: Option<Limit>,
    /// true lets through what the rule would refuse, and counts it: for trying a rule out.
    /// Default: false.
    pub shadow: Option<bool>,
}

/// How often somebody may call.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Whose calls count together.
    pub per: ExpressionSource,
    /// How many calls in which span: `100/s`, `10/m`, `1000/h`.
    pub rate: String,
    /// `failures` counts only refusals. Default: all calls.
    #[cfg_attr(feature = "schema", schemars(with = "Option<CountName>"))]
    pub count: Option<String>,
}

/// What a rule is about.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// `/exact`, `/with/{variable}`, `/all/below/**`.
    pub path: String,
    /// Default: all.
    pub methods: Option<OneOrMany<String>>,
    /// Exact names or `*.suffix`. Default: all.
    pub hosts: Option<OneOrMany<String>>,
    /// Letter case of the path doesn't count. Default: false.
    pub ignore_case: Option<bool>,
}

/// Who may call: a name, `none`, or a combination.
pub type Authenticate = MapOr<Combination, String>;

/// A combination of authenticators: exactly one of its members.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", schemars(extend("minProperties" = 1, "maxProperties" = 1)))]
pub struct Combination {
    /// The first that succeeds.
    pub any: Option<Vec<Authenticate>>,
    /// All of them.
    pub all: Option<Vec<Authenticate>>,
}

/// What the caller must be allowed.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Authorize {
    /// The caller's address must lie in one of them.
    pub networks: Option<OneOrMany<String>>,
    /// All of them, or `{any: […]}` for one.
    pub scopes: Option<Scopes>,
    /// These path variables must equal these values.
    #[serde(default)]
    pub bind: BTreeMap<String, ExpressionSource>,
    /// A condition.
    pub allow_if: Option<ExpressionSource>,
}

/// The scopes that a rule demands: all of a list, or one of `any`.
pub type Scopes = MapOr<AnyScope, OneOrMany<String>>;

/// Scopes of which one is enough.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AnyScope {
    /// At least one.
    pub any: OneOrMany<String>,
}

/// What the upstream gets.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// `keep`, `remove`, or a token's name.
    pub authorization: Option<String>,
    /// Consumed credentials that go on all the same.
    pub keep: Option<OneOrMany<String>>,
    /// More headers.
    #[serde(default)]
    pub headers: BTreeMap<String, ExpressionSource>,
}
