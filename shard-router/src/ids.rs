//! The numbers that name a shard and the age of what one knows about it.

use std::fmt;

/// A shard: one Raft group, owner of ranges of the ring. Shard 0 is also the system group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

/// Counts the changes of a shard's range; a request that was routed with an older one is routed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch of a shard that has just been made.
    pub const FIRST: Epoch = Epoch(1);

    /// The epoch after one more change.
    pub(crate) fn next(self) -> Epoch {
        Epoch(self.0.checked_add(1).expect("nobody changes a shard 2^64 times"))
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
