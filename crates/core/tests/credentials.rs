//! Who calls: keys and tokens in every state, whose word counts where several are presented, and
//! how callers are told what to present.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on stops"
)]

mod support;

use doorward_core::http::{Request, Verdict};
use serde_json::{Value, json};
use support::jwt::hs256;
use support::*;

const SECRET: &str = "a-secret-of-thirty-two-bytes-yes";

/// Clients with keys in every state, and tokens that name them.
fn store() -> String {
    format!(
        r#"
version: 1
clients:
  - id: acme-shop
    tenant: acme
    scopes: [read, write]
    metadata: {{plan: gold}}
    api_keys:
      - {{sha256: {good}}}
      - {{sha256: {narrow}, scopes: read}}
      - {{sha256: {none}, scopes: []}}
      - {{sha256: {early}, not_before: 2026-11-21T00:00:00Z, expires: 2026-11-22T00:00:00Z}}
      - {{sha256: {over}, expires: 2026-11-18T00:00:00Z}}
      - {{sha256: {future}, not_before: 2027-01-01T00:00:00Z}}
      - {{sha256: {revoked}, revoked: true}}
  - {{id: other-shop, tenant: other, scopes: read, api_keys: [{{sha256: {other}}}]}}
  - {{id: no-tenant, api_keys: [{{sha256: {free}}}]}}
  - {{id: closed, tenant: acme, enabled: false, api_keys: [{{sha256: {closed}}}]}}
authenticators:
  key: {{api_key: {{from: [{{header: X-Api-Key}}, {{query: key}}], prefix: ak_}}}}
  second-key: {{api_key: {{from: [{{header: x-second}}]}}}}
  tenant-key: {{api_key: {{from: [{{header: x-api-key}}], require_tenant: "request.host.split('.')[0]"}}}}
  failing-key: {{api_key: {{from: [{{header: x-api-key}}], require_tenant: 'request.headers["absent"]'}}}}
  token:
    jwt:
      algorithms: HS256
      keys: [{{secret: {{value: {SECRET}}}}}]
      client: claims.client_id
      tenant: claims.tenant
  plain-token:
    jwt: {{algorithms: HS256, keys: [{{secret: {{value: {SECRET}}}}}]}}
  pair:
    client_credentials: {{from: {{basic: true}}, exchange: idp}}
  pair-in-headers:
    client_credentials: {{from: {{id: {{header: x-id}}, secret: {{header: x-secret}}}}, exchange: idp}}
tokens:
  idp: {{exchange: {{cluster: idp, url: "http://idp/token"}}}}
rules:
  - {{match: {{path: /key}}, authenticate: key}}
  - {{match: {{path: /tenant-key}}, authenticate: tenant-key}}
  - {{match: {{path: /failing-key}}, authenticate: failing-key}}
  - {{match: {{path: /token}}, authenticate: token}}
  - {{match: {{path: /plain-token}}, authenticate: plain-token}}
  - {{match: {{path: /pair}}, authenticate: pair}}
  - {{match: {{path: /key-and-token}}, authenticate: {{all: [key, token]}}}}
  - {{match: {{path: /token-and-key}}, authenticate: {{all: [token, key]}}}}
  - {{match: {{path: /plain-token-and-key}}, authenticate: {{all: [plain-token, key]}}}}
  - {{match: {{path: /two-keys}}, authenticate: {{all: [key, second-key]}}}}
  - {{match: {{path: /every-way}}, authenticate: {{any: [token, key, second-key, pair, pair-in-headers]}}}}
  - {{match: {{path: /scoped}}, authenticate: {{any: [key, token]}}, authorize: {{scopes: [read, write]}}}}
errors: {{realm: my realm}}
"#,
        good = digest("ak_good"),
        narrow = digest("ak_narrow"),
        none = digest("ak_none"),
        early = digest("ak_day"),
        over = digest("ak_over"),
        future = digest("ak_future"),
        revoked = digest("ak_revoked"),
        other = digest("ak_other"),
        free = digest("ak_free"),
        closed = digest("ak_closed"),
    )
}

/// Client, tenant and scopes as the upstream is told them.
fn told(request: &Request, verdict: &Verdict) -> [String; 3] {
    let head = upstream(request, verdict);
    ["x-auth-client", "x-auth-tenant", "x-auth-scopes"].map(|name| values(&head, name).join("+"))
}

#[test]
fn api_keys_are_judged_by_their_state() {
    let proxy = Proxy::new(1, &store());
    for (key, expected) in [
        ("ak_good", "ok"),
        ("ak_narrow", "ok"),
        ("ak_day", "ok"),
        ("ak_over", "401 api_key_expired"),
        ("ak_future", "401 api_key_not_yet_valid"),
        ("ak_revoked", "401 api_key_revoked"),
        ("ak_closed", "401 api_key_client_disabled"),
        ("ak_unknown", "401 api_key_unknown"),
        ("ak_", "401 api_key_unknown"),
        ("good", "401 api_key_malformed"),
        ("AK_good", "401 api_key_malformed"),
        ("ak_good,ak_good", "400 credentials_duplicated"),
        ("ak_go\u{1}od", "401 api_key_malformed"),
        // In the shape of `doorward new-key`, with a checksum that is wrong.
        (
            "ak_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG_000000",
            "401 api_key_malformed",
        ),
        ("", "401 credentials_missing"),
    ] {
        let verdict = proxy.decide(get("/key", &[("x-api-key", key)]));
        assert_eq!(short(&verdict), expected, "{key:?}");
        if expected.starts_with("401") {
            assert_eq!(challenges(&verdict), ["ApiKey realm=\"my realm\""]);
            let Verdict::Refuse(reply) = &verdict else {
                unreachable!()
            };
            // What exactly is wrong with a key is nobody's business but the operator's.
            let public = if key.is_empty() {
                "credentials_missing"
            } else {
                "api_key_invalid"
            };
            assert!(reply.body.contains(public), "{}", reply.body);
        }
    }
    // To the second.
    let day = |clock: u64| {
        proxy.world.now.set(seconds(clock));
        short(&proxy.decide(get("/key", &[("x-api-key", "ak_day")])))
    };
    const MIDNIGHT: u64 = 1_795_219_200; // 2026-11-21T00:00:00Z
    assert_eq!(day(MIDNIGHT - 1), "401 api_key_not_yet_valid");
    assert_eq!(day(MIDNIGHT), "ok");
    assert_eq!(day(MIDNIGHT + 86_399), "ok");
    assert_eq!(day(MIDNIGHT + 86_400), "401 api_key_expired");
}

#[test]
fn a_key_of_another_tenant_is_no_valid_key() {
    let proxy = Proxy::new(1, &store());
    let at = |path: &str, host: &str, key: &str| {
        let headers = [
            (":method", "GET"),
            (":path", path),
            (":authority", host),
            ("x-api-key", key),
        ];
        short(&proxy.decide(Request {
            headers: doorward_core::http::Headers::from_pairs(headers),
            source_address: None,
        }))
    };
    for (host, key, expected) in [
        ("acme.example.com", "ak_good", "ok"),
        ("ACME.example.com:8443", "ak_good", "ok"),
        ("other.example.com", "ak_good", "401 api_key_tenant"),
        ("other.example.com", "ak_other", "ok"),
        ("acme.example.com", "ak_free", "401 api_key_tenant"),
    ] {
        assert_eq!(at("/tenant-key", host, key), expected, "{host} {key}");
        assert_eq!(at("/failing-key", host, key), "401 api_key_tenant");
    }
}

fn bearer(claims: Value) -> String {
    let mut all = json!({"exp": START + 600});
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    format!("Bearer {}", hs256(SECRET, &all))
}

#[test]
fn a_token_names_its_client_and_tenant_or_is_refused() {
    let proxy = Proxy::new(1, &store());
    for (claims, expected) in [
        (
            json!({"client_id": "acme-shop", "tenant": "t"}),
            Ok(["acme-shop", "t", ""]),
        ),
        (
            json!({"client_id": "acme-shop", "tenant": "t", "scope": "a  b"}),
            Ok(["acme-shop", "t", "a b"]),
        ),
        (
            json!({"client_id": "acme-shop", "tenant": "t", "scp": ["a", 1, "b"]}),
            Ok(["acme-shop", "t", "a b"]),
        ),
        (
            json!({"client_id": "acme-shop", "tenant": "t", "scope": "", "scp": "b"}),
            Ok(["acme-shop", "t", ""]),
        ),
        (
            json!({"client_id": "acme-shop", "tenant": "t", "scope": {"a": 1}}),
            Ok(["acme-shop", "t", ""]),
        ),
        (
            json!({"client_id": "closed", "tenant": "t"}),
            Err("401 token_client"),
        ),
        (
            json!({"client_id": "unknown", "tenant": "t"}),
            Err("401 token_client"),
        ),
        (
            json!({"client_id": "", "tenant": "t"}),
            Err("401 token_client"),
        ),
        (
            json!({"client_id": ["acme-shop"], "tenant": "t"}),
            Err("401 token_client"),
        ),
        (json!({"tenant": "t"}), Err("401 token_client")),
        (json!({"client_id": "acme-shop"}), Err("401 token_claims")),
        (
            json!({"client_id": "acme-shop", "tenant": ""}),
            Err("401 token_claims"),
        ),
        (
            json!({"client_id": "acme-shop", "tenant": {}}),
            Err("401 token_claims"),
        ),
    ] {
        let request = get("/token", &[("authorization", &bearer(claims.clone()))]);
        let verdict = proxy.decide(request.clone());
        match expected {
            Ok(expected) => assert_eq!(told(&request, &verdict), expected, "{claims}"),
            Err(expected) => {
                assert_eq!(short(&verdict), expected, "{claims}");
                let challenge = "Bearer realm=\"my realm\", error=\"invalid_token\"";
                assert_eq!(challenges(&verdict), [challenge]);
            }
        }
    }
}

#[test]
fn the_last_token_speaks_and_else_the_last_that_names_a_client() {
    let proxy = Proxy::new(1, &store());
    let token = bearer(json!({"client_id": "other-shop", "tenant": "acme", "scope": "t"}));
    let free = bearer(json!({"scope": "t"}));
    let (key, second) = ("x-api-key", "x-second");
    for (path, headers, expected) in [
        (
            "/key-and-token",
            vec![(key, "ak_good"), ("authorization", &*token)],
            ["other-shop", "acme", "t"],
        ),
        (
            "/token-and-key",
            vec![(key, "ak_good"), ("authorization", &*token)],
            ["other-shop", "acme", "t"],
        ),
        (
            "/token-and-key",
            vec![(key, "ak_free"), ("authorization", &*token)],
            ["other-shop", "acme", "t"],
        ),
        // A token that names nobody still speaks: scopes are never united.
        (
            "/plain-token-and-key",
            vec![(key, "ak_good"), ("authorization", &*free)],
            ["", "acme", "t"],
        ),
        (
            "/two-keys",
            vec![(key, "ak_good"), (second, "ak_free")],
            ["no-tenant", "acme", ""],
        ),
        (
            "/two-keys",
            vec![(key, "ak_free"), (second, "ak_narrow")],
            ["acme-shop", "acme", "read"],
        ),
    ] {
        let request = get(path, &headers);
        assert_eq!(
            told(&request, &proxy.decide(request.clone())),
            expected,
            "{path} {headers:?}"
        );
    }
}

#[test]
fn members_of_different_tenants_do_not_belong_together() {
    let proxy = Proxy::new(1, &store());
    let token = bearer(json!({"client_id": "other-shop", "tenant": "acme"}));
    let (key, bearer) = (
        "ApiKey realm=\"my realm\"",
        "Bearer realm=\"my realm\", error=\"invalid_token\"",
    );
    for (path, headers, challenges) in [
        (
            "/two-keys",
            vec![("x-api-key", "ak_good"), ("x-second", "ak_other")],
            vec![key],
        ),
        (
            "/two-keys",
            vec![("x-api-key", "ak_other"), ("x-second", "ak_good")],
            vec![key],
        ),
        (
            "/key-and-token",
            vec![("x-api-key", "ak_other"), ("authorization", &*token)],
            vec![key, bearer],
        ),
        (
            "/token-and-key",
            vec![("x-api-key", "ak_other"), ("authorization", &*token)],
            vec![bearer, key],
        ),
    ] {
        let verdict = proxy.decide(get(path, &headers));
        assert_eq!(short(&verdict), "401 credentials_mismatch", "{path}");
        let Verdict::Refuse(reply) = verdict else {
            panic!("{path}")
        };
        let named = reply.headers.iter();
        let named = named.filter(|(name, _)| name == "www-authenticate");
        let named: Vec<_> = named.map(|(_, value)| value.as_str()).collect();
        assert_eq!(named, challenges, "{path}");
    }
}

#[test]
fn every_way_is_named_where_nothing_was_presented() {
    let proxy = Proxy::new(1, &store());
    let all = [
        "Bearer realm=\"my realm\"",
        "ApiKey realm=\"my realm\"",
        "Basic realm=\"my realm\"",
    ];
    for (headers, expected) in [
        (vec![], &all[..]),
        (vec![("authorization", "Digest x")], &all),
        (vec![("x-id", "only")], &all),
        (
            vec![("authorization", "Bearer x")],
            &["Bearer realm=\"my realm\", error=\"invalid_token\""],
        ),
        (vec![("x-api-key", "x")], &["ApiKey realm=\"my realm\""]),
        (
            vec![("authorization", "Basic x")],
            &["Basic realm=\"my realm\""],
        ),
    ] {
        let verdict = proxy.decide(get("/every-way?password=topsecret", &headers));
        assert_eq!(challenges(&verdict), expected, "{headers:?}");
        let Verdict::Refuse(reply) = verdict else {
            panic!("{headers:?} passed")
        };
        assert!(!format!("{reply:?}").contains("topsecret"));
    }
}

#[test]
fn missing_scopes_are_named_whatever_the_credential() {
    let proxy = Proxy::new(1, &store());
    let token = bearer(json!({"client_id": "acme-shop", "tenant": "acme", "scope": "read"}));
    for (headers, expected) in [
        (vec![("x-api-key", "ak_good")], "ok"),
        (vec![("x-api-key", "ak_narrow")], "403 scope_missing"),
        (vec![("x-api-key", "ak_none")], "403 scope_missing"),
        // A token's scopes are its own, not its client's.
        (vec![("authorization", &*token)], "403 scope_missing"),
    ] {
        let verdict = proxy.decide(get("/scoped", &headers));
        assert_eq!(short(&verdict), expected, "{headers:?}");
        if expected != "ok" {
            let challenge =
                "Bearer realm=\"my realm\", error=\"insufficient_scope\", scope=\"read write\"";
            assert_eq!(challenges(&verdict), [challenge]);
        }
    }
}

#[test]
fn pairs_that_cannot_be_one_cause_no_call() {
    let proxy = Proxy::new(1, &store());
    for (value, expected) in [
        ("Basic", "401 client_malformed"),
        ("Basic !", "401 client_malformed"),
        ("Basic aWQ", "401 client_malformed"),
        ("Basic aWQ=", "401 client_malformed"),
        ("Basic Og==", "401 client_malformed"),
        ("Basic aWQ6", "401 client_malformed"),
        ("Basic OnNlY3JldA==", "401 client_malformed"),
        ("Basic aWQ6c2VjcmV0 x", "401 client_malformed"),
        (
            "Basic aWQ6c2VjcmV0, Basic aWQ6c2VjcmV0",
            "400 credentials_duplicated",
        ),
        ("Bearer x", "401 credentials_missing"),
    ] {
        let verdict = proxy.decide(get("/pair", &[("authorization", value)]));
        assert_eq!(short(&verdict), expected, "{value}");
    }
    assert_eq!(proxy.made(), 0);
}
