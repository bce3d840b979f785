//! Token requests and their answers.

use super::{Proxy, START, Ticket, method};
use doorward_core::http::{Reply, Request, Response, Verdict};
use serde_json::{Value, json};

/// A `POST` of JSON.
pub fn post(target: &str, headers: &[(&str, &str)]) -> Request {
    let json = [("content-type", "application/json")];
    method("POST", target, &[&json, headers].concat())
}

/// A `POST` of a form.
pub fn post_form(target: &str, headers: &[(&str, &str)]) -> Request {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    method("POST", target, &[&form, headers].concat())
}

impl Proxy {
    /// What came of a token request, in short.
    pub fn token(&self, request: Request, body: &str) -> String {
        self.said(self.send(0, request, body.as_bytes()))
    }

    /// The answer with a token.
    #[track_caller]
    pub fn response(&self, ticket: Ticket) -> Response {
        match self.verdict(ticket) {
            Some(Verdict::Answer(response)) => response,
            _ => panic!("no answer: {}", self.said(ticket)),
        }
    }

    /// The refusal.
    #[track_caller]
    pub fn refusal(&self, ticket: Ticket) -> Reply {
        match self.verdict(ticket) {
            Some(Verdict::Refuse(reply)) => reply,
            _ => panic!("no refusal: {}", self.said(ticket)),
        }
    }
}

/// The claims of an assertion that is good in every respect, with these members in place of its
/// own; `null` leaves one out.
pub fn assertion_claims(id: &str, audience: &str, own: &Value) -> Value {
    let mut claims = json!({
        "iss": id, "sub": id, "aud": audience, "iat": START, "exp": START + 300,
    });
    for (name, value) in own.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    claims
}
