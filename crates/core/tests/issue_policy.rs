//! Mistakes in a token endpoint's policy, each told at its place.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

use doorward_core::policy;

/// The problems of a policy with this rule, without lines and columns.
fn problems(rule: &str) -> Vec<String> {
    let policy = format!(
        r#"version: 1
tokens:
  session: {{sign: {{algorithm: HS256, keys: [{{secret: {{value: "a-secret-of-at-least-32-bytes-in-all"}}}}], lifetime: 1h}}}}
  bought: {{exchange: {{cluster: c, url: "https://idp.example.com/token"}}}}
rules:
  - {{match: {{path: /login}}, {rule}}}
"#
    );
    let Err(problems) = policy::load(policy.as_bytes(), &|_| None) else {
        return Vec::new();
    };
    let lines = problems.iter().map(ToString::to_string);
    lines
        .map(|line| line.split(" (line").next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_mend() {
    let post = "client_auth: client_secret_post, request: {client_id: /i, client_secret: /s}";
    for (rule, expected) in [
        (format!("issue: {{token: session, {post}}}"), ""),
        (
            format!("issue: {{token: nothing, {post}}}"),
            "rules[0].issue.token: no token is called \"nothing\"; there are: bought, session",
        ),
        (
            format!("issue: {{token: bought, {post}}}"),
            "rules[0].issue.token: this token is obtained elsewhere; name one that is signed here (`sign`)",
        ),
        (
            "issue: {token: session, client_auth: client_secret_json}".to_owned(),
            "rules[0].issue.client_auth: expected client_secret_post, client_secret_basic or private_key_jwt",
        ),
        (
            "issue: {token: session, client_auth: client_secret_post, request: {client_secret: /s}}".to_owned(),
            "rules[0].issue.request: say where the body holds it: \"client_id\" is required here",
        ),
        (
            "issue: {token: session, client_auth: client_secret_post, request: {client_id: i, client_secret: /s}}".to_owned(),
            "rules[0].issue.request.client_id: expected a JSON pointer, as in /clientId",
        ),
        (
            "issue: {token: session, client_auth: client_secret_post, request: {form: true, client_id: /i}}".to_owned(),
            "rules[0].issue.request.client_id: a form has the fields of RFC 6749; leave the pointers out",
        ),
        (
            "issue: {token: session, client_auth: client_secret_basic, request: {client_secret: /s}}".to_owned(),
            "rules[0].issue.request.client_secret: a client proves itself in another way here (`client_auth`); leave this out",
        ),
        (
            format!("issue: {{token: session, {post}, assertion: {{audience: x}}}}"),
            "rules[0].issue.assertion: clients send assertions with `client_auth: private_key_jwt` only; leave this out",
        ),
        (
            "issue: {token: session, client_auth: private_key_jwt, request: {assertion: /a}}".to_owned(),
            "rules[0].issue.assertion: \"audience\" is required here: an assertion for others must not open this",
        ),
        (
            "issue: {token: session, client_auth: private_key_jwt, request: {assertion: /a}, assertion: {audience: x, algorithms: [HS256]}}".to_owned(),
            "rules[0].issue.assertion.algorithms: an assertion is signed with a client's private key; ES256 is usual",
        ),
        (
            "issue: {token: session, client_auth: private_key_jwt, request: {assertion: /a}, assertion: {audience: x, jti: always}}".to_owned(),
            "rules[0].issue.assertion.jti: expected `optional` or `required`",
        ),
        (
            format!("issue: {{token: session, {post}}}, upstream: {{authorization: remove}}"),
            "rules[0].upstream: a token endpoint is answered here and lets nothing through; leave this out",
        ),
        (
            format!("issue: {{token: session, {post}}}, shadow: true"),
            "rules[0].shadow: a token endpoint is answered here and lets nothing through; leave this out",
        ),
        (
            format!("issue: {{token: session, {post}}}, limit: {{per: client.id, rate: 1/s, count: failures}}"),
            "rules[0].limit.per: whoever fails to authenticate is no client: count failures by source.address or by what the request says",
        ),
    ] {
        assert_eq!(problems(&rule).join("\n"), expected, "{rule}");
    }
}
