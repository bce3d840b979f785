//! What is wrong with a document, and where.

use std::fmt;

use super::{
    node::{Mark, Node},
    path::Path,
};

/// One thing that is wrong with a policy: its place, what is wrong, and the mend. Shown as
/// `rules[2].authenticate: no authenticator is called … (line 14, column 19)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The place, as [`Path`] shows it; empty for the document as a whole.
    pub path: String,
    /// The line, from 1, where the document is text.
    pub line: Option<u32>,
    /// The column in characters, from 1, where the document is text.
    pub column: Option<u32>,
    /// What is wrong and how to mend it, in one line; never a value of the document.
    pub message: String,
    place: Path,
}

impl Problem {
    pub(super) fn new(path: &Path, mark: Option<Mark>, message: impl Into<String>) -> Self {
        Self {
            path: path.to_string(),
            line: mark.map(|mark| mark.line),
            column: mark.map(|mark| mark.column),
            message: message.into(),
            place: path.clone(),
        }
    }

    /// The place, step by step.
    pub fn place(&self) -> &Path {
        &self.place
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, " (line {line}, column {column})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// A problem at `path`, with the line and column of that place; where `path` leads to nothing,
/// those of the nearest place above it.
pub fn problem_at(document: &Node, path: &Path, message: impl Into<String>) -> Problem {
    Problem::new(path, document.mark_at(path), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::document::read;

    #[test]
    fn a_problem_shows_its_place_and_falls_back_to_the_nearest_one() {
        let tree =
            read(b"version: 1\nrules:\n  - match: {path: /}\n    authenticate: suplier-key\n")
                .unwrap();
        let place = Path::root().key("rules").index(0);
        let message = "no authenticator is called \"suplier-key\"; did you mean \"supplier-key\"?";
        assert_eq!(
            problem_at(&tree, &place.key("authenticate"), message).to_string(),
            format!("rules[0].authenticate: {message} (line 4, column 19)")
        );
        assert_eq!(
            problem_at(&tree, &place.key("upstream").key("keep").index(3), "x").to_string(),
            "rules[0].upstream.keep[3]: x (line 3, column 5)"
        );
        assert_eq!(
            problem_at(&tree, &Path::root(), "x").to_string(),
            "x (line 1, column 1)"
        );
        let nowhere = Node {
            value: super::super::Value::Null,
            mark: None,
        };
        assert_eq!(problem_at(&nowhere, &Path::root(), "x").to_string(), "x");
        assert_eq!(
            problem_at(&nowhere, &Path::root().key("a"), "x").to_string(),
            "a: x"
        );
    }
}
