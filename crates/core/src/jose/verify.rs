//! The signature check, by the host where it can, else here.

use super::{Algorithm, Compact, Key};

/// A host that checks signatures faster than the module can.
pub trait HostVerifier {
    /// Checks `signature` of `text`: ECDSA in minimal DER on P-256, P-384, P-521, or RSA with
    /// PKCS#1 v1.5, by the key in `spki_der` (SubjectPublicKeyInfo). `hash` is `sha256`, `sha384`
    /// or `sha512`. All that a JWS demands of the signature's form is already checked.
    ///
    /// `None`: the host can't judge this one; the module does it itself.
    fn verify_signature(
        &self,
        hash: &str,
        spki_der: &[u8],
        signature_der_or_pkcs1: &[u8],
        text: &[u8],
    ) -> Option<bool>;
}

/// A host without such help.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl HostVerifier for NoHost {
    fn verify_signature(&self, _: &str, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        None
    }
}

/// Whether `key` proves the token's signature. False too where the key doesn't fit its algorithm;
/// whether the policy lists the algorithm and the key is live is the caller's to ask.
pub fn verify(compact: &Compact<'_>, key: &Key, host: &dyn HostVerifier) -> bool {
    verify_signature(
        compact.algorithm(),
        key,
        compact.signing_input(),
        compact.signature(),
        host,
    )
}

/// As [`verify`], for any text: `signature` is in the form that a JWS carries (RFC 7518 §3).
pub fn verify_signature(
    algorithm: Algorithm,
    key: &Key,
    text: &[u8],
    signature: &[u8],
    host: &dyn HostVerifier,
) -> bool {
    key.verify(algorithm, text, signature, host)
}
