//! The tree that every form of the document becomes.

use std::fmt;

use zeroize::Zeroizing;

use super::path::{Path, Segment};

/// A place in the text: line and column, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

/// A value of the document and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it begins; `None` where the document has no text (a protobuf Struct).
    pub mark: Option<Mark>,
}

/// What a [`Node`] holds. `Debug` shows the shape and the keys alone: values may be secrets.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number. Numbers written with a fraction of zero are whole as well, so that all
    /// forms of the document mean the same.
    Int(i64),
    /// Any other finite number.
    Float(f64),
    /// A text, wiped when dropped.
    String(Zeroizing<String>),
    /// A list.
    List(Vec<Node>),
    /// A map, its entries in the order of the document, each key once.
    Map(Vec<Entry>),
}

/// A member of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands; `None` where the document has no text.
    pub key_mark: Option<Mark>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The member `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| &entry.value),
            _ => None,
        }
    }

    /// Where `path` stands, or the nearest place above it that exists and has a mark.
    pub fn mark_at(&self, path: &Path) -> Option<Mark> {
        let mut node = self;
        let mut mark = self.mark;
        for segment in path.segments() {
            let next = match (segment, &node.value) {
                (Segment::Key(key), _) => node.get(key),
                (Segment::Index(index), Value::List(items)) => items.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            node = next;
            mark = next.mark.or(mark);
        }
        mark
    }
}

impl Value {
    /// What messages call this kind of value.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number with a fraction",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// A number as the tree holds it; `None` for what is not finite.
    pub(super) fn number(number: f64) -> Option<Self> {
        /// 2^63, the first value past `i64` on either side.
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        if !number.is_finite() {
            return None;
        }
        if number.fract() == 0.0 && (-LIMIT..LIMIT).contains(&number) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "checked: whole and in range"
            )]
            return Some(Self::Int(number as i64));
        }
        Some(Self::Float(number))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(items) => f.debug_tuple("List").field(items).finish(),
            Self::Map(entries) => f.debug_tuple("Map").field(entries).finish(),
            other => write!(f, "<{}>", other.kind()),
        }
    }
}
