//! The client credentials grant as a server sees it: RFC 6749 sections 2.3.1 and 4.4.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Settings;
use crate::jwt;
use crate::server::Received;

pub(super) const ISSUER: &str = "https://cognito-idp.example.com/pool";

/// A well-formed request for a token.
pub(super) struct Asked {
    pub(super) client_id: String,
    pub(super) client_secret: String,
    scope: Option<String>,
}

/// An error answer: RFC 6749 section 5.2.
pub(super) struct Refusal {
    pub(super) error: &'static str,
    pub(super) detail: String,
}

pub(super) fn refused(error: &'static str, detail: impl Into<String>) -> Refusal {
    Refusal {
        error,
        detail: detail.into(),
    }
}

/// Reads a request: credentials by HTTP Basic, or in the body (a form, or JSON as some servers want it).
pub(super) fn read(request: &Received) -> Result<Asked, Refusal> {
    if request.method != "POST" {
        return Err(refused("invalid_request", "not a POST"));
    }
    let mut fields = fields(request)?;
    if fields.get("grant_type").map(String::as_str) != Some("client_credentials") {
        return Err(refused(
            "unsupported_grant_type",
            format!("{:?}", fields.get("grant_type")),
        ));
    }
    let (client_id, client_secret) = match request.headers_named("authorization").as_slice() {
        [] => match (fields.remove("client_id"), fields.remove("client_secret")) {
            (Some(id), Some(secret)) => (id, secret),
            _ => return Err(refused("invalid_client", "no credentials")),
        },
        [_] if fields.contains_key("client_secret") => {
            return Err(refused(
                "invalid_request",
                "more than one way to authenticate the client",
            ));
        }
        [value] => {
            basic(value).ok_or_else(|| refused("invalid_client", "malformed Authorization"))?
        }
        _ => return Err(refused("invalid_request", "more than one Authorization")),
    };
    Ok(Asked {
        client_id,
        client_secret,
        scope: fields.remove("scope"),
    })
}

fn fields(request: &Received) -> Result<BTreeMap<String, String>, Refusal> {
    let malformed = |detail: &str| refused("invalid_request", detail);
    let body = request
        .body
        .as_deref()
        .ok_or_else(|| malformed("no text"))?;
    let kind = request.header("content-type").unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/x-www-form-urlencoded" => {
            let mut fields = BTreeMap::new();
            for (name, value) in form_urlencoded::parse(body.as_bytes()) {
                if fields
                    .insert(name.clone().into_owned(), value.into_owned())
                    .is_some()
                {
                    return Err(malformed(&format!("{name} twice")));
                }
            }
            Ok(fields)
        }
        "application/json" => {
            serde_json::from_str(body).map_err(|error| malformed(&error.to_string()))
        }
        other => Err(malformed(&format!("content-type {other:?}"))),
    }
}

/// Both halves are form-encoded before they are joined and encoded in base64: RFC 6749 section 2.3.1.
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let decode = |half: &str| {
        // `=` and `&` are encoded in a well-formed half: then this is one field without a value.
        let mut pairs = form_urlencoded::parse(half.as_bytes());
        let (name, value) = pairs.next().unwrap_or_default();
        (pairs.next().is_none() && value.is_empty()).then(|| name.into_owned())
    };
    scheme
        .eq_ignore_ascii_case("basic")
        .then_some((decode(id)?, decode(secret)?))
}

/// The answer with a token for the `number`th time.
pub(super) fn token(asked: &Asked, settings: &Settings, number: u64) -> Result<Value, Refusal> {
    let internal = |detail: String| refused("server_error", detail);
    let now = jwt::now().map_err(|error| internal(error.to_string()))?;
    let lifetime = i64::try_from(settings.lifetime.as_secs()).unwrap_or(i64::MAX);
    let mut claims = json!({
        "sub": asked.client_id, "client_id": asked.client_id, "token_use": "access", "iss": ISSUER,
        "scope": asked.scope, "version": 2, "jti": format!("token-{number}"),
        "auth_time": now, "iat": now, "exp": now.saturating_add(lifetime),
    });
    if let Some(claims) = claims.as_object_mut() {
        claims.extend(settings.claims.clone());
        claims.retain(|_, value| !value.is_null());
    }
    let token = jwt::sign(&claims, settings.algorithm, settings.signer)
        .map_err(|error| internal(error.to_string()))?;
    let expires_in = settings
        .expires_in
        .clone()
        .unwrap_or_else(|| json!(lifetime));
    Ok(json!({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"}))
}

#[cfg(test)]
mod tests {
    use crate::client::Client;
    use crate::server::Outcome;
    use crate::token_endpoint::{Scripted, TOKEN_PATH, too_many_requests};

    use super::*;

    fn ask(server: &Scripted, authorization: Option<&str>, body: &str) -> crate::client::Answer {
        let mut request = Client::new(server.address()).post(TOKEN_PATH);
        if let Some(pair) = authorization {
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
        }
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .unwrap()
    }

    #[test]
    fn credentials_are_checked_where_the_standard_puts_them() {
        let server = Scripted::start().unwrap();
        server.set_client("a b", &["s:e%c=&"]);
        let grant = "grant_type=client_credentials";
        for (case, authorization, body, status) in [
            (
                "basic, form-encoded halves",
                Some("a+b:s%3Ae%25c%3D%26"),
                grant.to_owned(),
                200,
            ),
            (
                "basic, not encoded",
                Some("a b:s:e%c=&"),
                grant.to_owned(),
                401,
            ),
            (
                "post",
                None,
                format!("{grant}&client_id=a+b&client_secret=s%3Ae%25c%3D%26"),
                200,
            ),
            (
                "both",
                Some("a+b:s%3Ae%25c%3D%26"),
                format!("{grant}&client_secret=x"),
                400,
            ),
            ("wrong secret", Some("a+b:s"), grant.to_owned(), 401),
            ("nothing", None, grant.to_owned(), 401),
            (
                "another grant",
                Some("a+b:s%3Ae%25c%3D%26"),
                "grant_type=password".to_owned(),
                400,
            ),
        ] {
            assert_eq!(ask(&server, authorization, &body).status, status, "{case}");
        }
        assert_eq!(server.token_requests().len(), 7);
    }

    #[test]
    fn a_script_goes_before_the_usual_answer_and_ends() {
        let server = Scripted::start().unwrap();
        server.set_client("a", &["s"]);
        server.next(too_many_requests(7));
        let grant = "grant_type=client_credentials";
        let answer = ask(&server, Some("a:s"), grant);
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (429, Some("7"))
        );
        assert_eq!(ask(&server, Some("a:s"), grant).status, 200);
        server.always(Some(Outcome::Close));
        assert!(
            Client::new(server.address())
                .post(TOKEN_PATH)
                .send()
                .is_err()
        );
        server.always(None);
        server.set_client("a", &["rotated"]);
        assert_eq!(ask(&server, Some("a:s"), grant).status, 401);
    }
}
