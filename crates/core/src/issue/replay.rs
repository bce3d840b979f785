//! Assertions that were used already, so that none opens twice (RFC 7523 §3, RFC 7519 §4.1.7).
//!
//! The table lies on the shared board, so that it counts for all workers. It has a fixed number
//! of shares, each one value that is only ever replaced with the version that was read. A client's
//! uses lie in the share that its id chooses, and a client fills a part of it at the most: so one
//! that sends very many assertions is refused itself, and others go on.
//!
//! A use is kept until its assertion ends, leeway included. A share without room for one more
//! refuses: a use that is forgotten would be an assertion that opens again. For the same reason
//! nothing here depends on the policy, whose next version must know what was used: a use is the
//! SHA-256 of the key that proved the assertion (its RFC 7638 thumbprint), the client and `jti`.
//! Clients of the same name in two policies of one VM, which have keys of their own, don't meet.

use crate::host::Host;
use crate::http::Refusal;
use crate::reply::Reason;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How many uses each of the 256 shares holds: 64 KiB, and 16 MiB for all of them.
const CAPACITY: usize = 2048;
/// How many of them may be one client's.
const QUOTA: usize = 1024;
/// How often a share is tried while other workers keep changing it.
const TRIES: usize = 16;
/// The layout's version, the first byte of a share that was written.
const VERSION: u8 = 1;
/// The use's digest, the client's tag, and the end in seconds since the epoch.
const ENTRY: usize = DIGEST + TAG + 8;
const DIGEST: usize = 16;
const TAG: usize = 8;
/// The longest that a caller is told to wait for room: it may come sooner.
const MAX_WAIT: u64 = 60;

/// One use of an assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    share: u8,
    tag: [u8; TAG],
    digest: [u8; DIGEST],
    end: u64,
}

impl Use {
    /// The use of the assertion `jti` of a client, proven by the key of this thumbprint, which
    /// is good until `end` since the epoch, leeway included.
    pub fn new(client: &str, thumbprint: &str, jti: &str, end: Duration) -> Use {
        let name: [u8; 32] = Sha256::digest(client).into();
        let mut whole = Sha256::new();
        for part in [client, thumbprint, jti] {
            whole.update((part.len() as u64).to_le_bytes());
            whole.update(part);
        }
        let whole: [u8; 32] = whole.finalize().into();
        let [share, ..] = name;
        Use {
            share,
            tag: tail(&name),
            digest: tail(&whole),
            // A part of a second counts whole: the assertion may be good in it.
            end: end.as_secs() + u64::from(end.subsec_nanos() > 0),
        }
    }

    /// Writes the use down.
    ///
    /// # Errors
    /// It is there already, the client has no room for it, or it can't be written.
    pub fn record(&self, host: &impl Host, now: Duration) -> Result<(), Refusal> {
        let name = share_name(self.share);
        for _ in 0..TRIES {
            let Some(shared) = host.shared_get(&name) else {
                break;
            };
            let Some(entries) = entries(&shared.value) else {
                break;
            };
            let value = self.added(entries, now)?;
            if host.shared_set(&name, &value, shared.cas) {
                return Ok(());
            }
        }
        // No board, one that changes all the time, or somebody else's words on it.
        Err(Refusal::for_now(Reason::ReplayUnrecorded, 1))
    }

    /// The share with this use, and without those that are over.
    fn added(&self, entries: &[u8], now: Duration) -> Result<Vec<u8>, Refusal> {
        let mut value = Vec::with_capacity(1 + entries.len() + ENTRY);
        value.push(VERSION);
        let (mut all, mut own) = (0, 0);
        let (mut all_end, mut own_end) = (u64::MAX, u64::MAX);
        for entry in entries.chunks_exact(ENTRY) {
            let end = u64::from_le_bytes(tail(entry));
            if end <= now.as_secs() {
                continue;
            }
            if entry.starts_with(&self.digest) {
                return Err(Refusal::of(Reason::AssertionReplayed));
            }
            all += 1;
            all_end = all_end.min(end);
            if entry.get(DIGEST..DIGEST + TAG) == Some(&self.tag) {
                own += 1;
                own_end = own_end.min(end);
            }
            value.extend_from_slice(entry);
        }
        let room_from = match (own >= QUOTA, all >= CAPACITY) {
            (true, _) => own_end,
            (_, true) => all_end,
            _ => {
                value.extend(self.digest);
                value.extend(self.tag);
                value.extend(self.end.to_le_bytes());
                return Ok(value);
            }
        };
        let wait = room_from.saturating_sub(now.as_secs()).clamp(1, MAX_WAIT);
        Err(Refusal::for_now(Reason::ReplayFull, wait))
    }
}

/// Creates the table's shares; see [`crate::tokens::Slots::create`].
pub fn create(host: &impl Host) {
    for share in 0..=u8::MAX {
        let name = share_name(share);
        if host.shared_get(&name).is_none() {
            host.shared_set(&name, &[], 0);
        }
    }
}

/// What a share holds; `None` where it isn't of this table's making.
fn entries(value: &[u8]) -> Option<&[u8]> {
    let Some((version, entries)) = value.split_first() else {
        return Some(value);
    };
    let sound = *version == VERSION
        && entries.len().is_multiple_of(ENTRY)
        && entries.len() <= CAPACITY * ENTRY;
    sound.then_some(entries)
}

/// The last bytes of what has at least so many.
fn tail<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.last_chunk().copied().unwrap_or([0; N])
}

fn share_name(share: u8) -> String {
    format!("doorward/1/replay/{share}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_000_000);

    fn used(client: &str, jti: &str, seconds: u64) -> Use {
        Use::new(
            client,
            "thumbprint",
            jti,
            NOW + Duration::from_secs(seconds),
        )
    }

    fn reason(added: Result<Vec<u8>, Refusal>) -> Option<(Reason, Option<u64>)> {
        added
            .err()
            .map(|refusal| (refusal.reason, refusal.retry_after))
    }

    #[test]
    fn a_use_is_known_until_it_ends_and_its_place_is_free_then() {
        let first = used("a", "1", 60);
        let share = first.added(&[], NOW).unwrap();
        let held = entries(&share).unwrap();
        assert_eq!(held.len(), ENTRY);
        let again = |later| reason(first.added(held, NOW + Duration::from_secs(later)));
        assert_eq!(again(0), Some((Reason::AssertionReplayed, None)));
        assert_eq!(again(59), Some((Reason::AssertionReplayed, None)));
        let other = used("a", "2", 120);
        let kept = other.added(held, NOW + Duration::from_secs(59)).unwrap();
        assert_eq!(entries(&kept).unwrap().len(), 2 * ENTRY);
        let freed = other.added(held, NOW + Duration::from_secs(60)).unwrap();
        assert_eq!(entries(&freed).unwrap().len(), ENTRY);
    }

    #[test]
    fn client_key_and_jti_make_a_use() {
        let one = Use::new("a", "t", "j", NOW);
        for other in [
            Use::new("b", "t", "j", NOW),
            Use::new("a", "u", "j", NOW),
            Use::new("a", "t", "k", NOW),
            Use::new("at", "", "j", NOW),
        ] {
            assert_ne!(one.digest, other.digest);
        }
        assert_eq!(one, Use::new("a", "t", "j", NOW));
    }

    #[test]
    fn a_client_fills_its_part_and_is_refused_then_and_others_go_on() {
        let mut share = Vec::new();
        for number in 0..QUOTA {
            let use_ = used("a", &number.to_string(), 30 + number as u64);
            share = use_.added(entries(&share).unwrap(), NOW).unwrap();
        }
        let held = entries(&share).unwrap().to_vec();
        let full = reason(used("a", "one more", 5).added(&held, NOW));
        assert_eq!(full, Some((Reason::ReplayFull, Some(30))));
        assert_eq!(
            reason(used("a", "0", 30).added(&held, NOW)),
            Some((Reason::AssertionReplayed, None))
        );
        assert!(used("b", "one more", 5).added(&held, NOW).is_ok());
        let later = NOW + Duration::from_secs(30);
        assert!(used("a", "one more", 60).added(&held, later).is_ok());
    }

    #[test]
    fn a_full_share_refuses_everybody_and_forgets_nobody() {
        let mut share = Vec::new();
        for number in 0..CAPACITY {
            let use_ = used(&format!("c{}", number / 100), &number.to_string(), 3600);
            share = use_.added(entries(&share).unwrap(), NOW).unwrap();
        }
        let held = entries(&share).unwrap();
        let full = reason(used("new", "1", 5).added(held, NOW));
        assert_eq!(full, Some((Reason::ReplayFull, Some(MAX_WAIT))));
        assert_eq!(
            reason(used("c0", "7", 3600).added(held, NOW)),
            Some((Reason::AssertionReplayed, None))
        );
    }

    #[test]
    fn what_others_wrote_is_no_share() {
        assert_eq!(entries(&[]), Some(&[][..]));
        assert_eq!(entries(&[VERSION]), Some(&[][..]));
        for value in [
            vec![VERSION + 1],
            vec![VERSION; ENTRY],
            vec![VERSION; 2 + ENTRY],
            vec![VERSION; 1 + (CAPACITY + 1) * ENTRY],
        ] {
            assert_eq!(entries(&value), None, "{} bytes", value.len());
        }
    }
}
