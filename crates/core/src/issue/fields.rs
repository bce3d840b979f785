//! What a token request's body says, read strictly.

use crate::http::{BadField, Refusal, Request};
use crate::jose::json;
use crate::policy::document::Secret;
use crate::reply::Reason;
use percent_encoding::percent_decode;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The grant that is given (RFC 6749 §4.4.2).
const GRANT: &str = "client_credentials";
/// What `client_assertion_type` must be (RFC 7523 §2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a token request's body must say, and in which form.
#[derive(Debug, Default)]
pub struct Fields {
    /// Whether it is a form (RFC 6749 appendix B); else it is JSON.
    pub form: bool,
    /// The fields, none: the body isn't read.
    pub wanted: Vec<Wanted>,
}

/// One field.
#[derive(Debug)]
pub struct Wanted {
    /// What it says.
    pub field: Field,
    /// Where it stands: a JSON pointer (RFC 6901). A form is read as one object of strings.
    pub at: String,
    /// Whether a request without it is malformed.
    pub required: bool,
}

/// What a field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The client's id.
    ClientId,
    /// The client's secret.
    ClientSecret,
    /// The client's assertion.
    Assertion,
    /// What kind of assertion it is.
    AssertionType,
    /// The grant type.
    GrantType,
    /// What must not be there: a second way to authenticate (RFC 6749 §2.3).
    Forbidden,
}

/// What a body said.
#[derive(Debug, Default)]
pub struct Said {
    /// The client's id.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<Secret>,
    /// Its assertion.
    pub assertion: Option<Secret>,
}

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Reason::BodyMalformed`] with every field that is bad; then
    /// [`Reason::GrantUnsupported`].
    pub fn read(&self, request: &Request, body: &[u8]) -> Result<Said, Refusal> {
        let (media_type, message) = match self.form {
            true => (
                "application/x-www-form-urlencoded",
                "the content type must be application/x-www-form-urlencoded",
            ),
            false => (
                "application/json",
                "the content type must be application/json",
            ),
        };
        let whole = match (is_of_type(request, media_type), self.form) {
            (false, _) => Err(message),
            (true, true) => form(body),
            (true, false) => object(body),
        };
        let whole = whole.map_err(|message| malformed(vec![BadField::new("", message)]))?;
        self.take(Value::Object(whole))
    }

    fn take(&self, mut whole: Value) -> Result<Said, Refusal> {
        let mut said = Said::default();
        let mut bad = Vec::new();
        let mut granted = true;
        for wanted in &self.wanted {
            let mut complain = |message| bad.push(BadField::new(&wanted.at, message));
            // Taken out rather than copied: nothing of a secret is left behind.
            let text = match whole.pointer_mut(&wanted.at).map(Value::take) {
                None if wanted.required => {
                    complain("is missing");
                    continue;
                }
                None => continue,
                Some(Value::String(text)) if !text.is_empty() => text,
                Some(Value::String(_)) => {
                    complain("must not be empty");
                    continue;
                }
                Some(_) => {
                    complain("must be a string");
                    continue;
                }
            };
            match wanted.field {
                Field::ClientId => said.client_id = Some(text),
                Field::ClientSecret => said.client_secret = Some(Secret::from(text)),
                Field::Assertion => said.assertion = Some(Secret::from(text)),
                Field::GrantType => granted = text == GRANT,
                Field::AssertionType if text == ASSERTION_TYPE => {}
                Field::AssertionType => complain("must be that of a JWT (RFC 7523)"),
                Field::Forbidden => complain("is a second way to authenticate"),
            }
        }
        match (bad.is_empty(), granted) {
            (false, _) => Err(malformed(bad)),
            (true, false) => Err(Refusal::of(Reason::GrantUnsupported)),
            (true, true) => Ok(said),
        }
    }
}

fn malformed(detail: Vec<BadField>) -> Refusal {
    Refusal {
        detail,
        ..Refusal::of(Reason::BodyMalformed)
    }
}

/// Whether the request says, once, that its body is of this type; parameters don't count, since
/// JSON and forms are UTF-8 whatever they say.
fn is_of_type(request: &Request, media_type: &str) -> bool {
    let mut said = request.headers.all("content-type");
    let (Some(first), None) = (said.next(), said.next()) else {
        return false;
    };
    let essence = first.split(|byte| *byte == b';').next().unwrap_or_default();
    essence
        .trim_ascii()
        .eq_ignore_ascii_case(media_type.as_bytes())
}

fn object(body: &[u8]) -> Result<Map<String, Value>, &'static str> {
    json::object::<Value>(body)
        .map_err(|_| "the body must be one JSON object, without duplicate members")
}

/// Reads a form, whose names must be unique (RFC 6749 §3.2).
fn form(body: &[u8]) -> Result<Map<String, Value>, &'static str> {
    let mut fields = Map::new();
    for pair in body
        .split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
    {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next());
        let (Some(name), Some(value)) = (form_text(name), form_text(value.unwrap_or_default()))
        else {
            return Err("the body must be a form, in UTF-8");
        };
        // RFC 6749 §3.2: a field without a value counts as left out; twice it is twice.
        if fields.insert(name, Value::String(value)).is_some() {
            return Err("a field must not stand in the form twice");
        }
    }
    fields.retain(|_, value| value != "");
    Ok(fields)
}

/// Decodes a name or value of a form; `None` where it is none.
pub(super) fn form_text(text: &[u8]) -> Option<String> {
    let mut after_percent = text.split(|byte| *byte == b'%').skip(1);
    let is_escape = |part: &[u8]| {
        part.first_chunk::<2>()
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !after_percent.all(is_escape) {
        return None;
    }
    let spaced: Cow<'_, [u8]> = match text.contains(&b'+') {
        true => text
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect(),
        false => text.into(),
    };
    let decoded: Vec<u8> = percent_decode(&spaced).collect();
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Headers;

    fn request(types: &[&str]) -> Request {
        Request {
            headers: Headers::from_pairs(types.iter().map(|value| ("content-type", *value))),
            source_address: None,
        }
    }

    fn wanted(field: Field, at: &str, required: bool) -> Wanted {
        Wanted {
            field,
            at: at.to_owned(),
            required,
        }
    }

    fn json_fields() -> Fields {
        Fields {
            form: false,
            wanted: vec![
                wanted(Field::ClientId, "/appId", true),
                wanted(Field::Assertion, "/login/token", true),
                wanted(Field::GrantType, "/grantType", true),
            ],
        }
    }

    fn form_fields() -> Fields {
        Fields {
            form: true,
            wanted: vec![
                wanted(Field::GrantType, "/grant_type", true),
                wanted(Field::ClientId, "/client_id", false),
                wanted(Field::AssertionType, "/client_assertion_type", true),
                wanted(Field::Forbidden, "/client_secret", false),
            ],
        }
    }

    /// What was said, in short: the bad paths, or the id.
    fn said(fields: &Fields, body: &str) -> String {
        let media = match fields.form {
            true => "application/x-www-form-urlencoded",
            false => "application/json; charset=utf-8",
        };
        match fields.read(&request(&[media]), body.as_bytes()) {
            Ok(said) => format!("id {}", said.client_id.unwrap_or_default()),
            Err(refusal) => {
                let bad = refusal.detail.iter();
                let bad: Vec<_> = bad
                    .map(|bad| format!("{} {}", bad.path, bad.message))
                    .collect();
                format!("{} {}", refusal.reason.name(), bad.join(", "))
            }
        }
    }

    #[test]
    fn every_bad_field_of_a_json_body_is_named() {
        let fields = json_fields();
        for (body, expected) in [
            (
                r#"{"appId": "a", "login": {"token": "t"}, "grantType": "client_credentials", "x": [1]}"#,
                "id a",
            ),
            (
                r#"{"appId": 7, "login": {"token": ""}}"#,
                "body_malformed /appId must be a string, /login/token must not be empty, /grantType is missing",
            ),
            (
                r#"{"appId": null, "login": "t", "grantType": ["client_credentials"]}"#,
                "body_malformed /appId must be a string, /login/token is missing, /grantType must be a string",
            ),
            (
                r#"{"appId": "a", "login": {"token": "t"}, "grantType": "password"}"#,
                "grant_unsupported ",
            ),
            // What is bad is told before what isn't supported.
            (
                r#"{"login": {"token": "t"}, "grantType": "password"}"#,
                "body_malformed /appId is missing",
            ),
        ] {
            assert_eq!(said(&fields, body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_no_strict_json_object_is_malformed_as_a_whole() {
        let deep = format!("{}1{}", "[".repeat(8000), "]".repeat(8000));
        for body in [
            "",
            "[]",
            "\"a\"",
            r#"{"appId": "a", "appId": "b"}"#,
            r#"{"appId": "a", "x": {"y": 1, "y": 2}}"#,
            r#"{"appId": "a"} {}"#,
            r#"{"appId": "\ud800"}"#,
            &format!("{{\"appId\": {deep}}}"),
        ] {
            let told = said(&json_fields(), body);
            assert!(
                told.starts_with("body_malformed  the body must be"),
                "{told}"
            );
        }
        let fields = json_fields();
        let invalid = fields.read(&request(&["application/json"]), b"{\"appId\": \"\xff\"}");
        assert_eq!(invalid.unwrap_err().reason, Reason::BodyMalformed);
    }

    #[test]
    fn forms_are_read_strictly() {
        let kind = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let form = |rest: &str| said(&form_fields(), &format!("{kind}&{rest}"));
        for (rest, expected) in [
            (
                "grant_type=client_credentials&client_id=a+b%2B&scope=x",
                "id a b+",
            ),
            ("grant_type=client_credentials", "id "),
            ("grant_type=client_credentials&client_id=", "id "),
            ("grant_type=password", "grant_unsupported "),
            ("grant_type=", "body_malformed /grant_type is missing"),
            (
                "grant_type=client_credentials&client_secret=s",
                "body_malformed /client_secret is a second way to authenticate",
            ),
        ] {
            assert_eq!(form(rest), expected, "{rest}");
        }
        for rest in [
            "grant_type=client_credentials&grant_type=client_credentials",
            "grant_type=client_credentials&scope=a&scop%65=b",
            "grant_type=client_credentials&client_id=&client_id=a",
        ] {
            assert_eq!(
                form(rest),
                "body_malformed  a field must not stand in the form twice"
            );
        }
        for rest in [
            "client_id=%ff",
            "client_id=%",
            "client_id=%4",
            "client_id=%zz",
            "%=a",
        ] {
            assert_eq!(
                form(rest),
                "body_malformed  the body must be a form, in UTF-8"
            );
        }
    }

    #[test]
    fn the_content_type_must_be_said_once_and_fit() {
        let fields = Fields {
            form: false,
            wanted: Vec::new(),
        };
        for (types, fits) in [
            (&["application/json"][..], true),
            (&["Application/JSON ; charset=utf-8"], true),
            (&[], false),
            (&["text/plain"], false),
            (&["application/jsonp"], false),
            (&["application/x-www-form-urlencoded"], false),
            (&["application/json", "application/json"], false),
        ] {
            assert_eq!(
                fields.read(&request(types), b"{}").is_ok(),
                fits,
                "{types:?}"
            );
        }
    }
}
