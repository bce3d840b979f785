//! Values of one step's answer that later steps of the case send: a token that was issued.
//!
//! Strings are replaced when a case is read, before anything was answered. So such a name is
//! first replaced by a stand-in, and the stand-in by the value once it is known.

use doorward_core::policy::document::{Node, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Stands on both sides of a name: YAML has no such character outside of escapes.
const MARK: char = '\u{1}';

/// What stands for a value until it is known.
pub fn stand_in(name: &str) -> String {
    format!("{MARK}{name}{MARK}")
}

/// The names that a case's steps keep.
pub fn names(case: &Node) -> BTreeSet<String> {
    let steps = match case.get("when").map(|when| &when.value) {
        Some(Value::List(steps)) => steps.as_slice(),
        _ => &[],
    };
    let kept = steps
        .iter()
        .filter_map(|step| step.get("then")?.get("keep"))
        .filter_map(|keep| match &keep.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        });
    kept.flatten().map(|entry| entry.key.clone()).collect()
}

/// What is known by now.
#[derive(Debug, Default)]
pub struct Kept(BTreeMap<String, String>);

impl Kept {
    /// Keeps a value.
    pub fn put(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), value);
    }

    /// The text with values in place of their stand-ins.
    ///
    /// # Errors
    /// A value that no earlier step kept.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        // Every second part is a name.
        for (number, part) in text.split(MARK).enumerate() {
            match number % 2 {
                0 => filled += part,
                _ => {
                    let unknown = || format!("${{{part}}} is kept by a later step than this");
                    filled += self.0.get(part).ok_or_else(unknown)?;
                }
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_becomes_its_value_once_that_is_known() {
        let mut kept = Kept::default();
        let text = format!("Bearer {} and {}", stand_in("A"), stand_in("A"));
        assert!(kept.fill(&text).unwrap_err().contains("${A}"));
        kept.put("A", "x".to_owned());
        assert_eq!(kept.fill(&text).unwrap(), "Bearer x and x");
        assert_eq!(kept.fill("plain").unwrap(), "plain");
    }
}
