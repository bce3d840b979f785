//! The patterns of `matches`: compiled once, matched in linear time, and paid for.
//!
//! regex-lite reads patterns as RE2 does, which CEL prescribes: `\d`, `\w` and `\b` are ASCII.

use regex_lite::{Regex, RegexBuilder};

use super::error::{CompileError, EvaluationError};
use super::evaluate::Budget;

/// Sizes of a compiled pattern in bytes, and how many bytes of plain copying a byte of text then
/// counts for. regex-lite doesn't tell a program's size, it only refuses one above a limit. At
/// worst each of its states, of some 32 bytes each, is visited for every byte of text.
const PATTERN_SIZES: [(usize, usize); 3] = [(2 * 1024, 64), (8 * 1024, 256), (32 * 1024, 1024)];

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    /// How many bytes of plain copying a byte of text counts for.
    cost: usize,
}

impl Pattern {
    pub(super) fn compile(pattern: &str) -> Result<Self, CompileError> {
        let mut refused = None;
        for (size, cost) in PATTERN_SIZES {
            match RegexBuilder::new(pattern).size_limit(size).build() {
                Ok(regex) => return Ok(Self { regex, cost }),
                Err(error) => refused = Some(error),
            }
        }
        let reason = refused.map_or_else(String::new, |error| error.to_string());
        Err(CompileError::new(format!(
            "`matches` can't use the pattern `{pattern}`: {reason}"
        )))
    }

    /// Whether the pattern is found in the text.
    pub(super) fn is_in(&self, text: &str, budget: &mut Budget) -> Result<bool, EvaluationError> {
        budget.spend_bytes(text.len().saturating_mul(self.cost))?;
        Ok(self.regex.is_match(text))
    }
}
