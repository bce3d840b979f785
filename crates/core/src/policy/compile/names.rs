//! What may be written as a name, a URL or a digest.

/// Whether a text is a token (RFC 9110 §5.6.2), as names of headers, methods and schemes are.
pub fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Why a header can't be set for the upstream, if it can't.
pub fn unsettable(name: &str) -> Option<&'static str> {
    match name {
        "authorization" => {
            Some("what becomes of Authorization is said by `upstream.authorization`")
        }
        "host" | "content-length" | "transfer-encoding" | "connection" | "te" | "upgrade"
        | "keep-alive" | "proxy-connection" | "trailer" | "cookie" => {
            Some("this header belongs to the connection or the body; choose another name")
        }
        _ => None,
    }
}

/// A URL's parts, as a call needs them.
pub struct Url {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host and port.
    pub authority: String,
    /// Path and query.
    pub path: String,
}

/// Takes a URL apart; `None` where it isn't an absolute http or https URL without user
/// information and fragment.
pub fn url(text: &str) -> Option<Url> {
    let (scheme, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => ("https", rest),
        (_, Some(rest)) => ("http", rest),
        _ => return None,
    };
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['#', '\\', '"']) {
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    };
    Some(Url {
        scheme,
        authority: authority.to_owned(),
        path,
    })
}

/// Hex of any length.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

/// A SHA-256 in hex.
pub fn sha256(text: &str) -> Option<[u8; 32]> {
    hex(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (text, expected) in [
            (
                "https://a.example/x?y",
                Some(("https", "a.example", "/x?y")),
            ),
            ("http://a:8080", Some(("http", "a:8080", "/"))),
            ("http://a?x", Some(("http", "a", "/?x"))),
            ("http://[::1]:80/x", Some(("http", "[::1]:80", "/x"))),
            ("ftp://a/x", None),
            ("https:///x", None),
            ("https://user@a/x", None),
            ("https://a/x#y", None),
            ("https://a/x y", None),
            ("a.example/x", None),
        ] {
            let parts = url(text);
            let parts = parts
                .as_ref()
                .map(|url| (url.scheme, url.authority.as_str(), url.path.as_str()));
            assert_eq!(parts, expected, "{text}");
        }
    }

    #[test]
    fn digests_are_64_hex_digits() {
        assert!(sha256(&"0a".repeat(32)).is_some());
        assert!(sha256(&"0A".repeat(32)).is_some());
        for text in [
            "",
            "0a",
            &"0a".repeat(33),
            &"0x".repeat(32),
            &"é".repeat(32),
        ] {
            assert!(sha256(text).is_none(), "{text}");
        }
    }
}
