//! What the demo sends to `examples/client-signed`.

use anyhow::Result;
use serde_json::{Value, json};

use super::step::{Step, Token};
use crate::jwt;

const SECRET: &str = "doorward-demo-secret-of-acme-2026-11";
const OLD_SECRET: &str = "doorward-demo-secret-of-acme-2026-05";
const GLOBEX_SECRET: &str = "doorward-demo-secret-of-globex-2026-11";

pub(super) fn steps() -> Result<Vec<Step>> {
    let sign = |lifetime: Option<i64>, secret: &str| {
        let mut claims = json!({"user": {"id": 7}, "clientName": "acme"});
        if let (Some(lifetime), Some(claims)) = (lifetime, claims.as_object_mut()) {
            claims.insert(
                "exp".to_owned(),
                json!(jwt::now()?.saturating_add(lifetime)),
            );
        }
        jwt::sign_hs256(&claims, secret.as_bytes())
    };
    let get =
        |title: &str, client: &str| Step::new(title, "GET", &format!("/v1/{client}/sessions/42"));
    let own = |title: &str, token: &str| {
        get(title, "acme").header("Authorization", &format!("Bearer {token}"))
    };
    let passes = |step: Step| step.upstream_sees("x-auth-client", "acme");
    let ask = |title: &str, body: Value| {
        Step::new(title, "POST", "/authtoken")
            .json(body)
            .answered_here()
    };
    let pair =
        |id: Value, secret: &str| json!({"userInfo": {}, "clientName": id, "clientSecret": secret});
    let good = sign(Some(3600), SECRET)?;
    let token = Token::default();
    Ok(vec![
        passes(own("signed by the client itself", &good)),
        passes(own(
            "signed with its old secret",
            &sign(Some(3600), OLD_SECRET)?,
        )),
        get("another client's sessions", "globex")
            .header("Authorization", &format!("Bearer {good}"))
            .refused(403, "binding_mismatch"),
        own(
            "signed with another's secret",
            &sign(Some(3600), GLOBEX_SECRET)?,
        )
        .refused(401, "token_invalid"),
        own("good for five hours", &sign(Some(5 * 3600), SECRET)?).refused(401, "token_lifetime"),
        own("without an end", &sign(None, SECRET)?).refused(401, "token_claims"),
        ask("a token for name and secret", pair(json!("acme"), SECRET)).keeps("/token", &token),
        passes(get("which is accepted", "acme").bearer(&token)),
        ask("a wrong secret", pair(json!("acme"), "guess"))
            .refused(401, None)
            .answers("/message", json!("The client or its secret is not valid")),
        ask("an unknown client", pair(json!("nobody"), "guess"))
            .refused(401, None)
            .answers("/message", json!("The client or its secret is not valid")),
        ask("a name that is no text", pair(json!(7), SECRET)).refused(401, None),
    ])
}
