//! A policy reaches the filter as YAML, as JSON, natively in Envoy's configuration, and with values from the
//! environment.

use serde_json::json;
use xtask::jwt;

use crate::config::Listener;
use crate::gateway::{GATEWAY, assert_passed, assert_refused};

pub const HOST_SECRET: &str = "a secret from the environment of Envoy itself";
const SECRET: &str = "a secret from the policy, or from the VM's environment";

/// Each form, and the secret that its tokens are signed with.
const FORMS: [(&str, &str); 5] = [
    ("form-yaml", SECRET),
    ("form-json", SECRET),
    ("form-struct", SECRET),
    ("form-environment", SECRET),
    ("form-host-environment", HOST_SECRET),
];

fn document(secret: &str) -> serde_json::Value {
    json!({
        "version": 1,
        "authenticators": {"token": {"jwt": {
            "algorithms": ["HS256"], "keys": [{"secret": {"value": secret}}],
            "leeway": "5s", "require_exp": true,
        }}},
        "errors": {"body": "{\"code\": status, \"dollar\": '$${x}', \"message\": message, \"reason\": reason}",
            "status": {"token_expired": 419}, "message": {"credentials_missing": "cost: $${5}"}},
        "rules": [{"match": {"path": "/**", "methods": ["GET", "POST"]}, "authenticate": "token"}],
    })
}

pub fn listeners() -> Vec<Listener> {
    let yaml = format!(
        r#"
# A comment, and every style that YAML has.
version: 1
authenticators:
  token:
    jwt:
      algorithms: HS256
      keys:
      - secret:
          value: >-
            {SECRET}
      leeway: 5s
errors: {{body: '{{"code": status, "dollar": "$${{x}}", "message": message, "reason": reason}}',
         status: {{token_expired: 419}}, message: {{credentials_missing: "cost: $${{5}}"}}}}
rules:
  - match: {{path: "/**", methods: [GET, POST]}}
    authenticate: token
"#
    );
    let environment = json!({"key_values": {"FORM_SECRET": SECRET}});
    vec![
        Listener::new("form-yaml", yaml),
        Listener::new("form-json", document(SECRET).to_string()),
        Listener::native("form-struct", &document(SECRET)),
        Listener::new("form-environment", document("${FORM_SECRET}").to_string())
            .environment(environment),
        Listener::native("form-host-environment", &document("${HOST_SECRET}"))
            .environment(json!({"host_env_keys": ["HOST_SECRET"]})),
    ]
}

#[test]
fn a_policy_means_the_same_in_every_form() {
    for (form, secret) in FORMS {
        let client = GATEWAY.client(form);
        let now = jwt::now().unwrap();
        let token = |exp: i64, secret: &str| {
            jwt::sign_hs256(&json!({"exp": exp}), secret.as_bytes()).unwrap()
        };
        assert_passed(
            &client
                .get("/x")
                .bearer(&token(now + 60, secret))
                .send()
                .unwrap(),
        );
        let wrong = token(now + 60, "${FORM_SECRET}");
        assert_refused(
            &client.get("/x").bearer(&wrong).send().unwrap(),
            401,
            "token_invalid",
        );
        let expired = client
            .get("/x")
            .bearer(&token(now - 10, secret))
            .send()
            .unwrap();
        assert_refused(&expired, 419, "token_expired");
        let missing = client.get("/x").send().unwrap();
        assert_refused(&missing, 401, "credentials_missing");
        assert_eq!(missing.at("/message"), json!("cost: ${5}"), "{form}");
        // Nothing is replaced inside an expression.
        assert_eq!(missing.at("/dollar"), json!("$${x}"), "{form}");
        assert_eq!(missing.at("/code"), json!(401), "{form}");
    }
    GATEWAY.assert_well();
}
