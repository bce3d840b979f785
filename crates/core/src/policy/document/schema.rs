//! JSON Schema of the value types whose `Deserialize` is written by hand.

use super::{Duration, ExpressionSource, Json, MapOr, OneOrMany, Secret, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one}]})
    }
}

impl<M: JsonSchema, T: JsonSchema> JsonSchema for MapOr<M, T> {
    // Named, not written out: `Authenticate` holds itself.
    fn schema_name() -> Cow<'static, str> {
        format!("{}Or{}", M::schema_name(), T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<M>();
        let other = generator.subschema_for::<T>();
        json_schema!({"anyOf": [other, map]})
    }
}

/// Types that are shown the same everywhere, as a schema of their own.
macro_rules! value_schema {
    ($type:ident, $name:literal, $schema:tt) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

// `${NAME}` may stand for a whole value, whose form only the environment knows.
value_schema!(Duration, "Duration", {
    "description": "A span of time: a whole number with ms, s, m or h, at most 366 days.",
    "type": "string",
    "pattern": r"^[0-9]+(ms|s|m|h)$|\$\{",
    "examples": ["500ms", "30s", "10m", "4h"],
});
value_schema!(Timestamp, "Timestamp", {
    "description": "A point in time as RFC 3339 has it.",
    "type": "string",
    "examples": ["2026-11-01T00:00:00Z"],
});
value_schema!(ExpressionSource, "Expression", {
    "description": "A CEL expression. `${NAME}` is not replaced in it.",
    "type": ["string", "boolean", "integer"],
});
value_schema!(Secret, "Secret", {
    "description": "A text that never shows in logs and errors; best taken from the environment by `${NAME}`.",
    "type": "string",
});
value_schema!(Json, "Json", {
    "description": "Free JSON.",
});
