//! The header pairs of a request or reply, in the order they came.

use std::ops::Range;

/// More pairs than this are refused: Envoy's own default is 100, and a policy's work
/// grows with them.
pub const MAX_HEADERS: usize = 1000;

/// Header pairs in one buffer: a request costs one allocation for all of them.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    buffer: Vec<u8>,
    pairs: Vec<(Range<usize>, Range<usize>)>,
}

impl Headers {
    /// Reads the layout in which proxy-wasm hosts hand over a map (ABI 0.2.1): a count,
    /// the lengths of every name and value, then each of them followed by a zero byte;
    /// numbers are 32 bits, little-endian.
    ///
    /// `None` where the buffer isn't that, or holds more than [`MAX_HEADERS`] pairs.
    pub fn from_wire(buffer: Vec<u8>) -> Option<Headers> {
        if buffer.is_empty() {
            return Some(Headers::default());
        }
        let count = read_u32(&buffer, 0)?;
        if count > MAX_HEADERS {
            return None;
        }
        let mut pairs = Vec::with_capacity(count);
        let mut at = 4 + count * 8;
        for index in 0..count {
            let name = take(&buffer, &mut at, read_u32(&buffer, 4 + index * 8)?)?;
            let value = take(&buffer, &mut at, read_u32(&buffer, 8 + index * 8)?)?;
            pairs.push((name, value));
        }
        Some(Headers { buffer, pairs })
    }

    /// Copies pairs from anywhere else: the CLI, a test.
    pub fn from_pairs<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in pairs {
            let name = headers.store(name.as_ref());
            let value = headers.store(value.as_ref());
            headers.pairs.push((name, value));
        }
        headers
    }

    /// Every pair, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs
            .iter()
            .map(|(name, value)| (self.bytes(name), self.bytes(value)))
    }

    /// Every name, in order.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.pairs.iter().map(|(name, _)| self.bytes(name))
    }

    /// The values under a name, in any letter case.
    pub fn all<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.pairs
            .iter()
            .filter(move |(candidate, _)| self.is(candidate, name))
            .map(|(_, value)| self.bytes(value))
    }

    /// The first value under a name, in any letter case.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// Most names differ in their length already, and most that don't are spelt alike: a
    /// comparison without case goes byte by byte.
    fn is(&self, candidate: &Range<usize>, name: &str) -> bool {
        if candidate.len() != name.len() {
            return false;
        }
        let candidate = self.bytes(candidate);
        candidate == name.as_bytes() || candidate.eq_ignore_ascii_case(name.as_bytes())
    }

    /// What stands in a range, which was checked when it was made.
    #[inline]
    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.buffer.get(range.clone()).unwrap_or_default()
    }

    /// How many bytes the pairs take.
    pub fn size(&self) -> usize {
        self.buffer.len()
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    fn store(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(bytes);
        start..self.buffer.len()
    }
}

fn read_u32(buffer: &[u8], at: usize) -> Option<usize> {
    let bytes = buffer.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
}

fn take(buffer: &[u8], at: &mut usize, length: usize) -> Option<Range<usize>> {
    let end = at.checked_add(length)?;
    buffer.get(*at..end)?;
    let range = *at..end;
    *at = end.checked_add(1)?;
    Some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut buffer = (pairs.len() as u32).to_le_bytes().to_vec();
        for (name, value) in pairs {
            buffer.extend((name.len() as u32).to_le_bytes());
            buffer.extend((value.len() as u32).to_le_bytes());
        }
        for (name, value) in pairs {
            buffer.extend(name.bytes().chain([0]).chain(value.bytes()).chain([0]));
        }
        buffer
    }

    #[test]
    fn pairs_are_read_in_order_with_duplicates() {
        let pairs = [(":path", "/x"), ("a", "1"), ("a", ""), ("b", "2")];
        let headers = Headers::from_wire(wire(&pairs)).unwrap();
        let read: Vec<_> = headers.iter().collect();
        assert_eq!(read.len(), 4);
        assert_eq!(read[1], (&b"a"[..], &b"1"[..]));
        assert_eq!(headers.all("a").count(), 2);
        assert_eq!(headers.first("b"), Some(&b"2"[..]));
        assert_eq!(headers.first("c"), None);
    }

    #[test]
    fn a_cut_or_lying_buffer_is_refused_at_every_length() {
        let whole = wire(&[("name", "value"), ("other", "more")]);
        // The last zero byte carries nothing.
        for length in 1..whole.len() - 1 {
            assert!(
                Headers::from_wire(whole[..length].to_vec()).is_none(),
                "{length}"
            );
        }
        assert!(Headers::from_wire(vec![255; 64]).is_none());
    }
}
