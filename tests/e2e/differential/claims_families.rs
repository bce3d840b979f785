//! What a token says: its payload's form, and each registered claim.

use serde_json::json;

use super::families::{Family, accept, open, refuse};
use crate::forge::{AUDIENCE, Forge, ISSUER, base64url, claims};

fn with_claim(forge: Forge, name: &str, values: &[&str]) -> Vec<String> {
    values
        .iter()
        .map(|raw| forge.with_claim(name, raw))
        .collect()
}

fn of_payloads(forge: Forge, payloads: &[Vec<u8>]) -> Vec<String> {
    let header = forge.header().text();
    payloads
        .iter()
        .map(|payload| forge.of_text(&header, payload))
        .collect()
}

/// What is no number of seconds.
const NO_DATES: [&str; 10] = [
    "\"4000000000\"",
    "\"\"",
    "\"never\"",
    "null",
    "true",
    "false",
    "[]",
    "[4000000000]",
    "{}",
    "\"NaN\"",
];
/// The year 10000 and later, and milliseconds taken for seconds.
const DISTANT: [&str; 5] = [
    "253402300800",
    "1700000000000",
    "4000000000000",
    "9223372036854775807",
    "1e300",
];

pub fn all() -> Vec<Family> {
    vec![
        accept("good, other claims", "RFC 7519 §4.3", |forge| {
            with_claim(
                forge,
                "other",
                &[
                    "null",
                    "true",
                    "0",
                    "-1",
                    "1.5e-7",
                    "18446744073709551615",
                    "\"\"",
                    "\"a b\"",
                    "\"Zo\u{eb} \u{1f6aa}\"",
                    r#""\u005a\ud83d\udeaa""#,
                    r#""\"\\\/\b\f\n\r\t""#,
                    "[]",
                    "[1,\"a\",null]",
                    "{}",
                    r#"{"a":{"b":[{}]}}"#,
                ],
            )
        }),
        accept(
            "good, other spellings of the JSON",
            "RFC 8259 §2",
            |forge| {
                let spaced = claims()
                    .text()
                    .replace(',', " ,\r\n\t")
                    .replace(':', " : ")
                    .replace("https : ", "https:");
                let escaped = claims()
                    .text()
                    .replace("\"iss\"", r#""\u0069ss""#)
                    .replace("\"exp\"", r#""ex\u0070""#);
                let payloads = [
                    spaced,
                    escaped,
                    claims().reversed().text(),
                    format!(" {} ", claims().text()),
                    claims().text().replace("https://", r"https:\/\/"),
                    claims().without("sub").text(),
                    claims().without("iat").text(),
                ];
                of_payloads(forge, &payloads.map(String::into_bytes))
            },
        ),
        refuse("payload that is no object", "RFC 7519 §7.2", |forge| {
            let payloads = [
                "[]",
                "\"text\"",
                "1",
                "null",
                "true",
                "[{}]",
                " ",
                "plain text",
            ];
            of_payloads(forge, &payloads.map(|text| text.as_bytes().to_vec()))
        }),
        refuse(
            "payload that is no JSON",
            "RFC 7519 §7.2, RFC 8259",
            |forge| {
                let text = claims().text();
                let open = text.trim_end_matches('}');
                let mut payloads: Vec<Vec<u8>> = [
                    text.replace('"', "'"),
                    format!("{open},}}"),
                    format!("{text}x"),
                    format!("{text}{text}"),
                    format!("{text},"),
                    format!("/* */{text}"),
                    format!("{text}// c"),
                    open.to_owned(),
                    text[1..].to_owned(),
                    text.replace("\"sub\"", "sub"),
                    format!("{text}\0"),
                    format!("{open},\"x\":NaN}}"),
                    format!("{open},\"x\":Infinity}}"),
                    format!("{open},\"x\":01}}"),
                    format!("{open},\"x\":.5}}"),
                    format!("{open},\"x\":1.}}"),
                    format!("{open},\"x\":+1}}"),
                    format!("{open},\"x\":0x1}}"),
                    format!("{open},\"x\":\"a\tb\"}}"),
                    format!("{open},\"x\":\"a\nb\"}}"),
                    format!("{open},\"x\":\"\\x41\"}}"),
                    format!("{open},\"x\":True}}"),
                    format!("{open},\"x\":[1,]}}"),
                    format!("{open},\"x\"}}"),
                    format!("{open},,\"x\":1}}"),
                    format!("{open};\"x\":1}}"),
                ]
                .map(String::into_bytes)
                .to_vec();
                for bytes in [
                    &b"\xff"[..],
                    b"\xc3",
                    b"\xc0\x80",
                    b"\xed\xa0\x80",
                    b"\xf8\x88\x80\x80\x80",
                ] {
                    payloads.push([open.as_bytes(), b",\"x\":\"", bytes, b"\"}"].concat());
                }
                of_payloads(forge, &payloads)
            },
        ),
        open(
            "payload that programs read differently",
            "RFC 8259 §6, §8.1, §8.2, RFC 7493 §2.1",
            "a byte order mark, half of a surrogate pair and a number beyond all doubles mean something else to each reader",
            |forge| {
                let text = claims().text();
                let with = |raw: &str| claims().with("x", raw).text();
                let payloads = [
                    format!("\u{feff}{text}"),
                    with(r#""\ud800""#),
                    with(r#""\udc00\ud800""#),
                    with("1e400"),
                    with("-1e400"),
                    claims().with("exp", "1e400").text(),
                ];
                of_payloads(forge, &payloads.map(String::into_bytes))
            },
        ),
        open(
            "a claim twice",
            "RFC 7519 §4",
            "two programs may each see another one of the two",
            |forge| {
                let text = claims().text();
                let open = text.trim_end_matches('}');
                let payloads = [
                    format!("{open},\"exp\":4000000000}}"),
                    format!("{{\"exp\":1,{}", &text[1..]),
                    format!("{{\"aud\":\"other\",{}", &text[1..]),
                    format!("{open},\"x\":1,\"x\":1}}"),
                    format!("{open},\"x\":{{\"a\":1,\"a\":2}}}}"),
                    format!("{{\"is\\u0073\":\"other\",{}", &text[1..]),
                ];
                of_payloads(forge, &payloads.map(String::into_bytes))
            },
        ),
        open(
            "nested deeper than 32 levels",
            "RFC 8259 §9",
            "a bound keeps the reader's stack small",
            |forge| {
                let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
                [32, 40, 90]
                    .map(|depth| forge.with_claim("x", &deep(depth)))
                    .to_vec()
            },
        ),
        open(
            "longer than 8 KiB",
            "RFC 8259 §9",
            "the policy's `max_length` bounds what a caller can make us check",
            |forge| {
                [8000, 16000]
                    .map(|length| forge.with_claim("x", &json!("x".repeat(length)).to_string()))
                    .to_vec()
            },
        ),
        accept("exp to come", "RFC 7519 §4.1.4", |forge| {
            with_claim(
                forge,
                "exp",
                &[
                    "4000000000",
                    "4000000000.5",
                    "4e9",
                    "4.0E+9",
                    "253402300799",
                    "4000000000.0",
                ],
            )
        }),
        refuse("exp past", "RFC 7519 §4.1.4", |forge| {
            with_claim(
                forge,
                "exp",
                &[
                    "0",
                    "1",
                    "0.0",
                    "-0",
                    "0e0",
                    "1e-9",
                    "1.5",
                    "1300819380",
                    "1700000000",
                    "1.7e9",
                    "1700000000.9",
                    "-1",
                    "-4000000000",
                    "-1e300",
                ],
            )
        }),
        refuse("exp that is no number", "RFC 7519 §4.1.4", |forge| {
            let mut tokens = with_claim(forge, "exp", &NO_DATES);
            tokens.extend(with_claim(forge, "exp", &["NaN", "Infinity"]));
            tokens
        }),
        open(
            "exp in the year 10000 or later",
            "RFC 7519 §2",
            "it is a mistake, most often milliseconds",
            |forge| with_claim(forge, "exp", &DISTANT),
        ),
        refuse("no exp", "the policy asks for it", |forge| {
            let text = |claims: crate::forge::Members| claims.text().into_bytes();
            of_payloads(
                forge,
                &[
                    text(claims().without("exp")),
                    text(claims().without("exp").with("Exp", "4000000000")),
                    text(claims().without("exp").with("expires", "4000000000")),
                    text(claims().without("exp").with("x", r#"{"exp":4000000000}"#)),
                ],
            )
        }),
        accept("nbf past", "RFC 7519 §4.1.5", |forge| {
            with_claim(
                forge,
                "nbf",
                &["0", "1", "1700000000", "1700000000.5", "1.7e9", "0.0"],
            )
        }),
        refuse("nbf to come", "RFC 7519 §4.1.5", |forge| {
            with_claim(
                forge,
                "nbf",
                &[
                    "3999999999",
                    "3999999999.5",
                    "3.9e9",
                    "4000000001",
                    "253402300799",
                ],
            )
        }),
        refuse("nbf that is no number", "RFC 7519 §4.1.5", |forge| {
            with_claim(forge, "nbf", &NO_DATES)
        }),
        refuse(
            "nbf in the year 10000 or later",
            "RFC 7519 §4.1.5",
            |forge| with_claim(forge, "nbf", &DISTANT),
        ),
        accept("iat past", "RFC 7519 §4.1.6", |forge| {
            with_claim(
                forge,
                "iat",
                &["0", "1", "1700000000", "1700000000.5", "1.7e9", "0.0"],
            )
        }),
        open(
            "iat to come",
            "RFC 7519 §4.1.6",
            "who issued it has a wrong clock, or it is made up",
            |forge| {
                with_claim(
                    forge,
                    "iat",
                    &[
                        "3999999999",
                        "3999999999.5",
                        "3.9e9",
                        "4000000001",
                        "253402300800",
                        "1e300",
                    ],
                )
            },
        ),
        refuse("iat that is no number", "RFC 7519 §4.1.6", |forge| {
            with_claim(forge, "iat", &NO_DATES)
        }),
        open(
            "nbf or iat before 1970",
            "RFC 7519 §2",
            "no token is that old",
            |forge| {
                let mut tokens = with_claim(forge, "nbf", &["-1", "-0.5", "-1e300"]);
                tokens.extend(with_claim(forge, "iat", &["-1", "-0.5", "-1e300"]));
                tokens
            },
        ),
        refuse("another iss", "RFC 7519 §4.1.1", |forge| {
            let mut tokens: Vec<_> = [
                "",
                "https://evil.example.com",
                "https://LOGIN.example.com",
                "HTTPS://login.example.com",
                "https://login.example.com/",
                "https://login.example.com.",
                "https://login.example.com.evil.org",
                "https://login.example.co",
                " https://login.example.com",
                "https://login.example.com ",
                "https://login.example.com\0",
                "https://login.example.com\n",
                "http://login.example.com",
                "https://login.example.com:443",
                "https://login%2Eexample.com",
                "https://log\u{131}n.example.com",
                "*",
                "storefront",
            ]
            .iter()
            .map(|iss| forge.with_claim("iss", &json!(iss).to_string()))
            .collect();
            tokens.push(forge.of_text(forge.header().text(), claims().without("iss").text()));
            tokens
        }),
        refuse("iss that is no string", "RFC 7519 §4.1.1", |forge| {
            let list = json!([ISSUER]).to_string();
            with_claim(
                forge,
                "iss",
                &[
                    "null",
                    "1",
                    "true",
                    "{}",
                    "[]",
                    &list,
                    r#"{"https://login.example.com":1}"#,
                ],
            )
        }),
        accept("aud that names us", "RFC 7519 §4.1.3", |forge| {
            with_claim(
                forge,
                "aud",
                &[
                    "\"storefront\"",
                    "[\"storefront\"]",
                    "[\"a\",\"storefront\"]",
                    "[\"storefront\",\"a\",\"b\"]",
                    r#""\u0073torefront""#,
                ],
            )
        }),
        refuse("another aud", "RFC 7519 §4.1.3", |forge| {
            let mut tokens: Vec<_> = [
                "",
                "Storefront",
                "STOREFRONT",
                "storefront ",
                " storefront",
                "storefront/",
                "store",
                "storefronts",
                "a storefront",
                "storefront,a",
                "storefront\0",
                "*",
                "https://storefront",
            ]
            .iter()
            .flat_map(|aud| [json!(aud), json!([aud]), json!(["a", aud])])
            .map(|aud| forge.with_claim("aud", &aud.to_string()))
            .collect();
            tokens.push(forge.with_claim("aud", "[]"));
            tokens.push(forge.of_text(forge.header().text(), claims().without("aud").text()));
            tokens
        }),
        refuse("aud of a wrong type", "RFC 7519 §4.1.3", |forge| {
            let object = json!({AUDIENCE: AUDIENCE}).to_string();
            with_claim(
                forge,
                "aud",
                &[
                    "null",
                    "1",
                    "true",
                    &object,
                    "[1]",
                    "[null]",
                    "[\"storefront\",1]",
                    "[null,\"storefront\"]",
                    "[[\"storefront\"]]",
                    "[{\"a\":\"storefront\"}]",
                ],
            )
        }),
        accept("any sub", "RFC 7519 §4.1.2", |forge| {
            with_claim(
                forge,
                "sub",
                &["\"\"", "\"a\"", "\"Zo\u{eb}\"", "\"a:b/c?d\"", r#""\n""#],
            )
        }),
        refuse("sub that is no string", "RFC 7519 §4.1.2", |forge| {
            with_claim(forge, "sub", &["null", "1", "true", "[]", "[\"a\"]", "{}"])
        }),
        refuse("payload changed after signing", "RFC 7515 §5.2", |forge| {
            let [header, payload, signature] = forge.parts();
            let mut bytes = crate::forge::decode(&payload);
            let token = |index: usize| {
                bytes[index] ^= 1 << (index % 7);
                let token = format!("{header}.{}.{signature}", base64url(&bytes));
                bytes[index] ^= 1 << (index % 7);
                token
            };
            (0..crate::forge::decode(&payload).len())
                .map(token)
                .collect()
        }),
    ]
}
