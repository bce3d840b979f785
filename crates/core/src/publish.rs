//! Published keys: the JSON Web Key Set of tokens that are signed here, and the metadata document
//! that leads to it.

use crate::http::{Request, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long others may keep what is published: a new key is published for longer before it signs.
const CACHE_CONTROL: &str = "public, max-age=300";

/// What a rule publishes.
#[derive(Debug)]
pub enum Publication {
    /// Keys as JWKs, each with the time since 1970 from which nothing that it signed is good.
    Keys(Vec<(String, Option<Duration>)>),
    /// A metadata document (RFC 8414 §2), as JSON.
    Metadata(String),
}

impl Publication {
    /// The answer to a request, or that the caller has it already.
    pub fn respond(&self, request: &Request, now: Duration) -> Response {
        let (body, content_type) = match self {
            Publication::Keys(keys) => (key_set(keys, now), "application/jwk-set+json"),
            Publication::Metadata(document) => (document.clone(), "application/json"),
        };
        let digest = Sha256::digest(&body);
        let tag = URL_SAFE_NO_PAD.encode(digest.get(..16).unwrap_or_default());
        let tag = format!("\"{tag}\"");
        let mut headers = vec![("cache-control".to_owned(), CACHE_CONTROL.to_owned())];
        let known = is_known(request, &tag);
        if !known {
            headers.push(("content-type".to_owned(), content_type.to_owned()));
        }
        headers.push(("etag".to_owned(), tag));
        Response {
            status: if known { 304 } else { 200 },
            headers,
            body: if known { String::new() } else { body },
            what: "keys",
        }
    }
}

/// Keys that will sign, that sign, and that signed what may still be good (RFC 7517 §5).
fn key_set(keys: &[(String, Option<Duration>)], now: Duration) -> String {
    let good = keys
        .iter()
        .filter(|(_, end)| end.is_none_or(|end| now < end));
    let good: Vec<&str> = good.map(|(key, _)| key.as_str()).collect();
    format!("{{\"keys\":[{}]}}", good.join(","))
}

/// Whether the caller has what this tag stands for (RFC 9110 §13.1.2).
fn is_known(request: &Request, tag: &str) -> bool {
    let lists = request.headers.iter();
    let lists = lists.filter(|(name, _)| name.eq_ignore_ascii_case(b"if-none-match"));
    lists.into_iter().any(|(_, list)| {
        let list = std::str::from_utf8(list).unwrap_or_default();
        let mut tags = list.split(',').map(str::trim);
        tags.any(|other| other == "*" || other.strip_prefix("W/").unwrap_or(other) == tag)
    })
}
