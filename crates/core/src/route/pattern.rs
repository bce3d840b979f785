//! A rule's path pattern.

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// This text, decoded.
    Literal(String),
    /// Any one segment, under a name.
    Variable(String),
}

/// `/exact`, `/v1/{clientName}/sessions` or `/Orders/**`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The segments in order.
    pub segments: Vec<Segment>,
    /// Whether everything below matches too.
    pub below: bool,
}

/// What is wrong with a pattern, and the mend.
pub type PatternError = &'static str;

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err("a path begins with `/`");
        };
        let (rest, below) = match rest.strip_suffix("**") {
            Some("") => ("", true),
            Some(head) => match head.strip_suffix('/') {
                Some(head) => (head, true),
                None => return Err("`**` stands alone after a `/`, as in `/orders/**`"),
            },
            // Of the root's own slash nothing is left to strip.
            None => match rest.strip_suffix('/') {
                Some("") | None => (rest, false),
                Some(head) => (head, false),
            },
        };
        let mut segments = Vec::new();
        if !rest.is_empty() {
            for part in rest.split('/') {
                let segment = segment(part)?;
                if let Segment::Variable(_) = segment
                    && segments.contains(&segment)
                {
                    return Err("a path variable's name stands once in a path");
                }
                segments.push(segment);
            }
        }
        Ok(Pattern { segments, below })
    }

    /// The names of the path variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Variable(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }
}

fn segment(part: &str) -> Result<Segment, PatternError> {
    if let Some(name) = part.strip_prefix('{') {
        let name = name
            .strip_suffix('}')
            .ok_or("a path variable is a whole segment, as in `/v1/{id}/items`")?;
        let plain = !name.is_empty()
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        return if plain && !name.starts_with(|first: char| first.is_ascii_digit()) {
            Ok(Segment::Variable(name.to_owned()))
        } else {
            Err("a path variable's name has letters, digits and `_`, and no digit first")
        };
    }
    match part {
        "" => Err("a path has no empty segment"),
        "." | ".." => Err("a path has no dot segment"),
        _ if part.contains(['*', '{', '}']) => Err(
            "`**` stands at the end, and `{name}` is a whole segment; there is no other wildcard",
        ),
        _ if part.contains(['?', '#', '\\']) || part.chars().any(char::is_control) => {
            Err("a path has no query, fragment, backslash or control character")
        }
        _ if part.contains(';') => {
            Err("path parameters (`;…`) don't count in matching: leave them out")
        }
        _ if part.bytes().all(|byte| matches!(byte, b'.' | b' ')) => {
            Err("a path has no segment of nothing but dots and spaces")
        }
        _ if part.contains('%') => {
            Err("write the character itself, not its percent-encoding: paths are compared decoded")
        }
        _ => Ok(Segment::Literal(part.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read() {
        let pattern = Pattern::parse("/v1/{clientName}/sessions/{id}").unwrap();
        assert_eq!(
            pattern.variables().collect::<Vec<_>>(),
            ["clientName", "id"]
        );
        assert!(!pattern.below);
        for (text, segments, below) in [
            ("/", 0, false),
            ("/**", 0, true),
            ("/Orders/**", 1, true),
            ("/orders/", 1, false),
            ("/.well-known/jwks.json", 2, false),
        ] {
            let pattern = Pattern::parse(text).unwrap();
            assert_eq!(
                (pattern.segments.len(), pattern.below),
                (segments, below),
                "{text}"
            );
        }
    }

    #[test]
    fn broken_patterns_are_refused() {
        for text in [
            "", "x", "//", "/a//b", "/a/../b", "/a**", "/a/*/b", "/**/a", "/{}", "/{a", "/{1a}",
            "/{a}{b}", "/{a}/{a}", "/a?b", "/a%20b", "/a{b}", "/{a-b}",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text:?}");
        }
    }
}
