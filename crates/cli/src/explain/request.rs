//! The request, as the proxy would show it to the filter.

use super::Explain;
use crate::input::{read, read_text};
use doorward_core::http::{Headers, Request};
use std::path::Path;
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

/// The request that the arguments tell of.
pub fn build(arguments: &Explain) -> Result<Request, String> {
    let line = &arguments.request;
    let mut headers = arguments.headers.clone();
    for (name, file) in &arguments.header_file {
        let file = file.strip_prefix('@').unwrap_or(file);
        headers.push((name.clone(), secret(Path::new(file))?));
    }
    if let Some(token) = &arguments.token {
        let token = match token.strip_prefix('@') {
            Some(file) => secret(Path::new(file))?,
            None => token.clone(),
        };
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    }
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
    Ok(Request {
        headers: Headers::from_pairs(pairs),
        source_address: Some(arguments.source.to_string()),
    })
}

/// The request's body: a text, or the bytes of a file behind `@`.
pub fn body(data: Option<&str>) -> Result<Vec<u8>, String> {
    match data {
        None => Ok(Vec::new()),
        Some(data) => match data.strip_prefix('@') {
            Some(file) => read(Path::new(file)),
            None => Ok(data.as_bytes().to_vec()),
        },
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

fn secret(file: &Path) -> Result<String, String> {
    Ok(read_text(file)?.trim().to_owned())
}
