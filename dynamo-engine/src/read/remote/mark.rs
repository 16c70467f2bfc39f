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

/// Whether a key was not touched between the first round and the second: its mark is what it was, and nothing held it.
/// The values of keys that are all steady were there together at the moment between the rounds.
pub fn is_steady(first: &Mark, second: &Mark) -> bool {
    first == second && !first.is_locked
}
