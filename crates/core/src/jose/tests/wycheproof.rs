//! Project Wycheproof's vectors, through the same check as a token's.
//!
//! A vector counts as valid only if it is that without reservation and its key is one that JOSE
//! allows; "acceptable" ones (the odd spellings) are refused.

use std::collections::BTreeMap;

use ::wycheproof::rsa_pss_verify::TestGroupTypeId;
use ::wycheproof::{
    HashFunction, Mgf, TestResult, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify,
};

use super::*;

/// Asserts one verdict and counts it, by algorithm.
#[derive(Default)]
struct Tally(BTreeMap<Algorithm, Count>);

impl Tally {
    fn judge(
        &mut self,
        key: &Key,
        algorithm: Algorithm,
        [text, signature]: [&[u8]; 2],
        valid: bool,
        what: &str,
    ) {
        let verdict = verify_signature(algorithm, key, text, signature, &NoHost);
        assert_eq!(verdict, valid, "{algorithm} {what}");
        let count = self.0.entry(algorithm).or_default();
        match verdict {
            true => count.accepted += 1,
            false => count.refused += 1,
        }
    }

    /// Vectors whose key JOSE doesn't allow: the key itself is refused.
    fn key_refused(&mut self, algorithm: Algorithm, vectors: usize) {
        self.0.entry(algorithm).or_default().key_refused += vectors;
    }

    /// There were as many as the documentation says.
    fn assert_documented(&self) {
        for (algorithm, count) in &self.0 {
            assert_eq!(
                *count,
                documented("Wycheproof", algorithm.name()),
                "{algorithm}"
            );
        }
    }
}

#[test]
fn ecdsa() {
    let mut tally = Tally::default();
    for (name, algorithm, crv, size) in [
        (
            ecdsa::TestName::EcdsaSecp256r1Sha256P1363,
            Algorithm::Es256,
            "P-256",
            32,
        ),
        (
            ecdsa::TestName::EcdsaSecp384r1Sha384P1363,
            Algorithm::Es384,
            "P-384",
            48,
        ),
        (
            ecdsa::TestName::EcdsaSecp521r1Sha512P1363,
            Algorithm::Es512,
            "P-521",
            66,
        ),
    ] {
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let x = base64url(padded(&group.key.affine_x, size));
            let y = base64url(padded(&group.key.affine_y, size));
            let key = Key::from_jwk(&json!({"kty": "EC", "crv": crv, "x": x, "y": y})).unwrap();
            let same = Key::from_pem(&group.pem).unwrap();
            assert_eq!(key.thumbprint(), same.thumbprint());
            for test in &group.tests {
                let valid = test.result == TestResult::Valid;
                tally.judge(
                    &key,
                    algorithm,
                    [&test.msg, &test.sig],
                    valid,
                    &test.comment,
                );
            }
        }
    }
    tally.assert_documented();
}

#[test]
fn rsa_pkcs1() {
    let mut tally = Tally::default();
    for name in rsa_pkcs1_verify::TestName::all() {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let algorithm = match group.hash {
                HashFunction::Sha2_256 => Algorithm::Rs256,
                HashFunction::Sha2_384 => Algorithm::Rs384,
                HashFunction::Sha2_512 => Algorithm::Rs512,
                _ => continue,
            };
            let Some(key) = rsa_key(&group.key.n, &group.key.e, &group.pem) else {
                tally.key_refused(algorithm, group.tests.len());
                continue;
            };
            for test in &group.tests {
                let valid = test.result == TestResult::Valid;
                tally.judge(
                    &key,
                    algorithm,
                    [&test.msg, &test.sig],
                    valid,
                    &test.comment,
                );
            }
        }
    }
    tally.assert_documented();
}

#[test]
fn rsa_pss() {
    let mut tally = Tally::default();
    for name in rsa_pss_verify::TestName::all() {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let algorithm = match group.hash {
                HashFunction::Sha2_256 => Algorithm::Ps256,
                HashFunction::Sha2_384 => Algorithm::Ps384,
                HashFunction::Sha2_512 => Algorithm::Ps512,
                _ => continue,
            };
            // A key with parameters of its own (RFC 4055) is one of another kind: not read.
            if matches!(group.test_type, TestGroupTypeId::RsaPssVerifyWithParam) {
                assert!(Key::from_pem(&group.pem).is_err());
                continue;
            }
            let Some(key) = rsa_key(&group.key.n, &group.key.e, &group.pem) else {
                tally.key_refused(algorithm, group.tests.len());
                continue;
            };
            // Other masks and salts are good signatures somewhere, not in JOSE (RFC 7518 §3.5).
            let salt = algorithm.hash().size();
            let same_hash = group.mgf == Mgf::Mgf1 && group.mgf_hash.as_ref() == Some(&group.hash);
            for test in &group.tests {
                let valid = if group.salt_size == salt {
                    test.result == TestResult::Valid
                } else {
                    test.comment == format!("s_len changed to {salt}")
                };
                let valid = valid && same_hash;
                tally.judge(
                    &key,
                    algorithm,
                    [&test.msg, &test.sig],
                    valid,
                    &test.comment,
                );
            }
        }
    }
    tally.assert_documented();
}

fn rsa_key(n: &[u8], e: &[u8], pem: &str) -> Option<Key> {
    let jwk = json!({"kty": "RSA", "n": base64url(trimmed(n)), "e": base64url(trimmed(e))});
    let key = Key::from_jwk(&jwk).ok();
    let same = Key::from_pem(pem).ok();
    assert_eq!(
        key.as_ref().map(Key::thumbprint),
        same.map(|key| key.thumbprint())
    );
    key
}

#[test]
fn hmac() {
    let mut tally = Tally::default();
    for (name, algorithm) in [
        (mac::TestName::HmacSha256, Algorithm::Hs256),
        (mac::TestName::HmacSha384, Algorithm::Hs384),
        (mac::TestName::HmacSha512, Algorithm::Hs512),
    ] {
        for group in mac::TestSet::load(name).unwrap().test_groups {
            let whole = group.tag_size == 8 * algorithm.hash().size();
            for test in &group.tests {
                let key = Key::from_secret(&test.key)
                    .ok()
                    .filter(|key| key.fits(algorithm));
                let Some(key) = key else {
                    tally.key_refused(algorithm, 1);
                    continue;
                };
                // A truncated tag may be a good HMAC, but it is never a good JWS.
                let valid = whole && test.result == TestResult::Valid;
                tally.judge(
                    &key,
                    algorithm,
                    [&test.msg, &test.tag],
                    valid,
                    &test.comment,
                );
            }
        }
    }
    tally.assert_documented();
}

#[test]
fn ed25519() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519)
        .unwrap()
        .test_groups
    {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(&group.key.pk)});
        let key = Key::from_jwk(&jwk).unwrap();
        assert_eq!(
            key.thumbprint(),
            Key::from_pem(&group.pem).unwrap().thumbprint()
        );
        for test in &group.tests {
            let valid = test.result == TestResult::Valid;
            tally.judge(
                &key,
                Algorithm::EdDsa,
                [&test.msg, &test.sig],
                valid,
                &test.comment,
            );
        }
    }
    tally.assert_documented();
}
