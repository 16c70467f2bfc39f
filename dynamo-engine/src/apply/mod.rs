//! From command to rows and outcome: one file per command kind, all deterministic.
//!
//! [`apply_entry`] is a pure function of the shard's state and the entry: it reads no clock, no cache of the node, no
//! randomness, and walks nothing in hash order. Two replicas that apply the same entries hold the same bytes; tests
//! compare them. What time it is stands in the entry.
//!
//! ```text
//! entry ─▶ for each command: evaluate (read, condition, new image) ─▶ commit (row, index rows, counters) ─▶ outcome
//!                              │ reads through                         │ writes into
//!                              └────────────▶ overlay ◀────────────────┘ ─▶ one WriteBatch at the end
//! ```
//!
//! - An [`Outcome`] is part of the agreed answer and equal on every replica: a failed condition, a cancelled
//!   transaction, a command that was planned with an old schema ([`Rejection::Stale`]; the proposer plans again).
//! - A [`Fault`] belongs to one node (its disk, a row that is no row): the shard stops there rather than diverge. After
//!   a fault the [`ShardState`] is of no use any more.
//!
//! A write that changes nothing (the same item again, a delete of what is not there) writes nothing, and its outcome
//! says so, for the streams. Old and new images travel in the outcome as stored rows, which costs nothing: the reply
//! decides what of them a client sees.

mod applier;
mod backfill;
mod client_token;
mod commit;
pub mod ddl;
mod ddl_store;
mod evaluate;
mod inbox;
mod index_row;
mod outbox;
mod outcome;
mod outcome_codec;
mod overlay;
#[cfg(test)]
mod replica;
mod state;
mod stream;
#[cfg(test)]
mod tests;
mod transact;
mod ttl;
pub mod two_phase;
mod work;

use ordered_kv::{Reader, WriteBatch};

use crate::command::Entry;

pub use crate::fault::Fault;
pub use applier::{Applier, Suspended};
pub use index_row::index_key_of;
pub use outcome::{ActionOutcome, IndexWrite, Outcome, Rejection, WriteOutcome};
pub use overlay::Overlay;
pub use state::ShardState;
pub(crate) use state::read_deletions;
pub use ttl::is_ttl_queue_filled;
pub use work::UNLIMITED;

/// Applies one entry: changes `shard`, adds the rows' changes to `batch` and gives one outcome a command, in order.
///
/// The caller adds its applied index to the same batch ([`crate::keyspace::local::applied`]) and writes it before it
/// applies the next entry, since `reader` must show every earlier one.
///
/// # Errors
/// A [`Fault`]: the shard stops on this node; nothing of the batch may be written.
pub fn apply_entry(
    shard: &mut ShardState,
    reader: &dyn Reader,
    batch: &mut WriteBatch,
    entry: &Entry,
) -> Result<Vec<Outcome>, Fault> {
    let mut applier = Applier::new(shard, reader, entry);
    let apply = |stamped| applier.apply(stamped, UNLIMITED);
    let outcomes = entry.commands.iter().map(apply).collect::<Result<_, _>>()?;
    applier.finish(batch);
    Ok(outcomes)
}
