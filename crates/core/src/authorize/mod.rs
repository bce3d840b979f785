//! What a caller must be allowed, once it is known who calls.

mod limit;
mod networks;

pub use limit::{Limit, Rate};
pub use networks::{Network, contains};

use crate::authenticate::Identity;
use crate::decide::Context;
use crate::expression::{Expression, Scope, VariableSet};
use crate::host::Host;
use crate::http::Refusal;
use crate::observe::{Demand, Step};
use crate::reply::Reason;
use crate::variables;

/// What a rule demands.
#[derive(Debug, Default)]
pub struct Authorize {
    /// The caller's address must lie in one of them; empty: any address.
    pub networks: Vec<Network>,
    /// The scopes.
    pub scopes: Scopes,
    /// Path variables that must equal values.
    pub bind: Vec<(String, Expression)>,
    /// A condition.
    pub allow_if: Option<Expression>,
}

/// The scopes that a rule demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scopes {
    /// Every one.
    All(Vec<String>),
    /// At least one.
    Any(Vec<String>),
}

/// Whether a text is a scope token (RFC 6749 §3.3): visible ASCII without quotes and
/// backslashes.
pub fn is_scope_token(scope: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
    !scope.is_empty() && scope.bytes().all(plain)
}

impl Default for Scopes {
    fn default() -> Scopes {
        Scopes::All(Vec::new())
    }
}

impl Authorize {
    /// Judges the caller's address; before credentials, so that a stranger learns nothing.
    pub fn check_network(&self, address: Option<&str>) -> Result<(), Refusal> {
        match self.networks.is_empty() || contains(&self.networks, address) {
            true => Ok(()),
            false => Err(Refusal::of(Reason::NetworkDenied)),
        }
    }

    /// What the conditions use.
    pub fn uses(&self) -> VariableSet {
        let bound = self.bind.iter().map(|(_, expression)| expression);
        variables::used(bound.chain(&self.allow_if))
    }

    /// Judges everything else. `scope` holds what [`Authorize::uses`] tells.
    pub fn check<H: Host>(
        &self,
        context: &Context<'_, H>,
        identity: &Identity,
        scope: &Scope,
    ) -> Result<(), Refusal> {
        let judged = |demand, met| context.gateway.host.trace(Step::Judged(demand, met));
        let scopes = self.scopes.check(&identity.scopes);
        judged(Demand::Scopes, scopes.is_ok());
        scopes?;
        for (name, expression) in &self.bind {
            let value = context
                .variables
                .iter()
                .find(|(variable, _)| variable == name)
                .map(|(_, value)| value.as_str());
            let bound = expression.evaluate_text(scope);
            // An empty value binds nothing: it is what a missing claim would look like.
            let holds = bound.is_ok_and(|bound| !bound.is_empty() && Some(&*bound) == value);
            judged(Demand::Binding(name), holds);
            if !holds {
                return Err(Refusal::of(Reason::BindingMismatch));
            }
        }
        let Some(condition) = &self.allow_if else {
            return Ok(());
        };
        let holds = condition.evaluate_condition(scope).unwrap_or(false);
        judged(Demand::Condition, holds);
        match holds {
            true => Ok(()),
            false => Err(Refusal::of(Reason::NotAllowed)),
        }
    }
}

impl Scopes {
    fn check(&self, held: &[String]) -> Result<(), Refusal> {
        let (demanded, enough) = match self {
            Scopes::All(all) => (all, all.iter().all(|scope| held.contains(scope))),
            Scopes::Any(any) => (any, any.iter().any(|scope| held.contains(scope))),
        };
        match enough {
            true => Ok(()),
            false => Err(Refusal {
                scopes: demanded.clone(),
                ..Refusal::of(Reason::ScopeMissing)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_or_any_of_the_scopes() {
        let owned = |list: &[&str]| list.iter().map(|one| one.to_string()).collect::<Vec<_>>();
        for (scopes, held, enough) in [
            (Scopes::default(), &[][..], true),
            (Scopes::All(owned(&["a", "b"])), &["b", "a", "c"], true),
            (Scopes::All(owned(&["a", "b"])), &["a"], false),
            (Scopes::Any(owned(&["a", "b"])), &["b"], true),
            (Scopes::Any(owned(&["a", "b"])), &["c"], false),
            (Scopes::All(owned(&["a"])), &["A"], false),
        ] {
            assert_eq!(
                scopes.check(&owned(held)).is_ok(),
                enough,
                "{scopes:?} {held:?}"
            );
        }
    }
}
