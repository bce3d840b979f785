//! Verified claims, and the value that expressions see of them.

use crate::expression::Value;
use crate::jose::Claims;
use std::cell::OnceCell;
use std::ops::Deref;

/// Claims that were verified. The value for expressions is built where one first asks, and
/// kept with them: a held token's claims are built once, however many requests it serves.
#[derive(Debug)]
pub struct TokenClaims {
    claims: Claims,
    value: OnceCell<Value>,
}

impl TokenClaims {
    /// Claims whose value nobody asked for yet.
    pub fn new(claims: Claims) -> TokenClaims {
        TokenClaims {
            claims,
            value: OnceCell::new(),
        }
    }

    /// The value of `claims` in expressions.
    pub fn value(&self) -> &Value {
        self.value.get_or_init(|| {
            let members = self.claims.as_map().iter();
            Value::map(members.map(|(name, value)| (name.as_str(), Value::from_json(value))))
        })
    }
}

impl Deref for TokenClaims {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.claims
    }
}
