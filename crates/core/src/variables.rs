//! The variables that expressions see, built from a request and from who calls.

use crate::credentials::source_pairs;
use crate::decide::Context;
use crate::expression::{Expression, RequestPart, Scope, Value, Variable, VariableSet};
use crate::http::Request;
use percent_encoding::percent_decode;

/// `request`: method, host, path, query and headers. Headers that stand more than once are
/// joined with commas (RFC 9110 §5.3); of a repeated query parameter the first counts.
/// Only what `uses` says is made.
pub fn request(request: &Request, uses: VariableSet) -> Value {
    let target = || request.target().ok();
    let parts = RequestPart::ALL
        .into_iter()
        .filter(|part| uses.reads(*part));
    Value::map(parts.map(|part| {
        let value = match part {
            RequestPart::Method => request.method().into(),
            RequestPart::Host => request.host().unwrap_or_default().as_ref().into(),
            RequestPart::Path => target()
                .map_or_else(String::new, |target| target.path)
                .into(),
            RequestPart::Query => {
                let query = target().and_then(|target| target.query);
                parameters(query.as_deref().unwrap_or_default())
            }
            RequestPart::Headers => headers(request),
        };
        (part.name(), value)
    }))
}

fn parameters(query: &[u8]) -> Value {
    let mut parameters: Vec<(String, Value)> = source_pairs(query, b'&')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (decoded(name), decoded(value).into()))
        .collect();
    // `Value::map` lets the last one hold.
    parameters.reverse();
    Value::map(parameters)
}

fn headers(request: &Request) -> Value {
    let mut joined = std::collections::BTreeMap::<String, String>::new();
    for (name, value) in request.headers.iter() {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let value = String::from_utf8_lossy(value);
        if name.starts_with(':') {
            continue;
        }
        joined
            .entry(name)
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    Value::map(joined.into_iter().map(|(name, value)| (name, value.into())))
}

fn decoded(text: &[u8]) -> String {
    percent_decode(text).decode_utf8_lossy().into_owned()
}

/// Sets those of `request`, `path` and `source` that are used.
pub fn of_request<H>(context: &Context<'_, H>, uses: VariableSet, scope: &mut Scope) {
    if uses.contains(Variable::Request) {
        scope.set(Variable::Request, request(context.request, uses));
    }
    if uses.contains(Variable::Path) {
        let members = context.variables.iter();
        scope.set(
            Variable::Path,
            Value::map(members.map(|(name, value)| (name.as_str(), value.as_str().into()))),
        );
    }
    if uses.contains(Variable::Source) {
        let address = context
            .request
            .source_address
            .as_deref()
            .unwrap_or_default();
        scope.set(Variable::Source, Value::map([("address", address.into())]));
    }
}

/// The union of what some expressions use.
pub fn used<'e>(expressions: impl IntoIterator<Item = &'e Expression>) -> VariableSet {
    expressions
        .into_iter()
        .fold(VariableSet::default(), |all, expression| {
            all.union(expression.variables())
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Place;
    use crate::http::Headers;

    #[test]
    fn leaving_out_what_is_not_read_changes_no_value() {
        let head = Request {
            headers: Headers::from_pairs([
                (&b":method"[..], &b"POST"[..]),
                (b":authority", b"API.Example.com:80"),
                (b":path", b"/orders/7?q=1&q=2&r=%20"),
                (b"x", b"1"),
                (b"X", b"2"),
            ]),
            source_address: None,
        };
        let compiled = |source| Expression::compile(source, Place::ErrorBody).unwrap();
        let everything = compiled("request").variables();
        for source in [
            "request",
            "request.method",
            "request.host + request.path",
            "request['path']",
            "request['met' + 'hod']",
            "request.query",
            "request.query.q + request.headers['x']",
            "has(request.query) && has(request.host)",
            "has(request.query.r)",
            "'headers' in request",
            "size(request)",
            "request.map(name, request[name])",
            "request.exists(name, name == 'host')",
            "[request].map(item, item.path)",
            "{'all': request}.all.host",
            "['POST'].filter(item, item == request.method)",
            "['x'].map(request, request)",
            "(true ? request : {}).headers",
        ] {
            let expression = compiled(source);
            let with = |uses| {
                let mut scope = Scope::new();
                scope.set(Variable::Request, request(&head, uses));
                expression.evaluate_json(&scope).unwrap()
            };
            assert_eq!(with(expression.variables()), with(everything), "{source}");
        }
    }
}
