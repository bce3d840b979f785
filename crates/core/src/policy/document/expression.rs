//! The source of a CEL expression, as the document has it.

use serde::{Deserialize, Deserializer, de};

/// A CEL expression as it is written. `${NAME}` is never replaced inside it: a value put into an
/// expression could change what it means. `true`, `false` and whole numbers may stand unquoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionSource(pub String);

/// How the deserializer recognises an [`ExpressionSource`].
pub(super) const EXPRESSION_SOURCE: &str = "doorward::ExpressionSource";

impl<'de> Deserialize<'de> for ExpressionSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ExpressionSource;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a CEL expression")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                inner: D,
            ) -> Result<Self::Value, D::Error> {
                inner.deserialize_any(self)
            }

            /// A stand-in, see `decode`.
            fn visit_none<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(ExpressionSource(String::new()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(ExpressionSource(text.to_owned()))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
                Ok(ExpressionSource(value.to_string()))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(ExpressionSource(value.to_string()))
            }
        }
        deserializer.deserialize_newtype_struct(EXPRESSION_SOURCE, Visitor)
    }
}
