//! What looks odd and is good.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use xtask::jwt::{self, now};

use super::policy::{ES, HS, KEY, PAIR, POOL, RS};
use super::{get, request};
use crate::forge::{base64url, claims, decode};

pub fn all() -> Vec<(String, Vec<u8>)> {
    [tokens(), places(), others()]
        .into_iter()
        .flatten()
        .collect()
}

fn bearer(path: &str, name: impl Into<String>, token: &str) -> (String, Vec<u8>) {
    (
        name.into(),
        get(path, &[("Authorization", &format!("Bearer {token}"))]),
    )
}

fn tokens() -> Vec<(String, Vec<u8>)> {
    let mut good = Vec::new();
    for forge in [HS, RS, ES] {
        let name = forge.name();
        good.push(bearer("/token/x", name.clone(), &forge.good()));
        good.push(bearer(
            "/token/x",
            format!("{name} without kid"),
            &forge.of_text(forge.header().without("kid").text(), claims().text()),
        ));
        for (member, raw) in [
            ("typ", "\"at+jwt\""),
            ("cty", "\"x\""),
            ("jku", "\"https://evil.example.com/\""),
            ("x", "{\"a\":[null]}"),
        ] {
            good.push(bearer(
                "/token/x",
                format!("{name} with {member}"),
                &forge.with_header(member, raw),
            ));
        }
    }
    let soon = (now().unwrap() - 10).to_string();
    let early = (now().unwrap() + 20).to_string();
    for (claim, raw) in [
        ("exp", "4000000000.5"),
        ("exp", "4e9"),
        ("exp", soon.as_str()),
        ("nbf", "0"),
        ("nbf", early.as_str()),
        ("iat", early.as_str()),
        ("iat", "0"),
        ("aud", "[\"a\",\"storefront\"]"),
        ("sub", "\"\""),
        ("x", "\"Zo\u{eb} \\ud83d\\udeaa\""),
        ("x", "18446744073709551615"),
        ("x", "[[[[]]]]"),
    ] {
        let shown = if raw == soon || raw == early {
            "within the leeway"
        } else {
            raw
        };
        good.push(bearer(
            "/token/x",
            format!("{claim} {shown}"),
            &HS.with_claim(claim, raw),
        ));
    }
    let spaced = claims().text().replace(',', " ,\r\n ");
    good.push(bearer(
        "/token/x",
        "blanks in the JSON",
        &HS.of_text(HS.header().text(), spaced),
    ));
    good.push(bearer(
        "/token/x",
        "members in another order",
        &HS.of_text(HS.header().reversed().text(), claims().reversed().text()),
    ));
    let token = ES.good();
    let (text, signature) = token.rsplit_once('.').unwrap();
    good.push(bearer(
        "/token/x",
        "ES256 again",
        &format!("{text}.{}", base64url(decode(signature))),
    ));
    good.push(bearer("/rsa/x", "RS256 where only that is", &RS.good()));
    for typ in ["\"at+jwt\"", "\"AT+JWT\"", "\"application/at+jwt\""] {
        good.push(bearer(
            "/access/x",
            format!("typ {typ}"),
            &HS.with_header("typ", typ),
        ));
    }
    for raw in ["\"access\"", "[\"id\",\"access\"]"] {
        good.push(bearer(
            "/use/x",
            format!("token_use {raw}"),
            &HS.with_claim("token_use", raw),
        ));
    }
    good.push(bearer(
        "/client/x",
        "a client of ours",
        &HS.with_claim("client_id", "\"shop\""),
    ));
    for raw in ["\"admin\"", "\"orders admin\"", "[\"admin\"]"] {
        good.push(bearer(
            "/scoped/x",
            format!("scope {raw}"),
            &HS.with_claim("scope", raw),
        ));
    }
    let (iat, exp) = (now().unwrap(), now().unwrap() + 3600);
    let short = claims()
        .with("iat", &iat.to_string())
        .with("exp", &exp.to_string());
    good.push(bearer(
        "/short/x",
        "an hour's life",
        &HS.of_text(HS.header().text(), short.text()),
    ));
    let of_pool = claims().with("iss", &json!(POOL).to_string()).text();
    let fetched = RS.of_text(RS.header().with("kid", "\"good\"").text(), of_pool);
    good.push(bearer("/remote/x", "RS256 by a key with key_ops", &fetched));
    let remote = json!({"iss": POOL, "exp": exp});
    for algorithm in [
        jsonwebtoken::Algorithm::RS256,
        jsonwebtoken::Algorithm::ES256,
    ] {
        good.push(bearer(
            "/remote/x",
            format!("{algorithm:?} of the fetched set"),
            &jwt::sign(&remote, algorithm, jwt::Key::A).unwrap(),
        ));
    }
    good
}

fn places() -> Vec<(String, Vec<u8>)> {
    let token = HS.good();
    let mut good = Vec::new();
    for scheme in [
        "Bearer ",
        "bearer ",
        "BEARER ",
        "bEaReR ",
        "Bearer   ",
        "Bearer \t",
    ] {
        good.push((
            format!("scheme {scheme:?}"),
            get(
                "/token/x",
                &[("aUTHORIZATION", &format!("{scheme}{token}  "))],
            ),
        ));
    }
    let encoded = token.replace('.', "%2E").replace('e', "%65");
    for target in [
        format!("/everywhere/x?access_token={token}"),
        format!("/everywhere/x?a=1&&access_token={token}&b=%2e%2e/"),
        format!("/everywhere/x?access_token={encoded}"),
        format!("/everywhere/x?%61ccess%5ftoken={token}"),
    ] {
        good.push(("in the query".to_owned(), get(&target, &[])));
    }
    for cookie in [
        format!("token={token}"),
        format!("a=b; token={token}; tokens=x"),
        format!("token={encoded}"),
        format!("a=\"1\";token={token}"),
    ] {
        good.push((
            "in a cookie".to_owned(),
            get("/everywhere/x", &[("Cookie", &cookie)]),
        ));
    }
    good.push((
        "the same in all places".to_owned(),
        get(
            format!("/everywhere/x?access_token={token}"),
            &[
                ("Authorization", &format!("Bearer {token}")),
                ("X-Token", &token),
                ("Cookie", &format!("token={token}")),
            ],
        ),
    ));
    good.push((
        "another scheme beside a cookie".to_owned(),
        get(
            "/everywhere/x",
            &[
                ("Authorization", "Basic YTpi"),
                ("Cookie", &format!("token={token}")),
            ],
        ),
    ));
    good
}

fn others() -> Vec<(String, Vec<u8>)> {
    let bearer = format!("Bearer {}", HS.good());
    let token = ("Authorization", bearer.as_str());
    let (id, secret) = PAIR;
    let basic = format!("basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let mut good = vec![
        ("a key".to_owned(), get("/key/x", &[("x-aPI-kEY", KEY)])),
        (
            "a key in the query".to_owned(),
            get(format!("/key/x?k%65y={}", KEY.replace('a', "%61")), &[]),
        ),
        (
            "a key, the host in capitals".to_owned(),
            get(
                "/key/x",
                &[("Host", "ACME.example.com:8080"), ("X-Api-Key", KEY)],
            ),
        ),
        (
            "a pair".to_owned(),
            get(
                "/pair/x",
                &[("X-Client-Id", id), ("X-Client-Secret", secret)],
            ),
        ),
        (
            "a pair by Basic".to_owned(),
            get("/basic/x", &[("Authorization", &basic)]),
        ),
        (
            "either: a bad token and a good key".to_owned(),
            get(
                "/either/x",
                &[("Authorization", "Bearer x"), ("X-Api-Key", KEY)],
            ),
        ),
        (
            "both".to_owned(),
            get("/both/x", &[("X-Api-Key", KEY), token]),
        ),
        ("bound".to_owned(), get("/of/partner-1/x", &[token])),
        (
            "bound, encoded".to_owned(),
            get("/of/%70artner%2D1/x", &[token]),
        ),
        (
            "a preflight with a token".to_owned(),
            request(
                "OPTIONS",
                "/token/x",
                &[
                    ("Origin", "https://a"),
                    ("Access-Control-Request-Method", "GET"),
                    token,
                ],
            ),
        ),
    ];
    for path in [
        "/token",
        "/token/",
        "/%74oken/x",
        "/token/a%20b",
        "/token/caf%C3%A9",
        "/token/x;a=b",
        "/token/a.b/..c/...d",
        "/token/x?a=../..//%2e%00",
        "http://acme.example.com/token/x",
        "/token/~a-b_c.d",
        "/token/%25",
        "/token/a:b@c",
    ] {
        good.push((format!("path {path}"), get(path, &[token])));
    }
    for host in [
        "api.example.com",
        "API.example.com.",
        "api.example.com:443",
        "a.b.shop.example.com",
    ] {
        good.push((
            format!("host {host}"),
            get("/host/x", &[("Host", host), token]),
        ));
    }
    let head = request(
        "POST",
        "/token/x",
        &[token, ("Transfer-Encoding", "chunked")],
    );
    let body = b"2\r\nhi\r\n0\r\nx-t: 1\r\n\r\n";
    good.push((
        "chunked with trailers".to_owned(),
        [&head[..], body].concat(),
    ));
    for path in ["/public/x", "/public/x.", "/public/x%20"] {
        let name = format!("{path}, where all may pass");
        good.push((name, get(path, &[])));
    }
    good
}
