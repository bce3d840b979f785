//! Sealing: what stands on the shared board can be read, and written so that it counts, by
//! those who hold the pair's secret only.
//!
//! The key comes from the pair by HKDF-SHA256 (RFC 5869), so there is nothing to configure
//! and nothing to keep. Texts are sealed with XChaCha20-Poly1305; the nonce is an HMAC over all
//! that is sealed and said beside it, so it rests on no randomness: it comes again only with the
//! very same words, of which the very same bytes tell nothing new.

use super::{Pair, SlotKey};
use chacha20poly1305::aead::array::{Array, ArraySize};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// How many bytes a nonce has; it stands before what was sealed.
const NONCE: usize = 24;
/// How many bytes each of the two keys has.
const KEY: usize = 32;

/// What seals and opens one pair's tokens at one exchange of one policy.
pub struct Seal {
    cipher: XChaCha20Poly1305,
    nonces: Hmac<Sha256>,
}

impl Seal {
    /// The seal of a pair whose token stands under `key`.
    ///
    /// The policy's digest is the salt: it covers endpoint, scopes and the rest of the exchange.
    /// The slot's key names exchange, id, secret and body once more, so that no two slots share a
    /// seal.
    pub fn new(policy: &[u8; 32], pair: &Pair, key: &SlotKey) -> Seal {
        let mut keys = Zeroizing::new([0; 2 * KEY]);
        let info: [&[u8]; 2] = [b"doorward/1/token", &key.0];
        let derived = Hkdf::<Sha256>::new(Some(policy), pair.secret.expose().as_bytes());
        // RFC 5869 §2.3: only more than 255 digests are too much.
        let expanded = derived.expand_multi_info(&info, keys.as_mut_slice());
        debug_assert!(expanded.is_ok());
        let (cipher, nonces) = keys.split_at(KEY);
        Seal {
            cipher: XChaCha20Poly1305::new(&filled(cipher)),
            nonces: Hmac::new(&filled(nonces)),
        }
    }

    /// A sealed text. `said` is readable beside it, and part of what opens it. Nothing where the
    /// text is too long for any cipher.
    pub fn close(&self, said: &[u8], text: &[u8]) -> Vec<u8> {
        let mut nonces = self.nonces.clone();
        nonces.update(&(said.len() as u64).to_le_bytes());
        nonces.update(said);
        nonces.update(text);
        let digest = nonces.finalize().into_bytes();
        let Some(nonce) = digest.first_chunk::<NONCE>() else {
            return Vec::new();
        };
        let nonce = XNonce::from(*nonce);
        let payload = Payload {
            msg: text,
            aad: said,
        };
        let mut sealed = nonce.to_vec();
        match self.cipher.encrypt(&nonce, payload) {
            Ok(text) => sealed.extend(text),
            Err(_) => sealed.clear(),
        }
        sealed
    }

    /// The text, if it was sealed with this seal and these words beside it.
    pub fn open(&self, said: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (head, msg) = sealed.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg, aad: said };
        let text = self.cipher.decrypt(&XNonce::from(*head), payload).ok()?;
        Some(Zeroizing::new(text))
    }
}

/// A key that begins with these bytes and is zero behind them.
fn filled<N: ArraySize>(bytes: &[u8]) -> Array<u8, N> {
    let mut key = Array::default();
    key.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    key
}

/// Keys aren't shown.
impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::document::Secret;

    const POLICY: [u8; 32] = [7; 32];

    fn pair(secret: &str) -> Pair {
        Pair::new("id", secret).unwrap()
    }

    fn seal(policy: &[u8; 32], exchange: usize, pair: &Pair) -> Seal {
        Seal::new(policy, pair, &SlotKey::of_pair(policy, exchange, pair))
    }

    #[test]
    fn only_the_same_pair_under_the_same_policy_opens() {
        let own = seal(&POLICY, 0, &pair("s3cret"));
        let sealed = own.close(b"head", b"token");
        let text = own.open(b"head", &sealed).unwrap();
        assert_eq!(*text, b"token");
        assert!(!sealed.windows(5).any(|part| part == b"token"));
        let with_body = Pair {
            body: Some(Box::new(Secret::from("x"))),
            ..pair("s3cret")
        };
        for other in [
            seal(&POLICY, 0, &pair("s3cret2")),
            seal(&POLICY, 1, &pair("s3cret")),
            seal(&[8; 32], 0, &pair("s3cret")),
            seal(&POLICY, 0, &with_body),
            // Who knows the slot's key but not the secret.
            Seal::new(
                &POLICY,
                &pair("guess"),
                &SlotKey::of_pair(&POLICY, 0, &pair("s3cret")),
            ),
        ] {
            assert!(other.open(b"head", &sealed).is_none());
        }
        assert!(own.open(b"heat", &sealed).is_none());
    }

    #[test]
    fn debug_shows_no_key() {
        let own = seal(&POLICY, 0, &pair("s3cret"));
        assert_eq!(format!("{own:?}"), "Seal");
    }

    #[test]
    fn no_changed_byte_opens() {
        let own = seal(&POLICY, 0, &pair("s3cret"));
        let sealed = own.close(b"head", b"token");
        for at in 0..sealed.len() {
            let mut other = sealed.clone();
            other[at] ^= 1;
            assert!(own.open(b"head", &other).is_none(), "{at}");
            assert!(own.open(b"head", &sealed[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn a_nonce_never_serves_two_texts() {
        let own = seal(&POLICY, 0, &pair("s3cret"));
        let nonce = |said: &[u8], text: &[u8]| own.close(said, text)[..NONCE].to_vec();
        let base = nonce(b"head", b"token");
        assert_eq!(base, nonce(b"head", b"token"));
        for (said, text) in [
            (&b"head"[..], &b"other"[..]),
            (b"heat", b"token"),
            (b"headt", b"oken"),
            (b"", b"headtoken"),
        ] {
            assert_ne!(base, nonce(said, text));
        }
    }
}
