//! Signed tokens whose claims are no good.

use serde_json::json;
use xtask::jwt::now;

use super::policy::HS;
use super::tokens::{INVALID, MALFORMED, at, of_header, token};
use super::{Attack, get, refused};
use crate::forge::claims as good_claims;

const CLAIMS: &str = "token_claims";

pub fn all() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for name in ["exp", "nbf", "iat"] {
        for raw in [
            "\"4000000000\"",
            "\"\"",
            "null",
            "true",
            "[]",
            "[4000000000]",
            "{}",
            "-1",
            "-1.5",
            "1e300",
            "253402300800",
            "1700000000000",
            "18446744073709551616",
        ] {
            attacks.push(token(
                format!("{name} {raw}"),
                &HS.with_claim(name, raw),
                CLAIMS,
            ));
        }
        for raw in [
            "NaN",
            "Infinity",
            "1e400",
            "0x10",
            "01",
            "1.",
            "+1",
            "\"a\",\"exp\":1",
        ] {
            attacks.push(token(
                format!("{name} {raw}"),
                &HS.with_claim(name, raw),
                MALFORMED,
            ));
        }
    }
    let late = now().unwrap() - 31;
    for raw in [
        "0",
        "0.0",
        "1",
        "1.5",
        "1700000000",
        "1.7e9",
        &late.to_string(),
    ] {
        attacks.push(token(
            format!(
                "exp {}",
                if raw.len() == 10 && raw != "1700000000" {
                    "31 s ago"
                } else {
                    raw
                }
            ),
            &HS.with_claim("exp", raw),
            "token_expired",
        ));
    }
    let early = (now().unwrap() + 60).to_string();
    for name in ["nbf", "iat"] {
        for raw in ["3999999999", "3.9e9", "253402300799", &early] {
            attacks.push(token(
                format!(
                    "{name} to come, {}",
                    if raw == early { "in a minute" } else { raw }
                ),
                &HS.with_claim(name, raw),
                "token_not_yet_valid",
            ));
        }
    }
    for iss in [
        "",
        "https://evil.example.com",
        "https://login.example.com/",
        "https://LOGIN.example.com",
        "https://login.example.com\0",
        "http://login.example.com",
        "login.example.com",
    ] {
        attacks.push(token(
            format!("iss {iss:?}"),
            &HS.with_claim("iss", &json!(iss).to_string()),
            "token_issuer",
        ));
    }
    for raw in ["null", "1", "[\"https://login.example.com\"]", "{}"] {
        attacks.push(token(
            format!("iss {raw}"),
            &HS.with_claim("iss", raw),
            CLAIMS,
        ));
    }
    for raw in [
        "\"\"",
        "\"Storefront\"",
        "\"storefront \"",
        "\"store\"",
        "\"a,storefront\"",
        "[]",
        "[\"a\"]",
        "[\"STOREFRONT\",\"a\"]",
        "\"https://storefront\"",
        "\"*\"",
    ] {
        attacks.push(token(
            format!("aud {raw}"),
            &HS.with_claim("aud", raw),
            "token_audience",
        ));
    }
    for raw in [
        "null",
        "1",
        "{\"storefront\":1}",
        "[\"storefront\",1]",
        "[[\"storefront\"]]",
    ] {
        attacks.push(token(
            format!("aud {raw}"),
            &HS.with_claim("aud", raw),
            CLAIMS,
        ));
    }
    for raw in ["null", "1", "[\"partner-1\"]", "{}"] {
        attacks.push(token(
            format!("sub {raw}"),
            &HS.with_claim("sub", raw),
            CLAIMS,
        ));
    }
    let text = good_claims().text();
    let header = HS.header().text();
    for (what, payload) in [
        ("two exp", text.replace('}', ",\"exp\":4000000000}")),
        ("two sub", text.replace('}', ",\"sub\":\"admin\"}")),
        (
            "two members deep inside",
            text.replace('}', ",\"x\":{\"a\":1,\"a\":2}}"),
        ),
        (
            "an escaped double",
            text.replace('}', ",\"\\u0073ub\":\"admin\"}"),
        ),
        ("a list", format!("[{text}]")),
        ("text", "\"claims\"".to_owned()),
        ("no end", text[..text.len() - 1].to_owned()),
        ("more behind", format!("{text}{text}")),
        ("single quotes", text.replace('"', "'")),
        (
            "levels without end",
            text.replace('}', &format!(",\"x\":{}}}", "[".repeat(2000))),
        ),
    ] {
        attacks.push(token(
            format!("claims with {what}"),
            &HS.of_text(&header, payload),
            MALFORMED,
        ));
    }
    attacks.push(token(
        "no exp",
        &HS.of_text(&header, good_claims().without("exp").text()),
        CLAIMS,
    ));
    attacks.push(token(
        "no iss",
        &HS.of_text(&header, good_claims().without("iss").text()),
        "token_issuer",
    ));
    attacks.push(token(
        "no aud",
        &HS.of_text(&header, good_claims().without("aud").text()),
        "token_audience",
    ));
    attacks.push(token(
        "no claims",
        &HS.of_text(&header, "{}"),
        "token_issuer",
    ));
    for typ in [
        "\"JWT\"",
        "\"\"",
        "\"at+jwt+x\"",
        "\"id+jwt\"",
        "\"text/at+jwt\"",
    ] {
        attacks.push(at(
            "/access/x",
            format!("typ {typ} where at+jwt is asked for"),
            &HS.with_header("typ", typ),
            CLAIMS,
        ));
    }
    attacks.push(at(
        "/access/x",
        "no typ where at+jwt is asked for",
        &of_header(HS, &HS.header().without("typ").text()),
        CLAIMS,
    ));
    attacks.push(at(
        "/short/x",
        "a life of many years",
        &HS.good(),
        "token_lifetime",
    ));
    attacks.push(at(
        "/short/x",
        "a life of many years from now",
        &HS.of_text(&header, good_claims().without("iat").text()),
        "token_lifetime",
    ));
    for raw in [
        "\"id\"",
        "\"Access\"",
        "null",
        "[\"id\"]",
        "{\"access\":true}",
        "\"access id\"",
    ] {
        attacks.push(at(
            "/use/x",
            format!("token_use {raw}"),
            &HS.with_claim("token_use", raw),
            CLAIMS,
        ));
    }
    attacks.push(at("/use/x", "no token_use", &HS.good(), CLAIMS));
    for raw in [
        "\"closed\"",
        "\"nobody\"",
        "\"\"",
        "null",
        "[\"shop\"]",
        "\"SHOP\"",
        "\"shop \"",
    ] {
        attacks.push(at(
            "/client/x",
            format!("client_id {raw}"),
            &HS.with_claim("client_id", raw),
            INVALID,
        ));
    }
    for scope in [
        "\"\"",
        "\"ADMIN\"",
        "\"administrator\"",
        "\"admin,orders\"",
        "[\"orders\"]",
        "{\"admin\":1}",
        "\"orders\\u00a0admin\"",
        "1",
    ] {
        let token = HS.with_claim("scope", scope);
        attacks.push(refused(
            format!("scope {scope}"),
            get(
                "/scoped/x",
                &[("Authorization", &format!("Bearer {token}"))],
            ),
            403,
            "scope_missing",
        ));
    }
    attacks
}
