//! CEL expressions: every dynamic value of a policy.
//!
//! An [`Expression`] is compiled for its [`Place`] when the policy loads, and evaluated against
//! the [`Scope`] of a request. The `cel` crate parses. Evaluating is done here, for what that
//! crate's interpreter doesn't give: a bound on the work and memory that a request can cause
//! (`==`, `contains` or `+` of long texts inside of a comprehension add up), errors without the
//! values that failed (they may be secrets), and two thirds of its size saved. The tests hold
//! both against each other.
//!
//! Not here, though CEL has them: timestamps, durations, `type()`, messages and optionals. An
//! expression sees no clock, and times in claims are numbers.

mod compile;
mod error;
mod evaluate;
mod functions;
mod names;
mod node;
mod pattern;
mod place;
mod scope;
mod syntax;
mod text;
mod value;

pub use error::{CompileError, EvaluationError};
pub use place::{Expected, Place, RequestPart, Variable, VariableSet};
pub use scope::Scope;
pub use value::{Key, Map, Value, ValueType};

use std::collections::BTreeSet;
use std::sync::Arc;

/// Most bytes of an expression's source: a page of JSON with a few calls has 2 KiB.
pub const MAX_SOURCE: usize = 4096;

/// Deepest nesting of an expression, in operators, calls, members and brackets. The parser's own
/// bound on brackets is the same; a level costs some hundred bytes of stack.
pub const MAX_DEPTH: usize = 96;

/// Most items that a comprehension goes over.
pub const MAX_ITEMS: usize = 256;

/// Longest string that an expression can build, in bytes: what proxies take as all headers.
pub const MAX_TEXT: usize = 64 * 1024;

/// Most steps of an evaluation. A step is one operation, one item or 32 bytes looked at or
/// copied, so this bounds memory too. A comprehension over 256 claims with ten operations takes
/// 3,000.
pub const MAX_STEPS: usize = 128 * 1024;

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    root: node::Node,
    place: Place,
    variables: VariableSet,
    members: BTreeSet<(Variable, Arc<str>)>,
}

impl Expression {
    /// Compiles an expression for the place in the policy where it stands.
    ///
    /// # Errors
    /// Anything that can be told without a request: syntax, names that aren't known or not
    /// available in this place, nested comprehensions, patterns that aren't literal, a result
    /// that this place can't use, and what is beyond the bounds of this module.
    pub fn compile(source: &str, place: Place) -> Result<Self, CompileError> {
        let compiled = compile::compile(source, place)?;
        Ok(Self {
            root: compiled.root,
            place,
            variables: compiled.variables,
            members: compiled.members,
        })
    }

    /// The place it was compiled for.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether the expression reads this variable: what isn't read needn't be built.
    pub fn uses(&self, variable: Variable) -> bool {
        self.variables.contains(variable)
    }

    /// The variables that the expression reads.
    pub fn variables(&self) -> VariableSet {
        self.variables
    }

    /// The members of a variable that the expression names, such as the path variables that a
    /// rule's path must have. `path[request.method]` names none.
    pub fn members_of(&self, variable: Variable) -> impl Iterator<Item = &str> {
        self.members
            .iter()
            .filter(move |(of, _)| *of == variable)
            .map(|(_, name)| name.as_ref())
    }

    /// The members of the map that the expression writes out, by their names; none where it makes
    /// the map some other way.
    pub fn literal_keys(&self) -> impl Iterator<Item = &str> {
        let members = match &self.root {
            node::Node::Map(members) => members.as_slice(),
            _ => &[],
        };
        members.iter().filter_map(|(name, _)| match name {
            node::Node::Literal(Value::String(name)) => Some(&**name),
            _ => None,
        })
    }

    /// The value for this request.
    ///
    /// # Errors
    /// When there is none, or it takes more than the bounds of this module; see
    /// [`EvaluationError`].
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, EvaluationError> {
        evaluate::Evaluation::new(scope).run(&self.root)
    }

    /// Whether the condition holds.
    ///
    /// # Errors
    /// As [`Self::evaluate`], and when the result is no truth value.
    pub fn evaluate_condition(&self, scope: &Scope) -> Result<bool, EvaluationError> {
        match self.evaluate(scope)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(wrong_result(Expected::Condition, &other)),
        }
    }

    /// The text for this request: strings as they are, numbers and truth values as CEL's
    /// `string()` writes them.
    ///
    /// # Errors
    /// As [`Self::evaluate`], and when the result is anything else.
    pub fn evaluate_text(&self, scope: &Scope) -> Result<Arc<str>, EvaluationError> {
        match self.evaluate(scope)? {
            Value::String(text) => Ok(text),
            Value::Bool(value) => Ok(value.to_string().into()),
            Value::Int(value) => Ok(value.to_string().into()),
            Value::Uint(value) => Ok(value.to_string().into()),
            Value::Double(value) => Ok(value.to_string().into()),
            other => Err(wrong_result(Expected::Text, &other)),
        }
    }

    /// A list of words, such as scopes: a list of strings as it is, a string split on spaces.
    ///
    /// # Errors
    /// As [`Self::evaluate`], and when the result or an item of it is anything else.
    pub fn evaluate_text_list(&self, scope: &Scope) -> Result<Vec<Arc<str>>, EvaluationError> {
        match self.evaluate(scope)? {
            Value::String(text) => Ok(text
                .split(' ')
                .filter(|word| !word.is_empty())
                .map(Arc::from)
                .collect()),
            Value::List(items) => items
                .iter()
                .map(|item| match item {
                    Value::String(text) => Ok(text.clone()),
                    other => Err(wrong_result(Expected::Words, other)),
                })
                .collect(),
            other => Err(wrong_result(Expected::Words, &other)),
        }
    }

    /// A map as JSON, for claims.
    ///
    /// # Errors
    /// As [`Self::evaluate_json`], and when the result is no map.
    pub fn evaluate_object(
        &self,
        scope: &Scope,
    ) -> Result<serde_json::Map<String, serde_json::Value>, EvaluationError> {
        let value = self.evaluate(scope)?;
        match value.to_json()? {
            serde_json::Value::Object(members) => Ok(members),
            _ => Err(wrong_result(Expected::Object, &value)),
        }
    }

    /// The value as JSON, for bodies.
    ///
    /// # Errors
    /// As [`Self::evaluate`] and [`Value::to_json`].
    pub fn evaluate_json(&self, scope: &Scope) -> Result<serde_json::Value, EvaluationError> {
        self.evaluate(scope)?.to_json()
    }
}

fn wrong_result(expected: Expected, found: &Value) -> EvaluationError {
    EvaluationError::WrongResult {
        expected: expected.description(),
        found: found.value_type(),
    }
}

#[cfg(test)]
mod tests;
