//! Envoy's `verify_signature`, with other libraries than the filter's.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::pkcs8::DecodePublicKey as _;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::sha2::{Digest, Sha256, Sha384, Sha512};
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use std::cell::RefCell;
use std::collections::HashMap;

/// What Envoy answers to a good signature: field 1, true.
const VALID: &[u8] = &[0x08, 0x01];

/// How many answers a thread remembers.
const REMEMBERED: usize = 1024;

thread_local! {
    static ANSWERS: RefCell<HashMap<Vec<u8>, Vec<u8>>> = RefCell::default();
}

/// The answer to a request. It depends on nothing else, and simulations ask the same thousands of
/// times: each VM of each world tests the function first.
pub(crate) fn verify(request: &[u8]) -> Vec<u8> {
    ANSWERS.with_borrow_mut(|answers| {
        if let Some(answer) = answers.get(request) {
            return answer.clone();
        }
        if answers.len() >= REMEMBERED {
            answers.clear();
        }
        let answer = judge(request);
        answers.insert(request.to_vec(), answer.clone());
        answer
    })
}

/// The request's fields: 1 hash, 2 SPKI DER, 3 signature (minimal DER for EC), 4 text. The
/// answer to a bad signature has an error text in field 2 (measured on Envoy 1.40).
fn judge(request: &[u8]) -> Vec<u8> {
    let [hash, key, signature, text] = fields(request);
    let (digest, scheme) = match hash {
        b"sha256" => hashed::<Sha256>(text),
        b"sha384" => hashed::<Sha384>(text),
        b"sha512" => hashed::<Sha512>(text),
        _ => return failed(),
    };
    if check(key, scheme, &digest, signature) {
        return VALID.to_vec();
    }
    failed()
}

fn hashed<D: Digest + rsa::pkcs8::AssociatedOid>(text: &[u8]) -> (Vec<u8>, Pkcs1v15Sign) {
    (D::digest(text).to_vec(), Pkcs1v15Sign::new::<D>())
}

fn failed() -> Vec<u8> {
    let error = b"Failed to verify digest.";
    let mut answer = vec![0x12, u8::try_from(error.len()).unwrap_or(0)];
    answer.extend_from_slice(error);
    answer
}

/// Whether a key of any kind that BoringSSL takes here made a signature.
fn check(key: &[u8], scheme: Pkcs1v15Sign, digest: &[u8], signature: &[u8]) -> bool {
    if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(key) {
        return p256::ecdsa::Signature::from_der(signature)
            .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok());
    }
    if let Ok(key) = p384::ecdsa::VerifyingKey::from_public_key_der(key) {
        return p384::ecdsa::Signature::from_der(signature)
            .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok());
    }
    if let Ok(key) = p521::ecdsa::VerifyingKey::from_public_key_der(key) {
        return p521::ecdsa::Signature::from_der(signature)
            .is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok());
    }
    RsaPublicKey::from_public_key_der(key)
        .is_ok_and(|key| key.verify(scheme, digest, signature).is_ok())
}

/// Length-delimited protobuf fields 1 to 4; the rest is left out.
fn fields(mut message: &[u8]) -> [&[u8]; 4] {
    let mut fields = [&[][..]; 4];
    while let Some((tag, rest)) = message.split_first() {
        let Some((length, rest)) = varint(rest) else {
            break;
        };
        let Some((value, rest)) = rest.split_at_checked(length) else {
            break;
        };
        let number = usize::from(tag >> 3);
        if let Some(field) = number.checked_sub(1).and_then(|at| fields.get_mut(at)) {
            *field = value;
        }
        message = rest;
    }
    fields
}

fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}
