//! What the variables hold while one request is judged.

use super::place::Variable;
use super::value::Value;

/// The values of the variables for one request. Built once, then lent to every expression.
///
/// A variable that is never set is empty: an empty map, list or string, or 0. Expressions can
/// therefore ask `has(claims.sub)` whoever calls.
#[derive(Clone, Debug)]
pub struct Scope {
    values: [Value; Variable::ALL.len()],
}

impl Scope {
    /// A scope in which every variable is empty.
    pub fn new() -> Self {
        Self {
            values: Variable::ALL.map(|variable| Value::empty(variable.value_type())),
        }
    }

    /// Gives a variable its value, in place of the one it had.
    pub fn set(&mut self, variable: Variable, value: Value) -> &mut Self {
        if let Some(slot) = self.values.get_mut(variable as usize) {
            *slot = value;
        }
        self
    }

    /// What the variable holds.
    pub fn get(&self, variable: Variable) -> &Value {
        self.values.get(variable as usize).unwrap_or(&Value::Null)
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self::new()
    }
}
