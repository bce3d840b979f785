//! What holds a token together: segments, encoding, signature.

use jsonwebtoken::Algorithm;

use super::families::{Family, accept, refuse};
use crate::forge::{Forge, base64url, claims, decode};

/// Every form the segments can take but for these three, each signed anew where something is left to sign.
fn segments(forge: Forge) -> Vec<String> {
    let [header, payload, signature] = forge.parts();
    let text = format!("{header}.{payload}");
    let good = forge.good();
    let mut tokens = vec![
        header.clone(),
        text.clone(),
        format!("{text}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        "..".into(),
        ".".into(),
        "...".into(),
        format!(".{good}"),
        format!("{good}."),
        format!("{good}.."),
        format!("{good}.x"),
        format!("{good}.{signature}"),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}..{signature}"),
        format!("{good}.{good}"),
        format!("{payload}.{header}.{signature}"),
        format!("{header}.{signature}.{payload}"),
        format!("{header}:{payload}:{signature}"),
        format!("{header}{payload}{signature}"),
        format!("{text}.{signature}.{signature}.{signature}"),
        good.replace('.', "%2E"),
        good.replace('.', "\u{3002}"),
        "null".into(),
        "undefined".into(),
        "{}".into(),
    ];
    for extra in [
        format!("{text}.extra"),
        format!("extra.{text}"),
        format!("{text}..extra"),
        format!(".{text}"),
    ] {
        tokens.push(format!("{extra}.{}", forge.signature(&extra)));
    }
    tokens.push(forge.of_segments(&header, ""));
    tokens.push(forge.of_segments("", &payload));
    tokens
}

/// The same bits with others in the unused ones of the last letter.
fn trailing_bits(segment: &str) -> Vec<String> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let unused = match segment.len() % 4 {
        2 => 4,
        3 => 2,
        _ => return Vec::new(),
    };
    let (rest, last) = segment.split_at(segment.len() - 1);
    let value = LETTERS
        .iter()
        .position(|letter| *letter == last.as_bytes()[0])
        .unwrap();
    (1..1 << unused)
        .map(|bits| format!("{rest}{}", char::from(LETTERS[value | bits])))
        .collect()
}

/// A payload of this length modulo 3, so that its base64url has unused bits, or `-` and `_`.
fn header_and_payload(forge: Forge) -> (String, String) {
    (0..3)
        .map(|extra| {
            let header = forge
                .header()
                .with("x", &format!("\"{}\"", "~?".repeat(2) + &"x".repeat(extra)));
            let payload = claims().with("x", &format!("\"\u{fbff}~?~?>{}\"", "x".repeat(extra)));
            (base64url(header.text()), base64url(payload.text()))
        })
        .find(|(header, payload)| header.len() % 4 != 0 && payload.len() % 4 != 0)
        .unwrap_or_else(|| {
            (
                base64url(forge.header().text()),
                base64url(claims().with("x", "\"x\"").text()),
            )
        })
}

fn encodings(forge: Forge) -> Vec<String> {
    let (header, payload) = header_and_payload(forge);
    let signature = forge.signature(&format!("{header}.{payload}"));
    let mut tokens = Vec::new();
    for other in trailing_bits(&header) {
        tokens.push(forge.of_segments(&other, &payload));
    }
    for other in trailing_bits(&payload) {
        tokens.push(forge.of_segments(&header, &other));
    }
    for other in trailing_bits(&signature) {
        tokens.push(format!("{header}.{payload}.{other}"));
    }
    tokens
}

fn padding(forge: Forge) -> Vec<String> {
    let (header, payload) = header_and_payload(forge);
    let signature = forge.signature(&format!("{header}.{payload}"));
    let mut tokens = Vec::new();
    for pad in ["=", "==", "%3D"] {
        tokens.push(forge.of_segments(&format!("{header}{pad}"), &payload));
        tokens.push(forge.of_segments(&header, &format!("{payload}{pad}")));
        tokens.push(format!("{header}.{payload}.{signature}{pad}"));
    }
    tokens
}

fn foreign_characters(forge: Forge) -> Vec<String> {
    let (header, payload) = header_and_payload(forge);
    let signature = forge.signature(&format!("{header}.{payload}"));
    let mut tokens = Vec::new();
    let middle = |segment: &str, put: &str| {
        let (left, right) = segment.split_at(segment.len() / 2);
        format!("{left}{put}{right}")
    };
    for put in [
        " ", "\t", "+", "/", "=", "!", "*", "~", "\"", "'", "%20", "%00", "\u{eb}", "\\n",
    ] {
        tokens.push(forge.of_segments(&middle(&header, put), &payload));
        tokens.push(forge.of_segments(&header, &middle(&payload, put)));
        tokens.push(format!("{header}.{payload}.{}", middle(&signature, put)));
    }
    for put in [" ", "\t", "\"", "'", "%20", "\u{eb}", "\\n"] {
        let good = format!("{header}.{payload}.{signature}");
        tokens.extend([
            format!("{put}x{good}"),
            format!("{good}{put}x"),
            format!("{header}{put}.{payload}.{signature}"),
            format!("{header}.{put}{payload}.{signature}"),
        ]);
    }
    tokens
}

fn lengths(forge: Forge) -> Vec<String> {
    let [header, payload, signature] = forge.parts();
    let good = decode(&signature);
    let n = good.len();
    let cuts = [
        1,
        2,
        8,
        16,
        n / 2 - 1,
        n / 2,
        n / 2 + 1,
        n - 16,
        n - 2,
        n - 1,
    ];
    let mut others: Vec<Vec<u8>> = cuts
        .into_iter()
        .flat_map(|cut| [good[..cut].to_vec(), good[n - cut..].to_vec()])
        .collect();
    for extra in [1, 2, 3, 4, 32] {
        for byte in [0, 0xff] {
            let pad = vec![byte; extra];
            others.extend([[&pad, &good[..]].concat(), [&good[..], &pad].concat()]);
        }
    }
    others.extend([
        [&good[..], &good].concat(),
        vec![0; n],
        vec![0xff; n],
        good.iter().rev().copied().collect(),
        vec![0],
        [&good[n / 2..], &good[..n / 2]].concat(),
    ]);
    others
        .iter()
        .map(|other| format!("{header}.{payload}.{}", base64url(other)))
        .collect()
}

/// The order of the curve's group.
fn order(forge: Forge) -> Option<Vec<u8>> {
    let hex = match forge.0 {
        Algorithm::ES256 => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        Algorithm::ES384 => {
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"
        }
        _ => return None,
    };
    Some(
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect(),
    )
}

/// a − b of numbers of one length, where a is larger.
fn minus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut digits: Vec<u8> = std::iter::zip(a, b)
        .rev()
        .map(|(a, b)| {
            let digit = i16::from(*a) - i16::from(*b) - borrow;
            borrow = i16::from(digit < 0);
            digit.rem_euclid(256) as u8
        })
        .collect();
    digits.reverse();
    digits
}

/// An ASN.1 SEQUENCE of two INTEGERs.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let sign = if number[zeros] >= 0x80 { &[0][..] } else { &[] };
        let bytes = [sign, &number[zeros..]].concat();
        [&[2, bytes.len() as u8][..], &bytes].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [&[0x30, body.len() as u8][..], &body].concat()
}

fn ecdsa_forms(forge: Forge) -> Vec<String> {
    let Some(n) = order(forge) else {
        return Vec::new();
    };
    let [header, payload, signature] = forge.parts();
    let good = decode(&signature);
    let (r, s) = good.split_at(n.len());
    let zero = vec![0; n.len()];
    let mut one = zero.clone();
    *one.last_mut().unwrap() = 1;
    let ones = vec![0xff; n.len()];
    let mut others = vec![der(r, s), [der(r, s), vec![0; 2]].concat()];
    for (r, s) in [
        (&zero[..], &zero[..]),
        (&zero, &one),
        (&one, &zero),
        (&one, &one),
        (r, &zero),
        (&zero, s),
        (&n, &n),
        (&n, &zero),
        (&zero, &n),
        (r, &n),
        (&n, s),
        (&ones, s),
        (r, &ones),
        (&minus(&n, r), s),
        (&minus(&n, &one), &minus(&n, &one)),
        (&n, &one),
        (&one, &n),
        (s, r),
        (r, r),
        (s, s),
    ] {
        others.push([r, s].concat());
    }
    // Numbers in more bytes than they need.
    others.extend([
        [&[0], r, &[0], s].concat(),
        [&[0, 0], r, &[0, 0], s].concat(),
    ]);
    others
        .iter()
        .map(|other| format!("{header}.{payload}.{}", base64url(other)))
        .collect()
}

fn changed(forge: Forge) -> Vec<String> {
    let [header, payload, signature] = forge.parts();
    let good = decode(&signature);
    let step = good.len().div_ceil(96);
    let token = |index: usize| {
        let mut bytes = good.clone();
        bytes[index] ^= 1 << (index % 8);
        format!("{header}.{payload}.{}", base64url(&bytes))
    };
    (0..good.len()).step_by(step).map(token).collect()
}

pub fn all() -> Vec<Family> {
    vec![
        accept("good", "RFC 7515 §5.2", |forge| {
            (0..8)
                .map(|number| forge.with_claim("jti", &format!("\"{number}\"")))
                .collect()
        }),
        accept(
            "ECDSA with s above half of the order",
            "RFC 7518 §3.4",
            |forge| {
                let Some(n) = order(forge) else {
                    return Vec::new();
                };
                let both = |number: usize| {
                    let good = forge.with_claim("jti", &format!("\"{number}\""));
                    let (text, signature) = good.rsplit_once('.').unwrap();
                    let signature = decode(signature);
                    let (r, s) = signature.split_at(n.len());
                    [
                        good.clone(),
                        format!("{text}.{}", base64url([r, &minus(&n, s)].concat())),
                    ]
                };
                (0..4).flat_map(both).collect()
            },
        ),
        refuse(
            "not three segments",
            "RFC 7515 §7.1, RFC 7519 §7.2",
            segments,
        ),
        refuse(
            "bits behind the end of a segment",
            "RFC 7515 §2, RFC 4648 §3.5",
            encodings,
        ),
        refuse("padding", "RFC 7515 §2", padding),
        refuse(
            "characters outside of base64url",
            "RFC 7515 §2, RFC 4648 §3.3",
            foreign_characters,
        ),
        refuse(
            "signature of another length",
            "RFC 7518 §3.2 to §3.5, RFC 8032 §5.1.7",
            lengths,
        ),
        refuse("ECDSA in another form", "RFC 7518 §3.4", ecdsa_forms),
        refuse("signature of another token", "RFC 7515 §5.2", |forge| {
            let [header, payload, _] = forge.parts();
            (0..8)
                .map(|number| {
                    let other = forge.with_claim("jti", &format!("\"{number}\""));
                    format!("{header}.{payload}.{}", other.rsplit_once('.').unwrap().1)
                })
                .collect()
        }),
        refuse("signature changed", "RFC 7515 §5.2", changed),
    ]
}
