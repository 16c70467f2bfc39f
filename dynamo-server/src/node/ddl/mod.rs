//! Driving tables to where they were asked to be.
//!
//! A change of the catalog is one command to the system group, but most changes go on: every other shard has to install
//! what was decided, an index that is added is written, then filled, then active. What is left to do is a pure function
//! of the system group's replicated catalog ([`DdlWork`](dynamo_engine::catalog::DdlWork)), so a driver keeps nothing of
//! its own: it looks, does one piece, looks again. It runs where the system group is led; one that starts after a
//! crash or on another node finds the same work, and two of them do no harm, since every piece names the version or
//! the era that it was made for.
//!
//! ```text
//!   client ─▶ system group: decided ──▶ driver ─┬─▶ shard 1: installed ─┬─▶ system group: confirmed ─▶ (next piece)
//!                 │                             ├─▶ shard 2: installed ─┤          │
//!                 │                             └─▶ …                  ─┘          │
//!                 ╰── the reply waits for this, bounded ◀──────────────────────────╯
//! ```
//!
//! That a shard has done its part is known from its own answer, or from this node's replica of it: what a replica has
//! applied is agreed and stays. What a replica has *not* applied says nothing, so it is proposed (once more); shards
//! take everything twice without harm.

mod driver;
mod settle;
mod step;

pub(super) use driver::run;
