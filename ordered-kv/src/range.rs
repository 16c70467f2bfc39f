//! Ranges of keys, and the direction in which one walks through them.

use std::borrow::Cow;
use std::ops::{Bound, RangeBounds};

/// The direction of a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Ascending keys, from the start of the range.
    Forward,
    /// Descending keys, from the end of the range.
    Backward,
}

/// A contiguous range of keys. Empty ranges, also inverted ones, are allowed and hold nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange<'a> {
    start: Bound<Cow<'a, [u8]>>,
    end: Bound<Cow<'a, [u8]>>,
}

impl<'a> KeyRange<'a> {
    /// Every key.
    pub fn all() -> KeyRange<'a> {
        KeyRange { start: Bound::Unbounded, end: Bound::Unbounded }
    }

    /// Keys from `start` (included) up to `end` (excluded).
    pub fn between(start: &'a [u8], end: &'a [u8]) -> KeyRange<'a> {
        KeyRange::new(Bound::Included(start), Bound::Excluded(end))
    }

    /// Keys from `start` (included) to the last.
    pub fn from(start: &'a [u8]) -> KeyRange<'a> {
        KeyRange::new(Bound::Included(start), Bound::Unbounded)
    }

    /// Keys that begin with `prefix`; every key if it is empty.
    ///
    /// ```
    /// use ordered_kv::KeyRange;
    /// assert!(KeyRange::prefix(b"ab").contains(b"abc"));
    /// assert!(!KeyRange::prefix(b"ab").contains(b"ac"));
    /// ```
    pub fn prefix(prefix: &'a [u8]) -> KeyRange<'a> {
        let end = match prefix_end(prefix) {
            Some(end) => Bound::Excluded(Cow::Owned(end)),
            None => Bound::Unbounded,
        };
        KeyRange { start: Bound::Included(Cow::Borrowed(prefix)), end }
    }

    /// Keys between any two bounds.
    pub fn new(start: Bound<&'a [u8]>, end: Bound<&'a [u8]>) -> KeyRange<'a> {
        KeyRange { start: start.map(Cow::Borrowed), end: end.map(Cow::Borrowed) }
    }

    /// The same range with its start moved; the end stays.
    pub fn starting_at(self, start: Bound<&'a [u8]>) -> KeyRange<'a> {
        KeyRange { start: start.map(Cow::Borrowed), end: self.end }
    }

    /// The same range with its end moved; the start stays.
    pub fn ending_at(self, end: Bound<&'a [u8]>) -> KeyRange<'a> {
        KeyRange { start: self.start, end: end.map(Cow::Borrowed) }
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        RangeBounds::<[u8]>::contains(&self.as_bounds(), key)
    }

    /// The two bounds, borrowed.
    pub fn as_bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (as_slice(&self.start), as_slice(&self.end))
    }

    /// Whether no key can lie in the range.
    pub fn is_empty(&self) -> bool {
        let start = match self.lower() {
            Some(start) => start,
            None => return self.upper().is_some_and(|end| end.is_empty()),
        };
        self.upper().is_some_and(|end| *end <= *start)
    }

    /// The smallest key that may be in the range; `None` means from the first key on.
    pub fn lower(&self) -> Option<Cow<'_, [u8]>> {
        match &self.start {
            Bound::Included(key) => Some(Cow::Borrowed(key)),
            Bound::Excluded(key) => Some(Cow::Owned(successor(key))),
            Bound::Unbounded => None,
        }
    }

    /// The smallest key above the range; `None` means up to the last key.
    pub fn upper(&self) -> Option<Cow<'_, [u8]>> {
        match &self.end {
            Bound::Included(key) => Some(Cow::Owned(successor(key))),
            Bound::Excluded(key) => Some(Cow::Borrowed(key)),
            Bound::Unbounded => None,
        }
    }
}

/// The smallest key that does not begin with `prefix` and is above all that do; `None` if there is none (an empty
/// prefix, or one of only 0xff bytes).
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// The smallest key above `key`.
fn successor(key: &[u8]) -> Vec<u8> {
    let mut next = Vec::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.push(0);
    next
}

fn as_slice<'b>(bound: &'b Bound<Cow<'_, [u8]>>) -> Bound<&'b [u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_ends() {
        let check = |prefix: &[u8], expected: Option<&[u8]>| assert_eq!(prefix_end(prefix).as_deref(), expected);
        check(b"", None);
        check(b"a", Some(b"b"));
        check(b"a\xff", Some(b"b"));
        check(b"a\xfe\xff\xff", Some(b"a\xff"));
        check(b"\xff\xff", None);
    }

    #[test]
    fn emptiness() {
        let check = |start, end, expected| assert_eq!(KeyRange::new(start, end).is_empty(), expected);
        use Bound::{Excluded, Included, Unbounded};
        check(Unbounded, Unbounded, false);
        check(Unbounded, Excluded(b"".as_slice()), true);
        check(Unbounded, Included(b"".as_slice()), false);
        check(Included(b"a".as_slice()), Included(b"a".as_slice()), false);
        check(Included(b"a".as_slice()), Excluded(b"a".as_slice()), true);
        check(Excluded(b"a".as_slice()), Included(b"a".as_slice()), true);
        check(Excluded(b"a".as_slice()), Excluded(b"a\0".as_slice()), true);
        check(Excluded(b"a".as_slice()), Included(b"a\0".as_slice()), false);
        check(Included(b"b".as_slice()), Excluded(b"a".as_slice()), true);
    }
}
