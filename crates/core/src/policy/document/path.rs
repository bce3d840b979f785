//! Where something stands in the document, such as `rules[2].authenticate`.

use std::fmt;

/// A key longer than this is cut in messages, so that a stray text can't flood the log.
const MAX_SHOWN_KEY: usize = 64;

/// One step from a node to a member of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// A member of a map.
    Key(String),
    /// An element of a list, counted from 0.
    Index(usize),
}

/// A place in the document, from its root. Shown as `authenticators.partner-token.jwt.keys[0]`;
/// keys that aren't plain words are quoted: `identity_headers."x auth"`. The root shows as nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(Vec<Segment>);

impl Path {
    /// The document itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// The member `key` of the map at this place.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    /// The element `index`, counted from 0, of the list at this place.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// This place and one step further.
    #[must_use]
    pub fn with(&self, segment: Segment) -> Self {
        let mut segments = Vec::with_capacity(self.0.len().saturating_add(1));
        segments.extend_from_slice(&self.0);
        segments.push(segment);
        Self(segments)
    }

    /// The steps from the root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    pub(super) fn from_segments(segments: Vec<Segment>) -> Self {
        Self(segments)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    if position > 0 {
                        f.write_str(".")?;
                    }
                    if is_plain(key) {
                        f.write_str(key)?;
                    } else {
                        write!(f, "{}", quoted(key))?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= MAX_SHOWN_KEY
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// A key as messages show it: in quotes, control characters escaped, cut when it is long.
pub(super) fn quoted(key: &str) -> String {
    match key.char_indices().nth(MAX_SHOWN_KEY) {
        Some((end, _)) => format!("{:?}", format!("{}…", key.get(..end).unwrap_or_default())),
        None => format!("{key:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_shows_plain_words_bare_and_others_quoted() {
        let table = [
            (Path::root(), ""),
            (
                Path::root().key("rules").index(2).key("authenticate"),
                "rules[2].authenticate",
            ),
            (
                Path::root()
                    .key("authenticators")
                    .key("partner-token")
                    .key("jwt")
                    .key("keys")
                    .index(0),
                "authenticators.partner-token.jwt.keys[0]",
            ),
            (Path::root().key("a b").key("c"), "\"a b\".c"),
            (Path::root().key("a").key("x.y"), "a.\"x.y\""),
            (Path::root().key("a").key(""), "a.\"\""),
            (Path::root().key("a").key("q\"\n"), "a.\"q\\\"\\n\""),
            (Path::root().index(0).index(1), "[0][1]"),
        ];
        for (path, shown) in table {
            assert_eq!(path.to_string(), shown);
        }
        let long = Path::root().key(&"k".repeat(1000)).to_string();
        assert!(long.len() < 80, "{long}");
    }
}
