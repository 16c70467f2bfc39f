//! The map against a naive one: a list that names the owner of every token of a small ring.

use std::collections::BTreeMap;

use proptest::prelude::*;
use shard_router::{Epoch, ShardId, ShardMap, Token, TokenRange};

/// The small ring: token i of it stands for the i-th sixteenth of the real one.
const SLOTS: u64 = 16;

fn token(slot: u64) -> Token {
    Token(slot << 60)
}

/// The real range of the slots `first..=last`.
fn range(first: u64, last: u64) -> TokenRange {
    let end = if last + 1 == SLOTS { Token::MAX } else { token(last + 1).previous().unwrap() };
    TokenRange::new(token(first), end).unwrap()
}

#[derive(Clone, Debug, PartialEq)]
struct Naive {
    version: u64,
    next: u32,
    owner: Vec<u32>,
    epoch: BTreeMap<u32, u64>,
}

impl Naive {
    fn owns(&self, shard: u32) -> bool {
        self.owner.contains(&shard)
    }

    /// Sets new owners and derives the rest by comparing.
    fn with(&self, owner: Vec<u32>) -> Naive {
        let mut next = self.clone();
        for (before, after) in self.owner.iter().zip(&owner).filter(|(before, after)| before != after) {
            for shard in [before, after] {
                next.epoch.insert(*shard, self.epoch.get(shard).copied().unwrap_or(0) + 1);
            }
        }
        next.epoch.retain(|shard, _| owner.contains(shard));
        next.owner = owner;
        next.version += 1;
        next
    }

    fn split(&self, shard: u32, at: u64) -> Option<Naive> {
        let first = self.owner.iter().position(|owner| *owner == shard)? as u64;
        if self.owner[at as usize] != shard || at == first {
            return None;
        }
        let cut = |(slot, owner): (usize, &u32)| if *owner == shard && slot as u64 >= at { self.next } else { *owner };
        let mut next = self.with(self.owner.iter().enumerate().map(cut).collect());
        next.next += 1;
        Some(next)
    }

    fn merge(&self, from: u32, into: u32) -> Option<Naive> {
        let possible = from != into && self.owns(from) && self.owns(into);
        possible.then(|| self.with(self.owner.iter().map(|owner| if *owner == from { into } else { *owner }).collect()))
    }

    fn give(&self, first: u64, last: u64, to: u32) -> Option<Naive> {
        let mut owner = self.owner.clone();
        owner[first as usize..=last as usize].fill(to);
        let keeps_all = self.owner.iter().all(|shard| owner.contains(shard));
        (self.owns(to) && keeps_all && owner != self.owner).then(|| self.with(owner))
    }
}

#[derive(Clone, Debug)]
enum Change {
    Split { shard: u32, at: u64 },
    Merge { from: u32, into: u32 },
    Give { first: u64, last: u64, to: u32 },
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0u32..8, 0..SLOTS).prop_map(|(shard, at)| Change::Split { shard, at }),
        (0u32..8, 0u32..8).prop_map(|(from, into)| Change::Merge { from, into }),
        (0..SLOTS, 0..SLOTS, 0u32..8).prop_map(|(one, other, to)| Change::Give {
            first: one.min(other),
            last: one.max(other),
            to
        }),
    ]
}

fn check(map: &ShardMap, naive: &Naive) -> Result<(), TestCaseError> {
    prop_assert_eq!(map.version(), naive.version);
    let epochs: BTreeMap<u32, u64> = map.shards().into_iter().map(|(shard, epoch)| (shard.0, epoch.0)).collect();
    prop_assert_eq!(&epochs, &naive.epoch);
    for slot in 0..SLOTS {
        let owner = naive.owner[slot as usize];
        let expected = (ShardId(owner), Epoch(naive.epoch[&owner]));
        for probe in [range(slot, slot).first(), range(slot, slot).middle(), range(slot, slot).last()] {
            prop_assert_eq!(map.locate(probe), expected);
        }
        for last in slot..SLOTS {
            check_owners(map, naive, slot, last)?;
        }
    }
    let mut bytes = Vec::new();
    map.encode(&mut bytes);
    prop_assert_eq!(&ShardMap::decode(&bytes).unwrap(), map);
    Ok(())
}

/// The owners of a range are what one gets by asking for every slot, neighbours joined, with nothing left out.
fn check_owners(map: &ShardMap, naive: &Naive, first: u64, last: u64) -> Result<(), TestCaseError> {
    let owners: Vec<_> = map.owners(range(first, last)).collect();
    let mut joined = naive.owner[first as usize..=last as usize].to_vec();
    joined.dedup();
    prop_assert_eq!(owners.iter().map(|owner| owner.shard.0).collect::<Vec<_>>(), joined);
    prop_assert_eq!(owners[0].range.first(), range(first, last).first());
    prop_assert_eq!(owners[owners.len() - 1].range.last(), range(first, last).last());
    for pair in owners.windows(2) {
        prop_assert_eq!(pair[0].range.last().next(), Some(pair[1].range.first()));
    }
    for owner in owners {
        prop_assert_eq!(map.locate(owner.range.first()), (owner.shard, owner.epoch));
        prop_assert!(map.ranges(owner.shard).iter().any(|range| range.covers(&owner.range)));
    }
    Ok(())
}

proptest! {
    #[test]
    fn agrees_with_a_list_of_owners(
        power in 0u32..4, changes in prop::collection::vec(change(), 0..12),
    ) {
        let shards = 1u64 << power;
        let mut map = ShardMap::even(shards as usize).unwrap();
        let mut naive = Naive {
            version: 1,
            next: shards as u32,
            owner: (0..SLOTS).map(|slot| (slot * shards / SLOTS) as u32).collect(),
            epoch: (0..shards as u32).map(|shard| (shard, 1)).collect(),
        };
        check(&map, &naive)?;
        for change in changes {
            let (got, expected) = match change {
                Change::Split { shard, at } => {
                    (map.split(ShardId(shard), token(at)).ok().map(|(map, _)| map), naive.split(shard, at))
                }
                Change::Merge { from, into } => {
                    (map.merge(ShardId(from), ShardId(into)).ok(), naive.merge(from, into))
                }
                Change::Give { first, last, to } => {
                    (map.give(range(first, last), ShardId(to)).ok(), naive.give(first, last, to))
                }
            };
            prop_assert_eq!(got.is_some(), expected.is_some());
            if let (Some(next), Some(expected)) = (got, expected) {
                let handed: u128 = map.handovers(&next).iter().map(|handover| handover.range.width() >> 60).sum();
                let differ = naive.owner.iter().zip(&expected.owner).filter(|(one, other)| one != other).count();
                prop_assert_eq!(handed, differ as u128);
                (map, naive) = (next, expected);
                check(&map, &naive)?;
            }
        }
    }

    #[test]
    fn even_maps_are_even(shards in 1usize..2_000) {
        let map = ShardMap::even(shards).unwrap();
        let widths: Vec<u128> = map.owners(TokenRange::FULL).map(|owner| owner.range.width()).collect();
        prop_assert_eq!(widths.len(), shards);
        prop_assert_eq!(widths.iter().sum::<u128>(), 1 << 64);
        prop_assert!(widths.iter().max().unwrap() - widths.iter().min().unwrap() <= 1);
    }

    #[test]
    fn arbitrary_bytes_are_a_valid_map_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64), tamper in any::<bool>()) {
        let mut bytes = bytes;
        if tamper && !bytes.is_empty() {
            bytes[0] = 1;
        }
        if let Ok(map) = ShardMap::decode(&bytes) {
            let mut again = Vec::new();
            map.encode(&mut again);
            prop_assert_eq!(again, bytes, "a map has one encoding");
        }
    }

    #[test]
    fn one_flipped_bit_never_panics(shards in 1usize..20, position in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = Vec::new();
        ShardMap::even(shards).unwrap().encode(&mut bytes);
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        if let Ok(map) = ShardMap::decode(&bytes) {
            let mut again = Vec::new();
            map.encode(&mut again);
            prop_assert_eq!(again, bytes);
        }
    }
}
