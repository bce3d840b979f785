//! The compact serialization of RFC 7515 §7.1, read without deciding anything yet.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::json::{Strict, Text};
use super::{Algorithm, Claims, TokenError};

/// Length that a token may have where the policy says nothing: 8 KiB, in bytes.
pub const DEFAULT_MAX_TOKEN_LEN: usize = 8 * 1024;

/// The longest signature there is, in bytes: RSA with 8192 bits.
pub const MAX_SIGNATURE_LEN: usize = 1024;

/// Members that a header may have. Registered are eleven; the bound keeps the search for
/// duplicates from growing with the square of what an attacker sends.
pub const MAX_HEADER_MEMBERS: usize = 32;

/// A token taken apart: its header is read, its signature decoded, its payload left alone until
/// the signature is proven.
///
/// `jwk`, `jku`, `x5u`, `x5c` and whatever else a header may carry is checked to be JSON and then
/// dropped: a token doesn't choose the key that proves it.
pub struct Compact<'t> {
    algorithm: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
    signing_input: &'t [u8],
    payload: &'t [u8],
    signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    /// Takes `token` apart, which may be `max_len` bytes long
    /// ([`DEFAULT_MAX_TOKEN_LEN`] where nothing else is said).
    ///
    /// # Errors
    /// [`TokenError::TooLong`]; [`TokenError::Algorithm`] for an `alg` that isn't one of ours;
    /// else [`TokenError::Malformed`]: not three segments, an empty one, base64url with padding,
    /// foreign characters or trailing bits (RFC 7515 §2, RFC 4648 §3.5), a header that isn't a
    /// strict JSON object with `alg`, a `kid` or `typ` that is no string, `crit` or `b64`
    /// (RFC 7515 §4.1.11, RFC 7797: no extension is understood).
    pub fn parse(token: &'t [u8], max_len: usize) -> Result<Self, TokenError> {
        if token.len() > max_len {
            return Err(TokenError::TooLong);
        }
        let malformed = TokenError::Malformed;
        let first = memchr::memchr(b'.', token).ok_or(malformed)?;
        let last = memchr::memrchr(b'.', token).ok_or(malformed)?;
        let header = token.get(..first).ok_or(malformed)?;
        let payload = token.get(first + 1..last).ok_or(malformed)?;
        let signature = token.get(last + 1..).ok_or(malformed)?;
        let signing_input = token.get(..last).ok_or(malformed)?;
        if memchr::memchr(b'.', payload).is_some() {
            return Err(malformed);
        }

        let header = Header::parse(&decode(header).ok_or(malformed)?)?;
        // Only now: an unsigned token is told that it's the algorithm that isn't accepted.
        if payload.is_empty() || signature.is_empty() {
            return Err(malformed);
        }
        if signature.len() > MAX_SIGNATURE_LEN.div_ceil(3) * 4 {
            return Err(malformed);
        }
        Ok(Self {
            algorithm: header.algorithm,
            kid: header.kid,
            typ: header.typ,
            signing_input,
            payload,
            signature: decode(signature).ok_or(malformed)?,
        })
    }

    /// The header's `alg`: what the token says, to be held against the policy and the key.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The header's `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The header's `typ`, as it stands there.
    pub fn typ(&self) -> Option<&str> {
        self.typ.as_deref()
    }

    /// What is signed: the first two segments with the dot between (RFC 7515 §5.2).
    pub fn signing_input(&self) -> &'t [u8] {
        self.signing_input
    }

    /// The decoded signature, of at most about [`MAX_SIGNATURE_LEN`] bytes.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Reads the payload. Nothing in it may be believed before [`verify`](super::verify) said yes.
    ///
    /// # Errors
    /// As [`Claims::parse`], and [`TokenError::Malformed`] where the segment is no base64url.
    pub fn claims(&self) -> Result<Claims, TokenError> {
        Claims::parse(&decode(self.payload).ok_or(TokenError::Malformed)?)
    }
}

/// Shows what the token says of itself, and nothing that would let another present it.
impl fmt::Debug for Compact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compact")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .field("typ", &self.typ)
            .finish_non_exhaustive()
    }
}

/// Canonical base64url without padding: the engine refuses padding, other alphabets, blanks and
/// non-zero trailing bits, so a value has one spelling only.
pub(super) fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

struct Header {
    algorithm: Algorithm,
    kid: Option<String>,
    typ: Option<String>,
}

impl Header {
    fn parse(text: &[u8]) -> Result<Self, TokenError> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let raw = RawHeader::deserialize(&mut reader)
            .and_then(|raw| reader.end().map(|()| raw))
            .map_err(|_| TokenError::Malformed)?;
        Ok(Self {
            algorithm: raw.alg.parse().map_err(|_| TokenError::Algorithm)?,
            kid: raw.kid.map(Cow::into_owned),
            typ: raw.typ.map(Cow::into_owned),
        })
    }
}

struct RawHeader<'a> {
    alg: Cow<'a, str>,
    kid: Option<Cow<'a, str>>,
    typ: Option<Cow<'a, str>>,
}

impl<'de> Deserialize<'de> for RawHeader<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = RawHeader<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JOSE header")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut alg, mut kid, mut typ) = (None, None, None);
        let mut seen: Vec<Cow<'de, str>> = Vec::with_capacity(4);
        while let Some(Text(name)) = members.next_key()? {
            if seen.len() >= MAX_HEADER_MEMBERS || seen.contains(&name) {
                return Err(A::Error::custom("a member too many"));
            }
            match name.as_ref() {
                "alg" => alg = Some(members.next_value::<Text<'de>>()?.0),
                "kid" => kid = Some(members.next_value::<Text<'de>>()?.0),
                "typ" => typ = Some(members.next_value::<Text<'de>>()?.0),
                "crit" | "b64" => return Err(A::Error::custom("an extension not understood")),
                _ => drop(members.next_value_seed(Strict::<serde_json::Value>::member())?),
            }
            seen.push(name);
        }
        let alg = alg.ok_or_else(|| A::Error::missing_field("alg"))?;
        Ok(RawHeader { alg, kid, typ })
    }
}
