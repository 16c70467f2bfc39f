//! The part of the crate `display-more` that openraft calls: options, results, slices and sets in messages.
//!
//! The original also writes times, for which it has the tables of all time zones made by a build script: 17 crates, regular
//! expressions among them, that nothing here ever calls. `[patch.crates-io]` in the workspace's manifest puts this crate in its
//! place; what it saves and how to do without it stands in `docs/decisions/building-rocksdb.md`.
//!
//! ```
//! use display_more::{DisplayOptionExt, DisplaySliceExt};
//!
//! assert_eq!(format!("{} {}", Some(5).display(), None::<u64>.display()), "5 None");
//! assert_eq!([1, 2, 3, 4].as_slice().display_n(3).to_string(), "[1,2,..,4]");
//! ```

use std::collections::BTreeSet;
use std::fmt::{self, Display};

/// Elements of a list that are shown where no other number is given.
const SHOWN: usize = 5;

/// An option: its value, or `None`.
pub struct DisplayOption<'a, T>(&'a Option<T>);

impl<T: Display> Display for DisplayOption<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("None"),
        }
    }
}

/// Shows options.
pub trait DisplayOptionExt<'a, T: Display> {
    /// Its value, or `None`.
    fn display(&'a self) -> DisplayOption<'a, T>;
}

impl<'a, T: Display> DisplayOptionExt<'a, T> for Option<T> {
    fn display(&'a self) -> DisplayOption<'a, T> {
        DisplayOption(self)
    }
}

/// A result: `Ok(value)` or `Err(error)`.
pub struct DisplayResult<'a, T, E>(&'a Result<T, E>);

impl<T: Display, E: Display> Display for DisplayResult<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(value) => write!(f, "Ok({value})"),
            Err(error) => write!(f, "Err({error})"),
        }
    }
}

/// Shows results.
pub trait DisplayResultExt<'a, T: Display, E: Display> {
    /// `Ok(value)` or `Err(error)`.
    fn display(&'a self) -> DisplayResult<'a, T, E>;
}

impl<'a, T: Display, E: Display> DisplayResultExt<'a, T, E> for Result<T, E> {
    fn display(&'a self) -> DisplayResult<'a, T, E> {
        DisplayResult(self)
    }
}

/// At most so many elements, and one at least: of a longer list the first ones and the last.
fn list<T: Display>(
    f: &mut fmt::Formatter<'_>,
    elements: impl ExactSizeIterator<Item = T>,
    shown: usize,
    [left, right]: [&str; 2],
) -> fmt::Result {
    let (count, shown) = (elements.len(), shown.max(1));
    f.write_str(left)?;
    for (at, element) in elements.enumerate() {
        let (is_shown, is_first_left_out) = (count <= shown || at + 1 < shown || at + 1 == count, at + 1 == shown);
        if at > 0 && (is_shown || is_first_left_out) {
            f.write_str(",")?;
        }
        if is_shown {
            write!(f, "{element}")?;
        } else if is_first_left_out {
            f.write_str("..")?;
        }
    }
    f.write_str(right)
}

/// A slice: `[a,b,c]`.
pub struct DisplaySlice<'a, T> {
    slice: &'a [T],
    shown: usize,
}

impl<T: Display> Display for DisplaySlice<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.slice.iter(), self.shown, ["[", "]"])
    }
}

/// Shows slices.
pub trait DisplaySliceExt<'a, T: Display> {
    /// `[a,b,c]`, five elements at most.
    fn display(&'a self) -> DisplaySlice<'a, T> {
        self.display_n(SHOWN)
    }

    /// The same with another number of elements.
    fn display_n(&'a self, shown: usize) -> DisplaySlice<'a, T>;
}

impl<'a, T: Display> DisplaySliceExt<'a, T> for [T] {
    fn display_n(&'a self, shown: usize) -> DisplaySlice<'a, T> {
        DisplaySlice { slice: self, shown }
    }
}

/// A set: `{a,b,c}`.
pub struct DisplayBTreeSet<'a, T> {
    set: &'a BTreeSet<T>,
    shown: usize,
}

impl<T: Display> Display for DisplayBTreeSet<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.set.iter(), self.shown, ["{", "}"])
    }
}

/// Shows sets.
pub trait DisplayBTreeSetExt<'a, T: Display> {
    /// `{a,b,c}`, five elements at most.
    fn display(&'a self) -> DisplayBTreeSet<'a, T> {
        self.display_n(SHOWN)
    }

    /// The same with another number of elements.
    fn display_n(&'a self, shown: usize) -> DisplayBTreeSet<'a, T>;
}

impl<'a, T: Display> DisplayBTreeSetExt<'a, T> for BTreeSet<T> {
    fn display_n(&'a self, shown: usize) -> DisplayBTreeSet<'a, T> {
        DisplayBTreeSet { set: self, shown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_show_their_ends() {
        let text = |count: usize, shown| {
            let list: Vec<usize> = (1..=count).collect();
            list.as_slice().display_n(shown).to_string()
        };
        assert_eq!([text(0, 3), text(1, 3), text(3, 3)], ["[]", "[1]", "[1,2,3]"]);
        assert_eq!([text(4, 3), text(9, 3), text(3, 2)], ["[1,2,..,4]", "[1,2,..,9]", "[1,..,3]"]);
        assert_eq!([text(2, 1), text(3, 0)], ["[..,2]", "[..,3]"]);
        assert_eq!(BTreeSet::from([2, 1]).display().to_string(), "{1,2}");
    }

    #[test]
    fn results_say_which_they_are() {
        assert_eq!(Ok::<u8, u8>(1).display().to_string(), "Ok(1)");
        assert_eq!(Err::<u8, u8>(2).display().to_string(), "Err(2)");
    }
}
