//! A client's id and secret, and the key under which its token is shared.

use crate::policy::document::Secret;
use sha2::{Digest, Sha256};
use std::rc::Rc;

/// The longest client id that is exchanged, in bytes.
const MAX_ID: usize = 256;
/// The longest secret that is exchanged, in bytes.
const MAX_SECRET: usize = 4096;

/// An id and a secret. Debug shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The client's id.
    pub id: Rc<str>,
    /// Its secret.
    pub secret: Secret,
    /// The body to ask with, where the policy makes it of the request: the token is then
    /// this body's, too.
    pub body: Option<Box<Secret>>,
}

/// SHA-256 over all that a token depends on: the policy, the endpoint, the id and the
/// secret. A rotated secret therefore never finds its predecessor's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotKey(pub [u8; 32]);

impl Pair {
    /// A pair, unless a part is empty or too long.
    pub fn new(id: &str, secret: &str) -> Option<Pair> {
        let fits = |text: &str, longest| !text.is_empty() && text.len() <= longest;
        (fits(id, MAX_ID) && fits(secret, MAX_SECRET)).then(|| Pair {
            id: id.into(),
            secret: Secret::from(secret),
            body: None,
        })
    }
}

impl SlotKey {
    /// The key of a pair at an exchange, given by its index in the policy of this digest.
    pub fn of_pair(policy: &[u8; 32], exchange: usize, pair: &Pair) -> SlotKey {
        // The secret goes in as a digest of its own, so that no part of the hashed text
        // can shift into another.
        let secret = Sha256::digest(pair.secret.expose());
        let body = pair.body.as_ref().map(|body| Sha256::digest(body.expose()));
        let body = body.as_ref().map_or(&[][..], |digest| digest.as_slice());
        let parts = [pair.id.as_bytes(), &secret, body];
        SlotKey::over(b"token", policy, exchange, &parts)
    }

    /// The key under which a pause of a whole exchange stands.
    pub fn of_pause(policy: &[u8; 32], exchange: usize) -> SlotKey {
        SlotKey::over(b"pause", policy, exchange, &[])
    }

    /// The key under which it stands that tokens of this key don't satisfy an authenticator.
    pub fn of_dislike(policy: &[u8; 32], authenticator: usize, pair: &SlotKey) -> SlotKey {
        SlotKey::over(b"dislike", policy, authenticator, &[&pair.0])
    }

    /// The key under which a worker keeps a signed token, which depends on these parts.
    pub fn of_signed(policy: &[u8; 32], signing: usize, parts: &[&[u8]]) -> SlotKey {
        SlotKey::over(b"signed", policy, signing, parts)
    }

    /// The key under which workers tell each other of a fetched key set.
    pub fn of_keys(policy: &[u8; 32], remote: usize) -> SlotKey {
        SlotKey::over(b"keys", policy, remote, &[])
    }

    fn over(kind: &[u8], policy: &[u8; 32], index: usize, parts: &[&[u8]]) -> SlotKey {
        let mut hash = Sha256::new();
        hash.update(kind);
        hash.update(policy);
        hash.update((index as u64).to_le_bytes());
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        SlotKey(hash.finalize().into())
    }

    /// The first eight bytes: evenly spread, so good for choosing a slot.
    pub fn prefix(&self) -> u64 {
        self.0
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_makes_another_key() {
        let pair = |id, secret| Pair::new(id, secret).unwrap();
        let policy = [7; 32];
        let base = SlotKey::of_pair(&policy, 0, &pair("id", "secret"));
        for other in [
            SlotKey::of_pair(&[8; 32], 0, &pair("id", "secret")),
            SlotKey::of_pair(&policy, 1, &pair("id", "secret")),
            SlotKey::of_pair(&policy, 0, &pair("i", "dsecret")),
            SlotKey::of_pair(&policy, 0, &pair("id", "secret2")),
            SlotKey::of_pause(&policy, 0),
            SlotKey::of_pair(
                &policy,
                0,
                &Pair {
                    body: Some(Box::new(Secret::from("x"))),
                    ..pair("id", "secret")
                },
            ),
        ] {
            assert_ne!(base, other);
        }
        assert_eq!(base, SlotKey::of_pair(&policy, 0, &pair("id", "secret")));
    }

    #[test]
    fn keys_are_spread_by_their_first_bytes() {
        let key = SlotKey::of_pair(&[7; 32], 0, &Pair::new("id", "secret").unwrap());
        assert_eq!(key.prefix().to_le_bytes(), key.0[..8]);
    }

    #[test]
    fn pairs_are_bounded_and_redacted() {
        assert!(Pair::new("", "x").is_none());
        assert!(Pair::new("x", "").is_none());
        assert!(Pair::new(&"x".repeat(257), "x").is_none());
        assert!(Pair::new("x", &"x".repeat(4097)).is_none());
        let pair = Pair::new("id", "hunter2").unwrap();
        assert!(!format!("{pair:?}").contains("hunter2"));
    }
}
