//! Header maps as a filter sees them: ordered pairs of bytes, names may repeat.

use std::fmt;

/// An ordered list of header (or trailer) pairs. Names may repeat and neither part need be
/// UTF-8. Names compare without regard to ASCII case. Default: empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// No pairs.
    #[must_use]
    pub fn new() -> Headers {
        Headers::default()
    }

    /// The first value of a name, as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let value = self.first(name.as_bytes())?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// All values of a name, in order, as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        let named = self
            .iter()
            .filter(|(other, _)| same(other, name.as_bytes()));
        named
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// All pairs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The number of pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no pairs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends a pair.
    pub fn add(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
    }

    pub(crate) fn first(&self, name: &[u8]) -> Option<&[u8]> {
        let found = self.0.iter().find(|(other, _)| same(other, name));
        found.map(|(_, value)| &**value)
    }

    pub(crate) fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(other, _)| !same(other, name));
    }

    /// Sets the first pair of a name and removes the others; appends where there is none.
    pub(crate) fn replace(&mut self, name: &[u8], value: &[u8]) {
        let mut found = false;
        self.0.retain_mut(|(other, held)| {
            if !same(other, name) {
                return true;
            }
            if std::mem::replace(&mut found, true) {
                return false;
            }
            *held = value.to_vec();
            true
        });
        if !found {
            self.add(name, value);
        }
    }

    /// Sets the first pair of a name and leaves the others; appends where there is none.
    pub(crate) fn replace_first(&mut self, name: &[u8], value: &[u8]) {
        match self.0.iter_mut().find(|(other, _)| same(other, name)) {
            Some((_, held)) => *held = value.to_vec(),
            None => self.add(name, value),
        }
    }

    pub(crate) fn truncated(&self, length: usize) -> Headers {
        Headers(self.0.iter().take(length).cloned().collect())
    }

    /// The layout in which ABI 0.2.1 hands a map over: the count, the lengths, then each name
    /// and value with a NUL behind it.
    pub(crate) fn to_wire(&self) -> Vec<u8> {
        let mut wire = length(self.0.len()).to_vec();
        for (name, value) in &self.0 {
            wire.extend(length(name.len()));
            wire.extend(length(value.len()));
        }
        for part in self.0.iter().flat_map(|(name, value)| [name, value]) {
            wire.extend(part);
            wire.push(0);
        }
        wire
    }

    /// The opposite of [`Headers::to_wire`]; `None` where the lengths don't fit the bytes.
    pub(crate) fn from_wire(wire: &[u8]) -> Option<Headers> {
        if wire.is_empty() {
            return Some(Headers::new());
        }
        let number = |index: usize| -> Option<usize> {
            let bytes = wire.get(index.checked_mul(4)?..)?.first_chunk::<4>()?;
            usize::try_from(u32::from_le_bytes(*bytes)).ok()
        };
        let count = number(0)?;
        let mut rest = wire.get(count.checked_mul(8)?.checked_add(4)?..)?;
        let mut take = |length: usize| {
            let part = rest.get(..length)?.to_vec();
            rest = rest.get(length.checked_add(1)?..)?;
            Some(part)
        };
        let mut pairs = Vec::new();
        for index in 0..count {
            let name = take(number(1 + 2 * index)?)?;
            let value = take(number(2 + 2 * index)?)?;
            pairs.push((name, value));
        }
        Some(Headers(pairs))
    }
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one.eq_ignore_ascii_case(other)
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in pairs {
            headers.add(name, value);
        }
        headers
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        f.debug_list()
            .entries(self.iter().map(|(name, value)| (text(name), text(value))))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_survives_its_wire_form_and_a_broken_one_is_no_map() {
        let headers: Headers = [("a", &b"1"[..]), ("b", b"\xff\0"), ("a", b"")]
            .into_iter()
            .collect();
        let wire = headers.to_wire();
        assert_eq!(Headers::from_wire(&wire), Some(headers));
        for end in 1..wire.len() {
            assert_eq!(Headers::from_wire(&wire[..end]), None, "{end}");
        }
        assert_eq!(Headers::from_wire(&[0xff; 4]), None);
    }

    #[test]
    fn replacing_leaves_one_of_a_name_in_the_first_ones_place() {
        let mut headers: Headers = [("A", "1"), ("b", "2"), ("a", "3")].into_iter().collect();
        headers.replace(b"a", b"4");
        assert_eq!(format!("{headers:?}"), r#"[("A", "4"), ("b", "2")]"#);
    }
}
