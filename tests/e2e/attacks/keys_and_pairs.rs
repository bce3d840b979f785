//! API keys, clients' pairs, and several credentials for one request.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::policy::{BAD_KEYS, HS, KEY, PAIR};
use super::{Attack, get, refused};

pub fn all() -> Vec<Attack> {
    [keys(), pairs(), basic(), combinations()]
        .into_iter()
        .flatten()
        .collect()
}

fn keys() -> Vec<Attack> {
    let mut attacks = Vec::new();
    let upper = KEY.to_uppercase();
    let doubled = format!("{KEY}{KEY}");
    for key in BAD_KEYS.into_iter().chain([
        "x",
        "ak_live_",
        "ak_live_unknown",
        "ak_test_attacked_good",
        "AK_LIVE_attacked_good",
        "ak_live_attacked_goo",
        "ak_live_attacked_good2",
        "ak_live_attacked_Good",
        upper.as_str(),
        doubled.as_str(),
        "ak_live_attacked_good x",
        "x ak_live_attacked_good",
        "Bearer ak_live_attacked_good",
        "\"ak_live_attacked_good\"",
        "ak_live_attacked_good;",
        "ak_live_%61ttacked_good",
        "ak_live_*",
        "ak_live_' OR '1'='1",
        "null",
        "ak_live_attacked_go\u{f6}d",
        "8b1a9953c4611296a827abf8c47804d7",
    ]) {
        attacks.push(refused(
            format!("key {key}"),
            get("/key/x", &[("X-Api-Key", key)]),
            401,
            "api_key_invalid",
        ));
    }
    for (name, target) in [
        ("cut short", "/key/x?key=ak_live_attacked_goo"),
        ("encoded twice", "/key/x?key=ak_live_%2561ttacked_good"),
        ("a blank", "/key/x?key=ak_live_attacked_good%20"),
        ("a plus", "/key/x?key=ak_live_attacked_good+"),
        ("NUL", "/key/x?key=ak_live_attacked_good%00"),
        ("a line break", "/key/x?key=ak_live_attacked_good%0d%0a"),
        ("no UTF-8", "/key/x?key=ak_live_attacked_good%ff"),
    ] {
        attacks.push(refused(
            format!("key in the query: {name}"),
            get(target, &[]),
            401,
            "api_key_invalid",
        ));
    }
    for (name, target, headers) in [
        (
            "in other places",
            "/key/x?Key=ak_live_attacked_good",
            vec![
                ("Api-Key", KEY),
                ("X_Api_Key", KEY),
                ("Cookie", "key=ak_live_attacked_good"),
                ("X-Api-Key2", KEY),
            ],
        ),
        ("empty", "/key/x?key=", vec![("X-Api-Key", "")]),
        (
            "in Authorization",
            "/key/x",
            vec![("Authorization", "ApiKey ak_live_attacked_good")],
        ),
    ] {
        attacks.push(refused(
            format!("key {name}"),
            get(target, &headers),
            401,
            "credentials_missing",
        ));
    }
    for (name, target, headers) in [
        (
            "twice",
            "/key/x",
            vec![("X-Api-Key", KEY), ("X-Api-Key", KEY)],
        ),
        (
            "a good and a bad one",
            "/key/x",
            vec![("X-Api-Key", KEY), ("x-api-key", "ak_live_x")],
        ),
        (
            "a list",
            "/key/x",
            vec![("X-Api-Key", "ak_live_attacked_good,ak_live_x")],
        ),
        (
            "a comma",
            "/key/x",
            vec![("X-Api-Key", "ak_live_attacked_good,")],
        ),
        (
            "header and query",
            "/key/x?key=ak_live_x",
            vec![("X-Api-Key", KEY)],
        ),
        (
            "twice in the query",
            "/key/x?key=ak_live_attacked_good&key=ak_live_attacked_good",
            vec![],
        ),
        (
            "an encoded name",
            "/key/x?key=ak_live_attacked_good&k%65y=x",
            vec![],
        ),
        (
            "an empty one beside it",
            "/key/x",
            vec![("X-Api-Key", ""), ("X-Api-Key", KEY)],
        ),
    ] {
        attacks.push(refused(
            format!("keys: {name}"),
            get(target, &headers),
            400,
            "credentials_duplicated",
        ));
    }
    for host in [
        "globex.example.com",
        "example.com",
        "ACMEE.example.com",
        "acme2.example.com",
        "a.acme.example.com",
        "127.0.0.1",
        "localhost",
        "[::1]",
        "acme-example.com",
    ] {
        attacks.push(refused(
            format!("a key of acme at {host}"),
            get("/key/x", &[("Host", host), ("X-Api-Key", KEY)]),
            401,
            "api_key_invalid",
        ));
    }
    attacks
}

fn pairs() -> Vec<Attack> {
    let (id, secret) = PAIR;
    let mut attacks = Vec::new();
    for (name, headers) in [
        ("no secret", vec![("X-Client-Id", id)]),
        ("no id", vec![("X-Client-Secret", secret)]),
        (
            "an empty secret",
            vec![("X-Client-Id", id), ("X-Client-Secret", "")],
        ),
        (
            "an empty id",
            vec![("X-Client-Id", ""), ("X-Client-Secret", secret)],
        ),
        (
            "underscores",
            vec![("X_Client_Id", id), ("X_Client_Secret", secret)],
        ),
    ] {
        attacks.push(refused(
            format!("pair: {name}"),
            get("/pair/x", &headers),
            401,
            "credentials_missing",
        ));
    }
    for (name, headers) in [
        (
            "two ids",
            vec![
                ("X-Client-Id", id),
                ("X-Client-Id", "admin"),
                ("X-Client-Secret", secret),
            ],
        ),
        (
            "two secrets",
            vec![
                ("X-Client-Id", id),
                ("X-Client-Secret", secret),
                ("X-Client-Secret", "x"),
            ],
        ),
        (
            "a list of ids",
            vec![("X-Client-Id", "shop-1,admin"), ("X-Client-Secret", secret)],
        ),
    ] {
        attacks.push(refused(
            format!("pair: {name}"),
            get("/pair/x", &headers),
            400,
            "credentials_duplicated",
        ));
    }
    let wrong = secret.to_uppercase();
    for (name, id, secret) in [
        ("another secret", id, "guess"),
        ("another id", "shop-2", secret),
        ("other letters", id, wrong.as_str()),
        ("encoded", id, "s3cr%3At%2F%25+%2B%26%3D"),
        ("the id in capitals", "SHOP-1", secret),
        (
            "form fields in the id",
            "shop-1&grant_type=password",
            secret,
        ),
        (
            "form fields in the secret",
            id,
            "x&client_secret=s3cr:t/% +&=",
        ),
        ("both swapped", secret, id),
    ] {
        attacks.push(refused(
            format!("pair: {name}"),
            get(
                "/pair/x",
                &[("X-Client-Id", id), ("X-Client-Secret", secret)],
            ),
            401,
            "exchange_refused",
        ));
    }
    let (long_id, long_secret) = ("i".repeat(257), "s".repeat(4097));
    for (name, id, secret) in [
        ("a long id", long_id.as_str(), secret),
        ("a long secret", id, long_secret.as_str()),
    ] {
        attacks.push(refused(
            format!("pair: {name}"),
            get(
                "/pair/x",
                &[("X-Client-Id", id), ("X-Client-Secret", secret)],
            ),
            401,
            "client_invalid",
        ));
    }
    attacks
}

fn basic() -> Vec<Attack> {
    let (id, secret) = PAIR;
    let good = STANDARD.encode(format!("{id}:{secret}"));
    let mut attacks = Vec::new();
    for (name, value) in [
        ("no base64", "Basic !!!".to_owned()),
        (
            "no padding",
            format!("Basic {}", STANDARD_NO_PAD.encode("shop-1:x")),
        ),
        ("no colon", format!("Basic {}", STANDARD.encode("shop-1"))),
        (
            "a control character",
            format!("Basic {}", STANDARD.encode("shop-1:a\r\nb")),
        ),
        ("NUL", format!("Basic {}", STANDARD.encode("shop-1\0:x"))),
        (
            "no UTF-8",
            format!("Basic {}", STANDARD.encode(b"shop-1:\xff")),
        ),
        ("two words", format!("Basic {good} {good}")),
        ("a word behind", format!("Basic {good} x")),
        ("in clear", format!("Basic {id}:{secret}")),
    ] {
        attacks.push(refused(
            format!("Basic: {name}"),
            get("/basic/x", &[("Authorization", &value)]),
            401,
            "client_invalid",
        ));
    }
    for (name, value) in [
        ("another secret", "shop-1:guess"),
        ("another id", "shop-2:s3cr:t/% +&="),
        ("form-encoded", "shop-1:s3cr%3At%2F%25+%2B%26%3D"),
        ("a blank more", "shop-1: s3cr:t/% +&="),
    ] {
        let value = format!("Basic {}", STANDARD.encode(value));
        attacks.push(refused(
            format!("Basic: {name}"),
            get("/basic/x", &[("Authorization", &value)]),
            401,
            "exchange_refused",
        ));
    }
    let basic = format!("Basic {good}");
    attacks.push(refused(
        "Basic: twice",
        get(
            "/basic/x",
            &[("Authorization", &basic), ("Authorization", &basic)],
        ),
        400,
        "credentials_duplicated",
    ));
    attacks.push(refused(
        "Basic: a list",
        get(
            "/basic/x",
            &[("Authorization", &format!("{basic}, Bearer x"))],
        ),
        400,
        "credentials_duplicated",
    ));
    attacks.push(refused(
        "Basic: as Bearer",
        get("/basic/x", &[("Authorization", &format!("Bearer {good}"))]),
        401,
        "credentials_missing",
    ));
    attacks.push(refused(
        "Basic: in the URI",
        get("http://shop-1:x@acme.example.com/basic/x", &[]),
        401,
        "credentials_missing",
    ));
    attacks
}

fn combinations() -> Vec<Attack> {
    let good = format!("Bearer {}", HS.good());
    let bad = "Bearer x.y.z";
    let mut attacks = Vec::new();
    for (name, target, headers, status, reason) in [
        (
            "either: nothing",
            "/either/x",
            vec![],
            401,
            "credentials_missing",
        ),
        (
            "either: two bad ones",
            "/either/x",
            vec![("Authorization", bad), ("X-Api-Key", "x")],
            401,
            "token_malformed",
        ),
        (
            "either: a bad key",
            "/either/x",
            vec![("X-Api-Key", "x")],
            401,
            "api_key_invalid",
        ),
        (
            "both: only a token",
            "/both/x",
            vec![("Authorization", good.as_str())],
            401,
            "credentials_missing",
        ),
        (
            "both: only a key",
            "/both/x",
            vec![("X-Api-Key", KEY)],
            401,
            "credentials_missing",
        ),
        (
            "both: a bad token",
            "/both/x",
            vec![("X-Api-Key", KEY), ("Authorization", bad)],
            401,
            "token_malformed",
        ),
        (
            "both: a bad key",
            "/both/x",
            vec![("X-Api-Key", "x"), ("Authorization", good.as_str())],
            401,
            "api_key_invalid",
        ),
        (
            "both: the key twice",
            "/both/x",
            vec![
                ("X-Api-Key", KEY),
                ("X-Api-Key", KEY),
                ("Authorization", good.as_str()),
            ],
            400,
            "credentials_duplicated",
        ),
    ] {
        attacks.push(refused(name, get(target, &headers), status, reason));
    }
    attacks
}
