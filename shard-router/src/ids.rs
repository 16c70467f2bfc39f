//! The numbers that name a shard and the age of what one knows about it.

/// A shard: one Raft group, owner of ranges of the ring. Shard 0 is also the system group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

/// Counts the changes of a shard's range; a request that was routed with an older one is routed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);
