//! What the demo sends to `examples/key-and-token`.

use serde_json::{Value, json};

use super::step::{Step, Token};

const KEY: &str = "ak_demo_production_key";
const EXPIRED_KEY: &str = "ak_demo_production_key_old";
const SANDBOX_KEY: &str = "ak_demo_sandbox_key";
/// `limit` of /login in the policy: so many attempts a minute.
const LOGINS: u32 = 10;

pub(super) fn steps() -> Vec<Step> {
    let login = |title: &str, key: &str, id: &str, secret: &str| {
        Step::new(title, "POST", "/login")
            .header("x-api-key", key)
            .json(json!({"clientId": id, "clientSecret": secret}))
            .answered_here()
    };
    let logged_in = |step: Step, token: &Token| {
        step.answers("/token_type", json!("Bearer"))
            .answers("/expires_in", json!(3600))
            .keeps("/access_token", token)
    };
    let call = |title: &str, method: &'static str, path: &str| Step::new(title, method, path);
    let invoices = |title: &str| call(title, "GET", "/v1/invoices/2026");
    let refused = |step: Step, status: u16, message: &str| {
        let step = step.refused(status, None).answers("/code", json!(status));
        step.answers("/message", Value::from(message))
    };
    let unauthorized = |step: Step| refused(step, 401, "Unauthorized");
    let (billing, reports) = (Token::default(), Token::default());
    vec![
        logged_in(
            login(
                "login: billing",
                KEY,
                "billing",
                "doorward-demo-secret-of-billing",
            ),
            &billing,
        ),
        logged_in(
            login(
                "login: reports",
                KEY,
                "reports",
                "doorward-demo-secret-of-reports",
            ),
            &reports,
        ),
        refused(
            login("login: wrong secret", KEY, "billing", "guess"),
            401,
            "Invalid client credentials",
        ),
        unauthorized(login(
            "login: without a good key",
            "ak_guess",
            "billing",
            "doorward-demo-secret-of-billing",
        )),
        unauthorized(login(
            "login: key of another environment",
            SANDBOX_KEY,
            "billing",
            "doorward-demo-secret-of-billing",
        )),
        invoices("key and token")
            .header("x-api-key", KEY)
            .bearer(&billing)
            .upstream_sees("x-auth-client", "billing")
            .upstream_sees("x-auth-tenant", "production")
            .upstream_sees_no("x-api-key"),
        unauthorized(invoices("without the key").bearer(&billing)),
        unauthorized(invoices("without the token").header("x-api-key", KEY)),
        unauthorized(
            invoices("expired key")
                .header("x-api-key", EXPIRED_KEY)
                .bearer(&billing),
        ),
        unauthorized(
            invoices("malformed token")
                .header("x-api-key", KEY)
                .header("Authorization", "Bearer not.a.token"),
        ),
        unauthorized(
            invoices("key and token of two environments")
                .header("x-api-key", SANDBOX_KEY)
                .bearer(&billing),
        ),
        call("an operation with its scope", "DELETE", "/v1/invoices/7")
            .header("x-api-key", KEY)
            .bearer(&billing)
            .upstream_sees("x-auth-scopes", "invoices:read invoices:write"),
        call("an operation without its scope", "DELETE", "/v1/invoices/7")
            .header("x-api-key", KEY)
            .bearer(&reports)
            .refused(403, None)
            .answers("/code", json!(403)),
        call(
            "from outside the allowed networks",
            "GET",
            "/v1/admin/users",
        )
        .header("x-api-key", KEY)
        .bearer(&billing)
        .refused(403, None)
        .answers("/code", json!(403)),
        refused(
            login(
                "login: too often",
                KEY,
                "reports",
                "doorward-demo-secret-of-reports",
            )
            .until(LOGINS),
            429,
            "Too many requests",
        ),
    ]
}
