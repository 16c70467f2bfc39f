//! From a partition key to the shard that owns it: tokens, ranges and a versioned map.
//!
//! # Problem
//!
//! The items of every table are to be spread evenly over the shards (replicated groups) of a cluster, all items of one
//! partition on one shard, and the division must be able to change while requests are under way, without a request
//! ever being answered by a shard that no longer owns what it asks for.
//!
//! # Idea
//!
//! A partition key is hashed to a [`Token`], a position on a ring of 2^64. A [`ShardMap`] cuts the ring into slices and
//! names for each the owning shard and that shard's [`Epoch`], which counts the changes of what the shard owns. A
//! request is routed with (shard, epoch); the shard compares the epoch with the one in its own replicated state
//! and refuses a request routed by an older map, which is then routed again.
//!
//! ```text
//!   token   0                                                            2^64 − 1
//!           ├──────── shard 0, epoch 3 ────────┼── shard 2, epoch 1 ──┼─ shard 1 ─┤
//!                                     ▲                                    map version 4
//!                                     Token::of(table, key)
//! ```
//!
//! Changes ([`split`](ShardMap::split), [`merge`](ShardMap::merge), [`give`](ShardMap::give)) are pure functions from
//! one map to the next: they carry the version on by one and the epochs of exactly the shards whose property changes.
//! Installing the new map, and moving the data, is the caller's affair.
//!
//! # Use
//!
//! ```
//! use shard_router::{Epoch, ShardId, ShardMap, Token, TokenRange};
//!
//! let map = ShardMap::even(16).unwrap();
//! let token = Token::of(7, &[(1, b"customer#42")]);
//! let (shard, epoch) = map.locate(token);
//!
//! // Half of that shard's ring goes to a new shard.
//! let range = map.owners(TokenRange::FULL).find(|owner| owner.shard == shard).unwrap().range;
//! let (next, new_shard) = map.split(shard, range.middle()).unwrap();
//! assert_eq!(next.version(), map.version() + 1);
//! assert_eq!(new_shard, ShardId(16));
//! assert!(next.locate(token).1 > epoch || next.locate(token).0 == new_shard);
//!
//! // Maps travel and are stored in a pinned binary form.
//! let mut bytes = Vec::new();
//! next.encode(&mut bytes);
//! assert_eq!(ShardMap::decode(&bytes).unwrap(), next);
//! ```
//!
//! # Guarantees
//!
//! 1. Every token has exactly one owner in every map.
//! 2. Tokens and encoded maps are the same on every machine and in every later version of this crate.
//! 3. A change touches no shard but those it names; an epoch never falls, a shard's number is never used again.
//! 4. Decoding arbitrary bytes gives a valid map or an error, never a panic.
//!
//! No I/O, no clock, no randomness.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod change;
mod codec;
mod ids;
mod map;
mod range;
mod token;

pub use change::{ChangeError, Handover};
pub use codec::DecodeError;
pub use ids::{Epoch, ShardId};
pub use map::{Owner, SHARDS_MAX, SLICES_MAX, ShardMap};
pub use range::TokenRange;
pub use token::Token;
