//! Whether a key changed between two looks.

use hlc::Timestamp;

/// What tells two states of a key apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When the item was committed. For an absent one, a moment that every deletion in the shard raises: it was not
    /// there all the time between two looks that saw the same.
    pub version: Timestamp,
    /// Whether there is an item.
    pub is_there: bool,
    /// Whether a prepared transaction holds the key and may still change it.
    pub is_locked: bool,
}

/// Whether values seen with the marks of the first round were all there together before the second round: each mark is
/// what it was, and nothing was locked.
pub fn is_cut(first: &[Mark], second: &[Mark]) -> bool {
    let is_steady = |(first, second): (&Mark, &Mark)| first == second && !first.is_locked;
    first.len() == second.len() && first.iter().zip(second).all(is_steady)
}
