//! What `jsonwebtoken` signs is accepted; where it is laxer than this room, it is shown.

use std::cell::RefCell;

use der::asn1::UintRef;
use der::{Decode, Reader, SliceReader};
use jsonwebtoken::{DecodingKey, Validation};

use super::*;

#[test]
fn what_another_implementation_signs_is_accepted() {
    for algorithm in Algorithm::ALL {
        let header =
            json!({"alg": algorithm.name(), "typ": "JWT", "kid": "k", "x5c": ["a", {"b": [1]}]});
        let token = sign(algorithm, &header, &json!({"exp": 1, "a": {"b": [null]}}));
        let compact = parse(&token).unwrap();
        assert_eq!(compact.algorithm(), algorithm);
        assert_eq!((compact.kid(), compact.typ()), (Some("k"), Some("JWT")));
        assert!(verify(&compact, &key(algorithm), &NoHost), "{algorithm}");
        assert_eq!(compact.claims().unwrap().as_map().len(), 2);
    }
}

#[test]
fn rsa_keys_of_odd_sizes_work() {
    // One bit more than whole bytes moves the encoding of PSS within the modulus.
    for (private, public, bits) in [
        (
            include_str!("pem/rsa2049.pem"),
            include_str!("pem/rsa2049.pub.pem"),
            2049,
        ),
        (
            include_str!("pem/rsa2055.pem"),
            include_str!("pem/rsa2055.pub.pem"),
            2055,
        ),
        (
            include_str!("pem/rsa2056.pem"),
            include_str!("pem/rsa2056.pub.pem"),
            2056,
        ),
        (
            include_str!("pem/rsa3001.pem"),
            include_str!("pem/rsa3001.pub.pem"),
            3001,
        ),
    ] {
        let private = EncodingKey::from_rsa_pem(private.as_bytes()).unwrap();
        let public = Key::from_pem(public).unwrap();
        for algorithm in &Algorithm::ALL[3..9] {
            let name = algorithm.name().parse().unwrap();
            let text = format!(
                "{}.e30",
                base64url(json!({"alg": algorithm.name()}).to_string())
            );
            let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &private, name).unwrap();
            let token = format!("{text}.{signature}");
            assert!(accepts(token.as_bytes(), &public), "{algorithm} {bits}");
            let mut changed = parse(&token).unwrap().signature().to_vec();
            assert_eq!(changed.len(), usize::div_ceil(bits, 8));
            for index in 0..changed.len() {
                changed[index] ^= 0x80;
                let forged = format!("{text}.{}", base64url(&changed));
                assert!(
                    !accepts(forged.as_bytes(), &public),
                    "{algorithm} {bits} {index}"
                );
                changed[index] ^= 0x80;
            }
        }
    }
}

#[test]
fn any_changed_bit_is_refused() {
    for algorithm in Algorithm::ALL {
        let header = json!({"alg": algorithm.name()});
        let mut token = sign(algorithm, &header, &json!({"exp": 1})).into_bytes();
        let key = key(algorithm);
        assert!(accepts(&token, &key), "{algorithm}");
        for bit in 0..token.len() * 8 {
            let flip = 1 << (bit % 8);
            token[bit / 8] ^= flip;
            assert!(!accepts(&token, &key), "{algorithm}, bit {bit}");
            token[bit / 8] ^= flip;
        }
        assert!(accepts(&token, &key), "{algorithm}");
    }
}

#[test]
fn a_signature_of_another_length_is_refused_unasked() {
    for algorithm in Algorithm::ALL {
        let token = sign(algorithm, &json!({"alg": algorithm.name()}), &json!({}));
        let compact = parse(&token).unwrap();
        let (key, text, good) = (key(algorithm), compact.signing_input(), compact.signature());
        assert!(verify_signature(algorithm, &key, text, good, &NoHost));
        for signature in [
            vec![],
            vec![0],
            good[1..].to_vec(),
            good[..good.len() - 1].to_vec(),
            [&[0], good].concat(),
            [good, &[0]].concat(),
            [good, good].concat(),
            vec![0xff; good.len()],
        ] {
            assert!(!verify_signature(
                algorithm, &key, text, &signature, &NoHost
            ));
            assert!(!verify_signature(algorithm, &key, text, &signature, &Yes));
        }
    }
}

#[test]
fn r_and_s_are_in_their_range_before_a_host_is_asked() {
    for (algorithm, size) in [
        (Algorithm::Es256, 32),
        (Algorithm::Es384, 48),
        (Algorithm::Es512, 66),
    ] {
        let key = key(algorithm);
        let (zero, one, huge) = (vec![0; size], padded(&[1], size), vec![0xff; size]);
        for (r, s, expected) in [
            (&one, &one, true),
            (&zero, &one, false),
            (&one, &zero, false),
            (&zero, &zero, false),
            (&huge, &one, false),
            (&one, &huge, false),
        ] {
            let signature = [r.as_slice(), s].concat();
            assert_eq!(
                verify_signature(algorithm, &key, b"", &signature, &Yes),
                expected
            );
            assert!(!verify_signature(algorithm, &key, b"", &signature, &NoHost));
        }
    }
}

/// A host that finds every signature good, to show what it is not even asked about.
struct Yes;

impl HostVerifier for Yes {
    fn verify_signature(&self, _: &str, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        Some(true)
    }
}

/// A host that notes the questions and gives one answer.
struct Notes {
    answer: bool,
    asked: RefCell<Vec<[Vec<u8>; 4]>>,
}

impl HostVerifier for Notes {
    fn verify_signature(
        &self,
        hash: &str,
        key: &[u8],
        signature: &[u8],
        text: &[u8],
    ) -> Option<bool> {
        let question = [hash.as_bytes(), key, signature, text].map(<[u8]>::to_vec);
        self.asked.borrow_mut().push(question);
        Some(self.answer)
    }
}

#[test]
fn a_host_is_asked_in_its_own_terms_and_its_word_counts() {
    let (p256, p384) = (
        include_str!("pem/p256.pub.pem"),
        include_str!("pem/p384.pub.pem"),
    );
    let rsa = include_str!("pem/rsa.pub.pem");
    for (algorithm, name, pem, size) in [
        (Algorithm::Es256, "sha256", p256, 32),
        (Algorithm::Es384, "sha384", p384, 48),
        (Algorithm::Rs256, "sha256", rsa, 0),
        (Algorithm::Rs384, "sha384", rsa, 0),
        (Algorithm::Rs512, "sha512", rsa, 0),
    ] {
        // Enough signatures for r and s to begin with every kind of byte.
        for nonce in 0..if size == 0 { 1 } else { 64 } {
            let token = sign(
                algorithm,
                &json!({"alg": algorithm.name()}),
                &json!({"n": nonce}),
            );
            let compact = parse(&token).unwrap();
            for answer in [true, false] {
                let host = Notes {
                    answer,
                    asked: RefCell::default(),
                };
                assert_eq!(verify(&compact, &key(algorithm), &host), answer);
                let [[hash, spki, signature, text]] = &host.asked.into_inner()[..] else {
                    panic!("asked once");
                };
                assert_eq!(hash, name.as_bytes());
                assert_eq!(*spki, pem_rfc7468::decode_vec(pem.as_bytes()).unwrap().1);
                assert_eq!(text, compact.signing_input());
                let raw = if size == 0 {
                    signature.clone()
                } else {
                    raw(signature, size)
                };
                assert_eq!(raw, compact.signature());
            }
        }
    }
}

#[test]
fn a_host_is_not_asked_about_what_it_cannot_judge() {
    use Algorithm::*;
    for algorithm in [Hs256, Hs384, Hs512, Ps256, Ps384, Ps512, EdDsa] {
        let token = sign(algorithm, &json!({"alg": algorithm.name()}), &json!({}));
        let host = Notes {
            answer: false,
            asked: RefCell::default(),
        };
        assert!(verify(&parse(&token).unwrap(), &key(algorithm), &host));
        assert!(host.asked.into_inner().is_empty());
    }
}

/// r‖s again, by a reader that refuses integers with needless bytes.
fn raw(der: &[u8], size: usize) -> Vec<u8> {
    let mut reader = SliceReader::new(der).unwrap();
    let (r, s) = reader
        .sequence(|pair: &mut SliceReader<'_>| {
            Ok::<_, der::Error>((UintRef::decode(pair)?, UintRef::decode(pair)?))
        })
        .unwrap();
    reader.finish().unwrap();
    [padded(r.as_bytes(), size), padded(s.as_bytes(), size)].concat()
}

#[test]
fn what_the_other_implementation_lets_pass_is_refused_here() {
    let exp = 4_000_000_000_u64;
    let oracle = |token: &str, secret: &[u8]| {
        let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
        validation.set_issuer(&["good"]);
        jsonwebtoken::decode::<Value>(token, &DecodingKey::from_secret(secret), &validation).is_ok()
    };
    for (header, claims) in [
        (
            r#"{"alg":"HS256"}"#,
            format!(r#"{{"exp":{exp},"sub":"a","x":1,"x":2}}"#),
        ),
        (
            r#"{"alg":"HS256","crit":["x"],"x":1}"#,
            format!(r#"{{"exp":{exp}}}"#),
        ),
        (
            r#"{"alg":"HS256"}"#,
            format!(r#"{{"exp":{exp},"iss":["good"]}}"#),
        ),
        (r#"{"alg":"HS256"}"#, format!(r#"{{"exp":{exp},"iss":5}}"#)),
        (
            r#"{"alg":"HS256"}"#,
            format!(r#"{{"exp":{exp},"nbf":null}}"#),
        ),
        (r#"{"alg":"HS256"}"#, r#"{"exp":1e18}"#.to_owned()),
    ] {
        let token = sign_text(Algorithm::Hs256, header, &claims);
        assert!(oracle(&token, SECRET), "{header} {claims}");
        assert!(
            !accepts(token.as_bytes(), &key(Algorithm::Hs256)),
            "{header} {claims}"
        );
    }

    let text = format!(
        "{}.{}",
        base64url(r#"{"alg":"HS256"}"#),
        base64url(format!(r#"{{"exp":{exp}}}"#))
    );
    let short = jsonwebtoken::EncodingKey::from_secret(b"short");
    let signature =
        jsonwebtoken::crypto::sign(text.as_bytes(), &short, jsonwebtoken::Algorithm::HS256);
    assert!(oracle(&format!("{text}.{}", signature.unwrap()), b"short"));
    assert!(Key::from_secret(b"short").is_err());
}
