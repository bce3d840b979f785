//! gRPC callers get their errors as grpc-status and grpc-message.

use xtask::client::Answer;

use crate::config::Listener;
use crate::gateway::{GATEWAY, assert_passed};

const POLICY: &str = r#"
version: 1
authenticators:
  token:
    jwt:
      algorithms: [HS256]
      keys: [{secret: {value: "the secret of the gRPC tests' tokens"}}]
  remote-token:
    jwt:
      algorithms: [RS256]
      keys: [{remote: {cluster: no-such-cluster, url: "http://keys.example.com/jwks", timeout: 1s}}]
      from: [{header: x-token}]
errors: {body: '{"code": status, "message": message}', content_type: application/json}
rules:
  - {match: {path: "/shop.Orders/Create"}, authenticate: token}
  - {match: {path: "/shop.Keys/List"}, authenticate: remote-token}
  - {match: {path: "/shop.Public/**"}, authenticate: none}
"#;

pub fn listeners() -> Vec<Listener> {
    vec![Listener::new("grpc", POLICY)]
}

fn call(path: &str, content_type: &str, header: (&str, &str)) -> Answer {
    let request = GATEWAY.client("grpc").post(path);
    let request = request
        .header("content-type", content_type)
        .header("te", "trailers");
    request
        .header(header.0, header.1)
        .body("\0\0\0\0\0")
        .send()
        .unwrap()
}

#[test]
fn a_refusal_is_trailers_only_with_the_message_alone() {
    // A well-formed RS256 token; nobody has keys for it.
    let unchecked = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJleHAiOjQwMDAwMDAwMDB9.AAAA";
    for (path, header, status, message) in [
        (
            "/shop.Orders/Create",
            ("x-a", "b"),
            "16",
            "Credentials are required",
        ),
        (
            "/shop.Orders/Create",
            ("authorization", "Bearer x"),
            "16",
            "The token is malformed",
        ),
        (
            "/shop.Other/Create",
            ("x-a", "b"),
            "7",
            "This is not allowed",
        ),
        (
            "/shop.Orders/../Create",
            ("x-a", "b"),
            "3",
            "The request path is not acceptable",
        ),
        (
            "/shop.Keys/List",
            ("x-token", unchecked),
            "14",
            "The token cannot be checked at the moment",
        ),
    ] {
        for content_type in ["application/grpc", "application/grpc+proto"] {
            let answer = call(path, content_type, header);
            let text = answer
                .header("grpc-message")
                .unwrap_or_default()
                .replace("%20", " ");
            assert_eq!(
                (answer.status, answer.header("grpc-status"), text.as_str()),
                (200, Some(status), message),
                "{path}: {answer:?}"
            );
            assert_eq!(answer.text(), "", "{path}");
        }
    }
    GATEWAY.assert_well();
}

#[test]
fn the_same_request_without_grpc_gets_json() {
    let answer = call("/shop.Orders/Create", "application/json", ("x-a", "b"));
    assert_eq!((answer.status, answer.at("/code")), (401, 401.into()));
    let answer = call("/shop.Orders/Create", "application/grpcx-not", ("x-a", "b"));
    assert!([200, 401].contains(&answer.status));
}

#[test]
fn a_grpc_request_that_may_passes() {
    assert_passed(&call("/shop.Public/Get", "application/grpc", ("x-a", "b")));
}
