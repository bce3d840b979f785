//! A policy that exchanges a pair from two headers, and what belongs to it. Each call is made
//! once and no breaker opens, unless a test says otherwise.

use super::*;
use serde_json::json;

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
      retry: {attempts: 1}
      breaker: {failures: 1000}
rules:
  - match: {path: /**}
    authenticate: pair
"#;

/// A request of a pair.
pub fn by(id: &str) -> Request {
    get("/", &[("x-client-id", id), ("x-client-secret", "s3cret")])
}

/// A reply with a token.
pub fn token(token: &str, seconds: u64) -> String {
    json!({"access_token": token, "expires_in": seconds, "token_type": "Bearer"}).to_string()
}

/// What the upstream sees as `Authorization`.
pub fn bearer(verdict: &Verdict) -> String {
    values(&upstream(&by("a"), verdict), "authorization").join(" AND ")
}

/// A proxy whose first worker holds the token `one` for the pair `a`.
pub fn holding(workers: usize, policy: &str, life: u64) -> Proxy {
    let proxy = Proxy::new(workers, policy);
    let ticket = proxy.ask(0, by("a"));
    proxy.reply(200, &token("one", life));
    assert_eq!(proxy.said(ticket), "ok");
    proxy
}

/// Runs a test for every number of reads that a worker did before another one's writes.
pub fn interleaved(test: impl Fn(&dyn Fn(&Proxy, Board))) {
    for reads in 0..30 {
        test(&|proxy, before| *proxy.world.past.borrow_mut() = Some((reads, before)));
    }
}
