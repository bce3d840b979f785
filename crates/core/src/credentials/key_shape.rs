//! The shape of the keys that `doorward new-key` makes: the policy's `prefix`, 43 letters
//! and digits at random, `_`, and a checksum of 6 letters and digits.
//!
//! 43 of 62 characters hold 256 bits. The checksum is the CRC-32 of all that stands before
//! the `_` (ISO-HDLC, as in zlib), in base 62: a scanner can tell such a key from other text
//! without asking anybody, and a mistyped or cut key is told from an unknown one. It proves
//! nothing: anybody can compute it.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

/// How many characters are random: 62^43 is more than 2^256.
pub const RANDOM_LENGTH: usize = 43;

/// The characters of a key behind its prefix, in the order of their values.
pub const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How many characters hold 32 bits.
const CHECKSUM_LENGTH: usize = 6;

/// Without a table: a key is short, and the module is to stay so as well.
const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// What a key's shape tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// It has the shape and the checksum is right.
    Whole,
    /// It has the shape and the checksum is wrong: mistyped, cut or made up.
    Damaged,
    /// It has another shape: a key from elsewhere.
    Foreign,
}

/// The whole key for a prefix and its random characters.
pub fn with_checksum(prefix: &str, random: &str) -> String {
    let text = format!("{prefix}{random}");
    format!("{text}_{}", checksum(&text))
}

/// What the shape of a key with this prefix tells of it.
pub fn shape(prefix: &str, key: &str) -> Shape {
    let plain = |text: &str, length| {
        text.len() == length && text.bytes().all(|letter| letter.is_ascii_alphanumeric())
    };
    match key.rsplit_once('_') {
        Some((text, sum))
            if plain(sum, CHECKSUM_LENGTH)
                && text
                    .strip_prefix(prefix)
                    .is_some_and(|random| plain(random, RANDOM_LENGTH)) =>
        {
            match sum == checksum(text) {
                true => Shape::Whole,
                false => Shape::Damaged,
            }
        }
        _ => Shape::Foreign,
    }
}

fn checksum(text: &str) -> String {
    let mut rest = CRC.checksum(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other tools may check keys, so the checksum may never change. Expected: Python's
    /// `zlib.crc32`, in base 62.
    #[test]
    fn the_checksum_is_the_one_that_scanners_know() {
        for (text, sum) in [
            ("", "000000"),
            ("123456789", "3jZRME"),
            ("ak_live_a", "0TGlsP"),
        ] {
            assert_eq!(checksum(text), sum, "{text}");
        }
    }

    #[test]
    fn a_damaged_key_is_told_from_a_whole_and_a_foreign_one() {
        let random = "a".repeat(RANDOM_LENGTH);
        let key = with_checksum("ak_live_", &random);
        assert_eq!(key.len(), 8 + 43 + 1 + 6);
        for (key, expected) in [
            (key.clone(), Shape::Whole),
            (key.replace("live_a", "live_b"), Shape::Damaged),
            (key.replace("ak_live_", "ak_test_"), Shape::Foreign),
            (key.replace("_a", "_"), Shape::Foreign),
            (format!("{key}x"), Shape::Foreign),
            (format!("ak_live_{random}"), Shape::Foreign),
            (
                format!("ak_live_{}é_000000", "a".repeat(41)),
                Shape::Foreign,
            ),
            ("ak_live_something-else".into(), Shape::Foreign),
            (String::new(), Shape::Foreign),
        ] {
            assert_eq!(shape("ak_live_", &key), expected, "{key}");
        }
    }
}
