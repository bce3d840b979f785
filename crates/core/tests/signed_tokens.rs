//! Tokens that are signed here: what they say, who proves them, and how their keys change.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use support::*;

const OLD: &str = include_str!("../src/jose/tests/pem/p256.pem");
const OLD_PUBLIC: &str = include_str!("../src/jose/tests/pem/p256.pub.pem");
const NEW: &str = include_str!("../src/jose/tests/pem/p256.new.pem");
const SECRET: &str = "the first secret of s-7, 32 bytes and more";
const SECOND: &str = "the second secret of s-7, 32 bytes and more";

fn indented(pem: &str) -> String {
    let line = pem.trim().replace('\n', "\\n");
    format!("\"{line}\\n\"")
}

/// A policy whose upstream gets a token of these keys, and which takes such tokens.
fn policy(keys: &str, more: &str) -> String {
    format!(
        r#"
version: 1
clients:
  - id: s-7
    tenant: acme
    scopes: [a, b]
    api_keys: [{{sha256: {key}}}]
tokens:
  session:
    sign:
      algorithm: ES256
      keys: {keys}
      issuer: https://api.example.com
      audience: [api]
      lifetime: 1h
      claims: '{{"sub": client.id, "tenant": client.tenant, "scope": client.scopes.join(" ")}}'
      {more}
authenticators:
  key: {{api_key: {{from: [{{header: apikey}}]}}}}
  session:
    jwt: {{algorithms: [ES256], keys: [{{token: session}}], issuer: https://api.example.com, audience: api, client: claims.sub}}
rules:
  - match: {{path: /in}}
    authenticate: key
    upstream: {{authorization: session}}
  - match: {{path: /out}}
    authenticate: session
"#,
        key = digest("k"),
    )
}

fn key(pem: &str) -> String {
    format!("[{{pem: {}}}]", indented(pem))
}

fn token(proxy: &Proxy) -> String {
    token_at(proxy, "/in", &[("apikey", "k")])
}

fn token_at(proxy: &Proxy, path: &str, headers: &[(&str, &str)]) -> String {
    let request = get(path, headers);
    let verdict = proxy.decide(request.clone());
    let values = values(&upstream(&request, &verdict), "authorization");
    values[0].strip_prefix("Bearer ").unwrap().to_owned()
}

fn present(proxy: &Proxy, path: &str, token: &str) -> String {
    short(&proxy.decide(get(path, &[("authorization", &format!("Bearer {token}"))])))
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[test]
fn a_signed_token_says_who_calls_and_opens_its_own_door() {
    let proxy = Proxy::new(1, &policy(&key(OLD), ""));
    let token = token(&proxy);
    let header = decode_header(&token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("JWT"));
    let public = doorward_core::jose::Key::from_pem(OLD_PUBLIC).unwrap();
    assert_eq!(header.kid, Some(public.thumbprint()));
    let mut found = claims(&token);
    let jti = found.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(jti.as_str().unwrap().len(), 22);
    assert_eq!(
        found,
        json!({"iss": "https://api.example.com", "aud": "api", "sub": "s-7", "tenant": "acme",
            "scope": "a b", "iat": START, "nbf": START, "exp": START + 3600})
    );
    let mut validation = Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.set_audience(&["api"]);
    validation.validate_exp = false;
    let key = DecodingKey::from_ec_pem(OLD_PUBLIC.as_bytes()).unwrap();
    decode::<Value>(&token, &key, &validation).unwrap();
    assert_eq!(present(&proxy, "/out", &token), "ok");
    assert_eq!(
        present(&proxy, "/out", &jwt::forged(&token)),
        "401 token_signature"
    );
    proxy.jump(seconds(3631));
    assert_eq!(present(&proxy, "/out", &token), "401 token_expired");
}

#[test]
fn a_token_is_used_again_for_the_first_half_of_its_life() {
    let proxy = Proxy::new(2, &policy(&key(OLD), "typ: at+jwt"));
    let first = token(&proxy);
    assert_eq!(
        decode_header(&first).unwrap().typ.as_deref(),
        Some("at+jwt")
    );
    proxy.jump(seconds(1799));
    assert_eq!(token(&proxy), first);
    proxy.jump(seconds(1));
    let second = token(&proxy);
    assert_ne!(second, first);
    assert_ne!(claims(&second)["jti"], claims(&first)["jti"]);
    // A token from a clock that went back begins in the future.
    proxy.world.now.set(seconds(START + 60));
    assert_ne!(token(&proxy), second);
}

#[test]
fn tokens_differ_by_whom_they_are_for() {
    let policy = policy(&key(OLD), "").replace(
        "  - id: s-7",
        &format!(
            "  - id: s-8\n    api_keys: [{{sha256: {}}}]\n  - id: s-7",
            digest("other")
        ),
    );
    let proxy = Proxy::new(1, &policy);
    let first = token(&proxy);
    let other = token_at(&proxy, "/in", &[("apikey", "other")]);
    assert_eq!(claims(&other)["sub"], "s-8");
    assert_eq!(token(&proxy), first);
}

#[test]
fn names_never_meet_even_where_the_host_has_no_randomness() {
    let policy = policy(&key(OLD), "");
    let (head, tail) = policy.split_once("      claims: ").unwrap();
    let (_, tail) = tail.split_once('\n').unwrap();
    let proxy = Proxy::new(1, &format!("{head}{tail}"));
    let gateway = proxy.workers[0].gateway();
    let scope = doorward_core::expression::Scope::new();
    let signing = &gateway.policy.signings[0];
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let signed = gateway.sign_token(signing, &scope, None).unwrap();
        assert_eq!((signed.token_type, signed.expires_in), ("Bearer", 3600));
        assert!(names.insert(signed.claims["jti"].as_str().unwrap().to_owned()));
    }
}

/// Old alone; both, old first; both, new first; new alone.
#[test]
fn keys_are_rotated_without_a_refused_token() {
    let both = |first: &str, second: &str| {
        format!(
            "[{{pem: {}}}, {{pem: {}}}]",
            indented(first),
            indented(second)
        )
    };
    let stages = [key(OLD), both(OLD, NEW), both(NEW, OLD), key(NEW)];
    let proxies: Vec<Proxy> = stages
        .iter()
        .map(|keys| Proxy::new(1, &policy(keys, "")))
        .collect();
    for pair in proxies.windows(2) {
        let [before, after] = pair else { panic!() };
        // Workers change over one by one: each takes the other's tokens.
        assert_eq!(present(after, "/out", &token(before)), "ok");
        assert_eq!(present(before, "/out", &token(after)), "ok");
    }
    assert_eq!(
        present(&proxies[3], "/out", &token(&proxies[0])),
        "401 key_unknown"
    );
}

#[test]
fn keys_take_over_by_their_times() {
    let keys = format!(
        "[{{pem: {}, expires: 2026-11-21T13:00:00Z}}, {{pem: {}, not_before: 2026-11-21T12:59:00Z}}]",
        indented(OLD),
        indented(NEW)
    );
    let proxy = Proxy::new(1, &policy(&keys, ""));
    let kid = |token: &str| decode_header(token).unwrap().kid;
    let first = token(&proxy);
    proxy.jump(seconds(3599));
    let last = token(&proxy);
    assert_eq!(kid(&last), kid(&first));
    proxy.jump(seconds(1));
    let next = token(&proxy);
    assert_ne!(kid(&next), kid(&first));
    assert_eq!(present(&proxy, "/out", &next), "ok");
    proxy.jump(seconds(3590));
    assert_eq!(present(&proxy, "/out", &last), "ok", "for its whole life");
}

#[test]
fn what_cannot_be_signed_is_no_fault_of_the_callers() {
    for (keys, claims, logged) in [
        (
            format!(
                "[{{pem: {}, expires: 2026-11-21T11:00:00Z}}]",
                indented(OLD)
            ),
            "'{}'",
            "no key is live now",
        ),
        (
            key(OLD),
            "'{\"sub\": claims.absent}'",
            "there is no member `absent`",
        ),
        (key(OLD), "'client.metadata'", "the claims hold `exp`"),
    ] {
        let base = policy(&keys, "").replace("    tenant: acme", "    metadata: {exp: 7}");
        let (head, tail) = base.split_once("      claims: ").unwrap();
        let (_, tail) = tail.split_once('\n').unwrap();
        let proxy = Proxy::new(1, &format!("{head}      claims: {claims}\n{tail}"));
        let verdict = proxy.decide(get("/in", &[("apikey", "k")]));
        assert_eq!(short(&verdict), "503 internal", "{logged}");
        let log = proxy.world.log.borrow();
        let line = log
            .iter()
            .find(|(_, line)| line.starts_with("tokens.session:"));
        let (_, line) = line.unwrap();
        assert!(line.contains(logged), "{line}");
    }
}

/// Clients that sign their own tokens, one of them in the middle of a rotation.
fn own_secrets() -> String {
    format!(
        r#"
version: 1
clients:
  - id: s-7
    scopes: [a]
    secrets: [{{value: "{SECRET}", expires: 2026-11-22T00:00:00Z}}, {{value: "{SECOND}"}}]
    public_keys: [{{pem: {public}}}]
    api_keys: [{{sha256: {key}}}]
  - id: off
    enabled: false
    secrets: [{{value: "{SECRET}"}}]
  - id: digest
    secrets: [{{sha256: {key}}}]
    api_keys: [{{sha256: {other}}}]
  - id: revoked
    secrets: [{{value: "{SECRET}", revoked: true}}]
tokens:
  own-secret:
    sign: {{algorithm: HS256, keys: [{{client_secret: true}}], lifetime: 4h, claims: '{{"user": {{}}, "clientName": client.id}}'}}
authenticators:
  key: {{api_key: {{from: [{{header: apikey}}]}}}}
  client-signed:
    jwt: {{algorithms: [HS256, ES256], keys: {{client: claims.clientName}}, max_lifetime: 4h}}
rules:
  - match: {{path: "/v1/{{clientName}}"}}
    authenticate: client-signed
    authorize: {{bind: {{clientName: claims.clientName}}}}
    upstream: {{headers: {{x-scopes: scopes.join(" ")}}}}
  - match: {{path: /in}}
    authenticate: key
    upstream: {{authorization: own-secret}}
"#,
        public = indented(OLD_PUBLIC),
        key = digest("k"),
        other = digest("o"),
    )
}

#[test]
fn clients_prove_themselves_by_keys_of_their_own() {
    let proxy = Proxy::new(1, &own_secrets());
    let exp = START + 3600;
    let of = |name: Value| json!({"user": {}, "exp": exp, "clientName": name});
    let s7 = || of(json!("s-7"));
    let public = doorward_core::jose::Key::from_pem(OLD_PUBLIC).unwrap();
    let kid = public.thumbprint();
    for (path, token, expected) in [
        ("/v1/s-7", jwt::hs256(SECRET, &s7()), "ok"),
        ("/v1/s-7", jwt::hs256(SECOND, &s7()), "ok"),
        ("/v1/s-7", jwt::es256(Some(&kid), &s7()), "ok"),
        ("/v1/s-7", jwt::es256(None, &s7()), "ok"),
        (
            "/v1/s-7",
            jwt::es256(Some("other"), &s7()),
            "401 token_signature",
        ),
        (
            "/v1/other",
            jwt::hs256(SECRET, &s7()),
            "403 binding_mismatch",
        ),
        (
            "/v1/s-7",
            jwt::hs256("another secret that is no one's at all", &s7()),
            "401 token_signature",
        ),
        (
            "/v1/off",
            jwt::hs256(SECRET, &of(json!("off"))),
            "401 token_signature",
        ),
        (
            "/v1/revoked",
            jwt::hs256(SECRET, &of(json!("revoked"))),
            "401 token_signature",
        ),
        (
            "/v1/digest",
            jwt::hs256(SECRET, &of(json!("digest"))),
            "401 token_signature",
        ),
        (
            "/v1/digest",
            jwt::hs256(&digest("k"), &of(json!("digest"))),
            "401 token_signature",
        ),
        (
            "/v1/nobody",
            jwt::hs256(SECRET, &of(json!("nobody"))),
            "401 token_signature",
        ),
        (
            "/v1/nobody",
            jwt::es256(None, &of(json!("nobody"))),
            "401 token_signature",
        ),
        (
            "/v1/7",
            jwt::hs256(SECRET, &of(json!(["s-7"]))),
            "401 token_signature",
        ),
        (
            "/v1/s-7",
            jwt::hs256(SECRET, &json!({"exp": exp})),
            "401 token_signature",
        ),
        (
            "/v1/s-7",
            jwt::hs256(SECRET, &json!({"clientName": "s-7"})),
            "401 token_claims",
        ),
        (
            "/v1/s-7",
            jwt::hs256(
                SECRET,
                &json!({"clientName": "s-7", "exp": START + 4 * 3600 + 60}),
            ),
            "401 token_lifetime",
        ),
        (
            "/v1/s-7",
            jwt::hs256(SECRET, &json!({"clientName": "s-7", "exp": START - 60})),
            "401 token_expired",
        ),
    ] {
        assert_eq!(
            present(&proxy, path, &token),
            expected,
            "{path} {}",
            claims(&token)
        );
    }
    proxy.jump(seconds(12 * 3600));
    let later = json!({"exp": START + 13 * 3600, "clientName": "s-7"});
    assert_eq!(
        present(&proxy, "/v1/s-7", &jwt::hs256(SECRET, &later)),
        "401 token_signature"
    );
    assert_eq!(
        present(&proxy, "/v1/s-7", &jwt::hs256(SECOND, &later)),
        "ok"
    );
}

#[test]
fn a_client_gives_itself_no_scope_that_it_has_not() {
    let proxy = Proxy::new(1, &own_secrets());
    let claims = json!({"exp": START + 60, "clientName": "s-7", "scope": "a admin"});
    let bearer = format!("Bearer {}", jwt::hs256(SECRET, &claims));
    let request = get("/v1/s-7", &[("authorization", &bearer)]);
    let head = upstream(&request, &proxy.decide(request.clone()));
    assert_eq!(values(&head, "x-scopes"), ["a"]);
    assert_eq!(values(&head, "x-auth-client"), ["s-7"]);
}

#[test]
fn a_clients_first_live_secret_signs() {
    let proxy = Proxy::new(1, &own_secrets());
    let verifies = |token: &str, secret: &str| {
        let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
        validation.validate_exp = false;
        let key = DecodingKey::from_secret(secret.as_bytes());
        decode::<Value>(token, &key, &validation).is_ok()
    };
    let first = token(&proxy);
    assert!(verifies(&first, SECRET));
    assert_eq!(decode_header(&first).unwrap().kid, None);
    assert_eq!(present(&proxy, "/v1/s-7", &first), "ok");
    proxy.jump(seconds(12 * 3600));
    assert!(verifies(&token(&proxy), SECOND));
    let verdict = proxy.decide(get("/in", &[("apikey", "o")]));
    assert_eq!(short(&verdict), "503 internal", "a digest can't sign");
}
