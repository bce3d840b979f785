//! What isn't a compact JWS.

use super::*;

const TOKEN_PARTS: [&str; 2] = [r#"{"alg":"HS256"}"#, r#"{"exp":1}"#];

fn with_header(header: &str) -> String {
    sign_text(Algorithm::Hs256, header, TOKEN_PARTS[1])
}

#[test]
fn headers_are_read_strictly() {
    use TokenError::{Algorithm as Alg, Malformed};
    for (header, expected) in [
        (r#"{"alg":"HS256"}"#, None),
        (r#" { "alg" : "HS256" } "#, None),
        (r#"{"alg":"\u0048S256"}"#, None),
        (r#"{"typ":"JWT","alg":"HS256","kid":""}"#, None),
        (
            r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AA"},"jku":"https://x","x5u":1,"x5c":[]}"#,
            None,
        ),
        (r#"{"alg":"none"}"#, Some(Alg)),
        (r#"{"alg":"None"}"#, Some(Alg)),
        (r#"{"alg":"nOnE"}"#, Some(Alg)),
        (r#"{"alg":"hs256"}"#, Some(Alg)),
        (r#"{"alg":"HS256 "}"#, Some(Alg)),
        (r#"{"alg":""}"#, Some(Alg)),
        (r#"{"alg":"HS256\u0000"}"#, Some(Alg)),
        (r#"{}"#, Some(Malformed)),
        (r#"{"ALG":"HS256"}"#, Some(Malformed)),
        (r#"{"alg":null}"#, Some(Malformed)),
        (r#"{"alg":["HS256"]}"#, Some(Malformed)),
        (r#"{"alg":"HS256","alg":"HS256"}"#, Some(Malformed)),
        (r#"{"alg":"none","alg":"HS256"}"#, Some(Malformed)),
        (r#"{"alg":"HS256","\u0061lg":"none"}"#, Some(Malformed)),
        (r#"{"alg":"HS256","kid":"a","kid":"b"}"#, Some(Malformed)),
        (r#"{"alg":"HS256","x":1,"x":2}"#, Some(Malformed)),
        (r#"{"alg":"HS256","jwk":{"k":1,"k":2}}"#, Some(Malformed)),
        (r#"{"alg":"HS256","kid":1}"#, Some(Malformed)),
        (r#"{"alg":"HS256","kid":null}"#, Some(Malformed)),
        (r#"{"alg":"HS256","typ":["JWT"]}"#, Some(Malformed)),
        (r#"{"alg":"HS256","crit":["exp"],"exp":1}"#, Some(Malformed)),
        (r#"{"alg":"HS256","crit":[]}"#, Some(Malformed)),
        (r#"{"alg":"HS256","crit":null}"#, Some(Malformed)),
        (r#"{"alg":"HS256","b64":true}"#, Some(Malformed)),
        (r#"{"alg":"HS256","b64":false}"#, Some(Malformed)),
        (r#"{'alg':'HS256'}"#, Some(Malformed)),
        (r#"{"alg":"HS256"} x"#, Some(Malformed)),
        (r#"{"alg":"HS256",}"#, Some(Malformed)),
        (r#"["alg","HS256"]"#, Some(Malformed)),
        (r#""HS256""#, Some(Malformed)),
        (r#"null"#, Some(Malformed)),
        ("", Some(Malformed)),
        ("\u{feff}{\"alg\":\"HS256\"}", Some(Malformed)),
    ] {
        assert_eq!(parse(&with_header(header)).err(), expected, "{header}");
    }
}

#[test]
fn headers_are_bounded() {
    let members = |count: usize| {
        let more: String = (1..count).map(|n| format!(r#","m{n}":{n}"#)).collect();
        with_header(&format!(r#"{{"alg":"HS256"{more}}}"#))
    };
    assert!(parse(&members(MAX_HEADER_MEMBERS)).is_ok());
    assert!(parse(&members(MAX_HEADER_MEMBERS + 1)).is_err());
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        with_header(&format!(r#"{{"alg":"HS256","x":{open}{close}}}"#))
    };
    assert!(parse(&deep(31)).is_ok());
    assert!(parse(&deep(32)).is_err());
    assert!(parse(&deep(2000)).is_err());
}

#[test]
fn three_segments_of_canonical_base64url_and_nothing_else() {
    let token = sign_text(Algorithm::Hs256, TOKEN_PARTS[0], TOKEN_PARTS[1]);
    let key = key(Algorithm::Hs256);
    assert!(accepts(token.as_bytes(), &key));
    let [header, payload, signature]: [&str; 3] =
        token.split('.').collect::<Vec<_>>().try_into().unwrap();
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        header.into(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}.{payload}..{signature}"),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{token}="),
        format!("{token}=="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{header}.{payload}.{signature}A"),
        format!("{header} .{payload}.{signature}"),
        format!("{header}.{payload}\0.{signature}"),
        format!("{header}.{payload}.{signature}é"),
        format!("{token},{token}"),
        format!("\"{token}\""),
    ] {
        assert!(!accepts(bad.as_bytes(), &key), "{bad:?}");
    }
    for empty in [
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
    ] {
        assert_eq!(parse(&empty).err(), Some(TokenError::Malformed), "{empty}");
    }
    // Eight bits of a segment's last character stand for nothing: only zeros are canonical.
    let last = signature.chars().last().unwrap();
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let changed = format!("{}{other}", &token[..token.len() - 1]);
        assert_eq!(accepts(changed.as_bytes(), &key), other == last, "{other}");
    }
    assert!(!accepts(&[token.as_bytes(), b"\xff"].concat(), &key));
    let standard = token.replace('-', "+").replace('_', "/");
    assert_eq!(accepts(standard.as_bytes(), &key), standard == token);
}

#[test]
fn a_payload_that_is_signed_all_the_same_is_read_strictly() {
    let key = key(Algorithm::Hs256);
    for payload in [
        "[]",
        "1",
        "",
        "{\"exp\":1,\"exp\":2}",
        "{\"exp\":\"1\"}",
        "{\"a\":1}x",
    ] {
        let token = sign_text(Algorithm::Hs256, TOKEN_PARTS[0], payload);
        assert!(!accepts(token.as_bytes(), &key), "{payload}");
    }
    for payload in ["e30=", "e30 ", "e31", "e 30", "+/+/", "e3"] {
        let text = format!("{}.{payload}", base64url(TOKEN_PARTS[0]));
        let secret = jsonwebtoken::EncodingKey::from_secret(SECRET);
        let signed =
            jsonwebtoken::crypto::sign(text.as_bytes(), &secret, jsonwebtoken::Algorithm::HS256);
        let token = format!("{text}.{}", signed.unwrap());
        let compact = parse(&token).unwrap();
        assert!(verify(&compact, &key, &NoHost));
        assert_eq!(compact.claims(), Err(TokenError::Malformed), "{payload}");
    }
}

#[test]
fn lengths_are_bounded() {
    let token = sign_text(Algorithm::Hs256, TOKEN_PARTS[0], TOKEN_PARTS[1]);
    assert!(Compact::parse(token.as_bytes(), token.len()).is_ok());
    let too_long = Compact::parse(token.as_bytes(), token.len() - 1);
    let error = too_long.err().unwrap();
    assert_eq!(error, TokenError::TooLong);
    assert_eq!(error.to_string(), "the token is too long");
    let signed = |bytes: usize| {
        format!(
            "{}.e30.{}",
            base64url(TOKEN_PARTS[0]),
            base64url(vec![1; bytes])
        )
    };
    assert!(parse(&signed(MAX_SIGNATURE_LEN)).is_ok());
    // Told in characters: these two bytes more need none.
    assert!(parse(&signed(MAX_SIGNATURE_LEN + 2)).is_ok());
    assert_eq!(
        parse(&signed(MAX_SIGNATURE_LEN + 3)).err(),
        Some(TokenError::Malformed)
    );
}

#[test]
fn an_unsigned_token_is_told_so() {
    let text = format!(
        "{}.{}",
        base64url(r#"{"alg":"none"}"#),
        base64url(TOKEN_PARTS[1])
    );
    assert_eq!(
        parse(&format!("{text}.")).err(),
        Some(TokenError::Algorithm)
    );
    assert_eq!(parse(&text).err(), Some(TokenError::Malformed));
}

#[test]
fn debug_shows_what_a_token_says_of_itself_and_nothing_that_presents_it() {
    let token = sign(
        Algorithm::Hs256,
        &json!({"alg": "HS256", "kid": "key-1"}),
        &json!({"sub": "somebody"}),
    );
    let shown = format!("{:?}", parse(&token).unwrap());
    assert!(
        shown.contains("key-1") && shown.contains("Hs256"),
        "{shown}"
    );
    for part in token.split('.').skip(1) {
        assert!(!shown.contains(part), "{shown}");
    }
}

#[test]
fn a_key_proves_only_what_it_is_for() {
    for signed in Algorithm::ALL {
        let token = sign(signed, &json!({"alg": signed.name()}), &json!({}));
        let [_, payload, signature]: [&str; 3] =
            token.split('.').collect::<Vec<_>>().try_into().unwrap();
        for claimed in Algorithm::ALL {
            let header = base64url(json!({"alg": claimed.name()}).to_string());
            let forged = format!("{header}.{payload}.{signature}");
            for other in Algorithm::ALL {
                let accepted = accepts(forged.as_bytes(), &key(other));
                let same_key = key(other).thumbprint() == key(signed).thumbprint();
                assert_eq!(
                    accepted,
                    claimed == signed && same_key,
                    "{signed} as {claimed} by {other}"
                );
            }
        }
    }
}

#[test]
fn a_public_key_is_no_secret() {
    // The oldest confusion: the public key's text as the secret of HS256.
    for secret in [
        include_str!("pem/rsa.pub.pem"),
        include_str!("pem/rsa.pub.pem").trim(),
    ] {
        let text = format!("{}.e30", base64url(TOKEN_PARTS[0]));
        let secret = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        let signed =
            jsonwebtoken::crypto::sign(text.as_bytes(), &secret, jsonwebtoken::Algorithm::HS256);
        let forged = format!("{text}.{}", signed.unwrap());
        assert!(!accepts(forged.as_bytes(), &key(Algorithm::Rs256)));
    }
}
