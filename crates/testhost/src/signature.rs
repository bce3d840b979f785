//! Envoy's `verify_signature`, with other libraries than the filter's.

use p256::pkcs8::DecodePublicKey as _;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::signature::Verifier as _;

/// What Envoy answers to a good signature: field 1, true.
const VALID: &[u8] = &[0x08, 0x01];

/// The request's fields: 1 hash, 2 SPKI DER, 3 signature (minimal DER for EC), 4 text. The
/// answer to a bad signature has an error text in field 2 (measured on Envoy 1.40).
pub(crate) fn verify(request: &[u8]) -> Vec<u8> {
    let [hash, key, signature, text] = fields(request);
    let verified = match hash {
        b"sha256" => check(key, signature, text),
        _ => false,
    };
    if verified {
        return VALID.to_vec();
    }
    let error = b"Failed to verify digest.";
    let mut answer = vec![0x12, u8::try_from(error.len()).unwrap_or(0)];
    answer.extend_from_slice(error);
    answer
}

fn check(key: &[u8], signature: &[u8], text: &[u8]) -> bool {
    if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(key) {
        use p256::ecdsa::signature::Verifier as _;
        return p256::ecdsa::Signature::from_der(signature)
            .is_ok_and(|signature| key.verify(text, &signature).is_ok());
    }
    let Ok(key) = rsa::RsaPublicKey::from_public_key_der(key) else {
        return false;
    };
    let key = rsa::pkcs1v15::VerifyingKey::<rsa::sha2::Sha256>::new(key);
    rsa::pkcs1v15::Signature::try_from(signature)
        .is_ok_and(|signature| key.verify(text, &signature).is_ok())
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
