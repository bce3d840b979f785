//! The JSON Schema of the policy language, made from the types that read it.
//!
//! Titles and defaults are taken from the types' documentation, so that nothing is told
//! twice: a title is its first sentence, a default what follows `Default:`.

use super::document::Duration;
use super::raw;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;
use std::borrow::Cow;

/// The schema (JSON Schema 2020-12) of a whole policy.
///
/// It is a help for writing: it tells keys and shapes, while [`super::load`] judges names,
/// expressions and keys as well.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<raw::Document>();
    RecursiveTransform(from_documentation).transform(&mut schema);
    schema.insert("title".to_owned(), "Doorward policy".into());
    schema.to_value()
}

fn from_documentation(schema: &mut Schema) {
    let Some(description) = schema.get("description").and_then(Value::as_str) else {
        return;
    };
    // Line breaks of the source are none of the text's.
    let description = description.replace('\n', " ");
    let title = first_sentence(&description).to_owned();
    let default = documented_default(&description);
    schema.insert("description".to_owned(), description.into());
    schema.insert("title".to_owned(), title.into());
    if let Some(default) = default {
        schema.insert("default".to_owned(), default);
    }
}

fn first_sentence(text: &str) -> &str {
    let end = text.find(". ").unwrap_or(text.len());
    let sentence = text.get(..end).unwrap_or(text);
    sentence.strip_suffix('.').unwrap_or(sentence)
}

/// What a documentation says after `Default:`, where that is a value and no sentence: a
/// number, a duration, true, false, or one word in backticks.
fn documented_default(text: &str) -> Option<Value> {
    let (_, after) = text.split_once("Default: ")?;
    let sentence = first_sentence(after);
    let word = sentence.trim_matches('`');
    let is_code = word.len() < sentence.len();
    match word {
        "true" => Some(true.into()),
        "false" => Some(false.into()),
        _ if word.contains(char::is_whitespace) => None,
        _ if is_code || word.parse::<Duration>().is_ok() => Some(word.into()),
        _ => word.parse::<u64>().ok().map(Value::from),
    }
}

/// Texts of which only some are known. Stands for `String` in the types' schema, where
/// their own checks come later and tell more.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident: [$($value:literal),* $(,)?];)*) => {
        $(
            $(#[$doc])*
            pub struct $name;

            impl JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({"type": "string", "enum": [$($value),*]})
                }
            }
        )*
    };
}

names! {
    /// Algorithms of RFC 7518 §3.1 and RFC 8037 §3.1.
    AlgorithmName: [
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
        "ES256", "ES384", "ES512", "EdDSA",
    ];
    /// How the gateway proves itself to a token endpoint.
    ClientAuthName: [
        "client_secret_basic", "client_secret_post", "client_secret_json", "private_key_jwt",
    ];
    /// How a client proves itself to the gateway's token endpoint.
    IssueAuthName: ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    /// Whether an assertion must have a `jti`.
    JtiName: ["required", "optional"];
    /// What a limit counts.
    CountName: ["failures"];
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_are_values_and_never_prose() {
        for (text, default) in [
            (
                "How far clocks may differ. Default: 30s.",
                Some(json!("30s")),
            ),
            (
                "The longest token in bytes. Default: 8192.",
                Some(json!(8192)),
            ),
            ("Whether it must. Default: true.", Some(json!(true))),
            ("Default: `/access_token`.", Some(json!("/access_token"))),
            (
                "Basic or post. Default: `client_secret_basic`.",
                Some(json!("client_secret_basic")),
            ),
            (
                "Where it lives. Default: 5m. More words.",
                Some(json!("5m")),
            ),
            ("Exact names. Default: all.", None),
            (
                "Tried in order. Default: `Authorization` with Bearer.",
                None,
            ),
            ("The body. Default: RFC 9457 problem details.", None),
            ("Nothing said.", None),
        ] {
            assert_eq!(documented_default(text), default, "{text}");
        }
    }

    #[test]
    fn names_are_those_that_the_language_reads() {
        for algorithm in crate::jose::Algorithm::ALL {
            let known = AlgorithmName::json_schema(&mut SchemaGenerator::default());
            let known = known.get("enum").and_then(Value::as_array).unwrap();
            assert!(known.contains(&json!(algorithm.name())), "{algorithm:?}");
        }
    }

    #[test]
    fn the_schema_has_titles_descriptions_and_defaults() {
        let schema = schema();
        let leeway = &schema["$defs"]["Jwt"]["properties"]["leeway"];
        assert_eq!(leeway["default"], "30s", "{leeway}");
        assert_eq!(leeway["title"], "How far clocks may differ");
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], json!(["version", "rules"]));
    }
}
