//! JSON as strictly as RFC 8259 lets one read it.
//!
//! `serde_json` already refuses comments, trailing text, single quotes, lone surrogates, control
//! characters and numbers beyond a double. It lets the last of several members of one name win,
//! which is how two readers of one token come to see two different tokens (RFC 8725 §3.5, RFC 7515 §4
//! ask for unique names): here a second member is an error, at every level.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Arrays and objects within each other, the outermost counted. Real tokens and key sets need at
/// most four; the bound keeps the recursion shallow on a stack of one MiB.
pub(super) const MAX_DEPTH: usize = 32;

/// What JSON can be read into: keys into the values of `serde_json`, which their types are made
/// of, and claims at once into those that expressions see.
pub(crate) trait Json: Sized {
    /// An object's members as they come.
    type Members: Default;
    /// An object.
    type Object: Into<Self>;

    /// `null`.
    fn null() -> Self;
    /// `true` or `false`.
    fn boolean(value: bool) -> Self;
    /// A whole number.
    fn signed(value: i64) -> Self;
    /// A whole number, not negative.
    fn unsigned(value: u64) -> Self;
    /// Any other number; it is finite.
    fn double(value: f64) -> Self;
    /// A string.
    fn text(value: &str) -> Self;
    /// An array.
    fn list(items: Vec<Self>) -> Self;
    /// Adds a member to an object.
    fn add(members: &mut Self::Members, name: &str, value: Self);
    /// The object of these members, unless two of them have one name.
    fn object(members: Self::Members) -> Option<Self::Object>;
}

/// Reads one JSON object that fills the whole of `text`.
pub(crate) fn object<T: Json>(text: &[u8]) -> Result<T::Object, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let object = reader.deserialize_map(Outermost::<T>(PhantomData))?;
    reader.end()?;
    Ok(object)
}

/// A string that is borrowed where it holds no escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// Reads the outermost value, which is an object.
struct Outermost<T>(PhantomData<T>);

impl<'de, T: Json> Visitor<'de> for Outermost<T> {
    type Value = T::Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T::Object, A::Error> {
        Strict::<T>::member().object(members)
    }
}

/// Reads any JSON value, with unique member names and at most `depth` more levels.
pub(super) struct Strict<T> {
    depth: usize,
    built: PhantomData<T>,
}

impl<T: Json> Strict<T> {
    /// For a value that stands inside the outermost array or object.
    pub(super) fn member() -> Self {
        Self::at(MAX_DEPTH - 1)
    }

    fn at(depth: usize) -> Self {
        Self {
            depth,
            built: PhantomData,
        }
    }

    fn deeper<E: Error>(&self) -> Result<usize, E> {
        self.depth
            .checked_sub(1)
            .ok_or_else(|| E::custom("nested too deeply"))
    }

    /// An object whose members this reads.
    fn object<'de, A: MapAccess<'de>>(&self, mut read: A) -> Result<T::Object, A::Error> {
        let mut members = T::Members::default();
        while let Some(Text(name)) = read.next_key()? {
            let value = read.next_value_seed(Self::at(self.depth))?;
            T::add(&mut members, &name, value);
        }
        T::object(members).ok_or_else(|| A::Error::custom("a member stands there twice"))
    }
}

impl<'de, T: Json> DeserializeSeed<'de> for Strict<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Json> Visitor<'de> for Strict<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::null())
    }

    fn visit_bool<E>(self, value: bool) -> Result<T, E> {
        Ok(T::boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<T, E> {
        Ok(T::signed(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<T, E> {
        Ok(T::unsigned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        match value.is_finite() {
            true => Ok(T::double(value)),
            false => Err(E::custom("not a finite number")),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<T, E> {
        Ok(T::text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        let depth = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self::at(depth))? {
            list.push(item);
        }
        Ok(T::list(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        let depth = self.deeper()?;
        Self::at(depth).object(members).map(Into::into)
    }
}

impl Json for serde_json::Value {
    /// The members, and whether one of them came twice.
    type Members = (serde_json::Map<String, Self>, bool);
    type Object = serde_json::Map<String, Self>;

    fn null() -> Self {
        Self::Null
    }

    fn boolean(value: bool) -> Self {
        Self::Bool(value)
    }

    fn signed(value: i64) -> Self {
        value.into()
    }

    fn unsigned(value: u64) -> Self {
        value.into()
    }

    fn double(value: f64) -> Self {
        value.into()
    }

    fn text(value: &str) -> Self {
        value.into()
    }

    fn list(items: Vec<Self>) -> Self {
        Self::Array(items)
    }

    fn add((members, twice): &mut Self::Members, name: &str, value: Self) {
        *twice |= members.insert(name.to_owned(), value).is_some();
    }

    fn object((members, twice): Self::Members) -> Option<serde_json::Map<String, Self>> {
        (!twice).then_some(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression;
    use serde_json::Value;

    /// Both readings of a text: they are as strict.
    fn object(text: &[u8]) -> Result<serde_json::Map<String, Value>, serde_json::Error> {
        let claims = super::object::<expression::Value>(text).map(expression::Value::Map);
        let object = super::object::<Value>(text);
        let members = object.as_ref().ok().cloned().map(Value::Object);
        assert_eq!(
            claims.ok(),
            members.as_ref().map(expression::Value::from_json)
        );
        object
    }

    #[test]
    fn what_rfc_8259_does_not_allow_is_refused() {
        for text in [
            r#""#,
            r#"[]"#,
            r#"null"#,
            r#"{"a":1"#,
            r#"{"a":1}x"#,
            r#"{"a":1}{}"#,
            r#"{'a':1}"#,
            r#"{a:1}"#,
            r#"{"a":1,}"#,
            r#"{"a":01}"#,
            r#"{"a":+1}"#,
            r#"{"a":.5}"#,
            r#"{"a":1.}"#,
            r#"{"a":0x1}"#,
            r#"{"a":NaN}"#,
            r#"{"a":Infinity}"#,
            r#"{"a":1e400}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\x41"}"#,
            "{\"a\":\"\n\"}",
            "\u{feff}{\"a\":1}",
            r#"{"a":1}//"#,
            r#"{/**/"a":1}"#,
        ] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
        assert!(object(b"{\"a\":1}\0").is_err());
    }

    #[test]
    fn a_second_member_is_refused_at_every_level() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"o":{"a":1,"b":2,"a":3}}"#,
            r#"{"o":[[{"a":null,"a":null}]]}"#,
        ] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
        assert!(object(br#"{"a":{"a":[{"a":1}]},"b":1}"#).is_ok());
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| {
            format!(
                "{{\"a\":{}1{}}}",
                "[".repeat(levels - 1),
                "]".repeat(levels - 1)
            )
        };
        assert!(object(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(object(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(object(nested(100_000).as_bytes()).is_err());
    }

    #[test]
    fn every_kind_of_value_is_read_as_it_stands() {
        let text =
            r#"{"a":[null,true,false,-1,0,18446744073709551615,-0.5,1e3,"x\u0041é"],"b":{}}"#;
        let plain: Value = serde_json::from_str(text).unwrap();
        assert_eq!(object(text.as_bytes()).map(Value::Object).ok(), Some(plain));
    }
}
