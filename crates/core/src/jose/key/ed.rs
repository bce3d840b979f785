//! Ed25519 (RFC 8032, RFC 8037).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};

use super::der::{ED25519, Spki};
use crate::jose::KeyError;

pub(super) struct EdKey(VerifyingKey);

impl EdKey {
    pub(super) fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes = bytes
            .try_into()
            .map_err(|_| KeyError::new("an Ed25519 key has 32 bytes, this one hasn't"))?;
        let key = VerifyingKey::from_bytes(bytes)
            .map_err(|_| KeyError::new("the Ed25519 key is no point of the curve"))?;
        if key.is_weak() {
            return Err(KeyError::new(
                "the Ed25519 key is a weak point of small order",
            ));
        }
        // Another spelling of a point would be another thumbprint of one key (RFC 8032 §5.1.3).
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(KeyError::new(
                "the Ed25519 key is not in its canonical form",
            ));
        }
        Ok(Self(key))
    }

    /// Strictly: s below the group's order, no point of small order (RFC 8032 §5.1.7).
    pub(super) fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(text, &signature).is_ok())
    }

    pub(super) fn spki(&self) -> Option<Vec<u8>> {
        let spki = Spki {
            algorithm: ED25519,
            parameters: None,
            key: self.0.as_bytes(),
        };
        spki.to_der().ok()
    }

    pub(super) fn canonical_jwk(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.0.as_bytes());
        format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)
    }
}
