//! Removing credentials before a request goes on.

use super::Source;
use super::source::{decodes_to, pairs, split_pair};
use crate::http::{Forward, HeaderNames, Request};
use std::collections::BTreeSet;

/// All the places that some authenticator of a policy reads.
#[derive(Debug, Default)]
pub struct Places {
    headers: HeaderNames,
    queries: BTreeSet<String>,
    cookies: BTreeSet<String>,
}

/// Names that go on all the same, in lower case.
pub type Kept = BTreeSet<String>;

impl Places {
    /// Remembers a place.
    pub fn add(&mut self, source: &Source) {
        match source {
            Source::Header { name, .. } => self.headers.insert(name),
            Source::Query(name) => {
                self.queries.insert(name.clone());
            }
            Source::Cookie(name) => {
                self.cookies.insert(name.clone());
            }
        }
    }

    /// Removes the headers and cookies of these places from what goes on.
    pub fn strip_headers(&self, request: &Request, kept: &Kept, forward: &mut Forward) {
        for name in request.headers.names() {
            if self.headers.contains(name) && !is_kept(kept, name) {
                forward.remove.push(name.to_vec());
            }
        }
        if self.cookies.is_empty() {
            return;
        }
        let leaves = |name: &&String| !is_kept(kept, name.as_bytes());
        let doomed: Vec<&String> = self.cookies.iter().filter(leaves).collect();
        if doomed.is_empty() {
            return;
        }
        let is_doomed = |name: &[u8]| doomed.iter().any(|cookie| decodes_to(name, cookie));
        if !request
            .headers
            .all("cookie")
            .flat_map(|cookies| pairs(cookies, b';'))
            .any(|(name, _)| is_doomed(name))
        {
            return;
        }
        let rest: Vec<&[u8]> = request
            .headers
            .all("cookie")
            .flat_map(|cookies| cookies.split(|byte| *byte == b';'))
            .map(<[u8]>::trim_ascii)
            .filter(|pair| !pair.is_empty() && !is_doomed(split_pair(pair).0))
            .collect();
        if rest.is_empty() {
            forward.remove.push(b"cookie".to_vec());
        } else {
            forward
                .set
                .push(("cookie".to_owned(), rest.join(&b"; "[..])));
        }
    }

    /// The query without these places; `None` where it stays as it is.
    pub fn strip_query(&self, query: &[u8], kept: &Kept) -> Option<Vec<u8>> {
        if self.queries.is_empty() {
            return None;
        }
        let doomed = |pair: &[u8]| {
            let name = split_pair(pair).0;
            self.queries
                .iter()
                .any(|query| decodes_to(name, query) && !is_kept(kept, query.as_bytes()))
        };
        let split = || query.split(|byte| *byte == b'&');
        split().any(doomed).then(|| {
            split()
                .filter(|pair| !doomed(pair))
                .collect::<Vec<_>>()
                .join(&b"&"[..])
        })
    }
}

fn is_kept(kept: &Kept, name: &[u8]) -> bool {
    kept.iter()
        .any(|other| other.as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;

    fn places() -> Places {
        let mut places = Places::default();
        for source in [
            Source::Header {
                name: "apikey".into(),
                scheme: None,
            },
            Source::Query("access_token".into()),
            Source::Cookie("token".into()),
        ] {
            places.add(&source);
        }
        places
    }

    fn kept(names: &[&str]) -> Kept {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn other_parameters_keep_their_order_and_bytes() {
        for (query, keep, expected) in [
            ("a=%41&access_token=x&b", &[][..], Some("a=%41&b")),
            ("a&%61ccess_token=x&&b=", &[], Some("a&&b=")),
            ("access_token=x", &[], Some("")),
            ("a=1&b=2", &[], None),
            ("access_token=x", &["access_token"], None),
        ] {
            let stripped = places().strip_query(query.as_bytes(), &kept(keep));
            assert_eq!(stripped.as_deref(), expected.map(str::as_bytes), "{query}");
        }
    }

    #[test]
    fn headers_and_cookies_are_removed_as_they_are_spelt() {
        let request = Request {
            headers: Headers::from_pairs([
                ("ApiKey", "a"),
                ("cookie", "a=b; token=x"),
                ("cookie", "c=d"),
            ]),
            source_address: None,
        };
        let mut forward = Forward::default();
        places().strip_headers(&request, &kept(&[]), &mut forward);
        assert_eq!(forward.remove, [b"ApiKey".to_vec()]);
        assert_eq!(forward.set, [("cookie".to_owned(), b"a=b; c=d".to_vec())]);

        let mut forward = Forward::default();
        places().strip_headers(&request, &kept(&["apikey", "token"]), &mut forward);
        assert_eq!(forward, Forward::default());
    }
}
