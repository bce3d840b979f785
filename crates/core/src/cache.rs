//! What the caches share: how much they may hold, and hashes that are made by hand.

use schnellru::Limiter;
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::Duration;

/// What so many bytes take on the module's heap: its allocator keeps four beside them, and gives
/// out pieces of 16.
pub fn chunk(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        _ => (bytes + 4).next_multiple_of(16),
    }
}

/// Whole milliseconds: half of what a [`Duration`] takes.
pub fn millis(time: Duration) -> u64 {
    let whole = time.as_secs().saturating_mul(1000);
    whole.saturating_add(u64::from(time.subsec_millis()))
}

/// What knows about how many bytes it takes in all, and says the same as long as it lives.
pub trait Weigh {
    /// Bytes, its parts on the heap included.
    fn weight(&self) -> usize;
}

/// Bounds a map by the number of its entries and by what they take.
#[derive(Debug)]
pub struct ByBytes {
    entries: usize,
    most: usize,
    bytes: usize,
}

impl ByBytes {
    /// At most so many entries of so many bytes in all.
    pub fn new(entries: usize, most: usize) -> ByBytes {
        ByBytes {
            entries,
            most,
            bytes: 0,
        }
    }

    /// What the entries take now.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<K: Eq + Hash, V: Weigh> Limiter<K, V> for ByBytes {
    type KeyToInsert<'a> = K;
    type LinkType = u32;

    fn is_over_the_limit(&self, length: usize) -> bool {
        length > self.entries || self.bytes > self.most
    }

    fn on_insert(&mut self, _: usize, key: K, value: V) -> Option<(K, V)> {
        self.bytes += value.weight();
        Some((key, value))
    }

    fn on_replace(&mut self, _: usize, _: &mut K, _: K, old: &mut V, new: &mut V) -> bool {
        self.bytes = self.bytes.saturating_sub(old.weight()) + new.weight();
        true
    }

    fn on_removed(&mut self, _: &mut K, value: &mut V) {
        self.bytes = self.bytes.saturating_sub(value.weight());
    }

    fn on_cleared(&mut self) {
        self.bytes = 0;
    }

    fn on_grow(&mut self, _: usize) -> bool {
        true
    }
}

/// Mixes one more word into a hash. It spreads; telling two things apart is not its work.
pub fn mix(hash: u64, word: u64) -> u64 {
    let hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ hash >> 29
}

/// Hashes what is a hash already.
#[derive(Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Hashes keys that are SHA-256 digests by their first bytes: hashing them again would buy
/// nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByPrefix;

/// See [`ByPrefix`].
pub struct Prefix(u64);

impl BuildHasher for ByPrefix {
    type Hasher = Prefix;

    fn build_hasher(&self) -> Prefix {
        Prefix(0)
    }
}

impl Hasher for Prefix {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(prefix) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*prefix);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
