//! What the demo sends to `examples/signed-assertion`.

use anyhow::Result;
use serde_json::{Value, json};

use super::step::{Step, Token};
use crate::jwt::{self, Key};

/// The token endpoint, as assertions name it.
pub const AUDIENCE: &str = "https://api.example.com/oauth/app/token";
/// A client of the example.
pub const CLIENT: &str = "app-7";
/// Its demo key.
pub const CLIENT_PEM: &str =
    include_str!("../../../../examples/signed-assertion/demo-keys/app-7.pem");
/// That key's id, the OpenSSH fingerprint.
pub const CLIENT_KID: &str = "SHA256:z9Y2YpGuvD0HGCBCXsWXPYg1m6KwRYqKt/dItbYOpTY";

/// A good assertion's claims, with these changed; null removes one.
pub fn claims(changes: &Value) -> Result<Value> {
    let now = jwt::now()?;
    let mut claims = json!({"aud": AUDIENCE, "iss": CLIENT, "sub": CLIENT, "iat": now, "exp": now.saturating_add(300)});
    if let (Some(claims), Some(changes)) = (claims.as_object_mut(), changes.as_object()) {
        claims.extend(changes.clone());
        claims.retain(|_, value| !value.is_null());
    }
    Ok(claims)
}

pub(super) fn steps() -> Result<Vec<Step>> {
    let assertion =
        |changes: Value| jwt::sign_es256(&claims(&changes)?, CLIENT_PEM, Some(CLIENT_KID));
    let ask = |title: &str, body: Value| {
        let step = Step::new(title, "POST", "/oauth/app/token");
        step.json(body).answered_here()
    };
    let with = |title: &str, assertion: String| {
        let body = json!({"appId": CLIENT, "token": assertion, "grantType": "client_credentials"});
        ask(title, body)
    };
    let refused = |title: &str, assertion: String| {
        let step = with(title, assertion).refused(401, None);
        step.answers("/code", json!("assertion_invalid"))
    };
    let get = |title: &str, path: &str| Step::new(title, "GET", path);
    let session = Token::default();
    let once = assertion(json!({"jti": format!("demo-{}-{}", std::process::id(), jwt::now()?)}))?;
    let now = jwt::now()?;
    Ok(vec![
        with("a good assertion", assertion(json!({}))?)
            .answers("/type", json!("Bearer"))
            .answers("/expiresIn", json!(3600))
            .keeps("/accessToken", &session),
        get("its token opens /api", "/api/orders")
            .bearer(&session)
            .upstream_sees("x-auth-client", CLIENT)
            .upstream_sees("x-auth-tenant", "acme")
            .upstream_sees("x-auth-scopes", "orders:read orders:write"),
        get("without a token", "/api/orders")
            .refused(401, None)
            .answers("/code", json!("credentials_missing")),
        ask(
            "fields missing and of the wrong type",
            json!({"appId": 7, "token": "x"}),
        )
        .refused(400, None)
        .answers("/code", json!("body_malformed"))
        .answers("/detail/0/path", json!("/appId"))
        .answers("/detail/0/type", json!("invalid"))
        .answers("/detail/1/path", json!("/grantType")),
        refused(
            "signed with another key",
            jwt::sign_es256(&claims(&json!({}))?, Key::B.es256_pem(), Some(CLIENT_KID))?,
        ),
        refused(
            "another kid",
            jwt::sign_es256(&claims(&json!({}))?, CLIENT_PEM, Some("SHA256:another"))?,
        ),
        refused(
            "for another audience",
            assertion(json!({"aud": "https://other.example.com"}))?,
        ),
        refused(
            "of another client",
            assertion(json!({"iss": "gateway", "sub": "gateway"}))?,
        ),
        refused(
            "expired",
            assertion(json!({"iat": now.saturating_sub(600), "exp": now.saturating_sub(300)}))?,
        ),
        refused(
            "good for two hours",
            assertion(json!({"exp": now.saturating_add(7200)}))?,
        ),
        with("with a jti", once.clone()),
        refused("with that jti again", once),
        get("to the partner: one exchange", "/partner/stock")
            .bearer(&session)
            .upstream_sees_prefix("authorization", "Bearer eyJ")
            .upstream_sees("x-auth-client", CLIENT)
            .exchanges(1),
        get("to the partner, 50 more", "/partner/stock")
            .bearer(&session)
            .times(50)
            .exchanges(0),
        get("the session keys", "/.well-known/jwks.json")
            .answered_here()
            .answers("/keys/0/kid", json!("s-2026-11"))
            .answers("/keys/0/d", Value::Null)
            .answers("/keys/1/kid", json!("s-2026-05")),
    ])
}
