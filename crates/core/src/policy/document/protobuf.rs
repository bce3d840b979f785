//! A binary `google.protobuf.Struct`, decoded by hand: the format is four small messages
//! (Struct, its map entry, Value, ListValue), and a generated decoder would neither bound the
//! depth by our limits nor keep the order of the keys.
//!
//! Source: `google/protobuf/struct.proto` and the protobuf wire format.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::{
    decode::MAX_PROBLEMS,
    node::{Entry, Node, Value},
    path::{Path, Segment, quoted},
    problem::Problem,
    read::{Budget, MAX_DEPTH, too_deep},
};

/// `Struct.fields`, length-delimited: how every Struct that isn't empty begins.
pub(super) const FIRST_BYTE: u8 = 0x0a;
/// `FieldsEntry.value`, length-delimited.
pub(super) const VALUE_TAG: u8 = 0x12;

const ENTRY: u64 = FIRST_BYTE as u64;
const ENTRY_KEY: u64 = 0x0a;
const ENTRY_VALUE: u64 = VALUE_TAG as u64;
const NULL: u64 = 0x08;
const NUMBER: u64 = 0x11;
const STRING: u64 = 0x1a;
const BOOL: u64 = 0x20;
const STRUCT: u64 = 0x2a;
const LIST: u64 = 0x32;
const LIST_ITEM: u64 = 0x0a;

/// The tree of a Struct; it has no marks.
pub(super) fn read(bytes: &[u8]) -> Result<Node, Vec<Problem>> {
    let mut decoder = Decoder {
        budget: Budget::new(),
        path: Vec::new(),
        problems: Vec::new(),
    };
    match decoder.structure(bytes) {
        Ok(_) if !decoder.problems.is_empty() => Err(decoder.problems),
        Ok(value) => Ok(Node { value, mark: None }),
        Err(message) => {
            decoder.problem(message);
            Err(decoder.problems)
        }
    }
}

struct Decoder {
    budget: Budget,
    path: Vec<Segment>,
    problems: Vec<Problem>,
}

impl Decoder {
    fn problem(&mut self, message: impl Into<String>) {
        if self.problems.len() >= MAX_PROBLEMS {
            return;
        }
        let path = Path::from_segments(self.path.clone());
        self.problems.push(Problem::new(&path, None, message));
    }

    fn enter(&mut self, segment: Segment) -> Result<(), String> {
        self.path.push(segment);
        if self.path.len() > MAX_DEPTH {
            return Err(too_deep());
        }
        Ok(())
    }

    fn structure(&mut self, bytes: &[u8]) -> Result<Value, String> {
        self.budget.take(1, 0)?;
        let mut wire = Wire(bytes);
        let mut entries: Vec<Entry> = Vec::new();
        let mut keys = BTreeSet::new();
        while !wire.is_at_end() {
            wire.expect(ENTRY)?;
            let mut entry = Wire(wire.bytes()?);
            entry.expect(ENTRY_KEY)?;
            let key = entry.text()?;
            self.budget.take(0, key.len())?;
            entry.expect(ENTRY_VALUE)?;
            let value = entry.bytes()?;
            entry.expect_end()?;
            self.enter(Segment::Key(key.to_owned()))?;
            let value = self.value(value)?;
            self.path.pop();
            if keys.insert(key) {
                entries.push(Entry {
                    key: key.to_owned(),
                    key_mark: None,
                    value,
                });
            } else {
                self.problem(format!("the key {} is given twice", quoted(key)));
            }
        }
        Ok(Value::Map(entries))
    }

    fn list(&mut self, bytes: &[u8]) -> Result<Value, String> {
        self.budget.take(1, 0)?;
        let mut wire = Wire(bytes);
        let mut items = Vec::new();
        while !wire.is_at_end() {
            wire.expect(LIST_ITEM)?;
            let item = wire.bytes()?;
            self.enter(Segment::Index(items.len()))?;
            items.push(self.value(item)?);
            self.path.pop();
        }
        Ok(Value::List(items))
    }

    fn value(&mut self, bytes: &[u8]) -> Result<Node, String> {
        let mut wire = Wire(bytes);
        if wire.is_at_end() {
            return Err("this google.protobuf.Value holds nothing".to_owned());
        }
        let value = match wire.varint()? {
            STRUCT => self.structure(wire.bytes()?)?,
            LIST => self.list(wire.bytes()?)?,
            tag => {
                self.budget.take(1, 0)?;
                match tag {
                    NULL => {
                        wire.varint()?;
                        Value::Null
                    }
                    NUMBER => {
                        let number = wire.double()?;
                        Value::number(number).unwrap_or_else(|| {
                            self.problem("this is no finite number");
                            Value::Null
                        })
                    }
                    STRING => {
                        let text = wire.text()?;
                        self.budget.take(0, text.len())?;
                        Value::String(Zeroizing::new(text.to_owned()))
                    }
                    BOOL => Value::Bool(wire.varint()? != 0),
                    _ => return Err(malformed()),
                }
            }
        };
        wire.expect_end()?;
        Ok(Node { value, mark: None })
    }
}

fn malformed() -> String {
    "this is neither text nor a well-formed google.protobuf.Struct".to_owned()
}

/// The rest of a message.
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn expect_end(&self) -> Result<(), String> {
        if self.is_at_end() {
            Ok(())
        } else {
            Err(malformed())
        }
    }

    fn expect(&mut self, tag: u64) -> Result<(), String> {
        if self.varint()? == tag {
            Ok(())
        } else {
            Err(malformed())
        }
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut number = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or_else(malformed)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(malformed())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn bytes(&mut self) -> Result<&'a [u8], String> {
        let length = usize::try_from(self.varint()?).map_err(|_| malformed())?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, String> {
        std::str::from_utf8(self.bytes()?).map_err(|_| malformed())
    }

    fn double(&mut self) -> Result<f64, String> {
        let bytes = self.take(size_of::<f64>())?;
        bytes
            .try_into()
            .map(f64::from_le_bytes)
            .map_err(|_| malformed())
    }
}
