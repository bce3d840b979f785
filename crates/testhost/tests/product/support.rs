//! The module, a policy that exchanges a pair for a token, and requests of that pair.

use std::sync::LazyLock;

use testhost::{Builder, Filter, Gateway, Level, Outcome, Request, RequestBuilder, Upstream};

/// Compiled once for all tests of this binary.
pub static FILTER: LazyLock<Filter> = LazyLock::new(|| {
    let module = xtask::module::build().unwrap();
    Filter::from_file(module).unwrap()
});

/// One attempt for each call, no breaker, and each call may take 5 s.
pub const POLICY: &str = r#"
version: 1
authenticators:
  pair:
    client_credentials:
      from: {id: {header: x-client-id}, secret: {header: x-client-secret}}
      exchange: idp
tokens:
  idp:
    exchange:
      cluster: idp
      url: https://idp.example.com/token
      timeout: 5s
      retry: {attempts: 1}
      breaker: {failures: 1000}
rules:
  - match: {path: /**}
    authenticate: pair
"#;

/// A gateway with this policy that isn't started yet.
pub fn gateway() -> Builder {
    Gateway::builder(&FILTER, POLICY)
}

/// A request of a pair, to be sent.
pub fn by<'g>(gateway: &'g mut Gateway, id: &str) -> RequestBuilder<'g> {
    gateway
        .request("GET /orders")
        .header("x-client-id", id)
        .header("x-client-secret", "s3cret")
}

/// A good reply of a token endpoint.
pub fn token(token: &str) -> String {
    serde_json::json!({"access_token": token, "token_type": "Bearer", "expires_in": 300})
        .to_string()
}

/// What reached the upstream of a request that passed.
#[track_caller]
pub fn passed(gateway: &Gateway, request: &Request) -> Upstream {
    match request.outcome() {
        Outcome::Upstream(upstream) if upstream.complete => upstream,
        other => panic!("{other:?}\n{}", gateway.trace()),
    }
}

/// The one `Authorization` with which it reached the upstream.
#[track_caller]
pub fn bearer(gateway: &Gateway, request: &Request) -> String {
    passed(gateway, request)
        .headers
        .all("authorization")
        .join(" AND ")
}

/// No VM died, and nothing was logged that only a panic or a misuse would log.
#[track_caller]
pub fn assert_well(gateway: &Gateway) {
    let bad = gateway.logged(Level::Critical, "");
    assert!(gateway.crashes() == 0 && !bad, "{}", gateway.trace());
}
