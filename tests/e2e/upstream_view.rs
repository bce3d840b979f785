//! What the upstream gets to see: credentials are taken out wherever they stand, and nothing else is touched.

use serde_json::json;
use xtask::client::Answer;
use xtask::jwt;

use crate::config::Listener;
use crate::gateway::{GATEWAY, assert_passed, assert_refused};

const SECRET: &str = "the secret of the places' own token";

const POLICY: &str = r#"
version: 1
clients:
  - {id: shop, tenant: acme, scopes: [a, b], metadata: {plan: gold},
     api_keys: [{id: k, sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824}]}
authenticators:
  token:
    jwt:
      algorithms: [HS256]
      keys: [{secret: {value: "the secret of the places' own token"}}]
      from: [{header: authorization, scheme: Bearer}, {query: access_token}, {cookie: token}]
  key:
    api_key: {from: [{header: X-Api-Key}, {query: key}]}
cors: {bypass_preflight: true}
identity_headers: {x-auth-subject: claims.sub, x-auth-scopes: null}
rules:
  - {match: {path: "/token/**"}, authenticate: token}
  - {match: {path: "/removed/**"}, authenticate: token, upstream: {authorization: remove}}
  - {match: {path: "/kept/**"}, authenticate: key, upstream: {keep: [x-api-key, key], headers: {x-plan: client.metadata.plan}}}
  - {match: {path: "/key/**"}, authenticate: key}
  - {match: {path: "/any/**"}, authenticate: {any: [token, key]}}
  - {match: {path: "/all/**"}, authenticate: {all: [key, token]}}
  - {match: {path: "/{tenant}/bound"}, authenticate: token, authorize: {bind: {tenant: claims.tenant}}}
  - {match: {path: "/public/**"}, authenticate: none}
"#;

pub fn listeners() -> Vec<Listener> {
    let strict = POLICY.replace("cors: {bypass_preflight: true}\n", "");
    vec![
        Listener::new("places", POLICY),
        Listener::new("places-strict", strict),
    ]
}

fn token() -> String {
    let claims = json!({"sub": "zo\u{eb}", "tenant": "acme", "scope": "x", "exp": jwt::now().unwrap() + 600});
    jwt::sign_hs256(&claims, SECRET.as_bytes()).unwrap()
}

fn get(path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = GATEWAY.client("places").get(path);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.send().unwrap()
}

#[test]
fn a_verified_jwt_stays_in_authorization_unless_the_rule_removes_it() {
    let bearer = format!("Bearer {}", token());
    let seen = assert_passed(&get("/token/x", &[("Authorization", &bearer)]));
    assert_eq!(seen.headers_named("authorization"), [bearer.as_str()]);
    assert_eq!(seen.header("x-auth-subject"), Some("zo\u{eb}"));
    let seen = assert_passed(&get("/removed/x", &[("Authorization", &bearer)]));
    assert_eq!(seen.header("authorization"), None);
}

#[test]
fn a_credential_in_the_query_is_taken_out_and_the_rest_keeps_its_order_and_bytes() {
    let token = token();
    for (query, left) in [
        ("access_token={t}", ""),
        ("a=1&access_token={t}&b=%41&a=2", "?a=1&b=%41&a=2"),
        ("access_token={t}&&x", "?&x"),
        ("%61ccess_token={t}&z=//../%2e", "?z=//../%2e"),
        ("a=b+c&key=unverified&access_token={t}", "?a=b+c"),
    ] {
        let sent = format!("/token/q?{}", query.replace("{t}", &token));
        let seen = assert_passed(&get(&sent, &[]));
        assert_eq!(seen.path, format!("/token/q{left}"), "{query}");
        assert!(
            !seen.headers.iter().any(|(_, value)| value.contains(&token)),
            "{seen:?}"
        );
    }
}

#[test]
fn a_credential_in_a_cookie_is_taken_out_and_the_others_stay() {
    let token = token();
    for (cookies, left) in [
        (format!("token={token}"), None),
        (format!("a=1; token={token}; b=\"2\""), Some("a=1; b=\"2\"")),
        (format!("a=1;token={token};tokens=3"), Some("a=1;tokens=3")),
    ] {
        let seen = assert_passed(&get("/token/c", &[("Cookie", &cookies)]));
        let cookie = seen.header("cookie").map(|left| left.replace("; ", ";"));
        assert_eq!(
            cookie,
            left.map(|left| left.replace("; ", ";")),
            "{cookies}"
        );
    }
}

#[test]
fn consumed_credentials_go_on_only_where_the_rule_keeps_them() {
    let seen = assert_passed(&get(
        "/key/x?key=&a=1",
        &[("X-API-KEY", "hello"), ("Authorization", "Bearer junk")],
    ));
    assert_eq!(
        (seen.header("x-api-key"), seen.header("authorization")),
        (None, None)
    );
    assert_eq!(seen.path, "/key/x?a=1");
    let seen = assert_passed(&get(
        "/kept/x",
        &[("X-API-KEY", "hello"), ("Authorization", "Bearer junk")],
    ));
    assert_eq!(
        (seen.header("x-api-key"), seen.header("authorization")),
        (Some("hello"), None)
    );
    assert_eq!(seen.header("x-plan"), Some("gold"));
    let seen = assert_passed(&get("/kept/x?key=hello&a=1", &[]));
    assert_eq!(seen.path, "/kept/x?key=hello&a=1");
    assert_eq!(seen.header("x-auth-scopes"), None);
}

#[test]
fn under_a_public_rule_nothing_but_identity_headers_is_removed() {
    let seen = assert_passed(&get(
        "/public/x?access_token=a&key=b",
        &[
            ("Authorization", "Bearer junk"),
            ("X-Api-Key", "hello"),
            ("Cookie", "token=x; a=b"),
            ("X-Auth-Client", "admin"),
            ("x_auth_tenant", "acme"),
            ("X-Auth-Subject", "me"),
            ("x-plan", "gold"),
            ("X_PLAN", "gold"),
            ("x-auth-scopes", "not ours any more"),
        ],
    ));
    assert_eq!(seen.path, "/public/x?access_token=a&key=b");
    assert_eq!(seen.header("authorization"), Some("Bearer junk"));
    assert_eq!(seen.header("x-api-key"), Some("hello"));
    assert_eq!(seen.header("cookie"), Some("token=x; a=b"));
    for name in [
        "x-auth-client",
        "x_auth_tenant",
        "x-auth-subject",
        "x-plan",
        "x_plan",
    ] {
        assert_eq!(seen.header(name), None, "{name}");
    }
}

#[test]
fn a_preflight_passes_where_the_policy_says_so_and_carries_no_identity() {
    let preflight = |listener: &str, headers: &[(&str, &str)]| {
        let mut request = GATEWAY
            .client(listener)
            .request("OPTIONS", "/token/preflight");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().unwrap()
    };
    let full = [
        ("Origin", "https://a"),
        ("Access-Control-Request-Method", "PUT"),
        ("x-auth-client", "admin"),
    ];
    let seen = assert_passed(&preflight("places", &full));
    assert_eq!(
        (seen.method.as_str(), seen.header("x-auth-client")),
        ("OPTIONS", None)
    );
    assert_refused(
        &preflight("places-strict", &full),
        401,
        "credentials_missing",
    );
    // OPTIONS that is no preflight needs credentials.
    assert_refused(&preflight("places", &full[..1]), 401, "credentials_missing");
    assert_refused(&preflight("places", &full[1..]), 401, "credentials_missing");
}

#[test]
fn of_any_the_first_success_decides_and_of_all_every_one_must_succeed() {
    let bearer = format!("Bearer {}", token());
    let good = [("Authorization", bearer.as_str()), ("X-Api-Key", "hello")];
    assert_passed(&get("/any/x", &good));
    assert_passed(&get("/any/x", &good[..1]));
    assert_passed(&get("/any/x", &good[1..]));
    assert_passed(&get(
        "/any/x",
        &[("Authorization", "Bearer x"), ("X-Api-Key", "hello")],
    ));
    let nothing = get("/any/x", &[]);
    assert_refused(&nothing, 401, "credentials_missing");
    let challenges = nothing
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    assert_eq!(challenges.count(), 2);
    assert_refused(
        &get("/any/x", &[("X-Api-Key", "wrong")]),
        401,
        "api_key_invalid",
    );
    assert_passed(&get("/all/x", &good));
    assert_refused(&get("/all/x", &good[..1]), 401, "credentials_missing");
    assert_refused(&get("/all/x", &good[1..]), 401, "credentials_missing");
    assert_refused(
        &get("/all/x", &[good[0], ("X-Api-Key", "wrong")]),
        401,
        "api_key_invalid",
    );
}

#[test]
fn a_path_variable_must_be_what_the_claims_say() {
    let bearer = format!("Bearer {}", token());
    let header = [("Authorization", bearer.as_str())];
    assert_passed(&get("/acme/bound", &header));
    assert_passed(&get("/%61cme/bound", &header));
    assert_refused(&get("/globex/bound", &header), 403, "binding_mismatch");
    assert_refused(&get("/Acme/bound", &header), 403, "binding_mismatch");
    GATEWAY.assert_well();
}
