//! A set of header names in which every header of every request is looked up.

use std::collections::BTreeSet;

/// Names up to this length, in bytes, are folded without an allocation.
const SHORT: usize = 64;

/// Header names, compared without letter case. A look-up allocates nothing for names of
/// usual length, and most end at the name's length or its last letter.
#[derive(Debug, Default)]
pub struct HeaderNames {
    names: BTreeSet<Vec<u8>>,
    /// A bit for each length that some name has; the last stands for all longer ones.
    lengths: u64,
    /// A bit for each last letter, however it is spelt.
    ends: u64,
    /// Whether `_` is `-`, too.
    any_spelling: bool,
}

impl HeaderNames {
    /// An empty set of names that differ in more than letter case.
    pub fn new() -> HeaderNames {
        HeaderNames::default()
    }

    /// An empty set in which `_` is `-`, too: some upstreams take them for the same.
    pub fn of_any_spelling() -> HeaderNames {
        HeaderNames {
            any_spelling: true,
            ..HeaderNames::default()
        }
    }

    /// Adds a name.
    pub fn insert(&mut self, name: &str) {
        let name: Vec<u8> = name.bytes().map(|byte| self.fold(byte)).collect();
        self.lengths |= length_bit(&name);
        self.ends |= self.end_bit(&name);
        self.names.insert(name);
    }

    /// Whether the name is in the set, however it is spelt.
    #[inline]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.lengths & length_bit(name) != 0
            && self.ends & self.end_bit(name) != 0
            && self.contains_folded(name)
    }

    fn contains_folded(&self, name: &[u8]) -> bool {
        let mut short = [0; SHORT];
        match short.get_mut(..name.len()) {
            Some(folded) => {
                for (to, from) in folded.iter_mut().zip(name) {
                    *to = self.fold(*from);
                }
                self.names.contains(&*folded)
            }
            None => {
                let folded: Vec<u8> = name.iter().map(|byte| self.fold(*byte)).collect();
                self.names.contains(&folded)
            }
        }
    }

    #[inline]
    fn fold(&self, byte: u8) -> u8 {
        match byte {
            b'_' if self.any_spelling => b'-',
            _ => byte.to_ascii_lowercase(),
        }
    }

    #[inline]
    fn end_bit(&self, name: &[u8]) -> u64 {
        let end = name.last().map_or(0, |byte| self.fold(*byte));
        1 << (end % 64)
    }
}

#[inline]
fn length_bit(name: &[u8]) -> u64 {
    1 << name.len().min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_spelling_that_the_set_takes_for_one() {
        let long = "x-".repeat(50);
        let mut exact = HeaderNames::new();
        let mut any = HeaderNames::of_any_spelling();
        for name in ["x-auth-client", "ApiKey", long.as_str()] {
            exact.insert(name);
            any.insert(name);
        }
        let shouted = long.to_uppercase();
        let underscored = long.replace('-', "_");
        for (name, in_exact, in_any) in [
            ("x-auth-client", true, true),
            ("X-Auth-Client", true, true),
            ("x_auth-Client", false, true),
            ("apikey", true, true),
            ("x-auth-clien", false, false),
            ("x-auth-clienu", false, false),
            ("x-auth-cliemt", false, false),
            ("", false, false),
            (shouted.as_str(), true, true),
            (underscored.as_str(), false, true),
        ] {
            assert_eq!(exact.contains(name.as_bytes()), in_exact, "{name}");
            assert_eq!(any.contains(name.as_bytes()), in_any, "{name}");
        }
        assert!(!any.contains(b"x-auth-clie\xff\xfe"));
    }
}
