//! The tokens that one worker verified lately: the same token again costs no signature check,
//! no base64 and no JSON.
//!
//! A token is only found whole and under the authenticator that verified it, and what it was
//! verified with must still stand: times are judged again at each use, and the key that
//! proved it must still be among the keys ([`Proof`]). A policy's update makes a new, empty
//! cache, as it makes everything else anew.
//!
//! The least recently used goes first, and a token enters when it is seen a second time: so a
//! flood of tokens that are each used once flushes none that is used again and again, which
//! is what S3-FIFO's small queue is for, at the price of one more verification.

use super::Identity;
use crate::cache::{AsItIs, ByBytes, Weigh, mix};
use crate::jose::{Claims, Key};
use schnellru::LruMap;
use std::cell::RefCell;
use std::hash::BuildHasherDefault;
use std::rc::Rc;
use std::time::Duration;

/// How many tokens are kept at the most.
const MAX_TOKENS: usize = 4096;
/// What they may take in all, in bytes.
pub(crate) const MAX_BYTES: usize = 3 * 1024 * 1024;
/// How many places there are for the hashes of tokens seen once.
const PLACES: usize = 1024;
/// How many hashes share a place; one alone would keep two busy tokens from ever entering.
const WAYS: usize = 4;

/// What proved a token's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The fetched key set that the key stood in, by its index in the policy, and the set's
    /// generation; `None` for a key of the policy's own.
    pub remote: Option<(usize, u64)>,
    /// From when the key counts, since the epoch.
    pub not_before: Option<Duration>,
    /// When the key's use ends, since the epoch.
    pub expires: Option<Duration>,
}

impl Proof {
    /// The proof by a key, of the fetched set of this index and generation if of any.
    pub fn by(key: &Key, remote: Option<(usize, u64)>) -> Proof {
        Proof {
            remote,
            not_before: key.not_before(),
            expires: key.expires(),
        }
    }

    /// Whether the key still counts at `now` as far as its own span goes.
    pub fn is_live(&self, now: Duration) -> bool {
        self.not_before.is_none_or(|begin| begin <= now) && self.expires.is_none_or(|end| now < end)
    }
}

/// A token that was verified.
#[derive(Debug)]
pub struct VerifiedToken {
    /// Which authenticator took it, by index in the policy.
    pub authenticator: usize,
    /// What proved it.
    pub proof: Proof,
    /// Its claims.
    pub claims: Rc<Claims>,
    /// What they say about its bearer; `None` where that depends on the request, too.
    pub identity: Option<Identity>,
    token: Box<[u8]>,
}

/// The tokens that one worker verified lately.
pub struct VerifiedTokens {
    tokens: RefCell<LruMap<u64, Rc<VerifiedToken>, ByBytes, BuildHasherDefault<AsItIs>>>,
    /// The latest first: 16 KiB in all.
    seen: RefCell<Box<[[u32; WAYS]]>>,
}

impl Default for VerifiedTokens {
    fn default() -> VerifiedTokens {
        VerifiedTokens {
            tokens: RefCell::new(LruMap::with_hasher(
                ByBytes::new(MAX_TOKENS, MAX_BYTES),
                BuildHasherDefault::default(),
            )),
            seen: RefCell::new(vec![[0; WAYS]; PLACES].into_boxed_slice()),
        }
    }
}

impl VerifiedTokens {
    /// What this authenticator verified this very token to be. Whether it still stands is the
    /// caller's to judge.
    pub fn get(&self, authenticator: usize, token: &[u8]) -> Option<Rc<VerifiedToken>> {
        let mut tokens = self.tokens.borrow_mut();
        let found = tokens.get(&hash(authenticator, token))?;
        let same = found.authenticator == authenticator && same_bytes(&found.token, token);
        same.then(|| found.clone())
    }

    /// Keeps a token that was verified, if it was seen before.
    pub fn put(
        &self,
        authenticator: usize,
        token: &[u8],
        proof: Proof,
        claims: &Rc<Claims>,
        identity: Option<&Identity>,
    ) {
        let hash = hash(authenticator, token);
        if !self.was_seen(hash) {
            return;
        }
        let verified = VerifiedToken {
            authenticator,
            proof,
            claims: claims.clone(),
            identity: identity.cloned(),
            token: token.into(),
        };
        self.tokens.borrow_mut().insert(hash, Rc::new(verified));
    }

    /// Whether a hash was seen lately; from now on it was.
    fn was_seen(&self, hash: u64) -> bool {
        let mut seen = self.seen.borrow_mut();
        // Never zero, which stands for none.
        let mark = (hash >> 32) as u32 | 1;
        let Some(place) = seen.get_mut(hash as usize % PLACES) else {
            return false;
        };
        let known = place.contains(&mark);
        if !known {
            place.rotate_right(1);
            place[0] = mark;
        }
        known
    }
}

/// A token's end is its signature, which nobody chooses: its bits are spread as they are.
/// Telling two tokens apart is not the hash's work.
fn hash(authenticator: usize, token: &[u8]) -> u64 {
    let (_, words) = token.as_rchunks::<8>();
    let words = words.iter().rev().take(4);
    words.fold(authenticator as u64, |hash, word| {
        mix(hash, u64::from_le_bytes(*word))
    })
}

/// Equality word by word: of slices of bytes it is a loop over bytes in wasm (measured: some
/// ten times slower).
fn same_bytes(one: &[u8], other: &[u8]) -> bool {
    let (one_words, one_rest) = one.as_chunks::<8>();
    let (other_words, other_rest) = other.as_chunks::<8>();
    one.len() == other.len()
        && one_words
            .iter()
            .zip(other_words)
            .all(|(one, other)| u64::from_le_bytes(*one) == u64::from_le_bytes(*other))
        && one_rest == other_rest
}

impl Weigh for Rc<VerifiedToken> {
    /// The token itself, its claims, and what was made of them.
    fn weight(&self) -> usize {
        1024 + 4 * self.token.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY_KEY: Proof = Proof {
        remote: None,
        not_before: None,
        expires: None,
    };

    fn put(cache: &VerifiedTokens, authenticator: usize, token: &str) {
        let claims = Claims::parse(br#"{"sub":"a"}"#).unwrap();
        let claims = Rc::new(claims);
        cache.put(authenticator, token.as_bytes(), POLICY_KEY, &claims, None);
    }

    fn token(number: usize, length: usize) -> String {
        format!("{number:016x}{:0>length$}", number.wrapping_mul(7919))
    }

    #[test]
    fn a_token_enters_when_it_is_seen_a_second_time() {
        let cache = VerifiedTokens::default();
        let token = token(1, 600);
        put(&cache, 0, &token);
        assert!(cache.get(0, token.as_bytes()).is_none());
        put(&cache, 0, &token);
        assert!(cache.get(0, token.as_bytes()).is_some());
    }

    #[test]
    fn no_hash_counts_as_seen_at_first() {
        for hash in [0, 1, 1 << 32, 2 << 32, u64::MAX] {
            let cache = VerifiedTokens::default();
            assert!(!cache.was_seen(hash), "{hash:x}");
            assert!(cache.was_seen(hash), "{hash:x}");
        }
    }

    #[test]
    fn only_the_very_token_under_its_own_authenticator_is_found() {
        let cache = VerifiedTokens::default();
        let token = token(1, 600);
        put(&cache, 3, &token);
        put(&cache, 3, &token);
        assert!(cache.get(4, token.as_bytes()).is_none());
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] ^= 1;
            assert!(cache.get(3, &other).is_none(), "{at}");
        }
        assert!(cache.get(3, &token.as_bytes()[1..]).is_none());
        assert!(cache.get(3, b"").is_none());
    }

    #[test]
    fn a_flood_of_tokens_used_once_flushes_none_that_is_used_again() {
        let cache = VerifiedTokens::default();
        let useful: Vec<String> = (0..100).map(|number| token(number, 600)).collect();
        for _ in 0..2 {
            for token in &useful {
                put(&cache, 0, token);
            }
        }
        for number in 0..100_000 {
            put(&cache, 0, &token(1_000_000 + number, 600));
        }
        for token in &useful {
            assert!(cache.get(0, token.as_bytes()).is_some());
        }
    }

    #[test]
    fn tokens_and_bytes_are_bounded() {
        for length in [32, 600, 8000] {
            let cache = VerifiedTokens::default();
            for number in 0..20_000 {
                let token = token(number, length);
                put(&cache, 0, &token);
                put(&cache, 0, &token);
            }
            let tokens = cache.tokens.borrow();
            let held: usize = tokens.iter().map(|(_, token)| token.weight()).sum();
            assert_eq!(tokens.limiter().bytes(), held);
            assert!(held <= MAX_BYTES && tokens.len() <= MAX_TOKENS, "{length}");
            assert!(tokens.len() > 50, "{length}: {}", tokens.len());
            // A token is held itself and, in its claims, some times over (see `weight`).
            let least = 4 * token(0, length).len();
            assert!(
                tokens.len() * least <= MAX_BYTES,
                "{length}: {}",
                tokens.len()
            );
        }
    }

    #[test]
    fn a_key_counts_within_its_span() {
        let at = Duration::from_secs;
        let proof = Proof {
            not_before: Some(at(10)),
            expires: Some(at(20)),
            ..POLICY_KEY
        };
        for (now, live) in [(9, false), (10, true), (19, true), (20, false)] {
            assert_eq!(proof.is_live(at(now)), live, "{now}");
        }
        assert!(POLICY_KEY.is_live(at(0)));
    }
}
