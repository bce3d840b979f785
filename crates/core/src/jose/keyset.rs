//! Several keys, of which a token names one or none.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::{Algorithm, Key, KeyError, json};

/// Keys that are tried for one token. More than a few of one kind without distinct ids is a
/// mistake in the set; the bound keeps a token from costing a check with every one of them.
pub const MAX_CANDIDATES: usize = 16;

/// Bounds of a JWKS document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the document in bytes.
    pub max_bytes: usize,
    /// Entries in `keys`, usable or not.
    pub max_keys: usize,
}

impl Default for Limits {
    /// 256 KiB and 128 keys: the largest public identity providers stay below a tenth of it.
    fn default() -> Self {
        Self {
            max_bytes: 256 * 1024,
            max_keys: 128,
        }
    }
}

/// An entry of a JWKS that can't be used, to be counted and logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in `keys`, from 0.
    pub index: usize,
    /// Its `kid`, where that is a string.
    pub kid: Option<String>,
    /// Why it can't be used.
    pub reason: KeyError,
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "keys[{}]", self.index)?;
        if let Some(kid) = &self.kid {
            // A fetched set is somebody else's text: it must not break a log line.
            write!(f, " ({})", kid.escape_debug())?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Keys in the order in which they are tried.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// A set of these keys. Several may share a `kid`: then all of them are tried.
    pub fn from_keys(keys: Vec<Key>) -> Self {
        Self { keys }
    }

    /// Reads a JWK Set (RFC 7517 §5). Entries that can't be used are left out and reported: the
    /// set may hold keys for other purposes and of kinds to come.
    ///
    /// # Errors
    /// The document is too long, no strict JSON object (duplicate members included), has no list
    /// `keys`, or too many of them. A set of which no key can be used is no error here.
    pub fn parse_jwks(
        document: &[u8],
        limits: Limits,
    ) -> Result<(Self, Vec<SkippedKey>), KeyError> {
        if document.len() > limits.max_bytes {
            return Err(KeyError::new(format!(
                "the JWKS has {} bytes, more than the {} allowed",
                document.len(),
                limits.max_bytes
            )));
        }
        let document = json::object::<Value>(document).map_err(|_| {
            KeyError::new("the JWKS must be a JSON object without duplicate members")
        })?;
        let Some(Value::Array(entries)) = document.get("keys") else {
            return Err(KeyError::new("the JWKS must have a list `keys`"));
        };
        if entries.len() > limits.max_keys {
            return Err(KeyError::new(format!(
                "the JWKS has {} keys, more than the {} allowed",
                entries.len(),
                limits.max_keys
            )));
        }
        let mut keys = Vec::with_capacity(entries.len());
        let mut skipped = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            match Key::from_jwk(entry) {
                Ok(key) => keys.push(key),
                Err(reason) => skipped.push(SkippedKey {
                    index,
                    kid: entry.get("kid").and_then(Value::as_str).map(str::to_owned),
                    reason,
                }),
            }
        }
        Ok((Self { keys }, skipped))
    }

    /// The keys that may prove a token with this `kid` and algorithm at `now` since 1970: with a
    /// `kid` those of that id first, then those without one; without, every one that fits. At most
    /// [`MAX_CANDIDATES`].
    pub fn candidates<'s>(
        &'s self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: Duration,
    ) -> impl Iterator<Item = &'s Key> {
        let named = self
            .keys
            .iter()
            .filter(move |key| kid.is_none_or(|kid| key.kid() == Some(kid)));
        let nameless = self
            .keys
            .iter()
            .filter(move |key| kid.is_some() && key.kid().is_none());
        named
            .chain(nameless)
            .filter(move |key| key.fits(algorithm) && key.is_live(now))
            .take(MAX_CANDIDATES)
    }

    /// The keys, to be put together with others.
    pub fn into_keys(self) -> Vec<Key> {
        self.keys
    }

    /// All keys, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}
