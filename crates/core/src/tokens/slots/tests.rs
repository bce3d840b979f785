//! Slots: what is read back, who wins, who makes way.

use super::*;
use crate::host::{Call, DispatchError, Level};
use crate::jose::HostVerifier;
use crate::observe::Event;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

const NOW: Duration = Duration::from_secs(1_700_000_000);

/// A board as Envoy has it, and nothing else.
#[derive(Default)]
struct Board {
    values: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    version: Cell<u32>,
    reads: Cell<u64>,
}

impl HostVerifier for Board {
    fn verify_signature(&self, _: &str, _: &[u8], _: &[u8], _: &[u8]) -> Option<bool> {
        None
    }
}

impl Host for Board {
    fn now(&self) -> Duration {
        NOW
    }
    fn random(&self, _: &mut [u8]) {}
    fn shared_get(&self, key: &str) -> Option<Shared> {
        self.reads.set(self.reads.get() + 1);
        let (value, cas) = self.values.borrow().get(key)?.clone();
        Some(Shared { value, cas })
    }
    fn shared_set(&self, key: &str, value: &[u8], cas: u32) -> bool {
        let mut values = self.values.borrow_mut();
        let stored = values.get(key).map(|(_, stored)| *stored);
        if cas != 0 && stored.is_some_and(|stored| stored != cas) {
            return false;
        }
        self.version.set(self.version.get() + 1);
        values.insert(key.to_owned(), (value.to_vec(), self.version.get()));
        true
    }
    fn dispatch(&self, _: &Call) -> Result<u32, DispatchError> {
        Err(DispatchError)
    }
    fn wake(&self) {}
    fn log(&self, _: Level, _: &str) {}
    fn count(&self, _: Event) {}
}

fn board() -> Board {
    let board = Board::default();
    Slots(&board).create();
    board
}

/// A key whose home is this slot.
fn key(home: u64, salt: u8) -> SlotKey {
    let mut key = [salt; 32];
    key[..8].copy_from_slice(&home.to_le_bytes());
    SlotKey(key)
}

fn after(seconds: u64) -> Duration {
    NOW + Duration::from_secs(seconds)
}

fn token(name: &str, seconds: u64) -> Slot {
    Slot::Token {
        times: Times {
            since: NOW,
            refresh_at: after(seconds / 2),
            end: after(seconds),
        },
        sealed: name.as_bytes().to_vec(),
    }
}

fn leased(seconds: u64) -> Slot {
    let end = after(seconds);
    Slot::Leased { owner: 7, end }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 8
}

#[test]
fn what_is_written_is_what_is_read() {
    let mut slots = vec![token("t", 60), token(&"x".repeat(16 * 1024), 1), leased(5)];
    slots.extend(Failure::ALL.map(|failure| Slot::Failed {
        failure,
        end: after(5),
    }));
    slots.push(Slot::Fetched {
        digest: [3; 32],
        end: after(5),
    });
    for slot in slots {
        let bytes = encode(&key(3, 9), &slot);
        assert_eq!(decode(&bytes), Some((key(3, 9), slot.clone())));
        for cut in 0..HEAD.min(bytes.len()) {
            assert_eq!(decode(&bytes[..cut]), None, "{slot:?} cut at {cut}");
        }
        let mut other = bytes.clone();
        other[0] = VERSION + 1;
        assert_eq!(decode(&other), None);
    }
    // Times beyond what fits are the latest that do.
    let slot = Slot::Leased {
        owner: 0,
        end: Duration::MAX,
    };
    let end = Duration::from_millis(u64::MAX);
    let (_, read) = decode(&encode(&key(0, 0), &slot)).unwrap();
    assert_eq!(read.end(), end);
}

#[test]
fn garbage_is_never_a_token_of_another_key() {
    let mut state = 42;
    let good = encode(&key(1, 1), &token("good", 60));
    for _ in 0..4000 {
        let bytes: Vec<u8> = match random(&mut state) % 2 {
            0 => {
                let length = random(&mut state) as usize % 120;
                (0..length).map(|_| random(&mut state) as u8).collect()
            }
            _ => {
                let mut bytes = good.clone();
                let at = random(&mut state) as usize % bytes.len();
                bytes[at] = random(&mut state) as u8;
                bytes.truncate(bytes.len() - random(&mut state) as usize % 3);
                bytes
            }
        };
        let board = Board::default();
        for index in 0..WAYS {
            board.shared_set(&slot_name(1 + index), &bytes, 0);
        }
        if let Some((found, _)) = decode(&bytes) {
            assert_eq!(&bytes[2..34], &found.0);
        }
        assert_eq!(Slots(&board).get(&key(1, 2), NOW), None, "{bytes:?}");
    }
}

#[test]
fn a_key_is_found_in_any_of_its_places_and_the_last_one_wraps() {
    for home in [0, 5, SLOTS - 1, SLOTS, u64::MAX] {
        let board = board();
        let slots = Slots(&board);
        for salt in 0..4 {
            assert!(slots.put(&key(home, salt), &token("t", 60), NOW));
        }
        for salt in 0..4 {
            assert_eq!(slots.get(&key(home, salt), NOW), Some(token("t", 60)));
        }
        assert_eq!(board.values.borrow().len() as u64, SLOTS);
    }
}

#[test]
fn the_one_that_ends_soonest_makes_way() {
    let board = board();
    let slots = Slots(&board);
    for (salt, seconds) in [(0, 60), (1, 30), (2, 90), (3, 45)] {
        slots.put(&key(8, salt), &token("t", seconds), NOW);
    }
    assert!(slots.put(&key(8, 4), &token("new", 10), NOW));
    assert_eq!(slots.get(&key(8, 1), NOW), None);
    for salt in [0, 2, 3, 4] {
        assert!(slots.get(&key(8, salt), NOW).is_some(), "{salt}");
    }
    // What is over goes before anything that isn't.
    assert!(slots.put(&key(8, 5), &token("new", 99), after(10)));
    assert_eq!(slots.get(&key(8, 4), after(10)), None);
    assert!(slots.get(&key(8, 3), after(10)).is_some());
}

#[test]
fn what_strangers_can_cause_displaces_no_token_that_is_good() {
    let failed = Slot::Failed {
        failure: Failure::Refused,
        end: after(5),
    };
    let fetched = Slot::Fetched {
        digest: [3; 32],
        end: after(5),
    };
    for (word, ends) in [(failed, 5), (fetched, 5), (leased(5), 5)] {
        let board = board();
        let slots = Slots(&board);
        for salt in 0..4 {
            assert!(slots.put(&key(8, salt), &token("t", 60), NOW));
        }
        assert!(!slots.put(&key(8, 9), &word, NOW), "{word:?}");
        assert_eq!(slots.lease(&key(8, 9), 7, after(ends), NOW), Some(false));
        for salt in 0..4 {
            assert_eq!(slots.get(&key(8, salt), NOW), Some(token("t", 60)));
        }
        // A token that is over is in nobody's way.
        assert_eq!(slots.lease(&key(8, 9), 7, after(65), after(60)), Some(true));
    }
}

#[test]
fn a_board_that_is_there_is_not_made_again() {
    let board = board();
    let (reads, written) = (board.reads.get(), board.version.get());
    Slots(&board).create();
    assert_eq!(board.reads.get(), reads + 1);
    assert_eq!(board.version.get(), written);
}

#[test]
fn a_sealed_token_is_as_long_as_it_may_be_and_no_longer() {
    let sealed = |length: usize| match token("", 60) {
        Slot::Token { times, .. } => Slot::Token {
            times,
            sealed: vec![7; length],
        },
        other => other,
    };
    for (length, read) in [
        (16 * 1024 + 64, true),
        (16 * 1024 + 65, false),
        (1 << 20, false),
    ] {
        let bytes = encode(&key(1, 1), &sealed(length));
        assert_eq!(decode(&bytes).is_some(), read, "{length}");
    }
}

#[test]
fn a_word_that_is_over_says_nothing() {
    let board = board();
    let slots = Slots(&board);
    slots.put(&key(1, 1), &token("t", 60), NOW);
    assert!(slots.get(&key(1, 1), after(59)).is_some());
    assert_eq!(slots.get(&key(1, 1), after(60)), None);
}

#[test]
fn an_end_that_nobody_here_would_write_says_nothing() {
    const DAY: u64 = 24 * 3600;
    let failed = |seconds| Slot::Failed {
        failure: Failure::Refused,
        end: after(seconds),
    };
    for (slot, counts) in [
        (token("t", 31 * DAY), true),
        (token("t", 31 * DAY + 1), false),
        (failed(2 * 3600), true),
        (failed(2 * 3600 + 1), false),
        (leased(2 * 3600), true),
        (leased(2 * 3600 + 1), false),
    ] {
        let board = board();
        let slots = Slots(&board);
        assert!(slots.put(&key(1, 1), &slot, NOW));
        assert_eq!(slots.get(&key(1, 1), NOW).is_some(), counts, "{slot:?}");
    }
}

#[test]
fn a_lease_is_granted_once_until_its_end() {
    let board = board();
    let slots = Slots(&board);
    assert_eq!(slots.lease(&key(1, 1), 7, after(5), NOW), Some(true));
    assert_eq!(slots.lease(&key(1, 1), 8, after(5), NOW), None);
    assert_eq!(slots.get(&key(1, 1), NOW), Some(leased(5)));
    assert_eq!(slots.lease(&key(1, 1), 8, after(9), after(5)), Some(true));
    // A word that stands is no place for a lease.
    slots.put(&key(1, 1), &token("t", 60), NOW);
    assert_eq!(slots.lease(&key(1, 1), 9, after(5), NOW), None);
    // Without a board everybody goes on alone.
    assert_eq!(
        Slots(&Board::default()).lease(&key(1, 1), 9, after(5), NOW),
        Some(false)
    );
}

#[test]
fn only_a_refresh_that_is_due_is_taken_over() {
    let due = after(30);
    let next = Slot::Token {
        times: Times {
            since: NOW,
            refresh_at: after(35),
            end: after(60),
        },
        sealed: b"t".to_vec(),
    };
    let refused = Slot::Failed {
        failure: Failure::Refused,
        end: after(40),
    };
    for (known, taken) in [
        (None, true),
        (Some(token("t", 60)), true),
        // Another worker moved the time, got a newer token, or was refused.
        (Some(next.clone()), false),
        (Some(token("newer", 600)), false),
        (Some(refused), false),
        (Some(leased(40)), false),
        (Some(leased(20)), true),
    ] {
        let board = board();
        let slots = Slots(&board);
        if let Some(known) = &known {
            slots.put(&key(1, 1), known, NOW);
        }
        assert_eq!(slots.renew(&key(1, 1), &next, due), taken, "{known:?}");
        let stands = if taken { Some(next.clone()) } else { known };
        assert_eq!(slots.get(&key(1, 1), due), stands);
    }
    assert!(Slots(&Board::default()).renew(&key(1, 1), &next, due));
}

#[test]
fn only_the_token_that_is_meant_is_discarded() {
    for (known, goes) in [
        (token("t", 60), true),
        (leased(5), false),
        (
            Slot::Token {
                times: Times {
                    since: after(1),
                    refresh_at: after(5),
                    end: after(60),
                },
                sealed: b"newer".to_vec(),
            },
            false,
        ),
    ] {
        let board = board();
        let slots = Slots(&board);
        slots.put(&key(1, 1), &known, NOW);
        slots.discard(&key(1, 1), NOW, NOW);
        assert_eq!(slots.get(&key(1, 1), NOW), (!goes).then_some(known));
    }
}

#[test]
fn a_sweep_counts_tokens_and_wipes_what_is_over() {
    let board = board();
    let slots = Slots(&board);
    slots.put(&key(1, 1), &token("long", 60), NOW);
    slots.put(&key(7, 1), &token("short", 5), NOW);
    slots.put(&key(9, 1), &leased(5), NOW);
    board.shared_set(&slot_name(20), b"another plugin's", 0);
    assert_eq!(slots.sweep(0..SLOTS, NOW), 2);
    assert_eq!(slots.sweep(0..SLOTS, after(5)), 1);
    let full =
        |(name, (value, _)): (&String, &(Vec<u8>, u32))| (!value.is_empty()).then(|| name.clone());
    let left: Vec<String> = board.values.borrow().iter().filter_map(full).collect();
    assert_eq!(left, [slot_name(1)]);
    // What says nothing already isn't written anew: whoever just read it would have to read again.
    let written = board.version.get();
    assert_eq!(slots.sweep(0..SLOTS, after(5)), 1);
    assert_eq!(board.version.get(), written);
}
