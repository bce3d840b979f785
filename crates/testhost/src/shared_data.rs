//! The map that all VMs of a `vm_id` share.

use crate::Personality;
use crate::status::Status;
use std::borrow::Cow;
use std::collections::HashMap;

/// CRC-32 as nginx computes it.
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

#[derive(Debug)]
struct Entry {
    key: Vec<u8>,
    value: Vec<u8>,
    cas: u32,
}

#[derive(Debug)]
pub(crate) struct SharedData {
    personality: Personality,
    /// By what is compared of a key. Hashed, since filters read thousands of entries a second.
    entries: HashMap<Vec<u8>, Entry>,
    last: u32,
}

impl SharedData {
    pub(crate) fn new(personality: Personality) -> SharedData {
        SharedData {
            personality,
            entries: HashMap::new(),
            last: 0,
        }
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
        Some((&entry.value, entry.cas))
    }

    /// Writes under the personality's rule. Envoy: inserting ignores `cas`, otherwise it must
    /// be 0 or the stored one. Kong's engine: 0 inserts only.
    pub(crate) fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Status {
        let place = self.compared(key).into_owned();
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
