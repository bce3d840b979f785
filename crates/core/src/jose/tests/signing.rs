//! Keys that sign: what they sign is what the RFCs and another implementation say, and what can't
//! sign safely is refused.

use der::asn1::UintRef;
use der::{Decode, Reader, SliceReader};

use std::time::Duration;

use super::*;

const RSA: &str = include_str!("pem/rsa.pem");

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// The private half of the key that [`key`] verifies by.
fn private(algorithm: Algorithm) -> PrivateKey {
    match algorithm.family() {
        Family::Hmac => PrivateKey::from_secret(SECRET),
        Family::EdDsa => PrivateKey::from_pem(include_str!("pem/ed25519.pem")),
        Family::Ecdsa if algorithm == Algorithm::Es256 => {
            PrivateKey::from_pem(include_str!("pem/p256.pem"))
        }
        Family::Ecdsa => PrivateKey::from_pem(include_str!("pem/p384.pem")),
        Family::RsaPkcs1 | Family::RsaPss => PrivateKey::from_pem(RSA),
    }
    .unwrap()
}

const SIGNED: [Algorithm; 9] = [
    Algorithm::Hs256,
    Algorithm::Hs384,
    Algorithm::Hs512,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
];

#[test]
fn another_implementation_signs_the_same_and_verifies_it() {
    for algorithm in SIGNED {
        let key = private(algorithm).with_kid("k");
        let token = key
            .sign_compact(
                algorithm,
                "at+jwt",
                &json!({"sub": "a", "exp": 4_000_000_000_u64}),
            )
            .unwrap();
        let (text, signature) = token.rsplit_once('.').unwrap();
        let header = URL_SAFE_NO_PAD
            .decode(text.split_once('.').unwrap().0)
            .unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&header).unwrap(),
            json!({"alg": algorithm.name(), "typ": "at+jwt", "kid": "k"})
        );
        // All of them are deterministic.
        let oracle = sign_text(algorithm, "", "");
        let own = key.sign(algorithm, b".").unwrap();
        assert_eq!(oracle, format!("..{}", base64url(own)), "{algorithm}");
        assert!(
            accepts(token.as_bytes(), &super::key(algorithm)),
            "{algorithm}"
        );
        assert!(accepts(token.as_bytes(), key.key()), "{algorithm}");
        let verifying = key.verifying(Duration::ZERO).unwrap();
        assert!(accepts(token.as_bytes(), &verifying), "{algorithm}");
        assert_eq!(verifying.kid(), Some("k"));
        let decoding = match algorithm.family() {
            Family::Hmac => jsonwebtoken::DecodingKey::from_secret(SECRET),
            Family::EdDsa => {
                jsonwebtoken::DecodingKey::from_ed_pem(include_bytes!("pem/ed25519.pub.pem"))
                    .unwrap()
            }
            Family::Ecdsa if algorithm == Algorithm::Es256 => {
                jsonwebtoken::DecodingKey::from_ec_pem(include_bytes!("pem/p256.pub.pem")).unwrap()
            }
            Family::Ecdsa => {
                jsonwebtoken::DecodingKey::from_ec_pem(include_bytes!("pem/p384.pub.pem")).unwrap()
            }
            _ => {
                jsonwebtoken::DecodingKey::from_rsa_pem(include_bytes!("pem/rsa.pub.pem")).unwrap()
            }
        };
        let name = algorithm.name().parse().unwrap();
        assert!(
            jsonwebtoken::crypto::verify(signature, text.as_bytes(), &decoding, name).unwrap(),
            "{algorithm}"
        );
    }
}

#[test]
fn rsa_keys_of_odd_sizes_sign() {
    for pem in [
        include_str!("pem/rsa2049.pem"),
        include_str!("pem/rsa2055.pem"),
        include_str!("pem/rsa2056.pem"),
        include_str!("pem/rsa3001.pem"),
    ] {
        let key = PrivateKey::from_pem(pem).unwrap();
        let oracle = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        for algorithm in [Algorithm::Rs256, Algorithm::Rs512] {
            let name = algorithm.name().parse().unwrap();
            let expected = jsonwebtoken::crypto::sign(b"text", &oracle, name).unwrap();
            let own = key.sign(algorithm, b"text").unwrap();
            assert_eq!(base64url(own), expected);
        }
    }
}

#[test]
fn ecdsa_is_that_of_rfc_6979() {
    let jwk = |curve: &str, size: usize, scalar: &str| {
        let scalar = hex(scalar);
        let point = match curve {
            "P-256" => {
                let key = p256::ecdsa::SigningKey::from_slice(&scalar).unwrap();
                key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
            }
            _ => {
                let key = p384::ecdsa::SigningKey::from_slice(&scalar).unwrap();
                key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
            }
        };
        let (x, y) = point[1..].split_at(size);
        let jwk = json!({"kty": "EC", "crv": curve, "d": base64url(&scalar),
            "x": base64url(x), "y": base64url(y)});
        PrivateKey::from_jwk(&jwk).unwrap()
    };
    let p256 = jwk(
        "P-256",
        32,
        "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
    );
    let p384 = jwk(
        "P-384",
        48,
        "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
    );
    for (key, algorithm, text, signature) in [
        // Appendix A.2.5.
        (
            &p256,
            Algorithm::Es256,
            "sample",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            &p256,
            Algorithm::Es256,
            "test",
            "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367\
             019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
        ),
        // Appendix A.2.6.
        (
            &p384,
            Algorithm::Es384,
            "sample",
            "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46\
             99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
        ),
    ] {
        let found = key.sign(algorithm, text.as_bytes()).unwrap();
        assert_eq!(found, hex(signature), "{algorithm} {text}");
    }
}

#[test]
fn ed25519_is_that_of_rfc_8037_and_hmac_that_of_rfc_7515() {
    // RFC 8037, appendices A.1 and A.4.
    let jwk = json!({"kty": "OKP", "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let key = PrivateKey::from_jwk(&jwk).unwrap();
    let text = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    assert_eq!(
        base64url(key.sign(Algorithm::EdDsa, text).unwrap()),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    // RFC 7515, appendix A.1.
    let jwk = json!({"kty": "oct",
        "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"});
    let key = PrivateKey::from_jwk(&jwk).unwrap();
    let text = b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    assert_eq!(
        base64url(key.sign(Algorithm::Hs256, text).unwrap()),
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
}

#[test]
fn one_key_is_read_from_all_its_forms() {
    let thumbprint = |pem| PrivateKey::from_pem(pem).unwrap().key().thumbprint();
    for (private, public) in [
        (
            include_str!("pem/p256.pem"),
            include_str!("pem/p256.pub.pem"),
        ),
        (
            include_str!("pem/p256.sec1.pem"),
            include_str!("pem/p256.pub.pem"),
        ),
        (
            include_str!("pem/p384.pem"),
            include_str!("pem/p384.pub.pem"),
        ),
        (RSA, include_str!("pem/rsa.pub.pem")),
        (
            include_str!("pem/rsa.pkcs1.private.pem"),
            include_str!("pem/rsa.pub.pem"),
        ),
        (
            include_str!("pem/ed25519.pem"),
            include_str!("pem/ed25519.pub.pem"),
        ),
    ] {
        let public = Key::from_pem(public).unwrap();
        assert_eq!(thumbprint(private), public.thumbprint());
    }
    let key = PrivateKey::from_jwk(&rsa_jwk()).unwrap();
    assert_eq!(key.key().thumbprint(), thumbprint(RSA));
    assert_eq!(key.key().kid(), Some("r"));
    let own = key.sign(Algorithm::Rs256, b"x");
    assert_eq!(own, private(Algorithm::Rs256).sign(Algorithm::Rs256, b"x"));
}

/// The RSA key as a JWK.
fn rsa_jwk() -> Value {
    let pem = include_bytes!("pem/rsa.pkcs1.private.pem");
    let (_, der) = pem_rfc7468::decode_vec(pem).unwrap();
    let mut reader = SliceReader::new(&der).unwrap();
    let numbers: Vec<String> = reader
        .sequence(|key: &mut SliceReader<'_>| {
            (0..9)
                .map(|_| Ok(base64url(UintRef::decode(key)?.as_bytes())))
                .collect::<der::Result<_>>()
        })
        .unwrap();
    let mut jwk = json!({"kty": "RSA", "kid": "r", "alg": "RS256", "key_ops": ["sign"]});
    for (name, number) in ["n", "e", "d", "p", "q", "dp", "dq", "qi"]
        .iter()
        .zip(&numbers[1..])
    {
        jwk[*name] = json!(number);
    }
    jwk
}

#[test]
fn what_cannot_sign_is_refused() {
    let ec = json!({"kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"});
    assert!(PrivateKey::from_jwk(&ec).is_ok());
    let changed = |jwk: &Value, name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        PrivateKey::from_jwk(&jwk).map(drop)
    };
    let without = |jwk: &Value, name: &str| {
        let mut jwk = jwk.clone();
        jwk.as_object_mut().unwrap().remove(name);
        PrivateKey::from_jwk(&jwk).map(drop)
    };
    let pem = |text: &str| PrivateKey::from_pem(text).map(drop);
    let rsa = rsa_jwk();
    let zero = base64url([0; 32]);
    let other = base64url([1; 32]);
    for (found, expected) in [
        (changed(&ec, "d", json!(other)), "don't belong together"),
        (changed(&ec, "d", json!(zero)), "none of its curve"),
        (changed(&ec, "d", json!("AQ")), "none of its curve"),
        (
            changed(&ec, "key_ops", json!(["verify"])),
            "with sign in it",
        ),
        (changed(&ec, "use", json!("enc")), "`use` must be sig"),
        (
            changed(&ec, "alg", json!("ES384")),
            "can be used with ES256",
        ),
        (without(&ec, "d"), "is a public key"),
        (
            changed(&rsa, "d", rsa["n"].clone()),
            "don't belong together",
        ),
        (changed(&rsa, "d", rsa["p"].clone()), "too short"),
        (changed(&rsa, "d", json!("AAAA")), "too short"),
        (changed(&rsa, "e", json!("AQAD")), "don't belong together"),
        (pem(include_str!("pem/p256.pub.pem")), "no private key"),
        (pem(include_str!("pem/p256.encrypted.pem")), "encrypted"),
        (pem(include_str!("pem/p521.pem")), "P-521 can't sign here"),
        (pem(include_str!("pem/rsa1024.pem")), "1024 bits"),
        (pem("hello"), "no PEM block"),
        (
            pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
            "is broken",
        ),
        (pem(&RSA[..400]), "no PEM block"),
        (PrivateKey::from_secret(b"short").map(drop), "5 bytes"),
    ] {
        let message = found.expect_err(expected).to_string();
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn algorithms_that_are_only_verified_are_told_of() {
    for (algorithm, key) in [
        (Algorithm::Ps256, private(Algorithm::Rs256)),
        (Algorithm::Es512, private(Algorithm::Es256)),
    ] {
        let message = key.check_signs(algorithm).unwrap_err().to_string();
        assert!(
            message.contains("verified here, but not signed"),
            "{message}"
        );
        assert_eq!(key.sign(algorithm, b""), None);
    }
    let message = private(Algorithm::Es256)
        .check_signs(Algorithm::Es384)
        .unwrap_err();
    assert!(message.to_string().contains("an EC key on P-256"));
    assert_eq!(private(Algorithm::Es256).sign(Algorithm::Es384, b""), None);
}

#[test]
fn the_verifying_half_ends_a_grace_after_the_signing_one_and_is_bound_like_it() {
    let at = Duration::from_secs;
    let mut jwk = rsa_jwk();
    jwk["alg"] = json!("RS384");
    let keys = [
        PrivateKey::from_jwk(&jwk).unwrap(),
        private(Algorithm::Es256),
        PrivateKey::from_secret(SECRET).unwrap(),
    ];
    for key in keys {
        let key = key.with_kid("k").with_validity(Some(at(50)), Some(at(100)));
        let half = key.verifying(at(10)).unwrap();
        assert_eq!(half.kid(), Some("k"));
        for (now, live) in [(0, true), (109, true), (110, false)] {
            assert_eq!(half.is_live(at(now)), live, "{now}");
        }
        for algorithm in Algorithm::ALL {
            assert_eq!(
                half.fits(algorithm),
                key.key().fits(algorithm),
                "{algorithm}"
            );
        }
    }
}

#[test]
fn names_differ_by_key_and_by_every_part() {
    let key = private(Algorithm::Es256);
    let base = key.name_of(&[b"a", b"b"]);
    assert_eq!(base.len(), 22);
    assert_eq!(base, private(Algorithm::Es256).name_of(&[b"a", b"b"]));
    for other in [
        key.name_of(&[b"ab", b""]),
        key.name_of(&[b"a", b"c"]),
        private(Algorithm::Es384).name_of(&[b"a", b"b"]),
    ] {
        assert_ne!(base, other);
    }
}

#[test]
fn debug_shows_no_key_material() {
    let shown = format!("{:?}", PrivateKey::from_secret(SECRET).unwrap());
    assert!(!shown.contains("secret of sixty"), "{shown}");
    assert!(shown.contains("64 bytes"), "{shown}");
}
