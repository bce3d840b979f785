//! The map that all VMs of a `vm_id` share.

use crate::Personality;
use crate::status::Status;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

/// CRC-32 as nginx computes it.
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

#[derive(Debug)]
struct Entry {
    key: Vec<u8>,
    value: Vec<u8>,
    cas: u32,
    /// When it was last read or written.
    used: Cell<u64>,
}

impl Entry {
    fn size(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

/// A value has no place even in an empty map. In Kong's engine that is a trap (observed).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

#[derive(Debug)]
pub(crate) struct SharedData {
    personality: Personality,
    /// By what is compared of a key. Hashed, since filters read thousands of entries a second.
    entries: HashMap<Vec<u8>, Entry>,
    last: u32,
    /// How many bytes keys and values may take in all, where there is a bound: the least recently
    /// used make way then. The engine's own bookkeeping isn't counted.
    room: Option<usize>,
    taken: usize,
    uses: Cell<u64>,
}

impl SharedData {
    pub(crate) fn new(personality: Personality) -> SharedData {
        SharedData {
            personality,
            entries: HashMap::new(),
            last: 0,
            room: None,
            taken: 0,
            uses: Cell::new(0),
        }
    }

    pub(crate) fn bound(&mut self, room: usize) {
        self.room = Some(room);
    }

    /// Whether there is no shared memory at all, as in Kong unless it is told how much.
    pub(crate) fn is_missing(&self) -> bool {
        self.room == Some(0)
    }

    fn use_number(&self) -> u64 {
        self.uses.set(self.uses.get() + 1);
        self.uses.get()
    }

    /// What is compared of a key: in Kong's engine nothing but its sum (observed).
    fn compared<'k>(&self, key: &'k [u8]) -> Cow<'k, [u8]> {
        match self.personality {
            Personality::Envoy => Cow::Borrowed(key),
            Personality::WasmX => Cow::Owned(CRC.checksum(key).to_be_bytes().to_vec()),
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<(&[u8], u32)> {
        let entry = self.entries.get(&*self.compared(key))?;
        entry.used.set(self.use_number());
        Some((&entry.value, entry.cas))
    }

    /// Writes under the personality's rule. Envoy: inserting ignores `cas`, otherwise it must
    /// be 0 or the stored one. Kong's engine: 0 inserts only.
    pub(crate) fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<Status, NoRoom> {
        let place = self.compared(key).into_owned();
        if let Some(entry) = self.entries.get(&place) {
            let free = cas == 0 && self.personality == Personality::Envoy;
            if !free && cas != entry.cas {
                return Ok(Status::CasMismatch);
            }
        }
        // 0 means "whatever is stored" and is never a version.
        self.last = self.last.checked_add(1).unwrap_or(1);
        let entry = Entry {
            key: key.to_vec(),
            value: value.to_vec(),
            cas: self.last,
            used: Cell::new(self.use_number()),
        };
        let size = entry.size();
        if self.room.is_some_and(|room| size > room) {
            return Err(NoRoom);
        }
        self.remove(&place);
        while self.room.is_some_and(|room| self.taken + size > room) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| &entry.used);
            let Some(oldest) = oldest.map(|(place, _)| place.clone()) else {
                return Err(NoRoom);
            };
            self.remove(&oldest);
        }
        self.taken += size;
        self.entries.insert(place, entry);
        Ok(Status::Ok)
    }

    fn remove(&mut self, place: &[u8]) {
        if let Some(entry) = self.entries.remove(place) {
            self.taken -= entry.size();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.taken = 0;
    }

    /// All entries, in an order that is the same in each run.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut entries: Vec<&Entry> = self.entries.values().collect();
        entries.sort_unstable_by_key(|entry| &entry.key);
        entries
            .into_iter()
            .map(|entry| (&*entry.key, &*entry.value))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoy_compares_versions_only_of_what_exists() {
        let mut data = SharedData::new(Personality::Envoy);
        assert_eq!(data.set(b"k", b"1", 77), Ok(Status::Ok));
        let (_, cas) = data.get(b"k").unwrap();
        assert_eq!(data.set(b"k", b"2", cas + 1), Ok(Status::CasMismatch));
        assert_eq!(data.set(b"k", b"2", cas), Ok(Status::Ok));
        assert_eq!(data.set(b"k", b"3", cas), Ok(Status::CasMismatch));
        assert_eq!(data.set(b"k", b"3", 0), Ok(Status::Ok));
        assert_eq!(data.get(b"k").unwrap().0, b"3");
    }

    #[test]
    fn kongs_engine_creates_with_0_and_takes_keys_of_one_crc_for_one_key() {
        let mut data = SharedData::new(Personality::WasmX);
        assert_eq!(data.set(b"plumless", b"1", 0), Ok(Status::Ok));
        assert_eq!(data.set(b"plumless", b"2", 0), Ok(Status::CasMismatch));
        // The textbook collision of CRC-32.
        assert_eq!(data.get(b"buckeroo").unwrap().0, b"1");
    }

    #[test]
    fn in_bounded_memory_the_least_recently_used_make_way() {
        let mut data = SharedData::new(Personality::WasmX);
        data.bound(30);
        for key in [b"a", b"b", b"c"] {
            assert_eq!(data.set(key, &[0; 9], 0), Ok(Status::Ok));
        }
        data.get(b"a");
        assert_eq!(data.set(b"d", &[0; 9], 0), Ok(Status::Ok));
        let kept = [b"a", b"b", b"c", b"d"].map(|key| data.get(key).is_some());
        assert_eq!(kept, [true, false, true, true]);
        // What replaces its own earlier value needs no more than the difference.
        let (_, cas) = data.get(b"a").unwrap();
        assert_eq!(data.set(b"a", &[0; 9], cas), Ok(Status::Ok));
        assert_eq!(data.len(), 3);
        assert_eq!(data.set(b"e", &[0; 30], 0), Err(NoRoom));
        assert_eq!(data.len(), 3);
    }
}
