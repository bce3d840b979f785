//! The board that all workers share: a fixed number of slots for tokens and for what is
//! known about pairs that have none.
//!
//! What a token's slot says of the token itself is sealed (see [`super::Seal`]); everything else
//! is readable, and bounded so that a forged word does little.
//!
//! A slot is found by the first bytes of its key, in any of four neighbouring places, and
//! holds the whole key, since other plugins may write to the board and keys may meet in a
//! slot. Slots are created when the policy loads and only ever replaced with the version
//! that was read, so that two workers can't both win a lease.

use super::SlotKey;
use crate::cache::millis;
use crate::host::{Host, Shared};
use std::time::Duration;

/// How many slots there are. With tokens of about 1 KiB the board takes some 16 MiB when it is
/// full.
pub const SLOTS: u64 = 16_384;
/// In how many places a key may stand.
const WAYS: u64 = 4;
/// How far ahead a token's end may lie; see `MAX_LIFE` of the replies.
const MAX_TOKEN_LIFE: Duration = Duration::from_secs(31 * 24 * 3600);
/// How far ahead a failure's or a lease's end may lie. The policy's times are bounded so that
/// none is longer.
const MAX_WORD: Duration = Duration::from_secs(2 * 3600);
/// The layout's version.
const VERSION: u8 = 2;
/// Version, kind, key, end and one more number.
const HEAD: usize = 2 + 32 + 8 + 8;
/// The longest sealed token: see `MAX_TOKEN` of the replies; the rest is what sealing adds.
const MAX_SEALED: usize = 16 * 1024 + 64;

/// A token's times, all since the epoch, in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When it was obtained. No two tokens of one key share it.
    pub since: Duration,
    /// When a new one should be asked for.
    pub refresh_at: Duration,
    /// When it is worth nothing any more.
    pub end: Duration,
}

/// What a slot says about its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// A token.
    Token {
        /// Its times.
        times: Times,
        /// The token, sealed with [`token_head`] said beside it.
        sealed: Vec<u8>,
    },
    /// A key set was fetched.
    Fetched {
        /// The digest of what came.
        digest: [u8; 32],
        /// Until when that counts as lately.
        end: Duration,
    },
    /// Not to be asked about until `end`.
    Failed {
        /// Why.
        failure: Failure,
        /// Until when.
        end: Duration,
    },
    /// Somebody is asking; if nothing came by `end`, another may.
    Leased {
        /// Who: a random number.
        owner: u64,
        /// Until when.
        end: Duration,
    },
}

/// Why a key has no token for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The endpoint refused the pair.
    Refused,
    /// The endpoint answered 429.
    Limited,
    /// The endpoint failed.
    Unavailable,
    /// The endpoint's reply was no usable token.
    Unusable,
    /// The proxy could not reach the endpoint.
    Unreachable,
    /// The endpoint did not answer in time.
    TimedOut,
}

/// The board's slots as one host shows them.
#[derive(Debug, Clone, Copy)]
pub struct Slots<'h, H>(pub &'h H);

impl<H: Host> Slots<'_, H> {
    /// Creates all slots that don't exist yet. Inserting a new key is not exclusive on
    /// Envoy, so requests must find every slot in place. Whoever finds the last one finds all:
    /// it is made last, and none is ever deleted.
    pub fn create(&self) {
        if self.0.shared_get(&slot_name(SLOTS - 1)).is_some() {
            return;
        }
        for index in 0..SLOTS {
            let name = slot_name(index);
            if self.0.shared_get(&name).is_none() {
                self.0.shared_set(&name, &[], 0);
            }
        }
    }

    /// What is known about a key.
    pub fn get(&self, key: &SlotKey, now: Duration) -> Option<Slot> {
        self.spot(key, now, Rank::Token)?
            .known
            .filter(|slot| slot.is_live(now))
    }

    /// Writes what is known about a key, in place of what was known before. On a race the
    /// other's word stands: `false`.
    pub fn put(&self, key: &SlotKey, slot: &Slot, now: Duration) -> bool {
        self.spot(key, now, slot.displaces())
            .is_some_and(|spot| self.write(&spot, key, slot))
    }

    /// Empties a key's slot where it still holds the token that was obtained then; a lease or a
    /// newer token stays.
    pub fn discard(&self, key: &SlotKey, since: Duration, now: Duration) {
        if let Some(spot) = self.spot(key, now, Rank::Over)
            && let Some(Slot::Token { times, .. }) = &spot.known
            && times.since == since
        {
            self.0.shared_set(&slot_name(spot.index), &[], spot.cas);
        }
    }

    /// Empties those of some slots that say nothing any more, and tells how many of them hold a
    /// token.
    pub fn sweep(&self, slots: std::ops::Range<u64>, now: Duration) -> u64 {
        let mut tokens = 0;
        for index in slots {
            let name = slot_name(index);
            let Some(Shared { value, cas }) = self.0.shared_get(&name) else {
                continue;
            };
            match decode(&value) {
                Some((_, slot)) if slot.is_live(now) => {
                    tokens += u64::from(slot.rank() == Rank::Token);
                }
                _ if value.is_empty() || cas == 0 => {}
                _ => {
                    self.0.shared_set(&name, &[], cas);
                }
            }
        }
        tokens
    }

    /// Takes the lease of a key on which nobody has a word yet.
    ///
    /// `None` where somebody else did in the meantime: look again. `Some(false)` where the
    /// board has no place for it: go on without it.
    pub fn lease(&self, key: &SlotKey, owner: u64, end: Duration, now: Duration) -> Option<bool> {
        let lease = Slot::Leased { owner, end };
        let Some(spot) = self.spot(key, now, lease.displaces()) else {
            return Some(false);
        };
        if spot.known.as_ref().is_some_and(|slot| slot.is_live(now)) {
            return None;
        }
        self.write(&spot, key, &lease).then_some(true)
    }

    /// Moves the refresh time of a token that is due: whoever does so refreshes it. `slot` is
    /// the same token with its next refresh time.
    ///
    /// `false` where another worker did in the meantime, or knows something newer. `true` where
    /// there is no board to agree on.
    pub fn renew(&self, key: &SlotKey, slot: &Slot, now: Duration) -> bool {
        let Some(spot) = self.spot(key, now, slot.displaces()) else {
            return true;
        };
        let newer = match &spot.known {
            Some(Slot::Token { times, .. }) => times.refresh_at > now,
            Some(other) => other.is_live(now),
            None => false,
        };
        !newer && self.write(&spot, key, slot)
    }

    fn write(&self, spot: &Spot, key: &SlotKey, slot: &Slot) -> bool {
        self.0
            .shared_set(&slot_name(spot.index), &encode(key, slot), spot.cas)
    }

    /// Where a key stands, else the place that is missed least among those that may be
    /// displaced: of the lowest rank, and of these the one that ends soonest. What is known
    /// and the version to replace it with come from one read, so that nothing another worker
    /// writes after it can be overlooked.
    fn spot(&self, key: &SlotKey, now: Duration, displaces: Rank) -> Option<Spot> {
        let home = key.prefix();
        let mut missed_least: Option<((Rank, Duration), Spot)> = None;
        for way in 0..WAYS {
            let index = home.wrapping_add(way) % SLOTS;
            let Some(Shared { value, cas }) = self.0.shared_get(&slot_name(index)) else {
                continue;
            };
            let rank = match decode(&value) {
                Some((found, slot)) if found == *key => {
                    let known = Some(slot);
                    return Some(Spot { index, cas, known });
                }
                Some((_, slot)) if slot.is_live(now) => (slot.rank(), slot.end()),
                _ => (Rank::Over, Duration::ZERO),
            };
            let less = missed_least.as_ref().is_none_or(|(other, _)| rank < *other);
            if cas != 0 && rank.0 <= displaces && less {
                let known = None;
                missed_least = Some((rank, Spot { index, cas, known }));
            }
        }
        missed_least.map(|(_, spot)| spot)
    }
}

/// How much a slot is worth keeping: what strangers can cause displaces no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Over,
    Failed,
    Leased,
    Token,
}

/// A place on the board as one read found it.
struct Spot {
    index: u64,
    cas: u32,
    /// What it says about the key that was looked for, be it over or not.
    known: Option<Slot>,
}

impl Slot {
    fn rank(&self) -> Rank {
        match self {
            Slot::Token { .. } => Rank::Token,
            Slot::Failed { .. } | Slot::Fetched { .. } => Rank::Failed,
            Slot::Leased { .. } => Rank::Leased,
        }
    }

    /// Which slots of other keys may go for it.
    fn displaces(&self) -> Rank {
        match self {
            Slot::Token { .. } => Rank::Token,
            Slot::Failed { .. } | Slot::Fetched { .. } | Slot::Leased { .. } => Rank::Failed,
        }
    }

    /// Whether it still counts. An end further ahead than anybody here writes is no word of
    /// ours: another plugin's, or the clock's that has gone back since.
    fn is_live(&self, now: Duration) -> bool {
        let furthest = match self {
            Slot::Token { .. } => MAX_TOKEN_LIFE,
            Slot::Failed { .. } | Slot::Fetched { .. } | Slot::Leased { .. } => MAX_WORD,
        };
        self.end() > now && self.end() <= now.saturating_add(furthest)
    }

    /// When the word of this slot ends.
    pub fn end(&self) -> Duration {
        match self {
            Slot::Token { times, .. } => times.end,
            Slot::Fetched { end, .. } | Slot::Failed { end, .. } | Slot::Leased { end, .. } => *end,
        }
    }
}

fn slot_name(index: u64) -> String {
    format!("doorward/1/token/{index}")
}

/// What a token's slot says readably: authenticated with the token, so that nothing of it can
/// be changed by others.
pub fn token_head(key: &SlotKey, times: &Times) -> Vec<u8> {
    let mut head = head(1, key, times.end, millis(times.refresh_at));
    head.extend(millis(times.since).to_le_bytes());
    head
}

fn head(kind: u8, key: &SlotKey, end: Duration, number: u64) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD + 32);
    head.extend([VERSION, kind]);
    head.extend(key.0);
    head.extend(millis(end).to_le_bytes());
    head.extend(number.to_le_bytes());
    head
}

fn encode(key: &SlotKey, slot: &Slot) -> Vec<u8> {
    let (mut value, rest): (_, &[u8]) = match slot {
        Slot::Token { times, sealed } => (token_head(key, times), sealed),
        Slot::Failed { failure, end } => (head(2, key, *end, failure.code()), &[]),
        Slot::Leased { owner, end } => (head(3, key, *end, *owner), &[]),
        Slot::Fetched { digest, end } => (head(4, key, *end, 0), digest),
    };
    value.extend(rest);
    value
}

fn decode(value: &[u8]) -> Option<(SlotKey, Slot)> {
    let (head, rest) = value.split_first_chunk::<HEAD>()?;
    let ([version, kind], head) = head.split_first_chunk::<2>()?;
    let (key, head) = head.split_first_chunk::<32>()?;
    let (end, number) = head.split_first_chunk::<8>()?;
    let end = Duration::from_millis(u64::from_le_bytes(*end));
    let number = u64::from_le_bytes(*number.first_chunk()?);
    if *version != VERSION {
        return None;
    }
    let slot = match kind {
        1 => {
            let (since, sealed) = rest.split_first_chunk::<8>()?;
            if sealed.len() > MAX_SEALED {
                return None;
            }
            Slot::Token {
                times: Times {
                    since: Duration::from_millis(u64::from_le_bytes(*since)),
                    refresh_at: Duration::from_millis(number),
                    end,
                },
                sealed: sealed.to_vec(),
            }
        }
        2 => Slot::Failed {
            failure: Failure::from_code(number)?,
            end,
        },
        3 => Slot::Leased { owner: number, end },
        4 => Slot::Fetched {
            digest: rest.try_into().ok()?,
            end,
        },
        _ => return None,
    };
    Some((SlotKey(*key), slot))
}

/// A time in whole milliseconds, as slots hold it.
pub fn whole_millis(time: Duration) -> Duration {
    Duration::from_millis(millis(time))
}

impl Failure {
    const ALL: [Failure; 6] = [
        Failure::Refused,
        Failure::Limited,
        Failure::Unavailable,
        Failure::Unusable,
        Failure::Unreachable,
        Failure::TimedOut,
    ];

    /// A word for the log.
    pub fn name(self) -> &'static str {
        match self {
            Failure::Refused => "refused",
            Failure::Limited => "too many requests",
            Failure::Unavailable => "unavailable",
            Failure::Unusable => "unusable reply",
            Failure::Unreachable => "can't be reached",
            Failure::TimedOut => "no answer in time",
        }
    }

    fn code(self) -> u64 {
        Failure::ALL
            .iter()
            .position(|failure| *failure == self)
            .map_or(0, |at| at as u64)
    }

    fn from_code(code: u64) -> Option<Failure> {
        Failure::ALL.get(usize::try_from(code).ok()?).copied()
    }
}

#[cfg(test)]
mod tests;
