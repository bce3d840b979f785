//! What can't be signed or published is told when the policy loads, at its place.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::policy;
use support::digest;

const EC: &str = include_str!("../src/jose/tests/pem/p256.pem");
const P384: &str = include_str!("../src/jose/tests/pem/p384.pem");
const PUBLIC: &str = include_str!("../src/jose/tests/pem/p256.pub.pem");

/// `$EC`, `$P384` and `$PUBLIC` stand for keys, `$32` for a secret that is long enough.
fn problems(text: &str) -> Vec<String> {
    let quoted = |pem: &str| serde_json::to_string(pem).unwrap();
    let text = text
        .replace("$EC", &quoted(EC))
        .replace("$P384", &quoted(P384))
        .replace("$PUBLIC", &quoted(PUBLIC))
        .replace("$32", &"s".repeat(32))
        .replace("$DIGEST", &digest("x"));
    let problems = policy::load(format!("version: 1\n{text}").as_bytes(), &|_| None);
    let problems = problems.err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

/// The body of a policy that signs one token, and nobody uses it.
fn sign(sign: &str) -> String {
    format!("tokens: {{t: {{sign: {sign}}}}}\nrules: [{{match: {{path: /}}, authenticate: none}}]")
}

fn check(text: &str, expected: &[&str]) {
    let found = problems(text);
    assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{text}\n{found}\n{expected}");
    }
}

#[test]
fn tokens_that_could_never_be_signed() {
    for (text, expected) in [
        (
            "{algorithm: ES256, keys: [{pem: $EC}], lifetime: 1h, typ: at+jwt}",
            &[][..],
        ),
        (
            "{algorithm: ES256, keys: [], lifetime: 1h}",
            &["tokens.t.sign.keys: give at least one"],
        ),
        (
            "{algorithm: ES384, keys: [{pem: $EC}], lifetime: 1h}",
            &[
                "tokens.t.sign.keys[0].pem: an EC key on P-256 can be used with ES256, but not with ES384",
            ],
        ),
        (
            "{algorithm: PS256, keys: [{pem: $EC}], lifetime: 1h}",
            &["tokens.t.sign.keys[0].pem: PS256 is verified here, but not signed; sign with ES256"],
        ),
        (
            "{algorithm: ES256, keys: [{pem: $PUBLIC}], lifetime: 1h}",
            &["tokens.t.sign.keys[0].pem: this PEM holds no private key"],
        ),
        (
            "{algorithm: HS256, keys: [{pem: $EC}], lifetime: 1h}",
            &["tokens.t.sign.keys[0]: a secret signs with HS256"],
        ),
        (
            "{algorithm: ES256, keys: [{secret: {value: $32}}], lifetime: 1h}",
            &["tokens.t.sign.keys[0]: a secret signs with HS256"],
        ),
        (
            "{algorithm: HS512, keys: [{secret: {value: $32}}], lifetime: 1h}",
            &[
                "tokens.t.sign.keys[0].secret: a secret of 32 bytes can be used with HS256, but not with HS512",
            ],
        ),
        (
            "{algorithm: ES256, keys: [{pem: $EC}, {pem: $EC}], lifetime: 1h}",
            &["tokens.t.sign.keys[1]: another key of this token has the same kid"],
        ),
        (
            "{algorithm: ES256, keys: [{pem: $EC, kid: a, expires: 2027-01-01T00:00:00Z}, {pem: $EC, kid: b, not_before: 2027-01-01T00:00:01Z}], lifetime: 1h}",
            &["tokens.t.sign.keys: after one key's `expires` none signs"],
        ),
        (
            "{algorithm: ES256, keys: [{pem: $EC, kid: a, expires: 2027-01-01T00:00:00Z}, {pem: $EC, kid: b, not_before: 2027-01-01T00:00:00Z}], lifetime: 1h}",
            &[],
        ),
        (
            "{algorithm: ES256, keys: [{pem: $EC, kid: a, expires: 2027-01-01T00:00:00Z}, {pem: $EC, kid: b, not_before: 2027-02-01T00:00:00Z}, {pem: $EC, kid: c}], lifetime: 1h}",
            &[],
        ),
        (
            "{algorithm: HS256, keys: [{client_secret: true}, {secret: {value: $32}}], lifetime: 1h}",
            &["tokens.t.sign.keys: beside the client's own secret no other key signs"],
        ),
        (
            "{algorithm: HS256, keys: [{client_secret: true, kid: k}], lifetime: 1h}",
            &["tokens.t.sign.keys[0]: every client has secrets of its own"],
        ),
        (
            "{algorithm: HS256, keys: [{client_secret: false}], lifetime: 1h}",
            &["tokens.t.sign.keys[0].client_secret: write `client_secret: true`"],
        ),
        (
            "{algorithm: ES256, keys: [{pem: $EC}], lifetime: 500ms, typ: 'a b', issuer: ''}",
            &[
                "tokens.t.sign.issuer: an empty text",
                "tokens.t.sign.typ: a type is one word",
                "tokens.t.sign.lifetime: a token lives for a second",
            ],
        ),
        (
            r#"{algorithm: ES256, keys: [{pem: $EC}], lifetime: 1h, claims: '{"sub": "a", "exp": 1, "iss": "x"}'}"#,
            &[
                "tokens.t.sign.claims: `exp` is set by itself",
                "tokens.t.sign.claims: `iss` is set by itself",
            ],
        ),
        (
            "{algorithm: ES256, keys: [{pem: $EC}], lifetime: 1h, claims: client.id}",
            &["tokens.t.sign.claims: `sign.claims` must be a map"],
        ),
    ] {
        let mut found = problems(&sign(text));
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(found.starts_with(expected), "{text}\n{found}\n{expected}");
        }
    }
}

#[test]
fn clients_keys_that_could_never_prove_anything() {
    let jwt = "authenticators: {a: {jwt: {algorithms: [HS384, HS256], keys: {client: claims.c}}}}\n\
        rules: [{match: {path: /}, authenticate: a}]";
    check(
        &format!("clients: [{{id: a, secrets: [{{value: $32}}, {{sha256: $DIGEST}}]}}]\n{jwt}"),
        &[],
    );
    check(
        &format!("clients: [{{id: a, secrets: [{{value: short}}]}}]\n{jwt}"),
        &[
            "clients[0].secrets[0].value: this policy uses clients' secrets with HS256, which needs at least 32 bytes, and this one has 5",
        ],
    );
    check(
        "clients: [{id: a, secrets: [{value: short}]}]\nrules: [{match: {path: /}, authenticate: none}]",
        &[],
    );
    check(
        "authenticators: {a: {jwt: {algorithms: HS256, client: claims.c, keys: {client: claims.c}}}}\n\
         rules: [{match: {path: /}, authenticate: a}]",
        &["authenticators.a.jwt.client: `keys: {client: …}` says already which client it is"],
    );
    check(
        "tokens: {own: {sign: {algorithm: HS256, keys: [{client_secret: true}], lifetime: 1h}}}\n\
         authenticators: {a: {jwt: {algorithms: HS256, keys: [{token: own}]}}}\n\
         rules: [{match: {path: /}, authenticate: a}]",
        &["authenticators.a.jwt.keys[0].token: this token is signed with each client's own secret"],
    );
    check(
        "tokens: {t: {sign: {algorithm: ES256, keys: [{pem: $EC}], lifetime: 1h}}}\n\
         authenticators: {a: {jwt: {algorithms: RS256, keys: [{token: t}]}}}\n\
         rules: [{match: {path: /}, authenticate: a}]",
        &[
            "authenticators.a.jwt.keys[0].token: an EC key on P-256 can be used with ES256, but not with RS256",
        ],
    );
}

#[test]
fn keys_that_could_not_be_published() {
    let tokens = "tokens:\n  t: {sign: {algorithm: ES256, keys: [{pem: $EC}], lifetime: 1h}}\n  \
        n: {sign: {algorithm: ES256, keys: [{pem: $EC, kid: k}], lifetime: 1h}}\n  \
        m: {sign: {algorithm: ES384, keys: [{pem: $P384, kid: k}], lifetime: 1h}}\n  \
        h: {sign: {algorithm: HS256, keys: [{secret: {value: $32}}], lifetime: 1h}}\n  \
        u: {sign: {algorithm: ES256, keys: [{pem: $EC}], lifetime: 1h, issuer: \"https://a.example\"}}\n";
    for (rules, expected) in [
        ("[{match: {path: /k}, publish_keys: [t, u]}]", &[][..]),
        ("[{match: {path: /k}, publish_keys: [n, t]}]", &[]),
        (
            "[{match: {path: /k}, publish_keys: [t, n, m]}]",
            &["rules[0].publish_keys: two different keys would be published as `k`"],
        ),
        (
            "[{match: {path: /k}, publish_keys: h}]",
            &["rules[0].publish_keys[0]: this token is signed with a secret"],
        ),
        (
            "[{match: {path: /k, methods: [GET, POST]}, publish_keys: t}]",
            &["rules[0].match.methods: published keys are read with GET and HEAD only"],
        ),
        (
            "[{match: {path: /k}, publish_keys: t, shadow: true}]",
            &["rules[0].shadow: published keys are answered here"],
        ),
        (
            "[{match: {path: /.well-known/oauth-authorization-server}, publish_keys: t}]",
            &["rules[0].publish_keys: a metadata document is that of one issuer"],
        ),
        (
            "[{match: {path: /.well-known/oauth-authorization-server}, publish_keys: u}, {match: {path: '/{k}'}, publish_keys: u}]",
            &["rules[0].publish_keys: a metadata document leads to a key set"],
        ),
        (
            "[{match: {path: /x}, authenticate: none, upstream: {authorization: t, headers: {a: path.x}}}]",
            &["rules[0].upstream.headers.a: the rule's path has no variable {x}"],
        ),
    ] {
        check(&format!("{tokens}rules: {rules}"), expected);
    }
    check(
        "tokens: {t: {sign: {algorithm: ES256, keys: [{pem: $EC}], lifetime: 1h, claims: '{\"a\": path.tenant}'}}}\n\
         rules: [{match: {path: /x}, authenticate: none, upstream: {authorization: t}}]",
        &["rules[0].upstream.authorization: the rule's path has no variable {tenant}"],
    );
}

#[test]
fn assertions_that_could_prove_nothing() {
    for (exchange, expected) in [
        (
            "auth: private_key_jwt, client: {id: a}, assertion: {algorithm: ES256, key: {pem: $EC}}",
            &[][..],
        ),
        (
            "auth: private_key_jwt, client: {id: a}",
            &["tokens.t.exchange: \"assertion\" is required here"],
        ),
        (
            "auth: private_key_jwt, assertion: {algorithm: ES256, key: {pem: $EC}}",
            &["tokens.t.exchange: \"client\" is required here"],
        ),
        (
            "client: {id: a}",
            &["tokens.t.exchange.client: \"secret\" is required here"],
        ),
        (
            "client: {id: a, secret: b}, assertion: {algorithm: ES256, key: {pem: $EC}}",
            &[
                "tokens.t.exchange.assertion: an assertion is sent with `auth: private_key_jwt` only",
            ],
        ),
        (
            "auth: private_key_jwt, client: {id: a}, assertion: {algorithm: HS256, key: {secret: {value: $32}}}",
            &["tokens.t.exchange.assertion.algorithm: private_key_jwt signs with a private key"],
        ),
        (
            "auth: private_key_jwt, client: {id: a}, assertion: {algorithm: ES256, key: {pem: $EC}, lifetime: 2h}",
            &["tokens.t.exchange.assertion.lifetime: an assertion lives from 1s to 1h"],
        ),
        (
            "auth: private_key_jwt, client: {id: a}, form: {x: request.host}, assertion: {algorithm: ES256, key: {pem: $EC}}",
            &["tokens.t.exchange.form.x: with private_key_jwt the token is the gateway's own"],
        ),
    ] {
        check(
            &format!(
                "tokens: {{t: {{exchange: {{cluster: c, url: \"https://c/x\", {exchange}}}}}}}\n\
                 rules: [{{match: {{path: /}}, authenticate: none}}]"
            ),
            expected,
        );
    }
}
