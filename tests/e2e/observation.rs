//! What operators see: response-code details, counters, and no secret in any log line.

use crate::client_exchange::{HEADERS, policy};
use crate::config::Listener;
use crate::gateway::{GATEWAY, PATIENCE, assert_refused};

pub const ENDPOINTS: &[&str] = &["observed"];

pub fn listeners() -> Vec<Listener> {
    let more = "  - {match: {path: /short-lived}, authenticate: short-lived}\n";
    let authenticator = r#"
authenticators:
  short-lived:
    jwt: {algorithms: [HS256], max_lifetime: 1m, keys: [{secret: {value: "the secret that observation's tests have"}}]}
"#;
    let policy = policy("observed", "timeout: 3s", HEADERS);
    let policy = policy.replace("\nauthenticators:\n", authenticator) + more;
    vec![Listener::new("observed", policy)]
}

#[test]
fn the_detailed_reason_is_in_the_response_code_details() {
    let client = GATEWAY.client("observed");
    let details = |label: &str, status: u16| {
        let start = format!("access [{label}] {status} ");
        let line = GATEWAY.envoy.wait_for_log(&start, PATIENCE).unwrap();
        line.split_once(&start).unwrap().1.to_owned()
    };
    let missing = client.get("/api/x").header("x-test", "observed-missing");
    assert_refused(&missing.send().unwrap(), 401, "credentials_missing");
    assert_eq!(
        details("observed-missing", 401),
        "doorward_denied{credentials_missing}"
    );
    // What the caller isn't told stands there all the same.
    let forged = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjQwMDAwMDAwMDB9.AAAA";
    let bad = client
        .get("/short-lived")
        .bearer(forged)
        .header("x-test", "observed-signature");
    assert_refused(&bad.send().unwrap(), 401, "token_invalid");
    assert_eq!(
        details("observed-signature", 401),
        "doorward_denied{token_signature}"
    );
}

#[test]
fn every_refusal_and_every_pass_is_counted() {
    use xtask::jwt;
    let endpoint = GATEWAY.endpoint("observed");
    endpoint.set_client("counted", &["counted-secret"]);
    let client = GATEWAY.client("observed");
    // Nothing else in these tests is refused for this reason.
    let before = GATEWAY.counter("refused.token_lifetime");
    let now = jwt::now().unwrap();
    let claims = serde_json::json!({"iat": now, "exp": now + 3600});
    let token = jwt::sign_hs256(&claims, b"the secret that observation's tests have").unwrap();
    for _ in 0..5 {
        let answer = client.get("/short-lived").bearer(&token).send().unwrap();
        assert_refused(&answer, 401, "token_lifetime");
    }
    assert_eq!(GATEWAY.counter("refused.token_lifetime"), before + 5);
    let (allowed, called) = (
        GATEWAY.counter("allowed"),
        GATEWAY.counter("exchange.called"),
    );
    let request = client.get("/api/x").header("x-client-id", "counted");
    let answer = request
        .header("x-client-secret", "counted-secret")
        .send()
        .unwrap();
    assert_eq!(answer.status, 200);
    assert!(GATEWAY.counter("allowed") > allowed);
    assert!(GATEWAY.counter("exchange.called") > called);
    assert!(GATEWAY.counter("keys.fetched") > 0);
}

#[test]
fn no_log_line_holds_a_secret_or_a_token() {
    let endpoint = GATEWAY.endpoint("observed");
    endpoint.set_client("logged", &["logged-s3cret"]);
    let client = GATEWAY.client("observed");
    let ask = |secret: &str| {
        let request = client.get("/api/x").header("x-client-id", "logged");
        request
            .header("x-client-secret", secret)
            .header("x-test", "logged")
            .send()
            .unwrap()
    };
    let seen = ask("logged-s3cret").upstream().unwrap();
    let token = seen
        .header("authorization")
        .unwrap()
        .strip_prefix("Bearer ")
        .unwrap()
        .to_owned();
    assert_eq!(ask("logged-wrong-s3cret").status, 401);
    endpoint.stop().unwrap();
    assert_eq!(ask("logged-unknown-s3cret").status, 503);
    endpoint.resume().unwrap();
    GATEWAY
        .envoy
        .wait_for_log("access [logged] 503", PATIENCE)
        .unwrap();
    let log = GATEWAY.envoy.log().unwrap();
    for secret in [
        "s3cret",
        token.as_str(),
        "the secret that observation",
        crate::policy_forms::HOST_SECRET,
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
