//! Taking one credential out of a request.

use crate::http::Request;
use percent_encoding::percent_decode;
use std::borrow::Cow;

/// The longest credential that is looked at, in bytes; a JWT's own bound is lower.
const MAX_CREDENTIAL: usize = 64 * 1024;

/// A place that may hold a credential.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A header (name in lower case), perhaps behind a scheme.
    Header {
        /// The header's name in lower case.
        name: String,
        /// The scheme (RFC 9110 §11.1) before the credential, compared without case.
        scheme: Option<String>,
    },
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
}

/// A request's credential can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtractError {
    /// Repeated, a comma list, or several different ones.
    Duplicated,
    /// Not text, too long, empty behind its scheme, or with something beside it.
    Malformed,
}

/// The one credential that stands in any of `sources`; `None` where nothing does.
///
/// `query` is the request's raw query string.
pub fn extract<'r>(
    sources: &[Source],
    request: &'r Request,
    query: Option<&'r [u8]>,
) -> Result<Option<Cow<'r, str>>, ExtractError> {
    let mut found: Option<Result<Cow<'r, str>, ExtractError>> = None;
    for source in sources {
        let here = match source {
            Source::Header { name, scheme } => from_header(request, name, scheme.as_deref())?,
            Source::Query(name) => {
                one(query.into_iter().flat_map(|query| pairs(query, b'&')), name)?
            }
            Source::Cookie(name) => one(
                request
                    .headers
                    .all("cookie")
                    .flat_map(|cookies| pairs(cookies, b';')),
                name,
            )?,
        };
        found = match (found, here) {
            (found, None) => found,
            (None, here) => here,
            (Some(first), Some(second)) if first == second => Some(first),
            (Some(_), Some(_)) => return Err(ExtractError::Duplicated),
        };
    }
    found.transpose()
}

type Credential<'r> = Result<Cow<'r, str>, ExtractError>;

fn from_header<'r>(
    request: &'r Request,
    name: &str,
    scheme: Option<&str>,
) -> Result<Option<Credential<'r>>, ExtractError> {
    let mut values = request.headers.all(name).map(<[u8]>::trim_ascii);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(ExtractError::Duplicated);
    }
    let Some(scheme) = scheme else {
        return match value {
            b"" => Ok(None),
            _ if memchr::memchr(b',', value).is_some() => Err(ExtractError::Duplicated),
            _ => Ok(Some(text(Cow::Borrowed(value)))),
        };
    };
    // A proxy may have joined several headers with commas: any of them counts.
    let ours = |part: &[u8]| behind_scheme(part.trim_ascii(), scheme).is_some();
    if memchr::memchr(b',', value).is_some() {
        return match value.split(|byte| *byte == b',').any(ours) {
            true => Err(ExtractError::Duplicated),
            false => Ok(None),
        };
    }
    Ok(behind_scheme(value, scheme).map(|credential| {
        let whole = Cow::Borrowed(credential);
        match credential {
            b"" => Err(ExtractError::Malformed),
            _ if is_visible_ascii(credential) => unicode(whole),
            _ if credential.iter().any(u8::is_ascii_whitespace) => Err(ExtractError::Malformed),
            _ => text(whole),
        }
    }))
}

/// What stands behind the scheme, if it is this scheme.
fn behind_scheme<'v>(value: &'v [u8], scheme: &str) -> Option<&'v [u8]> {
    let (head, rest) = value.split_at_checked(scheme.len())?;
    if !head.eq_ignore_ascii_case(scheme.as_bytes()) {
        return None;
    }
    match rest.first() {
        None => Some(rest),
        Some(b' ' | b'\t') => Some(rest.trim_ascii()),
        Some(_) => None,
    }
}

/// The one value under `name` among name=value pairs.
fn one<'r>(
    pairs: impl Iterator<Item = (&'r [u8], &'r [u8])>,
    name: &str,
) -> Result<Option<Credential<'r>>, ExtractError> {
    let mut values = pairs
        .filter(|(candidate, _)| decodes_to(candidate, name))
        .map(|(_, value)| value);
    let first = values.next();
    if values.next().is_some() {
        return Err(ExtractError::Duplicated);
    }
    Ok(first
        .filter(|value| !value.is_empty())
        .map(|value| text(percent_decode(value).into())))
}

/// The name=value pairs of a query string (`&`) or a Cookie header (`;`).
pub fn pairs(text: &[u8], separator: u8) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(move |byte| *byte == separator)
        .map(|pair| split_pair(pair.trim_ascii()))
}

/// A pair's name and value, both as they came.
pub(super) fn split_pair(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => {
            let (name, value) = pair.split_at(at);
            (name, value.get(1..).unwrap_or_default())
        }
        None => (pair, b""),
    }
}

/// Whether a name is this one, percent-encoded or not.
pub(super) fn decodes_to(candidate: &[u8], name: &str) -> bool {
    candidate == name.as_bytes()
        || (candidate.contains(&b'%') && percent_decode(candidate).eq(name.bytes()))
}

fn text(value: Cow<'_, [u8]>) -> Credential<'_> {
    match !is_visible_ascii(&value) && value.iter().any(u8::is_ascii_control) {
        true => Err(ExtractError::Malformed),
        false => unicode(value),
    }
}

fn unicode(value: Cow<'_, [u8]>) -> Credential<'_> {
    if value.len() > MAX_CREDENTIAL {
        return Err(ExtractError::Malformed);
    }
    match value {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).ok(),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
    }
    .ok_or(ExtractError::Malformed)
}

/// Whether there is nothing but visible ASCII, as in nearly all credentials: eight bytes at once,
/// since a token is the longest thing in a request.
fn is_visible_ascii(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = ONES * 0x80;
    let (words, rest) = text.as_chunks::<8>();
    words.iter().all(|word| {
        let word = u64::from_le_bytes(*word);
        // The lowest byte that isn't visible sets its own top bit in one of the three. Where all
        // are visible nothing borrows, and no top bit is set.
        let low = word.wrapping_sub(ONES * 0x21);
        let delete = (word ^ (ONES * 0x7f)).wrapping_sub(ONES);
        (word | low | delete) & TOP == 0
    }) && rest.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;

    fn header(name: &str, scheme: Option<&str>) -> Source {
        Source::Header {
            name: name.to_owned(),
            scheme: scheme.map(str::to_owned),
        }
    }

    fn read(
        sources: &[Source],
        headers: &[(&str, &[u8])],
        query: &str,
    ) -> Result<Option<String>, ExtractError> {
        let request = Request {
            headers: Headers::from_pairs(headers.iter().copied()),
            source_address: None,
        };
        extract(sources, &request, Some(query.as_bytes())).map(|found| found.map(Cow::into_owned))
    }

    #[test]
    fn every_byte_that_is_not_visible_is_seen_wherever_it_stands() {
        for length in 1..20 {
            for at in 0..length {
                for byte in 0..=255u8 {
                    for around in [b'!', b'a', b'~'] {
                        let mut text = vec![around; length];
                        text[at] = byte;
                        let visible = byte.is_ascii_graphic();
                        assert_eq!(is_visible_ascii(&text), visible, "{text:?}");
                    }
                }
            }
        }
        assert!(!is_visible_ascii(&[
            b'a', 0x80, 0x20, 0x7f, b'a', b'a', b'a', b'a'
        ]));
    }

    #[test]
    fn a_credential_stands_alone_behind_its_scheme() {
        use ExtractError::*;
        let bearer = [header("authorization", Some("Bearer"))];
        for (value, expected) in [
            ("Bearer abc", Ok(Some("abc"))),
            ("bearer abc", Ok(Some("abc"))),
            ("BEARER   abc  ", Ok(Some("abc"))),
            ("abc", Ok(None)),
            ("Basic abc", Ok(None)),
            ("Bearerabc", Ok(None)),
            ("foo Bearer abc", Ok(None)),
            ("Bearer", Err(Malformed)),
            ("Bearer  ", Err(Malformed)),
            ("Bearer abc def", Err(Malformed)),
            ("Bearer abc,Bearer def", Err(Duplicated)),
            ("Basic abc, bearer def", Err(Duplicated)),
            ("Digest a=\"b\", c=\"d\"", Ok(None)),
            ("Bearer a\u{1}b", Err(Malformed)),
        ] {
            let read = read(&bearer, &[("Authorization", value.as_bytes())], "");
            assert_eq!(
                read,
                expected.map(|token| token.map(str::to_owned)),
                "{value:?}"
            );
        }
        assert_eq!(
            read(&bearer, &[("authorization", b"Bearer \xff\xfe")], ""),
            Err(Malformed)
        );
    }

    #[test]
    fn a_repeated_credential_is_refused() {
        let key = [header("apikey", None)];
        let twice: &[(&str, &[u8])] = &[("ApiKey", b"a"), ("APIKEY", b"a")];
        assert_eq!(read(&key, twice, ""), Err(ExtractError::Duplicated));
        assert_eq!(
            read(&key, &[("apikey", b"a, b")], ""),
            Err(ExtractError::Duplicated)
        );
        assert_eq!(read(&key, &[("apikey", b" a ")], ""), Ok(Some("a".into())));
        assert_eq!(read(&key, &[("apikey", b"")], ""), Ok(None));
    }

    #[test]
    fn query_and_cookies_are_decoded_once() {
        let query = [Source::Query("access_token".into())];
        for (text, expected) in [
            ("a=b&access_token=x%2Ey", Ok(Some("x.y"))),
            ("%61ccess_token=x", Ok(Some("x"))),
            ("access_token=%2541", Ok(Some("%41"))),
            ("access_token=", Ok(None)),
            ("access_token", Ok(None)),
            ("xaccess_token=x", Ok(None)),
            (
                "access_token=x&access_token=x",
                Err(ExtractError::Duplicated),
            ),
            (
                "access_token=x&%61ccess_token=y",
                Err(ExtractError::Duplicated),
            ),
            ("access_token=%00", Err(ExtractError::Malformed)),
        ] {
            let expected = expected.map(|token| token.map(str::to_owned));
            assert_eq!(read(&query, &[], text), expected, "{text}");
        }
        let cookie = [Source::Cookie("token".into())];
        let cookies: &[(&str, &[u8])] = &[("cookie", b"a=b; token=x%2Dy"), ("cookie", b"c=d")];
        assert_eq!(read(&cookie, cookies, ""), Ok(Some("x-y".into())));
        let cookies: &[(&str, &[u8])] = &[("cookie", b"token=x"), ("cookie", b"token=y")];
        assert_eq!(read(&cookie, cookies, ""), Err(ExtractError::Duplicated));
    }

    #[test]
    fn several_sources_may_only_hold_the_same_credential() {
        let sources = [
            header("authorization", Some("Bearer")),
            Source::Query("t".into()),
        ];
        let bearer: &[(&str, &[u8])] = &[("authorization", b"Bearer a")];
        assert_eq!(read(&sources, bearer, "t=a"), Ok(Some("a".into())));
        assert_eq!(read(&sources, bearer, "t=b"), Err(ExtractError::Duplicated));
        assert_eq!(read(&sources, &[], "t=b"), Ok(Some("b".into())));
        // What the first source holds is final, even where it is broken.
        assert_eq!(
            read(&sources, &[("authorization", b"Bearer")], ""),
            Err(ExtractError::Malformed)
        );
    }
}
