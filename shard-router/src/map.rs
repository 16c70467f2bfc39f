//! Who owns which part of the ring.

use std::collections::BTreeMap;

use crate::ids::{Epoch, ShardId};
use crate::range::TokenRange;
use crate::token::Token;

/// The most shards that a map may have. A cluster has a few per node; the bound keeps a damaged or hostile map from
/// taking memory.
pub const SHARDS_MAX: usize = 65_536;

/// The most slices that a map may have: several per shard after many handovers.
pub const SLICES_MAX: usize = 4 * SHARDS_MAX;

/// One version of the division of the ring.
///
/// Invariants, checked after every change and every decoding: the slices are in order, the first begins at the start of
/// the ring, neighbours have different owners, a shard has the same epoch in all its slices, and every shard's number
/// is below the one that the next new shard gets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ShardMap {
    /// Counts the changes of the map.
    pub(crate) version: u64,
    /// The number of the next new shard; numbers are never used twice.
    pub(crate) next_shard: ShardId,
    /// Each slice reaches to the beginning of the next one, the last to the end of the ring.
    pub(crate) slices: Vec<Slice>,
}

/// A piece of the ring, from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slice {
    /// Where it begins; it ends where the next one begins.
    pub(crate) first: Token,
    /// Who owns it.
    pub(crate) shard: ShardId,
    /// The version of the owner's range.
    pub(crate) epoch: Epoch,
}

/// A range and its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The range; a shard that owns several has an entry for each.
    pub range: TokenRange,
    /// Its owner.
    pub shard: ShardId,
    /// The owner's epoch.
    pub epoch: Epoch,
}

impl ShardMap {
    /// The first map of a cluster: the ring in `shards` parts of equal width, numbered from 0 in the order of the
    /// ring. `None` for no shards or more than [`SHARDS_MAX`].
    pub fn even(shards: usize) -> Option<ShardMap> {
        if shards == 0 || shards > SHARDS_MAX {
            return None;
        }
        let slice = |index: usize| Slice {
            first: Token(((index as u128) << 64).div_ceil(shards as u128) as u64),
            shard: ShardId(index as u32),
            epoch: Epoch::FIRST,
        };
        let map = ShardMap { version: 1, next_shard: ShardId(shards as u32), slices: (0..shards).map(slice).collect() };
        map.debug_validate();
        Some(map)
    }

    /// The map of one shard, number 0, that owns the whole ring.
    pub fn whole() -> ShardMap {
        ShardMap::even(1).expect("one shard is a number of shards")
    }

    /// The map's version: 1 for the first, one more with every change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The owner of `token` and its epoch. Binary search over a flat list.
    pub fn locate(&self, token: Token) -> (ShardId, Epoch) {
        let slice = &self.slices[self.position(token)];
        (slice.shard, slice.epoch)
    }

    /// The part of the ring that holds `token` and belongs to its owner alone: from the first token of it to the last.
    pub fn range_of(&self, token: Token) -> TokenRange {
        self.slice_range(self.position(token))
    }

    /// The owners of `range` in the order of the ring, each with the part of `range` that it owns.
    pub fn owners(&self, range: TokenRange) -> impl Iterator<Item = Owner> + '_ {
        let start = self.position(range.first());
        (start..self.slices.len()).map_while(move |index| {
            let Slice { shard, epoch, .. } = self.slices[index];
            let range = self.slice_range(index).intersection(&range)?;
            Some(Owner { range, shard, epoch })
        })
    }

    /// The shards in the order of their numbers, with their epochs.
    pub fn shards(&self) -> BTreeMap<ShardId, Epoch> {
        self.slices.iter().map(|slice| (slice.shard, slice.epoch)).collect()
    }

    /// The epoch of `shard`, `None` when it owns nothing (any more).
    pub fn epoch(&self, shard: ShardId) -> Option<Epoch> {
        self.slices.iter().find(|slice| slice.shard == shard).map(|slice| slice.epoch)
    }

    /// The ranges that `shard` owns, in order; none when there is no such shard.
    pub fn ranges(&self, shard: ShardId) -> Vec<TokenRange> {
        self.owners(TokenRange::FULL).filter(|owner| owner.shard == shard).map(|owner| owner.range).collect()
    }

    /// The index of the slice that holds `token`.
    fn position(&self, token: Token) -> usize {
        self.slices.partition_point(|slice| slice.first <= token) - 1
    }

    fn slice_range(&self, index: usize) -> TokenRange {
        let last = self
            .slices
            .get(index + 1)
            .map_or(Token::MAX, |next| next.first.previous().expect("no slice but the first begins at 0"));
        TokenRange::new(self.slices[index].first, last).expect("slices are in order")
    }

    /// What is wrong with this map, if anything.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let mut epochs = BTreeMap::new();
        if self.version == 0 {
            return Some("the first version is 1");
        }
        if self.slices.is_empty() || self.slices.len() > SLICES_MAX {
            return Some("there are no slices, or too many");
        }
        if self.slices[0].first != Token::MIN {
            return Some("the start of the ring has no owner");
        }
        for pair in self.slices.windows(2) {
            if pair[0].first >= pair[1].first {
                return Some("slices are not in order");
            }
            if pair[0].shard == pair[1].shard {
                return Some("neighbouring slices have the same owner");
            }
        }
        for slice in &self.slices {
            if slice.shard >= self.next_shard {
                return Some("a shard's number is yet to be given out");
            }
            if *epochs.entry(slice.shard).or_insert(slice.epoch) != slice.epoch {
                return Some("a shard has two epochs");
            }
        }
        (epochs.len() > SHARDS_MAX).then_some("there are too many shards")
    }

    pub(crate) fn debug_validate(&self) {
        debug_assert_eq!(self.fault(), None);
    }
}
