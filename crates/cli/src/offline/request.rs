//! A request from its parts.

use doorward_core::http::{Forward, Headers, Request};
use std::net::IpAddr;
use std::str::FromStr;

/// The host of a request that names none.
const HOST: &str = "localhost";

/// Method and target.
#[derive(Debug, Clone)]
pub struct Line {
    method: String,
    scheme: String,
    authority: Option<String>,
    target: String,
}

impl FromStr for Line {
    type Err = String;

    fn from_str(text: &str) -> Result<Line, String> {
        let form = || "expected a method and a target, as in 'GET /orders'".to_owned();
        let (method, target) = text.split_once(' ').ok_or_else(form)?;
        let line = |scheme: &str, authority: Option<&str>, target: &str| Line {
            method: method.to_owned(),
            scheme: scheme.to_owned(),
            authority: authority.map(str::to_owned),
            target: target.to_owned(),
        };
        if method.is_empty() || target.is_empty() {
            return Err(form());
        }
        for scheme in ["http", "https"] {
            let Some(rest) = target
                .strip_prefix(scheme)
                .and_then(|rest| rest.strip_prefix("://"))
            else {
                continue;
            };
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, target) = rest.split_at(end);
            let target = match target.starts_with('/') {
                true => target.to_owned(),
                false => format!("/{target}"),
            };
            return Ok(line(scheme, Some(authority), &target));
        }
        Ok(line("http", None, target))
    }
}

/// `NAME: VALUE`.
pub fn header(text: &str) -> Result<(String, String), String> {
    text.split_once(':')
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .filter(|(name, _)| !name.is_empty() && !name.contains(char::is_whitespace))
        .ok_or_else(|| "expected a header as 'name: value'".to_owned())
}

/// The request, as the proxy would show it to the filter.
pub fn request(line: &Line, mut headers: Vec<(String, String)>, source: IpAddr) -> Request {
    let host = take_host(&mut headers);
    let authority = line.authority.clone().or(host);
    let mut pairs = vec![
        (":method".to_owned(), line.method.clone()),
        (":scheme".to_owned(), line.scheme.clone()),
        (":path".to_owned(), line.target.clone()),
        (
            ":authority".to_owned(),
            authority.unwrap_or_else(|| HOST.to_owned()),
        ),
    ];
    for (name, value) in headers {
        join(&mut pairs, name, value);
    }
    Request {
        headers: Headers::from_pairs(pairs),
        source_address: Some(source.to_string()),
    }
}

/// Envoy shows `Host` as `:authority`.
fn take_host(headers: &mut Vec<(String, String)>) -> Option<String> {
    let at = headers.iter().position(|(name, _)| name == "host")?;
    Some(headers.remove(at).1)
}

/// Envoy shows several `Authorization` headers as one with commas, and several of most
/// others as they came (measured on 1.40).
fn join(pairs: &mut Vec<(String, String)>, name: String, value: String) {
    let earlier = pairs.iter_mut().find(|(other, _)| *other == name);
    match earlier {
        Some((_, all)) if name == "authorization" => {
            all.push(',');
            all.push_str(&value);
        }
        _ => pairs.push((name, value)),
    }
}

/// The request's head after the edits.
pub fn seen_headers(request: &Request, forward: &Forward) -> Vec<(String, String)> {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let goes = |name: &[u8]| {
        !forward.remove.iter().any(|removed| removed == name)
            && !forward.to_set().any(|(set, _)| set == name)
    };
    let kept = request.headers.iter().filter(|(name, _)| goes(name));
    let kept = kept.map(|(name, value)| (shown(name), shown(value)));
    let set = forward.to_set();
    kept.chain(set.map(|(name, value)| (shown(name), shown(value))))
        .collect()
}
