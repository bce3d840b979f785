//! Tokens whose header, form, signature or key was tampered with.

use serde_json::json;

use super::policy::{ES, HS, POOL, RS, USELESS_KIDS};
use super::{Attack, get, refused};
use crate::forge::{Forge, SECRET, base64url, claims, decode};

pub const MALFORMED: &str = "token_malformed";
const ALGORITHM: &str = "token_algorithm";
pub const INVALID: &str = "token_invalid";

/// Refused with 401 under this path.
pub fn at(path: &str, name: impl Into<String>, token: &str, reason: &'static str) -> Attack {
    refused(
        name,
        get(path, &[("Authorization", &format!("Bearer {token}"))]),
        401,
        reason,
    )
}

/// Refused with 401 by the rule of `/token`.
pub fn token(name: impl Into<String>, token: &str, reason: &'static str) -> Attack {
    at("/token/x", name, token, reason)
}

/// A header of this text before good claims, signed.
pub fn of_header(forge: Forge, header: &str) -> String {
    forge.of_text(header, claims().text())
}

pub fn headers() -> Vec<Attack> {
    let mut attacks = Vec::new();
    let payload = base64url(claims().text());
    for none in ["none", "None", "NONE", "nOnE", "nonE", "nONE"] {
        let header = base64url(json!({"alg": none}).to_string());
        for (name, signature) in [
            ("empty", String::new()),
            ("of another", HS.signature("a.b")),
            ("of itself", HS.signature(&format!("{header}.{payload}"))),
        ] {
            attacks.push(token(
                format!("alg {none}, signature {name}"),
                &format!("{header}.{payload}.{signature}"),
                ALGORITHM,
            ));
        }
    }
    attacks.push(token(
        "alg none in escapes",
        &of_header(HS, r#"{"\u0061lg":"\u006eone"}"#),
        ALGORITHM,
    ));
    for forge in [HS, RS, ES] {
        let name = forge.name();
        for alg in [
            "",
            "hs256",
            "HS512",
            "PS256",
            "ES384",
            "EdDSA",
            "RS1",
            "A128GCM",
            "HS256,none",
            "HS256\0",
        ] {
            let odd = of_header(
                forge,
                &forge.header().with("alg", &json!(alg).to_string()).text(),
            );
            attacks.push(token(format!("{name} with alg {alg:?}"), &odd, ALGORITHM));
        }
        for (member, raw) in [
            ("alg", "null"),
            ("alg", "256"),
            ("alg", "[\"HS256\"]"),
            ("alg", "{}"),
            ("kid", "null"),
            ("kid", "1"),
            ("kid", "[\"hs\"]"),
            ("typ", "7"),
            ("crit", "[]"),
            ("crit", "[\"exp\"]"),
            ("crit", "\"exp\""),
            ("crit", "null"),
            ("b64", "false"),
            ("b64", "true"),
        ] {
            attacks.push(token(
                format!("{name} with {member}: {raw}"),
                &forge.with_header(member, raw),
                MALFORMED,
            ));
        }
        let text = forge.header().text();
        for (what, header) in [
            (
                "two algs, the first none",
                format!("{{\"alg\":\"none\",{}", &text[1..]),
            ),
            (
                "two algs, the last none",
                text.replace('}', ",\"alg\":\"none\"}"),
            ),
            ("two kids", text.replace('}', ",\"kid\":\"rsa\"}")),
            (
                "a second member in escapes",
                text.replace('}', ",\"\\u0061lg\":\"HS256\"}"),
            ),
            ("single quotes", text.replace('"', "'")),
            ("a comma too many", text.replace('}', ",}")),
            ("text behind", format!("{text}x")),
            ("a list", format!("[{text}]")),
            ("no alg", forge.header().without("alg").text()),
            ("a byte order mark", format!("\u{feff}{text}")),
            ("a comment", format!("/**/{text}")),
            ("nothing", "{}".to_owned()),
            ("a text", "\"HS256\"".to_owned()),
            ("a lone surrogate", text.replace('}', ",\"x\":\"\\ud800\"}")),
            ("a raw line break", text.replace('}', ",\"x\":\"a\nb\"}")),
        ] {
            attacks.push(token(
                format!("{name}, header with {what}"),
                &of_header(forge, &header),
                MALFORMED,
            ));
        }
        let [header, payload, signature] = forge.parts();
        let good = format!("{header}.{payload}.{signature}");
        for (what, broken) in [
            ("two segments", format!("{header}.{payload}")),
            ("an empty signature", format!("{header}.{payload}.")),
            ("four segments", format!("{good}.{signature}")),
            ("a dot behind", format!("{good}.")),
            ("a dot before", format!(".{good}")),
            ("an empty payload", format!("{header}..{signature}")),
            (
                "five segments",
                format!("{header}.{payload}.{signature}.a.b"),
            ),
            ("padding", format!("{good}=")),
            ("double padding", format!("{good}==")),
            (
                "padded header",
                forge.of_segments(&format!("{header}="), &payload),
            ),
            ("percent-encoding", good.replace('.', "%2e")),
            (
                "standard base64",
                forge.of_segments(
                    &base64url(r#"{"alg":"HS256","x":"???>>>"}"#)
                        .replace('_', "/")
                        .replace('-', "+"),
                    &payload,
                ),
            ),
            ("a quote before", format!("\"{good}\"")),
            ("only dots", "..".to_owned()),
            ("words", "not.a.token".to_owned()),
            ("9000 letters", "a".repeat(9000)),
        ] {
            attacks.push(token(format!("{name}, {what}"), &broken, MALFORMED));
        }
    }
    attacks.push(token(
        "trailing bits in the signature",
        &trailing(&HS.good()),
        MALFORMED,
    ));
    attacks.push(token(
        "trailing bits in a signature by RSA",
        &trailing(&RS.good()),
        MALFORMED,
    ));
    attacks.push(token(
        "trailing bits in a signature by ECDSA",
        &trailing(&ES.good()),
        MALFORMED,
    ));
    attacks
}

/// The same with another unused bit at its end.
fn trailing(token: &str) -> String {
    let (rest, last) = token.split_at(token.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    format!("{rest}{next}")
}

pub fn signatures() -> Vec<Attack> {
    let mut attacks = Vec::new();
    let hs = HS.header().without("kid");
    for (forge, kid) in [(RS, "rsa"), (ES, "p256")] {
        let pem = forge.public_pem().unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        for (what, secret) in [
            ("PEM", pem.to_owned()),
            ("PEM without its last line break", pem.trim_end().to_owned()),
            ("base64", body),
            ("JWK", forge.jwk().to_string()),
            ("empty text", String::new()),
        ] {
            let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
            for header in [hs.clone(), hs.clone().with("kid", &json!(kid).to_string())] {
                let forged = HS.signed_by(&header, &key);
                attacks.push(token(
                    format!("HMAC by the {what} of {kid}, {}", header.text()),
                    &forged,
                    INVALID,
                ));
                attacks.push(at(
                    "/rsa/x",
                    format!("HMAC by the {what} of {kid} where only RS256 is"),
                    &forged,
                    ALGORITHM,
                ));
            }
        }
    }
    for forge in [HS, RS, ES] {
        let name = forge.name();
        let foreign = forge.foreign_key().unwrap();
        let jwk = forge.jwk_of(&foreign).to_string();
        for (member, raw) in [
            ("jwk", jwk.as_str()),
            ("jku", "\"https://evil.example.com/k\""),
            ("x5u", "\"https://evil.example.com/c\""),
            ("x5c", "[\"MIIB\"]"),
            ("kid", "\"evil\""),
        ] {
            let header = forge.header().with(member, raw);
            attacks.push(token(
                format!("{name} by a foreign key, with {member}"),
                &forge.signed_by(&header, &foreign),
                INVALID,
            ));
        }
        attacks.push(token(
            format!("{name} by a foreign key"),
            &forge.signed_by(&forge.header(), &foreign),
            INVALID,
        ));
        for kid in [
            "",
            "x",
            "../../../dev/null",
            "' OR 1=1 --",
            "|id",
            "http://evil.example.com/",
            "HS",
            "ed",
            "p384",
        ] {
            attacks.push(token(
                format!("{name} with kid {kid:?}"),
                &forge.with_header("kid", &json!(kid).to_string()),
                INVALID,
            ));
        }
        for other in ["HS256", "RS256", "ES256"]
            .iter()
            .filter(|other| **other != name)
        {
            attacks.push(token(
                format!("{name} that says {other}"),
                &forge.with_header("alg", &json!(other).to_string()),
                INVALID,
            ));
        }
        let [header, payload, signature] = forge.parts();
        let good = decode(&signature);
        let n = good.len();
        let (mut first, mut last) = (good.clone(), good.clone());
        (first[0], last[n - 1]) = (good[0] ^ 0x80, good[n - 1] ^ 1);
        let other = forge.with_claim("sub", "\"other\"");
        for (what, bytes) in [
            ("cut by one", good[..n - 1].to_vec()),
            ("cut to one", good[..1].to_vec()),
            ("cut to half", good[..n / 2].to_vec()),
            ("without its first byte", good[1..].to_vec()),
            ("with a zero behind", [&good[..], &[0]].concat()),
            ("with a zero before", [&[0], &good[..]].concat()),
            ("twice", [&good[..], &good].concat()),
            ("of zeros", vec![0; n]),
            ("of ones", vec![0xff; n]),
            ("with its first bit changed", first),
            ("with its last bit changed", last),
            (
                "with its halves swapped",
                [&good[n / 2..], &good[..n / 2]].concat(),
            ),
            (
                "of another token",
                decode(other.rsplit('.').next().unwrap()),
            ),
            ("of 32 bytes", vec![1; 32]),
            ("of 64 bytes", vec![1; 64]),
            ("of 256 bytes", vec![1; 256]),
        ] {
            attacks.push(token(
                format!("{name}, signature {what}"),
                &format!("{header}.{payload}.{}", base64url(bytes)),
                INVALID,
            ));
        }
        for (what, claims) in [
            ("admin", claims().with("sub", "\"admin\"")),
            ("longer", claims().with("exp", "4000000001")),
            ("empty", claims().without("sub")),
        ] {
            attacks.push(token(
                format!("{name}, claims changed: {what}"),
                &format!("{header}.{}.{signature}", base64url(claims.text())),
                INVALID,
            ));
        }
        // Before its signature a token learns nothing about its claims.
        let forged = |raw: &str| base64url(claims().with("exp", raw).text());
        for raw in ["0", "\"x\"", "null"] {
            attacks.push(token(
                format!("{name}, forged with exp {raw}"),
                &format!("{header}.{}.{signature}", forged(raw)),
                INVALID,
            ));
        }
    }
    let [header, payload, signature] = ES.parts();
    let good = decode(&signature);
    let (r, s) = good.split_at(32);
    let n = [
        &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0][..],
        &[0xff; 8],
        &[
            0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
            0x25, 0x51,
        ],
    ]
    .concat();
    let zero = [0; 32];
    for (what, bytes) in [
        ("r 0", [&zero[..], s].concat()),
        ("s 0", [r, &zero].concat()),
        ("r n", [&n[..], s].concat()),
        ("s n", [r, &n].concat()),
        ("both n", [&n[..], &n].concat()),
        ("r and s in 33 bytes", [&[0], r, &[0], s].concat()),
        (
            "DER",
            [&[0x30, 0x44, 2, 0x20][..], r, &[2, 0x20], s].concat(),
        ),
    ] {
        attacks.push(token(
            format!("ES256, {what}"),
            &format!("{header}.{payload}.{}", base64url(bytes)),
            INVALID,
        ));
    }
    let short = jsonwebtoken::EncodingKey::from_secret(&SECRET[..32]);
    attacks.push(token(
        "HS256 by the beginning of the secret",
        &HS.signed_by(&HS.header(), &short),
        INVALID,
    ));
    // A set that is fetched: foreign keys, unknown ids, another issuer.
    let pool = json!(POOL).to_string();
    let of_pool = claims().with("iss", &pool).text();
    for (kid, what) in USELESS_KIDS {
        let header = RS.header().with("kid", &json!(kid).to_string());
        let forged = RS.of_text(header.text(), &of_pool);
        attacks.push(at(
            "/remote/x",
            format!("RS256 by {what}"),
            &forged,
            INVALID,
        ));
    }
    for forge in [RS, ES] {
        let name = forge.name();
        attacks.push(at(
            "/remote/x",
            format!("{name}, a key of another authenticator"),
            &forge.with_claim("iss", &pool),
            INVALID,
        ));
        attacks.push(at(
            "/remote/x",
            format!("{name}, another issuer"),
            &forge.good(),
            INVALID,
        ));
        attacks.push(at(
            "/remote/x",
            format!("{name}, the set's kid"),
            &forge.with_header("kid", "\"a\""),
            INVALID,
        ));
    }
    attacks.push(at(
        "/remote/x",
        "HS256 where a set is fetched",
        &HS.with_claim("iss", &pool),
        ALGORITHM,
    ));
    attacks
}
