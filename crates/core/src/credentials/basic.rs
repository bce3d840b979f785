//! HTTP Basic credentials (RFC 7617).

use super::ExtractError;
use crate::policy::document::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// An id and a secret.
#[derive(Debug, Clone)]
pub struct BasicPair {
    /// What stands before the first colon.
    pub id: String,
    /// What stands behind it.
    pub secret: Secret,
}

/// Reads what stands behind `Basic`.
///
/// Id and secret are taken as they are: the form encoding of RFC 6749 §2.3.1 belongs to
/// token endpoints, and a caller's `%` or `+` would not survive it.
pub fn read_basic(credential: &str) -> Result<BasicPair, ExtractError> {
    let decoded = STANDARD
        .decode(credential)
        .map(Zeroizing::new)
        .map_err(|_| ExtractError::Malformed)?;
    let text = std::str::from_utf8(&decoded).map_err(|_| ExtractError::Malformed)?;
    let (id, secret) = text.split_once(':').ok_or(ExtractError::Malformed)?;
    if text.chars().any(char::is_control) {
        return Err(ExtractError::Malformed);
    }
    Ok(BasicPair {
        id: id.to_owned(),
        secret: Secret::from(secret.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_colon_divides() {
        let pair = read_basic(&STANDARD.encode("id:a:b+%20")).unwrap();
        assert_eq!((pair.id.as_str(), pair.secret.expose()), ("id", "a:b+%20"));
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        for credential in [
            "",
            "!!!",
            "aWQ",
            &STANDARD.encode("id"),
            &STANDARD.encode("id:a\nb"),
        ] {
            assert!(read_basic(credential).is_err(), "{credential}");
        }
        assert!(read_basic(&STANDARD.encode(b"id:\xff")).is_err());
    }
}
