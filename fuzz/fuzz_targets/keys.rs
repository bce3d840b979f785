//! JWKS documents, JWKs and PEM texts are read or refused, and never panic.
#![no_main]

use doorward_core::jose::{Key, KeySet, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Ok((set, _)) = KeySet::parse_jwks(text, Limits::default()) {
        for key in set.iter() {
            assert!(!key.thumbprint().is_empty());
        }
    }
    if let Ok(jwk) = serde_json::from_slice(text) {
        let _ = Key::from_jwk(&jwk);
    }
    if let Ok(pem) = std::str::from_utf8(text) {
        let _ = Key::from_pem(pem);
    }
});
