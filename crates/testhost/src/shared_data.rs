//! The map that all VMs of a `vm_id` share.

use crate::Personality;
use crate::status::Status;
use std::collections::BTreeMap;

/// CRC-32 as nginx computes it.
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// A key as it is looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Whole(Vec<u8>),
    /// Kong's engine compares nothing but this (observed).
    Sum(u32),
}

#[derive(Debug)]
struct Entry {
    key: Vec<u8>,
    value: Vec<u8>,
    cas: u32,
}

#[derive(Debug)]
pub(crate) struct SharedData {
    personality: Personality,
    entries: BTreeMap<Key, Entry>,
    last: u32,
}

impl SharedData {
    pub(crate) fn new(personality: Personality) -> SharedData {
        SharedData {
            personality,
            entries: BTreeMap::new(),
            last: 0,
        }
    }

    fn key(&self, key: &[u8]) -> Key {
        match self.personality {
            Personality::Envoy => Key::Whole(key.to_vec()),
            Personality::WasmX => Key::Sum(CRC.checksum(key)),
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<(&[u8], u32)> {
        let entry = self.entries.get(&self.key(key))?;
        Some((&entry.value, entry.cas))
    }

    /// Writes under the personality's rule. Envoy: inserting ignores `cas`, otherwise it must
    /// be 0 or the stored one. Kong's engine: 0 inserts only.
    pub(crate) fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Status {
        let place = self.key(key);
        if let Some(entry) = self.entries.get(&place) {
            let free = cas == 0 && self.personality == Personality::Envoy;
            if !free && cas != entry.cas {
                return Status::CasMismatch;
            }
        }
        // 0 means "whatever is stored" and is never a version.
        self.last = self.last.checked_add(1).unwrap_or(1);
        let entry = Entry {
            key: key.to_vec(),
            value: value.to_vec(),
            cas: self.last,
        };
        self.entries.insert(place, entry);
        Status::Ok
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries
            .values()
            .map(|entry| (&*entry.key, &*entry.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoy_compares_versions_only_of_what_exists() {
        let mut data = SharedData::new(Personality::Envoy);
        assert_eq!(data.set(b"k", b"1", 77), Status::Ok);
        let (_, cas) = data.get(b"k").unwrap();
        assert_eq!(data.set(b"k", b"2", cas + 1), Status::CasMismatch);
        assert_eq!(data.set(b"k", b"2", cas), Status::Ok);
        assert_eq!(data.set(b"k", b"3", cas), Status::CasMismatch);
        assert_eq!(data.set(b"k", b"3", 0), Status::Ok);
        assert_eq!(data.get(b"k").unwrap().0, b"3");
    }

    #[test]
    fn kongs_engine_creates_with_0_and_takes_keys_of_one_crc_for_one_key() {
        let mut data = SharedData::new(Personality::WasmX);
        assert_eq!(data.set(b"plumless", b"1", 0), Status::Ok);
        assert_eq!(data.set(b"plumless", b"2", 0), Status::CasMismatch);
        // The textbook collision of CRC-32.
        assert_eq!(data.get(b"buckeroo").unwrap().0, b"1");
    }
}
