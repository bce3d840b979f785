//! What can be wrong with an expression, when the policy loads and when a request is judged.

use std::fmt;
use std::sync::Arc;

use super::value::ValueType;

/// Why an expression can't be used: found when the policy loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    message: String,
    position: Option<(usize, usize)>,
}

impl CompileError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            position: None,
        }
    }

    pub(super) fn at(line: usize, column: usize, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            position: Some((line, column)),
        }
    }

    /// What is wrong and how to mend it, without the position.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Line and column inside the expression, from 1, where the parser told them.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.position
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match self.position {
            Some((1, column)) => write!(formatter, " (at column {column} of the expression)"),
            Some((line, column)) => write!(
                formatter,
                " (at line {line}, column {column} of the expression)"
            ),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CompileError {}

/// Why an expression has no value for this request. It names what the policy's writer wrote and
/// types, never a value of the request: those may be secrets, and errors are logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvaluationError {
    /// A member that isn't there, by the name the expression gives it.
    NoMember(Arc<str>),
    /// A computed key that is not in the map.
    NoKey,
    /// An index outside of the list or string.
    OutOfRange,
    /// An operator or function got a value it doesn't take.
    NoOverload {
        /// The operator or function.
        function: &'static str,
        /// The type of the first value that doesn't fit.
        found: ValueType,
    },
    /// The result is too large or too small for its type.
    Overflow,
    /// Division or remainder by zero.
    DivisionByZero,
    /// A text that isn't what the function reads.
    Unreadable(&'static str),
    /// A map literal with one key twice.
    DuplicateKey,
    /// The result isn't what the place needs.
    WrongResult {
        /// What it needs.
        expected: &'static str,
        /// What it got.
        found: ValueType,
    },
    /// A value that can't be written as text or JSON.
    Unprintable,
    /// A comprehension over more than 256 items.
    TooManyItems,
    /// A text or result beyond its bound.
    TooLong,
    /// The evaluation took more steps than any reasonable one.
    TooManySteps,
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMember(name) => write!(formatter, "there is no member `{name}`"),
            Self::NoKey => formatter.write_str("the map has no such key"),
            Self::OutOfRange => formatter.write_str("the index is out of range"),
            Self::NoOverload { function, found } => {
                write!(formatter, "`{function}` can't be applied to {found}")
            }
            Self::Overflow => formatter.write_str("a number is out of range"),
            Self::DivisionByZero => formatter.write_str("division by zero"),
            Self::Unreadable(function) => write!(formatter, "`{function}` can't read its argument"),
            Self::DuplicateKey => formatter.write_str("a key stands twice in a map"),
            Self::WrongResult { expected, found } => {
                write!(formatter, "the result must be {expected}, it is {found}")
            }
            Self::Unprintable => formatter.write_str("the result can't be written as JSON"),
            Self::TooManyItems => write!(
                formatter,
                "a comprehension may go over at most {} items",
                super::MAX_ITEMS
            ),
            Self::TooLong => formatter.write_str("a text or result is too long"),
            Self::TooManySteps => formatter.write_str("the evaluation takes too many steps"),
        }
    }
}

impl std::error::Error for EvaluationError {}
