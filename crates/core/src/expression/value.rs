//! The values that expressions work on: cheap to clone, so they are built once and shared.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::error::EvaluationError;
use crate::cache::chunk;

/// Most parts (members, items, leaves) that a value may have when it is turned into JSON. Values
/// share their parts, so one of a few hundred bytes could otherwise unfold into gigabytes.
const MAX_JSON_PARTS: usize = 16 * 1024;

/// Most bytes of text that a value may have when it is turned into JSON; shared text counts every
/// time it appears. It is four times the longest string that an expression can build.
const MAX_JSON_BYTES: usize = 256 * 1024;

/// Up to how many members a map is gone through instead of halved.
const SMALL: usize = 16;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// Nothing.
    Null,
    /// True or false.
    Bool,
    /// A signed number of 64 bits.
    Int,
    /// An unsigned number of 64 bits.
    Uint,
    /// A binary64 number.
    Double,
    /// Unicode text.
    String,
    /// Bytes.
    Bytes,
    /// A list.
    List,
    /// A map.
    Map,
}

impl fmt::Display for ValueType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Null => "null",
            Self::Bool => "a truth value",
            Self::Int | Self::Uint => "an integer",
            Self::Double => "a double",
            Self::String => "a string",
            Self::Bytes => "bytes",
            Self::List => "a list",
            Self::Map => "a map",
        })
    }
}

/// A value of an expression. Cloning shares, it doesn't copy.
///
/// `==` on it is structural, for tests and keys; the `==` of expressions, which compares numbers
/// across their types, counts its steps and lives in the evaluator.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A signed number: what JSON's integers are wherever they fit.
    Int(i64),
    /// An unsigned number: `7u`, and JSON's integers that don't fit `Int`.
    Uint(u64),
    /// A binary64 number.
    Double(f64),
    /// Unicode text.
    String(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A list.
    List(Arc<[Value]>),
    /// A map.
    Map(Map),
}

/// Only the type is shown: values hold claims, headers and secrets.
impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Value({})", self.value_type())
    }
}

/// A key of a map. Unsigned numbers that fit are `Int`, so that `1` and `1u` are one key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// True or false.
    Bool(bool),
    /// A number.
    Int(i64),
    /// A number too large for `Int`.
    Uint(u64),
    /// Text.
    String(Arc<str>),
}

impl Key {
    /// The key that a value stands for; none for a value that can't be a key.
    pub(super) fn from_value(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Uint(value) => i64::try_from(*value).map_or(Self::Uint(*value), Self::Int),
            Value::String(value) => Self::String(value.clone()),
            _ => return None,
        })
    }

    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Uint(value) => Value::Uint(*value),
            Self::String(value) => Value::String(value.clone()),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Uint(value) => value.to_string(),
            Self::String(value) => value.to_string(),
        }
    }

    fn is_text(&self, text: &str) -> bool {
        matches!(self, Self::String(own) if **own == *text)
    }

    fn compare_text(&self, text: &str) -> Ordering {
        match self {
            Self::String(own) => own.as_ref().cmp(text),
            Self::Bool(_) | Self::Int(_) | Self::Uint(_) => Ordering::Less,
        }
    }
}

/// A map, as a sorted slice: small, and without a hasher's random seed.
#[derive(Clone, Default, PartialEq)]
pub struct Map(Arc<[(Key, Value)]>);

/// Only its size is shown, see [`Value`].
impl fmt::Debug for Map {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Map({})", self.len())
    }
}

impl Map {
    /// Sorts the entries; none if a key is there twice.
    pub(crate) fn from_entries(mut entries: Vec<(Key, Value)>) -> Option<Self> {
        entries.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        let unique = entries
            .windows(2)
            .all(|pair| !matches!(pair, [left, right] if left.0 == right.0));
        unique.then(|| Self(shared(entries)))
    }

    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let found = match self.0.len() {
            // Names that differ mostly do so in their length, which is told sooner than an order.
            0..=SMALL => self.0.iter().position(|(key, _)| key.is_text(name)),
            _ => {
                let found = self.0.binary_search_by(|(key, _)| key.compare_text(name));
                found.ok()
            }
        };
        found
            .and_then(|index| self.0.get(index))
            .map(|(_, value)| value)
    }

    pub(super) fn get_key(&self, wanted: &Key) -> Option<&Value> {
        let found = self.0.binary_search_by(|(key, _)| key.cmp(wanted));
        found
            .ok()
            .and_then(|index| self.0.get(index))
            .map(|(_, value)| value)
    }

    /// The entries, sorted by key.
    pub fn entries(&self) -> &[(Key, Value)] {
        &self.0
    }

    /// See [`Value::bytes`].
    pub fn bytes(&self) -> usize {
        let parts = self.0.iter().map(|(key, value)| {
            let key = match key {
                Key::String(text) => shared_bytes(text.len()),
                Key::Bool(_) | Key::Int(_) | Key::Uint(_) => 0,
            };
            key + value.bytes()
        });
        shared_bytes(size_of_val::<[(Key, Value)]>(&self.0)) + parts.sum::<usize>()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Value {
    /// The value with nothing in it, of this type.
    pub fn empty(of: ValueType) -> Self {
        match of {
            ValueType::Null => Self::Null,
            ValueType::Bool => Self::Bool(false),
            ValueType::Int => Self::Int(0),
            ValueType::Uint => Self::Uint(0),
            ValueType::Double => Self::Double(0.0),
            ValueType::String => Self::String(Arc::from("")),
            ValueType::Bytes => Self::Bytes(Arc::from([])),
            ValueType::List => Self::List(Arc::from([])),
            ValueType::Map => Self::Map(Map::default()),
        }
    }

    /// The type of this value.
    pub const fn value_type(&self) -> ValueType {
        match self {
            Self::Null => ValueType::Null,
            Self::Bool(_) => ValueType::Bool,
            Self::Int(_) => ValueType::Int,
            Self::Uint(_) => ValueType::Uint,
            Self::Double(_) => ValueType::Double,
            Self::String(_) => ValueType::String,
            Self::Bytes(_) => ValueType::Bytes,
            Self::List(_) => ValueType::List,
            Self::Map(_) => ValueType::Map,
        }
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// A map with these members; where a name comes twice, the last one holds.
    pub fn map<N: Into<Arc<str>>>(members: impl IntoIterator<Item = (N, Value)>) -> Self {
        let members: std::collections::BTreeMap<Arc<str>, Value> = members
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect();
        // A BTreeMap of strings has the order of `Key::String`.
        Self::Map(Map(members
            .into_iter()
            .map(|(name, value)| (Key::String(name), value))
            .collect()))
    }

    /// A list of these strings.
    pub fn strings<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::List(items.into_iter().map(|item| item.as_ref().into()).collect())
    }

    /// Takes over a JSON value. Numbers are `Int` where they fit. Its depth is bounded by the
    /// parser that it comes from (serde_json: 128).
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => number
                .as_i64()
                .map(Self::Int)
                .or_else(|| number.as_u64().map(Self::Uint))
                .or_else(|| number.as_f64().map(Self::Double))
                .unwrap_or(Self::Null),
            serde_json::Value::String(text) => text.as_str().into(),
            serde_json::Value::Array(items) => {
                Self::List(items.iter().map(Self::from_json).collect())
            }
            serde_json::Value::Object(members) => Self::map(
                members
                    .iter()
                    .map(|(name, member)| (name.as_str(), Self::from_json(member))),
            ),
        }
    }

    /// What its parts take on the module's heap, in bytes; what is shared counts every time it
    /// appears. Its depth is bounded by where it comes from.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Uint(_) | Self::Double(_) => 0,
            Self::String(text) => shared_bytes(text.len()),
            Self::Bytes(bytes) => shared_bytes(bytes.len()),
            Self::List(items) => {
                let parts = items.iter().map(Self::bytes);
                shared_bytes(size_of_val::<[Self]>(items)) + parts.sum::<usize>()
            }
            Self::Map(map) => map.bytes(),
        }
    }

    /// This value as JSON. Keys that are no strings are written as some.
    ///
    /// # Errors
    /// Bytes and doubles that are no number can't be said in JSON; a value that unfolds into more
    /// than 16,384 parts or 256 KiB of text is refused.
    pub fn to_json(&self) -> Result<serde_json::Value, EvaluationError> {
        let mut room = JsonRoom {
            parts: MAX_JSON_PARTS,
            bytes: MAX_JSON_BYTES,
        };
        self.json(&mut room)
    }

    fn json(&self, room: &mut JsonRoom) -> Result<serde_json::Value, EvaluationError> {
        room.part()?;
        Ok(match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Uint(value) => (*value).into(),
            Self::Double(value) => serde_json::Number::from_f64(*value)
                .map(serde_json::Value::Number)
                .ok_or(EvaluationError::Unprintable)?,
            Self::String(text) => {
                room.text(text)?;
                text.as_ref().into()
            }
            Self::Bytes(_) => return Err(EvaluationError::Unprintable),
            Self::List(items) => items
                .iter()
                .map(|item| item.json(room))
                .collect::<Result<Vec<_>, _>>()?
                .into(),
            Self::Map(map) => {
                let mut members = serde_json::Map::new();
                for (key, member) in map.entries() {
                    let name = key.to_text();
                    room.text(&name)?;
                    members.insert(name, member.json(room)?);
                }
                members.into()
            }
        })
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

/// Parts that are shared from now on. No parts take no memory: a token can be full of empty lists.
fn shared<T>(parts: Vec<T>) -> Arc<[T]> {
    match parts.is_empty() {
        true => Arc::default(),
        false => parts.into(),
    }
}

/// What so many bytes behind two counts take; where there are none, nothing (see [`shared`]).
fn shared_bytes(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        _ => chunk(bytes + 2 * size_of::<usize>()),
    }
}

struct JsonRoom {
    parts: usize,
    bytes: usize,
}

impl JsonRoom {
    fn part(&mut self) -> Result<(), EvaluationError> {
        self.parts = self.parts.checked_sub(1).ok_or(EvaluationError::TooLong)?;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), EvaluationError> {
        self.bytes = self
            .bytes
            .checked_sub(text.len())
            .ok_or(EvaluationError::TooLong)?;
        Ok(())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::List(shared(items))
    }
}
