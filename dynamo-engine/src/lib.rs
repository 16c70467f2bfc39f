//! A deterministic DynamoDB database, to be driven by a replicated log.
//!
//! The engine is everything between a decoded request and the bytes in the store, except who is asked and when:
//!
//! ```text
//! request ──plan──▶ command ──(log)──▶ apply ──▶ rows          plan:  pure, sees request and catalog, gives the client's errors
//!    │                                  │                      apply: pure function of state and command, gives outcomes
//!    └──plan──▶ read plan ──execute──▶ JSON                    reply: outcomes to the JSON body
//! ```
//!
//! - [`catalog`]: what tables there are, as stored, as installed in a shard, and as looked up by a plan.
//! - [`keyspace`]: the order-preserving row keys and the one list of ranges that belong to a table.
//! - [`item`]: the stored form of an item, with cheap access to single attributes.
//! - [`command`]: what travels in the log.
//! - [`outbox`]: index entries that lie on another shard, and how they get there.
//! - [`plan`]: one file per operation, from request to command or read plan.
//! - [`apply`]: one file per command kind, from command to rows and outcome.
//! - [`read`]: executes read plans over a frozen view.
//! - [`reply`]: from outcome to the body of the response.
//! - [`stream`]: the changes of a table's items, as consumers read them.
//! - [`ttl`]: which items expire, and when.
//! - [`capacity`]: capacity units and collection metrics.
//! - [`codec`], [`context`]: the primitives of the binary codec; who asks.
//!
//! Absent on purpose: no clock and no randomness (time is stamped into each command by its proposer), no HTTP, no
//! Raft, no tasks, no disk.

pub mod apply;
pub mod capacity;
pub mod catalog;
pub mod codec;
pub mod command;
pub mod context;
pub mod cost;
mod fault;
mod ids;
pub mod item;
pub mod keyspace;
mod messages;
pub mod outbox;
pub mod plan;
pub mod read;
pub mod reply;
pub mod stream;
pub mod ttl;

/// The example of the README runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
