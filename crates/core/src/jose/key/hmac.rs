//! Shared secrets.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::{InvalidLength, KeyInit};
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::jose::{Hash, KeyError};

/// The least length of a secret in bytes: that of the shortest hash (RFC 7518 §3.2).
const MIN_LEN: usize = Hash::Sha256.size();

/// A secret, with the state of HMAC after its key kept for each hash: that halves the work of a
/// short token. The states come to be on first use, for a policy may hold thousands of secrets.
pub(super) struct HmacKey {
    secret: Zeroizing<Vec<u8>>,
    sha256: OnceLock<Option<Hmac<Sha256>>>,
    sha384: OnceLock<Option<Hmac<Sha384>>>,
    sha512: OnceLock<Option<Hmac<Sha512>>>,
}

impl HmacKey {
    pub(super) fn new(secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < MIN_LEN {
            return Err(KeyError::new(format!(
                "the secret has {} bytes; HS256 needs at least {MIN_LEN}, HS384 {}, HS512 {}",
                secret.len(),
                Hash::Sha384.size(),
                Hash::Sha512.size(),
            )));
        }
        Ok(Self {
            secret: Zeroizing::new(secret.to_vec()),
            sha256: OnceLock::new(),
            sha384: OnceLock::new(),
            sha512: OnceLock::new(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.secret.len()
    }

    pub(super) fn verify(&self, hash: Hash, text: &[u8], tag: &[u8]) -> bool {
        match hash {
            Hash::Sha256 => verify(&self.sha256, &self.secret, text, tag),
            Hash::Sha384 => verify(&self.sha384, &self.secret, text, tag),
            Hash::Sha512 => verify(&self.sha512, &self.secret, text, tag),
        }
    }

    /// The tag of `text`; `None` only where the library refuses the secret.
    pub(super) fn sign(&self, hash: Hash, text: &[u8]) -> Option<Vec<u8>> {
        match hash {
            Hash::Sha256 => sign(&self.sha256, &self.secret, text),
            Hash::Sha384 => sign(&self.sha384, &self.secret, text),
            Hash::Sha512 => sign(&self.sha512, &self.secret, text),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.secret
    }

    pub(super) fn canonical_jwk(&self) -> Zeroizing<String> {
        let k = Zeroizing::new(URL_SAFE_NO_PAD.encode(&self.secret));
        Zeroizing::new(format!(r#"{{"k":"{}","kty":"oct"}}"#, k.as_str()))
    }
}

fn verify<M: Mac + KeyInit + Clone>(
    state: &OnceLock<Option<M>>,
    secret: &[u8],
    text: &[u8],
    tag: &[u8],
) -> bool {
    // In constant time, and for the whole tag only.
    tagged(state, secret, text).is_some_and(|mac| mac.verify_slice(tag).is_ok())
}

fn sign<M: Mac + KeyInit + Clone>(
    state: &OnceLock<Option<M>>,
    secret: &[u8],
    text: &[u8],
) -> Option<Vec<u8>> {
    let mac = tagged(state, secret, text)?;
    Some(mac.finalize().into_bytes().to_vec())
}

fn tagged<M: Mac + KeyInit + Clone>(
    state: &OnceLock<Option<M>>,
    secret: &[u8],
    text: &[u8],
) -> Option<M> {
    let keyed = |secret| -> Result<M, InvalidLength> { M::new_from_slice(secret) };
    let mut mac = state.get_or_init(|| keyed(secret).ok()).clone()?;
    mac.update(text);
    Some(mac)
}
