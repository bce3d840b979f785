//! What the variables hold while one request is judged.

use super::place::Variable;
use super::value::Value;
use std::sync::LazyLock;

/// The values of the variables for one request. Built once, then lent to every expression.
///
/// A variable that is never set is empty: an empty map, list or string, or 0. Expressions can
/// therefore ask `has(claims.sub)` whoever calls.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Those that were set: a few at most, and none where a rule has no expression, which then
    /// costs no allocation.
    values: Vec<(Variable, Value)>,
}

/// The empty value of every variable, in the order of [`Variable::ALL`].
static EMPTY: LazyLock<[Value; Variable::ALL.len()]> =
    LazyLock::new(|| Variable::ALL.map(|variable| Value::empty(variable.value_type())));

impl Scope {
    /// A scope in which every variable is empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives a variable its value, in place of the one it had.
    pub fn set(&mut self, variable: Variable, value: Value) -> &mut Self {
        match self.values.iter_mut().find(|(other, _)| *other == variable) {
            Some((_, old)) => *old = value,
            None => self.values.push((variable, value)),
        }
        self
    }

    /// What the variable holds.
    pub fn get(&self, variable: Variable) -> &Value {
        let set = self.values.iter().find(|(other, _)| *other == variable);
        set.map(|(_, value)| value)
            .or_else(|| EMPTY.get(variable as usize))
            .unwrap_or(&Value::Null)
    }
}
