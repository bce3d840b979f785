//! From a refusal to the answer that the caller gets.

use super::{GRANT_UNSUPPORTED, PublicReason, Reason};
use crate::expression::{Expression, Scope, Value, Variable};
use crate::http::{Refusal, Reply, Request};
use crate::variables;
use std::collections::BTreeMap;

/// The longest request id that is passed on as `error_id`.
const MAX_ERROR_ID: usize = 128;

/// How refusals look: for the whole policy, or for one rule.
#[derive(Debug, Clone)]
pub struct ErrorFormat {
    /// The body's expression; without one, RFC 9457 problem details.
    pub body: Option<std::rc::Rc<Expression>>,
    /// The media type where `body` is given.
    pub content_type: String,
    /// Another status for a public reason.
    pub status: BTreeMap<String, u16>,
    /// Another message for a public reason.
    pub message: BTreeMap<String, String>,
    /// The realm of challenges.
    pub realm: String,
    /// Whether the default body is that of token endpoints (RFC 6749 §5.2).
    pub oauth: bool,
}

impl Default for ErrorFormat {
    fn default() -> ErrorFormat {
        ErrorFormat {
            body: None,
            content_type: "application/json".to_owned(),
            status: BTreeMap::new(),
            message: BTreeMap::new(),
            realm: "api".to_owned(),
            oauth: false,
        }
    }
}

impl ErrorFormat {
    /// The answer for a refusal. `random_id` names it where the request brought no id.
    pub fn render(
        &self,
        refusal: &Refusal,
        request: &Request,
        random_id: impl FnOnce() -> String,
    ) -> Reply {
        let public = refusal.reason.public();
        let status = *self.status.get(public.name).unwrap_or(&public.status);
        let message = self
            .message
            .get(public.name)
            .map_or(public.message, String::as_str);
        let grpc = request.is_grpc();
        let (body, content_type) = if grpc {
            // Envoy puts the body into grpc-message.
            (message.to_owned(), "application/grpc")
        } else {
            self.custom_body(refusal, public, status, message, request, random_id)
                .map(|body| (body, self.content_type.as_str()))
                .unwrap_or_else(|| match self.oauth {
                    true => (oauth(refusal, message), "application/json"),
                    false => (problem(public, status, message), "application/problem+json"),
                })
        };
        let mut headers = vec![("content-type".to_owned(), content_type.to_owned())];
        self.challenge(status, refusal, &mut headers);
        if let Some(seconds) = refusal.retry_after {
            headers.push(("retry-after".to_owned(), seconds.to_string()));
        }
        headers.push(("cache-control".to_owned(), "no-store".to_owned()));
        if self.oauth {
            // RFC 6749 §5.1 asks for it beside every answer.
            headers.push(("pragma".to_owned(), "no-cache".to_owned()));
        }
        Reply {
            status,
            headers,
            body,
            grpc_status: grpc.then(|| grpc_status(status)),
            reason: refusal.reason,
        }
    }

    fn challenge(&self, status: u16, refusal: &Refusal, headers: &mut Vec<(String, String)>) {
        let mut add = |value| headers.push(("www-authenticate".to_owned(), value));
        if refusal.reason == Reason::ScopeMissing {
            add(format!(
                "Bearer realm=\"{}\", error=\"insufficient_scope\", scope=\"{}\"",
                self.realm,
                refusal.scopes.join(" ")
            ));
        } else if status == 401 {
            for challenge in &refusal.challenges {
                add(challenge.render(&self.realm));
            }
        }
    }

    fn custom_body(
        &self,
        refusal: &Refusal,
        public: PublicReason,
        status: u16,
        message: &str,
        request: &Request,
        random_id: impl FnOnce() -> String,
    ) -> Option<String> {
        let body = self.body.as_ref()?;
        let mut scope = Scope::new();
        scope
            .set(Variable::Status, Value::Int(status.into()))
            .set(Variable::Reason, public.name.into())
            .set(Variable::Message, message.into());
        if body.uses(Variable::RetryAfter) {
            let seconds = refusal.retry_after.unwrap_or_default();
            scope.set(
                Variable::RetryAfter,
                Value::Int(i64::try_from(seconds).unwrap_or(i64::MAX)),
            );
        }
        if body.uses(Variable::ErrorId) {
            let id = request_id(request).unwrap_or_else(random_id);
            scope.set(Variable::ErrorId, id.as_str().into());
        }
        if body.uses(Variable::Detail) {
            scope.set(Variable::Detail, detail(refusal));
        }
        if body.uses(Variable::Request) {
            scope.set(
                Variable::Request,
                variables::request(request, body.variables()),
            );
        }
        let value = body.evaluate_json(&scope).ok()?;
        // A string is a body of the API's own making; everything else is JSON.
        Some(match value {
            serde_json::Value::String(text) => text,
            value => value.to_string(),
        })
    }
}

/// `detail`: every bad field of a malformed body.
fn detail(refusal: &Refusal) -> Value {
    let bad = refusal.detail.iter().map(|bad| {
        Value::map([
            ("path", Value::from(bad.path.as_str())),
            ("message", bad.message.into()),
            ("type", "invalid".into()),
        ])
    });
    Value::List(bad.collect())
}

/// The error of a token endpoint (RFC 6749 §5.2). What has no code there has the one that OAuth
/// gives it elsewhere (RFC 6749 §4.1.2.1).
fn oauth(refusal: &Refusal, message: &str) -> String {
    let public = refusal.reason.public();
    let error = match public.status {
        _ if public == GRANT_UNSUPPORTED => "unsupported_grant_type",
        400 | 413 => "invalid_request",
        401 => "invalid_client",
        403 => "unauthorized_client",
        _ => "temporarily_unavailable",
    };
    let mut description = message.to_owned();
    for (index, bad) in refusal.detail.iter().enumerate() {
        description += if index == 0 { ": " } else { ", " };
        description += &bad.path;
        description += if bad.path.is_empty() { "" } else { " " };
        description += bad.message;
    }
    serde_json::json!({"error": error, "error_description": description}).to_string()
}

/// RFC 9457 problem details.
fn problem(public: PublicReason, status: u16, message: &str) -> String {
    serde_json::json!({
        "type": "about:blank",
        "title": title(status),
        "status": status,
        "detail": message,
        "reason": public.name,
    })
    .to_string()
}

/// The status' name (RFC 9110 §15), which `about:blank` asks for as title.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Refused",
    }
}

/// The gRPC status for an HTTP status.
fn grpc_status(status: u16) -> u8 {
    match status {
        400 | 413 => 3,
        401 => 16,
        429 => 8,
        500.. => 14,
        _ => 7,
    }
}

/// The request's own id, if it is one that can be passed on.
fn request_id(request: &Request) -> Option<String> {
    let id = request.headers.first("x-request-id")?;
    let plain = !id.is_empty() && id.len() <= MAX_ERROR_ID && id.iter().all(u8::is_ascii_graphic);
    plain.then(|| String::from_utf8_lossy(id).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::Place;
    use crate::http::Headers;
    use crate::reply::{Challenge, Scheme};

    fn request(headers: &[(&str, &str)]) -> Request {
        Request {
            headers: Headers::from_pairs(headers.iter().copied()),
            source_address: None,
        }
    }

    fn format(body: &str) -> ErrorFormat {
        ErrorFormat {
            body: Some(Expression::compile(body, Place::ErrorBody).unwrap().into()),
            ..ErrorFormat::default()
        }
    }

    fn header<'r>(reply: &'r Reply, name: &str) -> Option<&'r str> {
        let found = reply.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn the_default_is_problem_details() {
        let refusal = Refusal {
            challenges: vec![Challenge {
                scheme: Scheme::Bearer,
                presented: true,
            }],
            ..Refusal::of(Reason::TokenSignature)
        };
        let reply = ErrorFormat::default().render(&refusal, &request(&[]), String::new);
        let body: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "about:blank", "title": "Unauthorized", "status": 401,
                "detail": "The token is not valid", "reason": "token_invalid",
            })
        );
        assert_eq!(
            header(&reply, "content-type"),
            Some("application/problem+json")
        );
        assert_eq!(
            header(&reply, "www-authenticate"),
            Some("Bearer realm=\"api\", error=\"invalid_token\"")
        );
        assert_eq!(reply.reason, Reason::TokenSignature);
    }

    #[test]
    fn bodies_statuses_and_messages_are_the_apis_own() {
        let mut format = format(
            r#"{"code": status, "message": message, "reason": reason, "id": error_id, "wait": retry_after}"#,
        );
        format.status.insert("exchange_unavailable".into(), 504);
        format
            .message
            .insert("exchange_unavailable".into(), "Later".into());
        let refusal = Refusal::for_now(Reason::ExchangeUnavailable, 7);
        let reply = format.render(&refusal, &request(&[("x-request-id", "r-1")]), String::new);
        let body: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"code": 504, "message": "Later", "reason": "exchange_unavailable",
                "id": "r-1", "wait": 7})
        );
        assert_eq!(reply.status, 504);
        assert_eq!(header(&reply, "retry-after"), Some("7"));
        assert_eq!(header(&reply, "content-type"), Some("application/json"));
    }

    #[test]
    fn a_body_that_fails_falls_back() {
        let reply = format(r#"{"x": request.headers["absent"]}"#).render(
            &Refusal::of(Reason::NoRule),
            &request(&[]),
            String::new,
        );
        assert!(reply.body.contains("\"no_rule\""), "{}", reply.body);
    }

    #[test]
    fn grpc_gets_the_message_and_its_own_status() {
        for (reason, status) in [
            (Reason::TokenExpired, 16),
            (Reason::NoRule, 7),
            (Reason::PathInvalid, 3),
            (Reason::ExchangeLimited, 8),
            (Reason::ExchangeUnavailable, 14),
            (Reason::CredentialUnavailable, 14),
        ] {
            let request = request(&[("content-type", "application/grpc+proto")]);
            let reply = format("'{}'").render(&Refusal::of(reason), &request, String::new);
            assert_eq!(reply.grpc_status, Some(status), "{reason:?}");
            assert_eq!(reply.body, reason.public().message);
        }
    }

    #[test]
    fn missing_scopes_are_named() {
        let refusal = Refusal {
            scopes: vec!["a".into(), "b".into()],
            ..Refusal::of(Reason::ScopeMissing)
        };
        let reply = ErrorFormat::default().render(&refusal, &request(&[]), String::new);
        assert_eq!(
            header(&reply, "www-authenticate"),
            Some("Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"a b\"")
        );
    }
}
