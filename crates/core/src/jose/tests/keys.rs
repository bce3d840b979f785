//! Keys: which forms are read, which are refused, which are tried.

use std::time::Duration;

use base64::engine::general_purpose::STANDARD;

use super::*;

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn rsa_jwk() -> Value {
    json!({"kty": "RSA", "n": rfc::RFC7638_N, "e": "AQAB"})
}

fn ec_jwk() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

fn without(mut jwk: Value, name: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

#[test]
fn a_public_key_is_written_as_it_was_read() {
    for pem in [
        include_str!("pem/rsa.pub.pem"),
        include_str!("pem/p256.pub.pem"),
        include_str!("pem/p384.pub.pem"),
        include_str!("pem/p521.pub.pem"),
        include_str!("pem/ed25519.pub.pem"),
    ] {
        let key = Key::from_pem(pem).unwrap();
        let jwk = key.to_jwk().unwrap();
        let again = Key::from_jwk(&jwk).unwrap();
        assert_eq!(again.thumbprint(), key.thumbprint());
        assert_eq!(again.to_spki(), key.to_spki());
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(STANDARD.encode(key.to_spki().unwrap()), body);
    }
    let secret = Key::from_secret(&[7; 32]).unwrap();
    assert_eq!((secret.to_jwk(), secret.to_spki()), (None, None));
}

#[test]
fn pem_certificate_and_compressed_point_hold_one_key() {
    for (public, others) in [
        (
            include_str!("pem/rsa.pub.pem"),
            vec![include_str!("pem/rsa.cert.pem")],
        ),
        (
            include_str!("pem/p256.pub.pem"),
            vec![
                include_str!("pem/p256.cert.pem"),
                include_str!("pem/p256.compressed.pem"),
            ],
        ),
        (
            include_str!("pem/ed25519.pub.pem"),
            vec![include_str!("pem/ed25519.cert.pem")],
        ),
    ] {
        let thumbprint = Key::from_pem(public).unwrap().thumbprint();
        let chain = format!(
            "some words\n{}{}",
            others[0],
            include_str!("pem/p256.cert.pem")
        );
        let crlf = public.replace('\n', "\r\n");
        let bare = public.trim().to_owned();
        for other in others
            .iter()
            .map(ToString::to_string)
            .chain([chain, crlf, bare])
        {
            assert_eq!(
                Key::from_pem(&other).unwrap().thumbprint(),
                thumbprint,
                "{other}"
            );
        }
    }
    for curve in [
        include_str!("pem/p384.pub.pem"),
        include_str!("pem/p521.pub.pem"),
    ] {
        assert!(Key::from_pem(curve).is_ok());
    }
}

#[test]
fn pem_that_is_no_usable_public_key_says_why() {
    let public = include_str!("pem/p256.pub.pem");
    let cut = public.replace("MFkw", "MFkx");
    for (pem, word) in [
        ("", "no PEM block"),
        ("hello", "no PEM block"),
        (include_str!("pem/rsa.pem"), "private key"),
        (include_str!("pem/p256.pem"), "private key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "private key"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "private key"),
        (include_str!("pem/rsa.pkcs1.pem"), "-pubout"),
        (include_str!("pem/rsa1024.pub.pem"), "1024 bits"),
        (include_str!("pem/rsa_e3.pub.pem"), "exponent"),
        (include_str!("pem/rsa_pss.pub.pem"), "another kind"),
        (include_str!("pem/ed448.pub.pem"), "another kind"),
        (include_str!("pem/secp256k1.pub.pem"), "another curve"),
        (&cut, "broken"),
        (&public.replace("PUBLIC KEY", "CERTIFICATE"), "broken"),
        (&public.replace("PUBLIC KEY", "X509 CRL"), "neither"),
        (&"x".repeat(70_000), "longer"),
    ] {
        let error = Key::from_pem(pem).unwrap_err();
        assert!(error.message().contains(word), "{word}: {error}");
    }
}

#[test]
fn an_rsa_key_has_the_parameters_of_rfc_3279_and_no_others() {
    let read = [
        |pem: &str| Key::from_pem(pem).map(drop),
        |pem: &str| PrivateKey::from_pem(pem).map(drop),
    ];
    let pems = [include_str!("pem/rsa.pub.pem"), include_str!("pem/rsa.pem")];
    for (read, pem) in read.into_iter().zip(pems) {
        // `rsaEncryption`, then NULL; an empty octet string is as long.
        let other = changed_der(pem, &[0x01, 0x01, 0x05, 0x00], &[0x01, 0x01, 0x04, 0x00]);
        assert_eq!(read(pem), Ok(()));
        let error = read(&other).unwrap_err();
        assert!(error.message().contains("another kind"), "{error}");
    }
}

/// A PEM in whose DER one sequence of bytes, which stands there once, is another one.
fn changed_der(pem: &str, from: &[u8], to: &[u8]) -> String {
    use base64::engine::general_purpose::STANDARD;
    let lines: Vec<&str> = pem.lines().collect();
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    let mut der = STANDARD.decode(lines[1..lines.len() - 1].concat()).unwrap();
    let places: Vec<usize> = (0..der.len())
        .filter(|at| der[*at..].starts_with(from))
        .collect();
    let [at] = places[..] else {
        panic!("{places:?}")
    };
    der[at..at + to.len()].copy_from_slice(to);
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!("{first}\n{}\n{last}\n", lines.join("\n"))
}

#[test]
fn pem_texts_are_bounded_to_the_byte() {
    const MOST: usize = 64 * 1024;
    let read = [
        |pem: &str| Key::from_pem(pem).map(drop),
        |pem: &str| PrivateKey::from_pem(pem).map(drop),
    ];
    let pems = [
        include_str!("pem/p256.pub.pem"),
        include_str!("pem/p256.pem"),
    ];
    for (read, pem) in read.into_iter().zip(pems) {
        let long = |length: usize| format!("{pem}{}", "#".repeat(length - pem.len()));
        assert_eq!(read(&long(MOST)), Ok(()));
        let error = read(&long(MOST + 1)).unwrap_err();
        assert!(error.message().contains("longer"), "{error}");
    }
}

#[test]
fn jwks_members_are_honoured() {
    let oct = json!({"kty": "oct", "k": base64url(SECRET)});
    for (jwk, word) in [
        (json!("x"), "object"),
        (json!({}), "`kty`"),
        (json!({"kty": 1}), "`kty`"),
        (json!({"kty": "DSA"}), "`kty`"),
        (json!({"kty": "ec"}), "`kty`"),
        (with(ec_jwk(), "use", json!("enc")), "`use`"),
        (with(ec_jwk(), "use", json!(null)), "`use`"),
        (with(ec_jwk(), "key_ops", json!(["sign"])), "`key_ops`"),
        (with(ec_jwk(), "key_ops", json!([])), "`key_ops`"),
        (with(ec_jwk(), "key_ops", json!("verify")), "`key_ops`"),
        (
            with(ec_jwk(), "key_ops", json!(["verify", "verify"])),
            "`key_ops`",
        ),
        (with(ec_jwk(), "key_ops", json!(["verify", 1])), "`key_ops`"),
        (
            with(ec_jwk(), "alg", json!("ES384")),
            "ES256, but not with ES384",
        ),
        (with(ec_jwk(), "alg", json!("HS256")), "not with HS256"),
        (with(ec_jwk(), "alg", json!("ECDH-ES")), "`alg`"),
        (with(ec_jwk(), "alg", json!("none")), "`alg`"),
        (with(ec_jwk(), "alg", json!(null)), "`alg`"),
        (with(ec_jwk(), "kid", json!(7)), "`kid`"),
        (with(ec_jwk(), "d", json!("AA")), "private"),
        (with(rsa_jwk(), "p", json!("AA")), "private"),
        (with(rsa_jwk(), "oth", json!([])), "private"),
        (with(ec_jwk(), "crv", json!("P-384")), "48 bytes"),
        (with(ec_jwk(), "crv", json!("secp256k1")), "`crv`"),
        (without(ec_jwk(), "crv"), "`crv`"),
        (without(ec_jwk(), "y"), "`y`"),
        (with(ec_jwk(), "y", json!(base64url([1; 32]))), "no point"),
        (with(ec_jwk(), "y", json!(base64url([1; 31]))), "32 bytes"),
        (with(ec_jwk(), "x", json!(base64url([0; 33]))), "32 bytes"),
        (with(ec_jwk(), "x", json!("====")), "base64url"),
        (with(rsa_jwk(), "e", json!("Aw")), "exponent"),
        (with(rsa_jwk(), "e", json!("AQAA")), "exponent"),
        (with(rsa_jwk(), "e", json!("")), "exponent"),
        (with(rsa_jwk(), "e", json!("AAEAAQ")), "zero byte"),
        (with(rsa_jwk(), "e", json!(base64url([255; 9]))), "exponent"),
        // Its last eight bytes alone would do.
        (
            with(
                rsa_jwk(),
                "e",
                json!(base64url([1, 0, 0, 0, 0, 0, 1, 0, 1])),
            ),
            "exponent",
        ),
        (
            with(rsa_jwk(), "e", json!(base64url([2, 0, 0, 0, 1]))),
            "exponent",
        ),
        (with(rsa_jwk(), "n", json!("")), "0 bits"),
        (
            with(rsa_jwk(), "n", json!(base64url([127; 256]))),
            "2047 bits",
        ),
        (with(rsa_jwk(), "n", json!(base64url([254; 256]))), "even"),
        (
            with(rsa_jwk(), "n", json!(base64url([255; 1025]))),
            "8200 bits",
        ),
        (
            with(
                rsa_jwk(),
                "n",
                json!(base64url([&[0][..], &[255; 256]].concat())),
            ),
            "zero byte",
        ),
        (json!({"kty": "oct", "k": base64url([1; 31])}), "31 bytes"),
        (json!({"kty": "oct"}), "`k`"),
        (with(oct.clone(), "alg", json!("RS256")), "not with RS256"),
        (
            json!({"kty": "oct", "alg": "HS512", "k": base64url([1; 63])}),
            "not with HS512",
        ),
        (
            json!({"kty": "OKP", "crv": "X25519", "x": base64url([9; 32])}),
            "`crv`",
        ),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": base64url([9; 31])}),
            "32 bytes",
        ),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": base64url([0; 32])}),
            "weak",
        ),
        (
            json!({"kty": "OKP", "crv": "Ed25519", "x": base64url([2; 32]), "d": ""}),
            "private",
        ),
    ] {
        let error = Key::from_jwk(&jwk).unwrap_err();
        assert!(error.message().contains(word), "{word}: {error} for {jwk}");
    }
    let full = json!({"kid": "k", "alg": "ES256", "use": "sig", "key_ops": ["verify"], "x5c": [], "ext": true});
    let mut jwk = ec_jwk();
    jwk.as_object_mut()
        .unwrap()
        .extend(full.as_object().unwrap().clone());
    let key = Key::from_jwk(&jwk).unwrap();
    assert_eq!(
        (key.kid(), key.algorithm()),
        (Some("k"), Some(Algorithm::Es256))
    );
    assert!(!key.is_secret());
    assert!(
        Key::from_jwk(&with(oct, "key_ops", json!(["sign", "verify"])))
            .unwrap()
            .is_secret()
    );
    for e in [[1, 0, 1].as_slice(), &[1, 0, 3], &[1, 255, 255, 255, 255]] {
        assert!(Key::from_jwk(&with(rsa_jwk(), "e", json!(base64url(e)))).is_ok());
    }
}

#[test]
fn keys_fit_their_algorithms() {
    for algorithm in Algorithm::ALL {
        let fitting: Vec<_> = Algorithm::ALL
            .into_iter()
            .filter(|other| key(algorithm).fits(*other))
            .collect();
        let expected = match algorithm.family() {
            Family::Hmac => Algorithm::ALL[..3].to_vec(),
            Family::RsaPkcs1 | Family::RsaPss => Algorithm::ALL[3..9].to_vec(),
            Family::Ecdsa | Family::EdDsa => vec![algorithm],
        };
        assert_eq!(fitting, expected);
        let bound = key(algorithm).with_algorithm(algorithm).unwrap();
        assert!(
            Algorithm::ALL
                .into_iter()
                .all(|other| bound.fits(other) == (other == algorithm))
        );
    }
    for (len, fitting) in [(32, 1), (47, 1), (48, 2), (63, 2), (64, 3), (200, 3)] {
        let key = Key::from_secret(&vec![1; len]).unwrap();
        let count = Algorithm::ALL
            .into_iter()
            .filter(|algorithm| key.fits(*algorithm))
            .count();
        assert_eq!(count, fitting, "{len}");
    }
    let key = Key::from_secret(&[1; 40]).unwrap();
    assert!(
        key.check_usable_with(&[Algorithm::Hs256, Algorithm::Hs512])
            .is_ok()
    );
    let error = key
        .check_usable_with(&[Algorithm::Hs384, Algorithm::Es256])
        .unwrap_err();
    assert_eq!(
        error.message(),
        "a secret of 40 bytes can be used with HS256, but not with HS384, ES256"
    );
}

#[test]
fn no_message_and_no_debug_output_holds_key_material() {
    let secret = "correct horse battery staple, thirty-two";
    let key = Key::from_secret(secret.as_bytes()).unwrap().with_kid("k");
    let shown = format!("{:?}", KeySet::from_keys(vec![key]));
    assert!(
        !shown.contains("horse") && !shown.contains("99, 111"),
        "{shown}"
    );
    for jwk in [
        json!({"kty": "oct", "k": "c2hvcnQtc2VjcmV0"}),
        json!({"kty": "oct", "k": "not base64: hunter2"}),
        json!({"kty": "hunter2", "k": "hunter2"}),
        json!({"kty": "oct", "k": base64url(secret), "alg": "hunter2"}),
    ] {
        let error = format!("{:?}", Key::from_jwk(&jwk).unwrap_err());
        assert!(
            !error.contains("hunter2") && !error.contains("c2hvcnQ"),
            "{error}"
        );
    }
}

#[test]
fn a_jwks_skips_what_it_cannot_use_and_says_so() {
    let document = json!({"keys": [
        with(ec_jwk(), "kid", json!("a")),
        with(with(rsa_jwk(), "use", json!("enc")), "kid", json!("b")),
        5,
        {"kty": "future", "kid": 7},
        rsa_jwk(),
    ], "more": {}});
    let (set, skipped) =
        KeySet::parse_jwks(document.to_string().as_bytes(), Limits::default()).unwrap();
    assert_eq!(
        set.iter().map(Key::kid).collect::<Vec<_>>(),
        [Some("a"), None]
    );
    let lines: Vec<String> = skipped.iter().map(ToString::to_string).collect();
    assert!(lines[0].starts_with("keys[1] (b): "), "{lines:?}");
    assert!(lines[1].starts_with("keys[2]: "), "{lines:?}");
    let skipped: Vec<_> = skipped
        .iter()
        .map(|key| (key.index, key.kid.as_deref()))
        .collect();
    assert_eq!(skipped, [(1, Some("b")), (2, None), (3, None)]);

    let limits = |max_bytes, max_keys| Limits {
        max_bytes,
        max_keys,
    };
    let text = document.to_string();
    assert!(KeySet::parse_jwks(text.as_bytes(), limits(text.len(), 5)).is_ok());
    assert!(KeySet::parse_jwks(text.as_bytes(), limits(text.len() - 1, 5)).is_err());
    assert!(KeySet::parse_jwks(text.as_bytes(), limits(text.len(), 4)).is_err());
    for bad in [
        "",
        "[]",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[]}x",
        "<html>",
    ] {
        assert!(
            KeySet::parse_jwks(bad.as_bytes(), Limits::default()).is_err(),
            "{bad}"
        );
    }
    let (empty, _) = KeySet::parse_jwks(b"{\"keys\":[]}", Limits::default()).unwrap();
    assert!(empty.is_empty() && !set.is_empty());

    let broken = br#"{"keys":[{"kty":"future","kid":"a\nforged line"}]}"#;
    let (_, skipped) = KeySet::parse_jwks(broken, Limits::default()).unwrap();
    let line = skipped[0].to_string();
    assert!(line.starts_with("keys[0] (a\\nforged line): "), "{line}");
}

#[test]
fn candidates_are_those_of_the_kid_then_those_without() {
    let kid = |kid: &str| key(Algorithm::Rs256).with_kid(kid);
    let second = Duration::from_secs(1);
    let set = KeySet::from_keys(vec![
        kid("a"),
        key(Algorithm::Rs256),
        kid("b"),
        kid("b").with_algorithm(Algorithm::Ps256).unwrap(),
        key(Algorithm::Es256).with_kid("b"),
        kid("old").with_validity(None, Some(NOW)),
        kid("live").with_validity(Some(NOW), Some(NOW + second)),
        kid("new").with_validity(Some(NOW + second), None),
    ]);
    assert_eq!(set.len(), 8);
    for (wanted, algorithm, expected) in [
        (Some("a"), Algorithm::Rs256, vec!["a", "-"]),
        (Some("b"), Algorithm::Rs256, vec!["b", "-"]),
        (Some("b"), Algorithm::Ps256, vec!["b", "b", "-"]),
        (Some("b"), Algorithm::Es256, vec!["b"]),
        (Some("c"), Algorithm::Rs256, vec!["-"]),
        (Some("c"), Algorithm::Es256, vec![]),
        (Some("A"), Algorithm::Es256, vec![]),
        (Some(""), Algorithm::Es256, vec![]),
        (Some("old"), Algorithm::Rs256, vec!["-"]),
        (Some("new"), Algorithm::Rs256, vec!["-"]),
        (Some("live"), Algorithm::Rs256, vec!["live", "-"]),
        (None, Algorithm::Rs256, vec!["a", "-", "b", "live"]),
        (None, Algorithm::Es256, vec!["b"]),
        (None, Algorithm::Hs256, vec![]),
    ] {
        let found: Vec<_> = set
            .candidates(wanted, algorithm, NOW)
            .map(|key| key.kid().unwrap_or("-"))
            .collect();
        assert_eq!(found, expected, "{wanted:?} {algorithm}");
    }
    let many = KeySet::from_keys((0..100).map(|_| key(Algorithm::EdDsa)).collect());
    assert_eq!(
        many.candidates(None, Algorithm::EdDsa, NOW).count(),
        MAX_CANDIDATES
    );
    assert_eq!(
        many.candidates(Some("x"), Algorithm::EdDsa, NOW).count(),
        MAX_CANDIDATES
    );
}
