//! How Kong's engine shows a request's head to a filter; the upstream gets what the client sent.

use crate::headers::Headers;

/// The name of the nginx server, which stands where the client's authority is expected.
const SERVER_NAME: &str = "kong";

/// The head as it is shown: the path decoded and normalised, the server's name as authority,
/// and the client's as `host` (observed).
pub(super) fn shown(sent: &Headers) -> Headers {
    let mut shown = sent.clone();
    if let Some(path) = sent.first(b":path") {
        shown.replace(b":path", &normalised(path));
    }
    if let Some(authority) = sent.first(b":authority") {
        shown.replace(b":authority", SERVER_NAME.as_bytes());
        if sent.first(b"host").is_none() {
            shown.add("host", authority);
        }
    }
    shown
}

/// A path as nginx normalises it: decoded once, slashes merged, dot segments resolved. The
/// query stays as it is.
fn normalised(target: &[u8]) -> Vec<u8> {
    let end = target.iter().position(|byte| *byte == b'?');
    let (path, query) = target.split_at(end.unwrap_or(target.len()));
    let decoded = decoded(path);
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut open = false;
    for segment in decoded.split(|byte| *byte == b'/').skip(1) {
        open = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    let mut normalised = vec![b'/'];
    normalised.extend(segments.join(&b'/'));
    if open && !segments.is_empty() {
        normalised.push(b'/');
    }
    normalised.extend(query);
    normalised
}

fn decoded(mut path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    while let Some((first, rest)) = path.split_first() {
        let digits = rest.split_at_checked(2).filter(|_| *first == b'%');
        let escaped = digits.and_then(|(digits, rest)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, rest))
        });
        let (byte, rest) = escaped.unwrap_or((*first, rest));
        decoded.push(byte);
        path = rest;
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_once_and_then_resolved() {
        for (sent, shown) in [
            ("/", "/"),
            ("/a%2fb", "/a/b"),
            ("/a//b/./c/../d?x=%2f", "/a/b/d?x=%2f"),
            ("/%2e%2e/a", "/a"),
            ("/%252e", "/%2e"),
            ("/a/..", "/"),
            ("/a/b/.", "/a/b/"),
            ("/%zz", "/%zz"),
        ] {
            let seen = normalised(sent.as_bytes());
            assert_eq!(String::from_utf8_lossy(&seen), shown, "{sent}");
        }
    }
}
