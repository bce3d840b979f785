//! A serde deserializer that knows where in the tree it stands.

use std::borrow::Cow;

use serde::de::{
    Deserializer, Visitor,
    value::{SeqAccessDeserializer, StrDeserializer},
};

use super::{
    error::{Error, Place},
    members::{Elements, Members, OneElement},
    recovery::{Recovery, identity},
};
use crate::policy::document::{
    expression::EXPRESSION_SOURCE,
    node::{Node, Value},
    path::{Path, Segment},
    suggest::did_you_mean,
    value_types::{MAP_OR, ONE_OR_MANY},
};

/// The way from the root, one link a level, each held by the call that made it.
pub(super) enum Track<'a> {
    Root,
    Key(&'a Track<'a>, &'a str),
    Index(&'a Track<'a>, usize),
}

impl Track<'_> {
    pub(super) fn path(&self) -> Path {
        let mut segments = Vec::new();
        let mut link = self;
        loop {
            link = match link {
                Track::Root => break,
                Track::Key(parent, key) => {
                    segments.push(Segment::Key((*key).to_owned()));
                    parent
                }
                Track::Index(parent, index) => {
                    segments.push(Segment::Index(*index));
                    parent
                }
            };
        }
        segments.reverse();
        Path::from_segments(segments)
    }
}

/// A node that is being decoded.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) node: &'a Node,
    pub(super) track: &'a Track<'a>,
    pub(super) recovery: &'a Recovery<'a>,
    /// Whether `${NAME}` stays as it is.
    verbatim: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn root(node: &'a Node, recovery: &'a Recovery<'a>) -> Self {
        Self {
            node,
            track: &Track::Root,
            recovery,
            verbatim: false,
        }
    }

    /// The cursor of an element or a member.
    pub(super) fn member<'b>(&self, node: &'b Node, track: &'b Track<'b>) -> Cursor<'b>
    where
        'a: 'b,
    {
        Cursor {
            node,
            track,
            recovery: self.recovery,
            verbatim: self.verbatim,
        }
    }

    pub(super) fn place(&self) -> Place {
        Place {
            node: identity(self.node),
            path: self.track.path(),
            mark: self.node.mark,
        }
    }

    fn at<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        outcome.map_err(|error| error.or_at(|| self.place()))
    }

    fn mismatch(&self, expected: &str) -> Error {
        let mend = match self.node.value {
            Value::Bool(_) | Value::Int(_) | Value::Float(_) if expected == "a string" => {
                "; put it in quotes"
            }
            _ => "",
        };
        Error::wrong(format!(
            "expected {expected}, found {}{mend}",
            self.node.value.kind()
        ))
    }

    /// The text with its variables replaced.
    fn text(&self, text: &'a str) -> Result<Cow<'a, str>, Error> {
        if self.verbatim {
            Ok(Cow::Borrowed(text))
        } else {
            self.recovery.replace(text)
        }
    }

    fn visit_text<'de, V: Visitor<'de>>(
        &self,
        text: &'a str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.text(text)? {
            Cow::Borrowed(text) => visitor.visit_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::String(text) => self.visit_text(text, visitor),
            Value::List(items) => visitor.visit_seq(Elements::new(self, items)),
            Value::Map(entries) => visitor.visit_map(Members::new(self, entries, None)),
        }
    }

    fn visit_list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::List(items) => visitor.visit_seq(Elements::new(self, items)),
            _ => Err(self.mismatch("a list")),
        }
    }

    fn visit_members<'de, V: Visitor<'de>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Members::new(self, entries, fields)),
            _ => Err(self.mismatch("a map")),
        }
    }

    fn visit_one_or_many<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::List(_) => visitor.visit_newtype_struct(self),
            Value::String(_) => {
                visitor.visit_newtype_struct(SeqAccessDeserializer::new(OneElement(Some(self))))
            }
            Value::Null | Value::Map(_) => Err(self.mismatch("a list")),
            _ => Err(self.mismatch("a string")),
        }
    }

    fn visit_choice<'de, V: Visitor<'de>>(
        self,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::String(text) = &self.node.value else {
            return Err(self.mismatch("a string"));
        };
        let name = self.text(text)?;
        if variants.contains(&name.as_ref()) {
            return visitor.visit_enum(StrDeserializer::<Error>::new(&name));
        }
        let hint = did_you_mean(&name, variants.iter().copied());
        Err(Error::wrong(format!(
            "expected one of {}{hint}",
            variants.join(", ")
        )))
    }
}

/// Whole numbers, told by their own range.
macro_rules! whole_numbers {
    ($($method:ident $kind:ident $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let outcome = match self.node.value {
                Value::Int(number) => $kind::try_from(number)
                    .map_err(|_| {
                        Error::wrong(format!("expected a whole number from {} to {}", $kind::MIN, $kind::MAX))
                    })
                    .and_then(|number| visitor.$visit(number)),
                _ => Err(self.mismatch("a whole number")),
            };
            self.at(outcome)
        }
    )*};
}

impl<'de> Deserializer<'de> for Cursor<'_> {
    type Error = Error;

    whole_numbers! {
        deserialize_i8 i8 visit_i8;
        deserialize_i16 i16 visit_i16;
        deserialize_i32 i32 visit_i32;
        deserialize_i64 i64 visit_i64;
        deserialize_u8 u8 visit_u8;
        deserialize_u16 u16 visit_u16;
        deserialize_u32 u32 visit_u32;
        deserialize_u64 u64 visit_u64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at(self.visit(visitor))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at(match self.node.value {
            Value::Bool(value) => visitor.visit_bool(value),
            _ => Err(self.mismatch("true or false")),
        })
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at(match self.node.value {
            Value::Int(number) => visitor.visit_i64(number),
            Value::Float(number) => visitor.visit_f64(number),
            _ => Err(self.mismatch("a number")),
        })
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at(match &self.node.value {
            Value::String(text) => self.visit_text(text, visitor),
            _ => Err(self.mismatch("a string")),
        })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at(match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.at(match name {
            ONE_OR_MANY => self.visit_one_or_many(visitor),
            MAP_OR if matches!(self.node.value, Value::Map(_)) => visitor.visit_some(self),
            EXPRESSION_SOURCE => visitor.visit_newtype_struct(Self {
                verbatim: true,
                ..self
            }),
            _ => visitor.visit_newtype_struct(self),
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at(self.visit_list(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at(self.visit_members(None, visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.at(self.visit_members(Some(fields), visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.at(self.visit_choice(variants, visitor))
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple_struct identifier ignored_any
    }
}
