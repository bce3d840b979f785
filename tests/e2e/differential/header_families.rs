//! What a token says about itself: its header's form, algorithm, key and extensions.

use serde_json::json;

use super::families::{Family, accept, open, refuse};
use crate::forge::{ALGORITHMS, Forge, SECRET, base64url, claims, decode};

fn with_header(forge: Forge, name: &str, values: &[&str]) -> Vec<String> {
    values
        .iter()
        .map(|raw| forge.with_header(name, raw))
        .collect()
}

fn of_headers(forge: Forge, headers: &[Vec<u8>]) -> Vec<String> {
    let claims = claims().text();
    headers
        .iter()
        .map(|header| forge.of_text(header, &claims))
        .collect()
}

/// `none` in every letter case.
fn nones() -> Vec<String> {
    let spell = |mask: u8| {
        let letter = |(index, letter): (usize, char)| match mask >> index & 1 {
            1 => letter.to_ascii_uppercase(),
            _ => letter,
        };
        "none".chars().enumerate().map(letter).collect()
    };
    (0..16).map(spell).collect()
}

/// HMAC by what an attacker may know of a public key.
fn with_public_key_as_secret(forge: Forge) -> Vec<String> {
    let Some(pem) = forge.public_pem() else {
        return Vec::new();
    };
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &body).unwrap();
    let jwk = forge.jwk();
    let mut secrets: Vec<Vec<u8>> = vec![
        pem.into(),
        pem.trim_end().into(),
        pem.replace('\n', "\r\n").into(),
        body.into(),
        der,
        jwk.to_string().into(),
        vec![],
        crate::forge::jwks().to_string().into(),
    ];
    for member in ["n", "x", "y"] {
        if let Some(text) = jwk[member].as_str() {
            secrets.extend([text.into(), decode(text)]);
        }
    }
    let hs = Forge(jsonwebtoken::Algorithm::HS256);
    let mut tokens = Vec::new();
    for secret in secrets {
        let key = jsonwebtoken::EncodingKey::from_secret(&secret);
        for header in [
            hs.header().without("kid"),
            hs.header().with("kid", &json!(forge.kid()).to_string()),
        ] {
            tokens.push(hs.signed_by(&header, &key));
        }
    }
    tokens
}

/// Headers that bring a key of the attacker's, or tell where one can be fetched.
fn key_members(jwk: &serde_json::Value) -> Vec<(&'static str, String)> {
    vec![
        ("jwk", jwk.to_string()),
        ("jku", "\"https://evil.example.com/jwks.json\"".to_owned()),
        ("x5u", "\"https://evil.example.com/cert.pem\"".to_owned()),
        ("x5c", "[\"MIIB\"]".to_owned()),
        ("x5t", "\"AAAA\"".to_owned()),
        ("x5t#S256", "\"AAAA\"".to_owned()),
    ]
}

pub fn all() -> Vec<Family> {
    vec![
        accept("good, other header members", "RFC 7515 §4.3", |forge| {
            let mut tokens = with_header(
                forge,
                "x",
                &[
                    "null",
                    "true",
                    "1.5",
                    "\"\"",
                    "[]",
                    "[[{}]]",
                    r#"{"a":"b"}"#,
                    r#""\u00eb""#,
                ],
            );
            tokens.extend(with_header(
                forge,
                "typ",
                &[
                    "\"JWT\"",
                    "\"jwt\"",
                    "\"at+jwt\"",
                    "\"application/at+jwt\"",
                    "\"\"",
                    "\"anything\"",
                ],
            ));
            tokens.extend(with_header(forge, "cty", &["\"json\"", "\"\""]));
            tokens
        }),
        accept(
            "good, other spellings of the header",
            "RFC 8259 §2",
            |forge| {
                let text = forge.header().text();
                let headers = [
                    text.clone(),
                    text.replace(',', " ,\n").replace(':', " : "),
                    format!("\t{text} "),
                    forge.header().reversed().text(),
                    text.replace("\"alg\"", r#""\u0061lg""#),
                    forge.header().without("typ").text(),
                ];
                of_headers(forge, &headers.map(String::into_bytes))
            },
        ),
        accept("good, without kid", "RFC 7515 §4.1.4", |forge| {
            of_headers(forge, &[forge.header().without("kid").text().into_bytes()])
        }),
        accept(
            "good, with unused keys in the header",
            "RFC 7515 §4.1.2 to §4.1.8",
            |forge| {
                let jwk = forge
                    .foreign_key()
                    .map_or(json!({}), |key| forge.jwk_of(&key));
                key_members(&jwk)
                    .iter()
                    .map(|(name, raw)| forge.with_header(name, raw))
                    .collect()
            },
        ),
        refuse(
            "signed by a key that the header brings",
            "RFC 7515 §10.1, RFC 8725 §3.10",
            |forge| {
                let Some(key) = forge.foreign_key() else {
                    return Vec::new();
                };
                let jwk = forge.jwk_of(&key);
                let mut tokens = Vec::new();
                for (name, raw) in key_members(&jwk) {
                    for header in [
                        forge.header(),
                        forge.header().without("kid"),
                        forge.header().with("kid", "\"evil\""),
                    ] {
                        tokens.push(forge.signed_by(&header.with(name, &raw), &key));
                    }
                }
                tokens
            },
        ),
        refuse("signed by another key", "RFC 7515 §5.2", |forge| {
            let Some(key) = forge.foreign_key() else {
                return Vec::new();
            };
            [
                forge.header(),
                forge.header().without("kid"),
                forge.header().with("typ", "\"at+jwt\""),
            ]
            .map(|header| forge.signed_by(&header, &key))
            .to_vec()
        }),
        open(
            "kid of another key",
            "RFC 7515 §4.1.4",
            "the key that the token names did not sign it",
            |forge| {
                let kids = ALGORITHMS.map(|each| Forge(each).kid());
                let others = kids.iter().filter(|kid| **kid != forge.kid());
                others
                    .map(|kid| forge.with_header("kid", &json!(kid).to_string()))
                    .collect()
            },
        ),
        open(
            "unknown kid",
            "RFC 7515 §4.1.4, RFC 7517 §4.5",
            "a key that left the set must not come back as a guess",
            |forge| {
                let upper = forge.kid().to_uppercase();
                let kids = [
                    "",
                    "x",
                    upper.as_str(),
                    "../../../dev/null",
                    "/dev/null",
                    "' OR '1'='1",
                    "rsa' --",
                    "hs\0",
                    "hs ",
                    "$(id)",
                    "http://evil.example.com/",
                    "0",
                    "*",
                    "../hs",
                    "p256,hs",
                    "\u{eb}",
                ];
                kids.iter()
                    .map(|kid| forge.with_header("kid", &json!(kid).to_string()))
                    .collect()
            },
        ),
        refuse("kid that is no string", "RFC 7515 §4.1.4", |forge| {
            let list = json!([forge.kid()]).to_string();
            with_header(forge, "kid", &["null", "0", "true", "{}", "[]", &list])
        }),
        refuse("typ that is no string", "RFC 7515 §4.1.9", |forge| {
            with_header(forge, "typ", &["null", "1", "true", "[\"JWT\"]", "{}"])
        }),
        refuse("alg none", "RFC 8725 §3.2, RFC 7518 §3.6", |forge| {
            let payload = base64url(claims().text());
            let mut tokens = Vec::new();
            for name in nones() {
                let header = base64url(forge.header().with("alg", &json!(name).to_string()).text());
                let text = format!("{header}.{payload}");
                tokens.extend([
                    format!("{text}."),
                    text.clone(),
                    format!("{text}.{}", forge.signature(&text)),
                    format!("{text}.AA"),
                ]);
            }
            let escaped = base64url(r#"{"\u0061lg":"n\u006fne"}"#);
            tokens.push(format!("{escaped}.{payload}."));
            tokens
        }),
        refuse(
            "alg that is not one",
            "RFC 7515 §4.1.1, RFC 7518 §3.1",
            |forge| {
                let name = forge.name();
                let odd = [
                    String::new(),
                    name.to_lowercase(),
                    format!("{name} "),
                    format!(" {name}"),
                    format!("{name}\0"),
                    name.replace("256", ""),
                    "HS1".into(),
                    "RS1".into(),
                    "SHA256".into(),
                    "A128GCM".into(),
                    "dir".into(),
                    "RSA-OAEP".into(),
                    "ES256K".into(),
                    "HS2048".into(),
                    "Ed448".into(),
                    format!("{name},{name}"),
                    "true".into(),
                    "null".into(),
                ];
                odd.iter()
                    .filter(|each| **each != name)
                    .map(|alg| forge.with_header("alg", &json!(alg).to_string()))
                    .collect()
            },
        ),
        refuse("alg that is no string", "RFC 7515 §4.1.1", |forge| {
            let mut tokens = with_header(
                forge,
                "alg",
                &[
                    "null",
                    "256",
                    "true",
                    "{}",
                    "[]",
                    &json!([forge.name()]).to_string(),
                ],
            );
            tokens.extend(of_headers(
                forge,
                &[
                    forge.header().without("alg").text().into_bytes(),
                    b"{}".to_vec(),
                    forge
                        .header()
                        .without("alg")
                        .with("Alg", &json!(forge.name()).to_string())
                        .text()
                        .into_bytes(),
                ],
            ));
            tokens
        }),
        refuse("alg of another key", "RFC 8725 §3.1", |forge| {
            let others = [
                "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
                "ES256", "ES384", "ES512", "EdDSA",
            ];
            let others = others.iter().filter(|name| **name != forge.name());
            let mut tokens = Vec::new();
            for name in others {
                let header = forge.header().with("alg", &json!(name).to_string());
                tokens.push(forge.of_text(header.text(), claims().text()));
                tokens.push(forge.of_text(header.without("kid").text(), claims().text()));
            }
            tokens
        }),
        refuse(
            "HMAC by a public key",
            "RFC 8725 §2.1, §3.1",
            with_public_key_as_secret,
        ),
        refuse(
            "HMAC by another form of the secret",
            "RFC 7515 §5.2",
            |forge| {
                if forge != Forge(jsonwebtoken::Algorithm::HS256) {
                    return Vec::new();
                }
                let secrets = [
                    base64url(SECRET).into_bytes(),
                    SECRET[..32].to_vec(),
                    SECRET[..47].to_vec(),
                    [SECRET, b"!"].concat(),
                    vec![],
                ];
                secrets
                    .map(|secret| {
                        forge.signed_by(
                            &forge.header(),
                            &jsonwebtoken::EncodingKey::from_secret(&secret),
                        )
                    })
                    .to_vec()
            },
        ),
        refuse("crit", "RFC 7515 §4.1.11", |forge| {
            let values = [
                "[\"exp\"]",
                "[\"x\"]",
                "[]",
                "null",
                "\"exp\"",
                "[1]",
                "{}",
                "true",
                "[\"alg\"]",
                "[\"\"]",
                "[\"x\",\"x\"]",
                "[\"http://example.com/UNDEFINED\"]",
            ];
            let mut tokens = Vec::new();
            for raw in values {
                tokens.push(forge.with_header("crit", raw));
                let header = forge
                    .header()
                    .with("crit", raw)
                    .with("exp", "4000000000")
                    .with("x", "true");
                tokens.push(forge.of_text(header.text(), claims().text()));
            }
            tokens
        }),
        refuse(
            "b64 as critical extension",
            "RFC 7515 §4.1.11, RFC 7797 §6",
            |forge| {
                ["false", "true"]
                    .map(|raw| {
                        forge.of_text(
                            forge
                                .header()
                                .with("b64", raw)
                                .with("crit", "[\"b64\"]")
                                .text(),
                            claims().text(),
                        )
                    })
                    .to_vec()
            },
        ),
        open(
            "b64 without crit",
            "RFC 7797 §6",
            "who knows b64 and who doesn't read two different payloads",
            |forge| with_header(forge, "b64", &["false", "true", "null", "\"false\"", "0"]),
        ),
        open(
            "a header member twice",
            "RFC 7515 §4",
            "two programs may each see another one of the two",
            |forge| {
                let text = forge.header().text();
                let open = text.trim_end_matches('}');
                let headers = [
                    format!("{{\"alg\":\"none\",{}", &text[1..]),
                    format!("{open},\"alg\":{}}}", json!(forge.name())),
                    format!("{{\"kid\":\"x\",{}", &text[1..]),
                    format!("{open},\"x\":1,\"x\":1}}"),
                    format!("{open},\"x\":{{\"a\":1,\"a\":2}}}}"),
                    format!("{{\"\\u0061lg\":\"none\",{}", &text[1..]),
                ];
                of_headers(forge, &headers.map(String::into_bytes))
            },
        ),
        open(
            "header that programs read differently",
            "RFC 8259 §6, §8.1, §8.2, RFC 7493 §2.1",
            "as in the payload",
            |forge| {
                let with = |raw: &str| forge.header().with("x", raw).text();
                let headers = [
                    format!("\u{feff}{}", forge.header().text()),
                    with(r#""\ud800""#),
                    with("1e400"),
                ];
                of_headers(forge, &headers.map(String::into_bytes))
            },
        ),
        open(
            "more than 32 header members",
            "RFC 8259 §9",
            "a bound keeps the search for duplicates short",
            |forge| {
                let many = (0..33).fold(forge.header(), |header, number| {
                    header.with(&format!("x{number}"), "1")
                });
                of_headers(forge, &[many.text().into_bytes()])
            },
        ),
        refuse("header that is no JSON object", "RFC 7515 §5.2", |forge| {
            let text = forge.header().text();
            let open = text.trim_end_matches('}');
            let mut headers: Vec<Vec<u8>> = [
                "[]".to_owned(),
                "null".into(),
                "1".into(),
                json!(forge.name()).to_string(),
                format!("[{text}]"),
                text.replace('"', "'"),
                format!("{open},}}"),
                format!("{text}x"),
                format!("{text}{text}"),
                format!("/**/{text}"),
                open.to_owned(),
                text[1..].to_owned(),
                text.replace("\"alg\"", "alg"),
                format!("{text}\0"),
                format!("{open},\"x\":NaN}}"),
                format!("{open},\"x\":01}}"),
                format!("{open},\"x\":\"a\tb\"}}"),
            ]
            .map(String::into_bytes)
            .to_vec();
            for bytes in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80"] {
                headers.push([open.as_bytes(), b",\"x\":\"", bytes, b"\"}"].concat());
            }
            of_headers(forge, &headers)
        }),
        refuse("header changed after signing", "RFC 7515 §5.2", |forge| {
            let [header, payload, signature] = forge.parts();
            let bytes = decode(&header);
            let token = |index: usize| {
                let mut bytes = bytes.clone();
                bytes[index] ^= 1 << (index % 7);
                format!("{}.{payload}.{signature}", base64url(&bytes))
            };
            (0..bytes.len()).map(token).collect()
        }),
    ]
}
