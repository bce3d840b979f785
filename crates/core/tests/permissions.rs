//! What a caller must be allowed: from which network, and under which condition.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::http::Request;
use support::*;

const POLICY: &str = r#"
version: 1
clients:
  - {id: shop, api_keys: [{sha256: "@KEY@"}]}
authenticators:
  key: {api_key: {from: [{header: x-api-key}]}}
rules:
  - {match: {path: /inside}, authenticate: key, authorize: {networks: ["10.0.0.0/8", "2001:db8::/32"]}}
  - {match: {path: /anywhere}, authenticate: key}
cors: {bypass_preflight: true}
"#;

fn from(address: Option<&str>, request: Request) -> Request {
    Request {
        source_address: address.map(str::to_owned),
        ..request
    }
}

#[test]
fn who_calls_from_elsewhere_is_refused_before_anybody_looks_at_credentials() {
    let proxy = Proxy::new(1, &POLICY.replace("@KEY@", &digest("good")));
    let denied = "403 network_denied";
    for (path, address, with_key, without, preflight) in [
        ("/inside", Some("10.1.2.3"), "ok", "401", "ok"),
        ("/inside", Some("2001:db8::1"), "ok", "401", "ok"),
        ("/inside", Some("192.0.2.1"), denied, denied, denied),
        ("/inside", Some("2001:db9::1"), denied, denied, denied),
        ("/inside", Some("somewhere"), denied, denied, denied),
        ("/inside", None, denied, denied, denied),
        ("/anywhere", Some("192.0.2.1"), "ok", "401", "ok"),
        ("/anywhere", None, "ok", "401", "ok"),
    ] {
        let said = |request| short(&proxy.decide(from(address, request)));
        let place = format!("{path} {address:?}");
        assert_eq!(
            said(get(path, &[("x-api-key", "good")])),
            with_key,
            "{place}"
        );
        assert!(said(get(path, &[])).starts_with(without), "{place}");
        let asks = [
            ("origin", "https://a.example"),
            ("access-control-request-method", "GET"),
        ];
        assert_eq!(said(method("OPTIONS", path, &asks)), preflight, "{place}");
    }
}
