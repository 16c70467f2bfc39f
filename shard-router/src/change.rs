//! How one map becomes the next.
//!
//! | change | from | to | epochs raised |
//! |---|---|---|---|
//! | [`split`](ShardMap::split) | one shard | itself and a new one | its own; the new one begins at 1 |
//! | [`merge`](ShardMap::merge) | two shards | one of them | of the one that stays; the other is gone for good |
//! | [`give`](ShardMap::give) | any owners of a range | an existing shard | of all whose property changes |
//!
//! Each returns a new map with the version one higher, or an error and no change.

use std::collections::BTreeSet;

use crate::ids::{Epoch, ShardId};
use crate::map::{SHARDS_MAX, SLICES_MAX, ShardMap, Slice};
use crate::range::TokenRange;
use crate::token::Token;

/// Why a change is not possible. The caller should look at the map again: it has changed meanwhile, or the request is
/// wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The shard owns nothing in this map.
    #[error("there is no shard {0}")]
    NoSuchShard(ShardId),
    /// The shard does not own the token, or the cut would leave it nothing.
    #[error("shard {shard} cannot be cut at token {at}")]
    NotASplit {
        /// The shard.
        shard: ShardId,
        /// Where it was to be cut.
        at: Token,
    },
    /// A shard cannot be merged with itself.
    #[error("shard {0} cannot be merged with itself")]
    SameShard(ShardId),
    /// A shard would be left without tokens; to give up all of a shard, merge it.
    #[error("shard {0} would own nothing: merge it instead")]
    LeftEmpty(ShardId),
    /// The receiver owns the whole range already.
    #[error("shard {0} owns all of the range already")]
    NothingChanges(ShardId),
    /// The map would grow past its bounds, or shard numbers are used up.
    #[error("the map cannot grow any further")]
    Full,
}

/// A range that has another owner in a newer map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handover {
    /// The range.
    pub range: TokenRange,
    /// Who owned it.
    pub from: ShardId,
    /// Who owns it.
    pub to: ShardId,
}

impl ShardMap {
    /// Cuts `shard` in two: everything that it owns from `at` on goes to a new shard, whose number is returned too.
    ///
    /// # Errors
    ///
    /// [`ChangeError::NoSuchShard`]; [`ChangeError::NotASplit`] unless the shard owns `at` and something before it;
    /// [`ChangeError::Full`].
    pub fn split(&self, shard: ShardId, at: Token) -> Result<(ShardMap, ShardId), ChangeError> {
        let ranges = self.ranges(shard);
        let first = ranges.first().ok_or(ChangeError::NoSuchShard(shard))?.first();
        let owns = ranges.iter().any(|range| range.contains(at));
        if !owns || at == first {
            return Err(ChangeError::NotASplit { shard, at });
        }
        let new_shard = self.next_shard;
        let after_new = new_shard.0.checked_add(1).ok_or(ChangeError::Full)?;
        if self.shards().len() >= SHARDS_MAX {
            return Err(ChangeError::Full);
        }
        let mut map = self.with_owner_where(new_shard, |owner, range| {
            if owner == shard { range.intersection(&TokenRange::from(at)) } else { None }
        });
        map.next_shard = ShardId(after_new);
        Ok((map.finished(self, &[(new_shard, Epoch::FIRST)])?, new_shard))
    }

    /// Gives everything that `from` owns to `into`. The number `from` is never used again.
    ///
    /// # Errors
    ///
    /// [`ChangeError::NoSuchShard`], [`ChangeError::SameShard`].
    pub fn merge(&self, from: ShardId, into: ShardId) -> Result<ShardMap, ChangeError> {
        for shard in [from, into] {
            self.epoch(shard).ok_or(ChangeError::NoSuchShard(shard))?;
        }
        if from == into {
            return Err(ChangeError::SameShard(from));
        }
        self.with_owner_where(into, |owner, range| (owner == from).then_some(range)).finished(self, &[])
    }

    /// Moves `range` to the existing shard `to`, whoever owned its parts before.
    ///
    /// # Errors
    ///
    /// [`ChangeError::NoSuchShard`], [`ChangeError::NothingChanges`], [`ChangeError::LeftEmpty`],
    /// [`ChangeError::Full`].
    pub fn give(&self, range: TokenRange, to: ShardId) -> Result<ShardMap, ChangeError> {
        self.epoch(to).ok_or(ChangeError::NoSuchShard(to))?;
        if self.owners(range).all(|owner| owner.shard == to) {
            return Err(ChangeError::NothingChanges(to));
        }
        let map = self.with_owner_where(to, |_, owned| owned.intersection(&range));
        if let Some(shard) = self.shards().into_keys().find(|shard| map.epoch(*shard).is_none()) {
            return Err(ChangeError::LeftEmpty(shard));
        }
        map.finished(self, &[])
    }

    /// The ranges whose owner is not the same in `newer`, in the order of the ring.
    pub fn handovers(&self, newer: &ShardMap) -> Vec<Handover> {
        let mut handovers: Vec<Handover> = Vec::new();
        for old in self.owners(TokenRange::FULL) {
            for new in newer.owners(old.range).filter(|new| new.shard != old.shard) {
                handovers.push(Handover { range: new.range, from: old.shard, to: new.shard });
            }
        }
        handovers
    }

    /// This map with the parts that `taken` names, given the owner and range of each slice, owned by `to`. Epochs and
    /// version are still the old ones.
    fn with_owner_where(&self, to: ShardId, taken: impl Fn(ShardId, TokenRange) -> Option<TokenRange>) -> ShardMap {
        let mut slices: Vec<Slice> = Vec::with_capacity(self.slices.len() + 2);
        let mut push = |first: Token, shard: ShardId| {
            if slices.last().is_none_or(|last| last.shard != shard) {
                slices.push(Slice { first, shard, epoch: Epoch::FIRST });
            }
        };
        for owner in self.owners(TokenRange::FULL) {
            match taken(owner.shard, owner.range) {
                None => push(owner.range.first(), owner.shard),
                Some(part) => {
                    if owner.range.first() < part.first() {
                        push(owner.range.first(), owner.shard);
                    }
                    push(part.first(), to);
                    if let Some(after) = part.last().next().filter(|after| owner.range.contains(*after)) {
                        push(after, owner.shard);
                    }
                }
            }
        }
        ShardMap { version: self.version, next_shard: self.next_shard, slices }
    }

    /// Carries version and epochs on from `old`: up by one for every shard whose property changed, `new` as stated.
    fn finished(mut self, old: &ShardMap, new: &[(ShardId, Epoch)]) -> Result<ShardMap, ChangeError> {
        if self.slices.len() > SLICES_MAX {
            return Err(ChangeError::Full);
        }
        let changed: BTreeSet<ShardId> =
            old.handovers(&self).iter().flat_map(|handover| [handover.from, handover.to]).collect();
        let mut epochs = old.shards();
        for (shard, epoch) in &mut epochs {
            if changed.contains(shard) {
                *epoch = epoch.next();
            }
        }
        epochs.extend(new.iter().copied());
        for slice in &mut self.slices {
            slice.epoch = epochs[&slice.shard];
        }
        self.version = old.version + 1;
        self.debug_validate();
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_changes_are_refused() {
        let map = ShardMap::even(2).unwrap();
        let half = Token(1 << 63);
        let cases = [
            (map.split(ShardId(9), Token(5)).err(), ChangeError::NoSuchShard(ShardId(9))),
            (map.split(ShardId(0), Token(0)).err(), ChangeError::NotASplit { shard: ShardId(0), at: Token(0) }),
            (map.split(ShardId(0), half).err(), ChangeError::NotASplit { shard: ShardId(0), at: half }),
            (map.merge(ShardId(0), ShardId(0)).err(), ChangeError::SameShard(ShardId(0))),
            (map.merge(ShardId(0), ShardId(7)).err(), ChangeError::NoSuchShard(ShardId(7))),
            (map.give(TokenRange::FULL, ShardId(1)).err(), ChangeError::LeftEmpty(ShardId(0))),
            (map.give(TokenRange::only(half), ShardId(1)).err(), ChangeError::NothingChanges(ShardId(1))),
            (map.give(TokenRange::FULL, ShardId(3)).err(), ChangeError::NoSuchShard(ShardId(3))),
        ];
        for (got, expected) in cases {
            assert_eq!(got, Some(expected));
        }
    }

    #[test]
    fn a_merged_shard_never_comes_back() {
        let map = ShardMap::even(3).unwrap().merge(ShardId(2), ShardId(1)).unwrap();
        assert_eq!(map.epoch(ShardId(2)), None);
        let (map, new) = map.split(ShardId(1), Token(u64::MAX)).unwrap();
        assert_eq!(new, ShardId(3));
        assert_eq!(map.locate(Token::MAX), (ShardId(3), Epoch::FIRST));
    }

    #[test]
    fn a_handover_touches_the_epochs_of_exactly_those_it_concerns() {
        let map = ShardMap::even(4).unwrap();
        let before = map.owners(TokenRange::FULL).nth(1).unwrap().range;
        let next = map.give(TokenRange::only(before.first()), ShardId(3)).unwrap();
        let epochs: Vec<u64> = next.shards().values().map(|epoch| epoch.0).collect();
        assert_eq!(epochs, [1, 2, 1, 2]);
        let range = TokenRange::only(before.first());
        assert_eq!(map.handovers(&next), [Handover { range, from: ShardId(1), to: ShardId(3) }]);
    }
}
