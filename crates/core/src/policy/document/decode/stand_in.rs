//! An empty value of whatever type is wanted. It never reaches a caller: it only lets the rest of
//! the document be looked at once something in it is wrong.

use serde::de::{self, DeserializeSeed, Deserializer, Visitor, value::StrDeserializer};

use super::error::{Cause, Error};
use crate::policy::document::read::MAX_DEPTH;

/// Stands in for a value; holds how many structs may still nest in it.
#[derive(Clone, Copy)]
pub(super) struct StandIn(usize);

impl StandIn {
    pub(super) fn new() -> Self {
        Self(MAX_DEPTH)
    }
}

fn none() -> Error {
    Error::new(Cause::NoStandIn)
}

macro_rules! stands_in_as {
    ($($method:ident => $visit:ident($value:expr);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for StandIn {
    type Error = Error;

    stands_in_as! {
        deserialize_bool => visit_bool(false);
        deserialize_i8 => visit_i8(0);
        deserialize_i16 => visit_i16(0);
        deserialize_i32 => visit_i32(0);
        deserialize_i64 => visit_i64(0);
        deserialize_u8 => visit_u8(0);
        deserialize_u16 => visit_u16(0);
        deserialize_u32 => visit_u32(0);
        deserialize_u64 => visit_u64(0);
        deserialize_f32 => visit_f32(0.0);
        deserialize_f64 => visit_f64(0.0);
        deserialize_str => visit_str("");
        deserialize_string => visit_str("");
        deserialize_seq => visit_seq(Nothing);
        deserialize_map => visit_map(Nothing);
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let deeper = Self(self.0.checked_sub(1).ok_or_else(none)?);
        visitor.visit_map(Fields {
            names: fields.iter(),
            value: deeper,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let name = variants.first().ok_or_else(none)?;
        visitor.visit_enum(StrDeserializer::<Error>::new(name))
    }

    /// A hand-written type offers a stand-in by `visit_none`, which no node of a document ever
    /// calls on it: `null` is `visit_unit`, and an `Option` has a visitor of its own.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_none()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// No elements, no members.
struct Nothing;

impl<'de> de::SeqAccess<'de> for Nothing {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        _: T,
    ) -> Result<Option<T::Value>, Error> {
        Ok(None)
    }
}

impl<'de> de::MapAccess<'de> for Nothing {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, _: K) -> Result<Option<K::Value>, Error> {
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, _: T) -> Result<T::Value, Error> {
        Err(none())
    }
}

/// Every key of a struct, so that none is missing.
struct Fields {
    names: std::slice::Iter<'static, &'static str>,
    value: StandIn,
}

impl<'de> de::MapAccess<'de> for Fields {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.names
            .next()
            .map(|name| seed.deserialize(StrDeserializer::<Error>::new(name)))
            .transpose()
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.value)
    }
}
