//! A request's target: refused where two programs could read it differently, normalised
//! where they can't.

use percent_encoding::percent_decode_str;

/// The longest target that is looked at, in bytes. Envoy limits all headers to 60 KiB.
pub const MAX_TARGET: usize = 16 * 1024;

/// The target is missing, ambiguous or holds characters that could hide another path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetError;

/// One segment's place: its name is without path parameters (`;…`), its value with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    start: usize,
    name_end: usize,
    value_end: usize,
}

/// A target, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The path that goes to the upstream: percent-encoded unreserved characters
    /// (RFC 3986 §2.3) are decoded, all else is as it came.
    pub path: String,
    /// Where the segments stand in `decoded`, else in `path`.
    segments: Vec<Segment>,
    /// The segments decoded, one after the other; `None` where nothing needed decoding.
    decoded: Option<String>,
    /// What follows the question mark, untouched; `None` without one.
    pub query: Option<Vec<u8>>,
    /// Whether `path` differs from what the caller sent.
    pub rewritten: bool,
}

impl Target {
    /// Takes a target apart.
    ///
    /// Refused: anything but an absolute path, empty segments (`//`), dot segments (also
    /// with path parameters, `..;x`), segments of nothing but dots and spaces, those that a
    /// second decoding would turn into dots, slashes or control characters, encoded slashes and backslashes, backslashes,
    /// fragments, control characters and NUL however encoded, broken percent-encoding,
    /// bytes that are no ASCII, and segments that don't decode to UTF-8.
    pub fn parse(target: &[u8]) -> Result<Target, TargetError> {
        if target.len() > MAX_TARGET || target.first() != Some(&b'/') {
            return Err(TargetError);
        }
        let (raw, query) = match target.iter().position(|byte| *byte == b'?') {
            Some(mark) => {
                let (path, query) = target.split_at(mark);
                (path, Some(query.get(1..).unwrap_or_default()))
            }
            None => (target, None),
        };
        if query.is_some_and(|query| query.iter().any(|byte| *byte <= b' ' || *byte == 0x7f)) {
            return Err(TargetError);
        }
        let query = query.map(<[u8]>::to_vec);
        if let Some((path, segments)) = plain(raw) {
            return Ok(Target {
                path,
                segments,
                decoded: None,
                query,
                rewritten: false,
            });
        }
        let mut path = String::with_capacity(raw.len());
        let mut segments = Vec::new();
        let mut decoded = String::with_capacity(raw.len());
        let mut parts = raw.split(|byte| *byte == b'/').skip(1).peekable();
        while let Some(part) = parts.next() {
            path.push('/');
            if part.is_empty() {
                // Only the last may be empty: the root, or a trailing slash.
                if parts.peek().is_some() {
                    return Err(TargetError);
                }
                break;
            }
            let (name_length, value) = segment(part, &mut path)?;
            let start = decoded.len();
            decoded.push_str(&value);
            segments.push(Segment {
                start,
                name_end: start + name_length,
                value_end: decoded.len(),
            });
        }
        Ok(Target {
            rewritten: path.as_bytes() != raw,
            path,
            segments,
            decoded: Some(decoded),
            query,
        })
    }

    /// The path's segments, decoded, without path parameters (`;…`). A trailing slash doesn't
    /// count: `/a/` has the segments of `/a`, as servers that tell them apart are rarer than
    /// servers that don't.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.segments
            .iter()
            .map(|segment| self.text(segment.start, segment.name_end))
    }

    /// The same with their path parameters, as path variables take them.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.segments
            .iter()
            .map(|segment| self.text(segment.start, segment.value_end))
    }

    fn text(&self, start: usize, end: usize) -> &str {
        let text = self.decoded.as_ref().unwrap_or(&self.path);
        // The places were made together with the text.
        text.get(start..end).unwrap_or_default()
    }
}

/// A path in which every byte stands for itself, as most do: one pass and no decoding. `None`
/// where there is more to look at.
fn plain(raw: &[u8]) -> Option<(String, Vec<Segment>)> {
    let mut segments = Vec::with_capacity(8);
    let mut start = 1;
    // Whether the segment so far could be a dot segment.
    let mut dots = true;
    for (at, byte) in raw.iter().enumerate().skip(1) {
        match byte {
            b'/' if dots => return None,
            b'/' => {
                segments.push(Segment {
                    start,
                    name_end: at,
                    value_end: at,
                });
                start = at + 1;
                dots = true;
            }
            b'.' => {}
            _ if is_unreserved(*byte) => dots = false,
            _ => return None,
        }
    }
    if start < raw.len() {
        if dots {
            return None;
        }
        segments.push(Segment {
            start,
            name_end: raw.len(),
            value_end: raw.len(),
        });
    }
    Some((String::from_utf8(raw.to_vec()).ok()?, segments))
}

/// Decodes one segment and appends its normalised form to `path`. Gives it, and its length
/// without path parameters.
fn segment(raw: &[u8], path: &mut String) -> Result<(usize, String), TargetError> {
    let mut decoded = Vec::with_capacity(raw.len());
    // Servlet containers drop `;…` before they decode, resolve dots and choose a handler, so
    // it doesn't count here either; an encoded one is a character like any other.
    let mut name_end = None;
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        let value = match byte {
            b'%' => {
                let (Some(high), Some(low)) = (bytes.next(), bytes.next()) else {
                    return Err(TargetError);
                };
                let value = hex(high)? << 4 | hex(low)?;
                if is_unreserved(value) {
                    path.push(char::from(value));
                } else {
                    path.push('%');
                    path.push(char::from(high));
                    path.push(char::from(low));
                }
                if value == b'/' {
                    return Err(TargetError);
                }
                value
            }
            b'#' | 0x80.. => return Err(TargetError),
            _ => {
                if byte == b';' {
                    name_end.get_or_insert(decoded.len());
                }
                path.push(char::from(byte));
                byte
            }
        };
        if value < b' ' || value == 0x7f || value == b'\\' {
            return Err(TargetError);
        }
        decoded.push(value);
    }
    let value = String::from_utf8(decoded).map_err(|_| TargetError)?;
    // Dots before an encoded `;` are dots to whoever decodes first.
    let before = value.split(';').next().unwrap_or_default();
    // C1 controls, once decoded from UTF-8, are control characters too.
    if is_dots(before) || value.chars().any(char::is_control) || hides_more(&value) {
        return Err(TargetError);
    }
    Ok((name_end.unwrap_or(value.len()), value))
}

/// Whether a segment is empty or a dot segment, also to file systems that drop dots and
/// spaces at the end of a name.
fn is_dots(name: &str) -> bool {
    name.bytes().all(|byte| matches!(byte, b'.' | b' '))
}

/// Whether a server that decodes a second time would see another path.
fn hides_more(decoded: &str) -> bool {
    if !decoded.contains('%') {
        return false;
    }
    let twice: Vec<u8> = percent_decode_str(decoded).collect();
    let name = twice.split(|byte| *byte == b';').next().unwrap_or_default();
    twice != decoded.as_bytes()
        && (name.iter().all(|byte| matches!(byte, b'.' | b' '))
            || twice
                .iter()
                .any(|byte| matches!(byte, b'/' | b'\\' | 0..b' ' | 0x7f)))
}

fn hex(digit: u8) -> Result<u8, TargetError> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
        .ok_or(TargetError)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricky_targets_are_refused() {
        for target in [
            "",
            "x",
            "*",
            "http://host/x",
            "//",
            "//x",
            "/x//y",
            "/x//",
            "/.",
            "/..",
            "/./x",
            "/x/.",
            "/x/../y",
            "/%2e%2e/x",
            "/x/%2E",
            "/.%2e/x",
            "/..;/x",
            "/..;a=b/x",
            "/..%3b/x",
            "/%3bx",
            "/;/x",
            "/x%2fy",
            "/x%2Fy",
            "/x%5cy",
            "/x\\y",
            "/x%00",
            "/x\0",
            "/x%0a",
            "/x%7f",
            "/x%c2%85",
            "/x\n",
            "/x%",
            "/x%2",
            "/x%zz",
            "/x%ff",
            "/x%c0%ae%c0%ae/y",
            "/x#y",
            "/x\u{e9}",
            "/...",
            "/%20/x",
            "/.%20/x",
            "/..%20;y/x",
            "/%252e%252e/x",
            "/%252E/x",
            "/x%252fy",
            "/x%255cy",
            "/x%2500",
            "/%253b/x",
            "/x?a b",
            "/x?a\0",
        ] {
            assert_eq!(
                Target::parse(target.as_bytes()),
                Err(TargetError),
                "{target:?}"
            );
        }
        assert!(Target::parse(&[b'/', 0xff]).is_err());
        assert!(Target::parse(&vec![b'/'; MAX_TARGET + 1]).is_err());
    }

    #[test]
    fn what_is_matched_is_what_the_upstream_gets() {
        for (target, path, segments, rewritten) in [
            ("/", "/", &[][..], false),
            ("/a/b", "/a/b", &["a", "b"], false),
            ("/a/b/", "/a/b/", &["a", "b"], false),
            ("/%61dmin", "/admin", &["admin"], true),
            ("/a%20b", "/a%20b", &["a b"], false),
            ("/caf%C3%A9", "/caf%C3%A9", &["café"], false),
            ("/a;x=1", "/a;x=1", &["a"], false),
            ("/a%3Bx", "/a%3Bx", &["a;x"], false),
            (
                "/Acme%20Inc./x",
                "/Acme%20Inc./x",
                &["Acme Inc.", "x"],
                false,
            ),
            ("/a%20", "/a%20", &["a "], false),
            ("/100%25", "/100%25", &["100%"], false),
            ("/a%2541", "/a%2541", &["a%41"], false),
            ("/...a", "/...a", &["...a"], false),
            ("/%7Euser/%2Dx?q=%61//", "/~user/-x", &["~user", "-x"], true),
        ] {
            let parsed = Target::parse(target.as_bytes()).unwrap();
            assert_eq!(parsed.path, path);
            let parts: Vec<&str> = parsed.segments().collect();
            assert_eq!(parts, segments, "{target}");
            assert_eq!(parsed.rewritten, rewritten, "{target}");
        }
    }

    #[test]
    fn path_variables_keep_path_parameters_and_names_lose_them() {
        let target = Target::parse(b"/a;x=1/b%3By/c;").unwrap();
        let parts: Vec<_> = target.segments().zip(target.values()).collect();
        assert_eq!(parts, [("a", "a;x=1"), ("b;y", "b;y"), ("c", "c;")]);
    }

    #[test]
    fn the_query_is_left_as_it_came() {
        let target = Target::parse(b"/x?a=%41&b=//..&c").unwrap();
        assert_eq!(target.query.as_deref(), Some(&b"a=%41&b=//..&c"[..]));
        assert_eq!(
            Target::parse(b"/x?").unwrap().query.as_deref(),
            Some(&b""[..])
        );
    }
}
