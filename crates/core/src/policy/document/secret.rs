//! Values that must not show: secrets, and free JSON that may hold some.

use std::fmt;

use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

/// A text that never shows: `Debug` is redacted, there is no `Display` and no `Serialize`, and it
/// is wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<str>>);

impl Secret {
    /// The text itself. Compare it in constant time.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// In constant time for texts of one length (the length itself is no secret worth hiding).
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        if text.len() == text.capacity() {
            return Self(Zeroizing::new(text.into_boxed_str()));
        }
        // Giving back what is unused would leave it as it is.
        Self::from(Zeroizing::new(text).as_str())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.into()))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Free JSON of the document: metadata, claims, a JWK. `${NAME}` is replaced in its strings, not
/// in its keys. `Debug` is redacted and the strings are wiped when dropped, since a JWK may hold a
/// private key.
#[derive(Clone, PartialEq)]
pub struct Json(serde_json::Value);

impl Json {
    /// The value.
    pub fn value(&self) -> &serde_json::Value {
        &self.0
    }

    /// The value, whose wiping is then up to the caller.
    pub fn into_value(mut self) -> serde_json::Value {
        self.0.take()
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(deserializer).map(Self)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Json(…)")
    }
}

impl Drop for Json {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// The recursion is as deep as the document, which `read` bounds.
fn wipe(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => text.zeroize(),
        serde_json::Value::Array(items) => items.iter_mut().for_each(wipe),
        serde_json::Value::Object(members) => members.values_mut().for_each(wipe),
        _ => {}
    }
}
