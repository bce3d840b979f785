//! Scenario 2, `four-surfaces`: two with bearer tokens, two with API keys; the host name carries the tenant.

use serde_json::{Value, json};
use xtask::client::{Answer, Request};
use xtask::envoy::{Envoy, Options};
use xtask::module::hash;
use xtask::upstream::Echo;
use xtask::{jwt, pyjwt};

use crate::config::{self, Listener};
use crate::gateway::{GATEWAY, assert_passed, assert_refused, await_until, own_envoy};

const SECRET: &str = "a secret of at least thirty-two bytes";
const ACME: &str = "acme.example.com";
const KEY: &str = "ak_live_acme_new";
const OLD_KEY: &str = "ak_live_acme_old";
const NARROW_KEY: &str = "ak_live_acme_narrow";

/// A time so many seconds from now, as the policy writes it.
fn time(seconds: i64) -> String {
    let since = jwt::now().unwrap() + seconds;
    let (days, second) = (since.div_euclid(86_400), since.rem_euclid(86_400));
    // From days since 1970 to a date: Howard Hinnant's `civil_from_days`.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The policy of this scenario; the old key of acme ends in so many seconds.
fn policy(old_key_ends: i64) -> String {
    let errors = json!({
        "body": r#"status == 401 ? {"code": -23, "message": message} : {"code": status, "message": message, "reason": reason}"#,
        "content_type": "application/json",
    });
    let key = |id: &str, key: &str| json!({"id": id, "sha256": hash(key.as_bytes())});
    let with = |mut key: Value, name: &str, value: Value| {
        key[name] = value;
        key
    };
    let tenant_rule = |path: &str, scope: &str| {
        json!({
            "match": {"path": path}, "authenticate": "partner-token",
            "authorize": {"scopes": [scope], "allow_if": "tenant == request.host.split('.')[0]"},
        })
    };
    let key_rule = |path: &str, scope: &str| {
        json!({
            "match": {"path": path}, "authenticate": "tenant-key",
            "authorize": {"scopes": [scope]}, "errors": errors,
        })
    };
    json!({
        "version": 1,
        "clients": [
            {"id": "acme-shop", "tenant": "acme", "scopes": ["payment", "supplier"], "metadata": {"plan": "gold"},
                "api_keys": [
                    key("new", KEY),
                    with(key("old", OLD_KEY), "expires", json!(time(old_key_ends))),
                    with(key("past", "ak_live_acme_past"), "expires", json!(time(-5))),
                    with(key("future", "ak_live_acme_future"), "not_before", json!(time(3600))),
                    with(key("revoked", "ak_live_acme_revoked"), "revoked", json!(true)),
                    with(key("narrow", NARROW_KEY), "scopes", json!(["payment"])),
                ]},
            {"id": "globex-shop", "tenant": "globex", "scopes": ["payment"],
                "api_keys": [key("new", "ak_live_globex")]},
            {"id": "closed-shop", "tenant": "acme", "scopes": ["payment"], "enabled": false,
                "api_keys": [key("new", "ak_live_acme_closed")]},
        ],
        "authenticators": {
            "partner-token": {"jwt": {
                "algorithms": ["HS256"], "issuer": "https://login.example.com",
                "keys": [{"secret": {"value": SECRET}}], "tenant": "claims.tenant"}},
            "tenant-key": {"api_key": {
                "from": [{"header": "ApiKey"}], "prefix": "ak_live_",
                "require_tenant": "request.host.split('.')[0]"}},
        },
        "identity_headers": {"x-auth-customer": "claims.customer"},
        "rules": [
            tenant_rule("/Reseller/**", "reseller"), tenant_rule("/Storefront/**", "storefront"),
            key_rule("/Payment/**", "payment"), key_rule("/Supplier/**", "supplier"),
            {"match": {"path": "/Supplier-of/**"}, "authenticate": "tenant-key",
                "authorize": {"allow_if": "client.metadata.plan == 'silver'"}, "errors": errors},
        ],
    })
    .to_string()
}

pub fn listeners() -> Vec<Listener> {
    vec![Listener::new("surfaces", policy(24 * 3600))]
}

fn claims() -> Value {
    let now = jwt::now().unwrap();
    json!({"iss": "https://login.example.com", "sub": "partner-1", "customer": "c-42", "tenant": "acme",
        "scope": "reseller storefront", "iat": now, "exp": now + 600})
}

/// A token with these claims changed; null removes one.
fn token(changes: &Value) -> String {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    jwt::sign_hs256(&claims, SECRET.as_bytes()).unwrap()
}

fn get(path: &str) -> Request<'static> {
    GATEWAY.client("surfaces").get(path).host(ACME)
}

fn with_token(path: &str, token: &str) -> Answer {
    get(path).bearer(token).send().unwrap()
}

fn with_key(path: &str, key: &str) -> Answer {
    get(path).header("ApiKey", key).send().unwrap()
}

#[track_caller]
fn assert_no_valid_key(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert_eq!(answer.at("/code"), json!(-23), "{}", answer.text());
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("ApiKey realm=\"api\""), "{challenge}");
}

#[test]
fn a_good_token_passes_and_the_upstream_sees_customer_tenant_and_scopes() {
    for path in ["/Reseller/orders", "/Storefront/cart", "/Reseller"] {
        let seen = assert_passed(&with_token(path, &token(&json!({}))));
        for (name, value) in [
            ("x-auth-customer", "c-42"),
            ("x-auth-tenant", "acme"),
            ("x-auth-scopes", "reseller storefront"),
        ] {
            assert_eq!(seen.headers_named(name), [value], "{path}");
        }
    }
    // Hosts compare in lower case and without port.
    let request = GATEWAY
        .client("surfaces")
        .get("/Reseller/x")
        .host("ACME.Example.COM:8443");
    assert_passed(&request.bearer(&token(&json!({}))).send().unwrap());
    GATEWAY.assert_well();
}

#[test]
fn a_token_that_pyjwt_signed_is_good() {
    let signed = pyjwt::sign(&claims(), "HS256", SECRET, None).unwrap();
    assert_passed(&with_token("/Reseller/orders", &signed));
}

#[test]
fn a_token_without_bearer_is_401() {
    let answer = get("/Reseller/orders")
        .header("Authorization", token(&json!({})))
        .send()
        .unwrap();
    assert_refused(&answer, 401, "credentials_missing");
    let challenge = answer.header("www-authenticate");
    assert_eq!(challenge, Some("Bearer realm=\"api\""));
}

#[test]
fn a_missing_malformed_or_expired_token_is_401() {
    let now = jwt::now().unwrap();
    assert_refused(
        &get("/Reseller/x").send().unwrap(),
        401,
        "credentials_missing",
    );
    let good = token(&json!({}));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let other_secret = jwt::sign_hs256(&claims(), b"another secret of thirty-two bytes!!").unwrap();
    for (case, token, reason) in [
        ("words", "not.a.token".to_owned(), "token_malformed"),
        ("two parts", head.to_owned(), "token_malformed"),
        ("four parts", format!("{good}.x"), "token_malformed"),
        ("padded", format!("{good}="), "token_malformed"),
        ("no signature", format!("{head}."), "token_malformed"),
        (
            "none",
            format!("eyJhbGciOiJub25lIn0.{}.", head.split_once('.').unwrap().1),
            "token_algorithm",
        ),
        ("another secret", other_secret, "token_invalid"),
        (
            "cut signature",
            format!("{head}.{}", &signature[..40]),
            "token_invalid",
        ),
        ("expired", token(&json!({"exp": now - 31})), "token_expired"),
        ("long expired", token(&json!({"exp": 0})), "token_expired"),
        ("without end", token(&json!({"exp": null})), "token_claims"),
        (
            "end as text",
            token(&json!({"exp": "4000000000"})),
            "token_claims",
        ),
        (
            "not yet",
            token(&json!({"nbf": now + 60})),
            "token_not_yet_valid",
        ),
        (
            "from the future",
            token(&json!({"iat": now + 60})),
            "token_not_yet_valid",
        ),
        (
            "another issuer",
            token(&json!({"iss": "https://evil.example.com"})),
            "token_issuer",
        ),
    ] {
        let answer = with_token("/Reseller/x", &token);
        let said = answer.at("/reason");
        assert_eq!(
            (answer.status, said.as_str()),
            (401, Some(reason)),
            "{case}: {}",
            answer.text()
        );
        let challenge = answer.header("www-authenticate").unwrap();
        assert_eq!(
            challenge, "Bearer realm=\"api\", error=\"invalid_token\"",
            "{case}"
        );
    }
    // Within the leeway it is still good.
    assert_passed(&with_token(
        "/Reseller/x",
        &token(&json!({"exp": now - 10})),
    ));
    GATEWAY.assert_well();
}

#[test]
fn a_token_that_lacks_the_routes_scope_is_403_scope_missing() {
    for scope in [
        json!("storefront"),
        json!(""),
        json!(null),
        json!("resellers"),
        json!("Reseller"),
    ] {
        let answer = with_token("/Reseller/x", &token(&json!({"scope": scope})));
        assert_refused(&answer, 403, "scope_missing");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.contains("error=\"insufficient_scope\""),
            "{challenge}"
        );
        assert!(challenge.contains("scope=\"reseller\""), "{challenge}");
    }
    let list = token(&json!({"scope": ["a", "reseller"]}));
    assert_passed(&with_token("/Reseller/x", &list));
}

#[test]
fn a_token_of_another_tenant_than_the_hosts_is_403_not_allowed() {
    for tenant in [json!("globex"), json!("ACME"), json!("acme ")] {
        let answer = with_token("/Reseller/x", &token(&json!({"tenant": tenant})));
        assert_refused(&answer, 403, "not_allowed");
    }
    // A tenant that can't be told is no tenant of anybody's.
    for tenant in [json!(null), json!(["acme"]), json!({"acme": "acme"})] {
        let answer = with_token("/Reseller/x", &token(&json!({"tenant": tenant})));
        assert_refused(&answer, 401, "token_claims");
    }
    let answer = with_token("/Reseller/x", &token(&json!({"tenant": ""})));
    assert!((400..500).contains(&answer.status), "{}", answer.text());
}

#[test]
fn a_good_key_passes_in_any_letter_case_of_the_headers_name() {
    for name in ["ApiKey", "apikey", "APIKEY", "aPiKeY"] {
        let seen = assert_passed(&get("/Payment/charges").header(name, KEY).send().unwrap());
        assert_eq!(seen.header("apikey"), None);
        assert_eq!(seen.headers_named("x-auth-client"), ["acme-shop"]);
        assert_eq!(seen.headers_named("x-auth-tenant"), ["acme"]);
        assert_eq!(seen.headers_named("x-auth-scopes"), ["payment supplier"]);
    }
}

#[test]
fn a_missing_malformed_expired_revoked_or_foreign_key_is_401_with_code_minus_23() {
    assert_no_valid_key(&get("/Payment/x").send().unwrap());
    for key in [
        "sk_live_1",
        "ak_live_",
        "AK_LIVE_ACME_NEW",
        "ak_live_unknown",
        "ak_live_acme_past",
        "ak_live_acme_future",
        "ak_live_acme_revoked",
        "ak_live_acme_closed",
        "ak_live_globex",
        "Bearer ak_live_acme_new",
    ] {
        assert_no_valid_key(&with_key("/Payment/x", key));
    }
    let elsewhere = GATEWAY
        .client("surfaces")
        .get("/Payment/x")
        .host("globex.example.com");
    assert_no_valid_key(&elsewhere.header("ApiKey", KEY).send().unwrap());
    // All look alike, so that nobody learns which keys exist.
    assert_eq!(
        with_key("/Payment/x", "ak_live_unknown").text(),
        with_key("/Payment/x", "ak_live_acme_revoked").text()
    );
    GATEWAY.assert_well();
}

#[test]
fn two_keys_at_once_are_credentials_duplicated() {
    let request = get("/Payment/x")
        .header("ApiKey", KEY)
        .header("apikey", OLD_KEY);
    let answer = request.send().unwrap();
    assert_eq!(
        (answer.status, answer.at("/reason")),
        (400, json!("credentials_duplicated"))
    );
}

#[test]
fn a_good_key_without_access_to_that_endpoint_is_403_without_code_minus_23() {
    for (path, reason) in [
        ("/Supplier/stock", "scope_missing"),
        ("/Supplier-of/stock", "not_allowed"),
    ] {
        let answer = with_key(path, NARROW_KEY);
        assert_refused(&answer, 403, reason);
        assert_eq!(answer.at("/code"), json!(403));
    }
    assert_passed(&with_key("/Payment/x", NARROW_KEY));
}

#[test]
fn of_two_headers_the_rules_own_method_decides() {
    let good = token(&json!({}));
    for (path, token, key, status) in [
        ("/Reseller/x", good.as_str(), "ak_live_unknown", 200),
        ("/Reseller/x", "not.a.token", KEY, 401),
        ("/Payment/x", "not.a.token", KEY, 200),
        ("/Payment/x", good.as_str(), "ak_live_unknown", 401),
    ] {
        let answer = get(path)
            .bearer(token)
            .header("ApiKey", key)
            .send()
            .unwrap();
        assert_eq!(answer.status, status, "{path} {token} {key}");
        if status == 200 {
            let seen = answer.upstream().unwrap();
            // What this policy reads somewhere goes no further.
            assert_eq!(seen.header("apikey"), None);
            assert_eq!(
                seen.header("authorization").is_some(),
                path == "/Reseller/x"
            );
        }
    }
}

#[test]
fn during_a_rotation_both_keys_pass_and_after_its_end_the_old_one_is_401() {
    const ENDS: i64 = 10;
    let _turn = own_envoy();
    let upstream = Echo::start().unwrap();
    let listeners = [Listener::new("rotation", policy(ENDS))];
    let template = config::envoy(&listeners, &[("upstream", upstream.port())]);
    let written = jwt::now().unwrap();
    let envoy = Envoy::start(&template, Options::default()).unwrap();
    let ask = |key: &str| {
        let request = envoy.client().get("/Payment/x").host(ACME);
        request.header("ApiKey", key).send().unwrap()
    };
    if jwt::now().unwrap() < written + ENDS - 2 {
        assert_passed(&ask(OLD_KEY));
    }
    assert_passed(&ask(KEY));
    await_until("the old key's end", || ask(OLD_KEY).status == 401);
    assert!(jwt::now().unwrap() >= written + ENDS, "too early");
    assert_no_valid_key(&ask(OLD_KEY));
    assert_passed(&ask(KEY));
    assert_eq!(envoy.wasm_failures().unwrap(), []);
}

#[test]
fn what_no_rule_matches_is_refused_even_with_good_credentials() {
    for path in ["/", "/reseller/x", "/Reseller-2", "/Resellerx/y", "/other"] {
        let answer = get(path)
            .bearer(&token(&json!({})))
            .header("ApiKey", KEY)
            .send()
            .unwrap();
        assert_refused(&answer, 403, "no_rule");
    }
}
