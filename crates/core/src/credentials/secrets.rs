//! Clients' secrets, as token endpoints judge them.

use sha2::{Digest, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// One secret of a client, known by its SHA-256.
#[derive(Clone)]
pub struct SecretDigest {
    /// The SHA-256 of the secret.
    pub sha256: [u8; 32],
    /// Not accepted before, since the epoch.
    pub not_before: Option<Duration>,
    /// Not accepted from then on, since the epoch.
    pub expires: Option<Duration>,
    /// Not accepted any more.
    pub revoked: bool,
}

/// A short secret could be guessed from its digest.
impl std::fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretDigest(…)")
    }
}

/// What a secret that was presented is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretWorth {
    /// It proves the client.
    Proof,
    /// It is the client's, but not any more, or not yet.
    Over,
    /// It is none of the client's.
    Wrong,
}

/// Judges a presented secret by the client's own. For a client that doesn't exist, judge it by
/// none: the digest is taken all the same, which is where the time goes.
pub fn judge_secret(own: &[SecretDigest], presented: &str, now: Duration) -> SecretWorth {
    let presented: [u8; 32] = Sha256::digest(presented).into();
    let mut worth = SecretWorth::Wrong;
    for secret in own {
        if !bool::from(secret.sha256.ct_eq(&presented)) {
            continue;
        }
        let begun = secret.not_before.is_none_or(|begin| begin <= now);
        let live = begun && secret.expires.is_none_or(|end| now < end) && !secret.revoked;
        worth = match (live, worth) {
            (true, _) | (_, SecretWorth::Proof) => SecretWorth::Proof,
            _ => SecretWorth::Over,
        };
    }
    worth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_live_secret_proves_and_an_old_one_is_told_apart() {
        let at = Duration::from_secs;
        let secret = |text: &str, not_before, expires, revoked| SecretDigest {
            sha256: Sha256::digest(text).into(),
            not_before,
            expires,
            revoked,
        };
        let own = [
            secret("old", None, Some(at(100)), false),
            secret("new", Some(at(50)), None, false),
            secret("lost", None, None, true),
            secret("again", None, None, true),
            secret("again", None, None, false),
        ];
        for (presented, now, worth) in [
            ("old", 99, SecretWorth::Proof),
            ("old", 100, SecretWorth::Over),
            ("new", 49, SecretWorth::Over),
            ("new", 50, SecretWorth::Proof),
            ("lost", 50, SecretWorth::Over),
            ("again", 50, SecretWorth::Proof),
            ("", 50, SecretWorth::Wrong),
            ("OLD", 50, SecretWorth::Wrong),
        ] {
            assert_eq!(
                judge_secret(&own, presented, at(now)),
                worth,
                "{presented} at {now}"
            );
        }
        assert_eq!(judge_secret(&[], "old", at(50)), SecretWorth::Wrong);
    }
}
