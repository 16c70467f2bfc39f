//! Index entries that lie on another shard: the outbox, the channels, and why each entry arrives exactly once, in order.
//!
//! A row of a global index lives where the *index's* key puts it, which is as a rule not the shard of its item. The
//! shard of the item writes the change of such a row into its **outbox**, in the batch of the item itself, and carries
//! it over later. All that goes from one shard to one other is a **channel**: numbered without gaps, delivered in order.
//!
//! ```text
//! source shard (items)                                     target shard (index rows)
//!   write ─▶ item, outbox row 7 ─┐
//!   write ─▶ item, outbox row 8 ─┴── ApplyOutbox{first 7, 2 mutations} ──▶ skips up to its last, applies the rest
//!                                                                         and remembers 8: one batch
//!   TrimOutbox{through 8} removes both rows ◀──────── "through 8" ─────────┘
//! ```
//!
//! - *Nothing is lost*: an outbox row is in the batch of its item and goes only when the target has answered that it
//!   has it, which it does after its own group has agreed.
//! - *Nothing is done twice*: the target remembers the last number of each channel with the rows, and skips what it has.
//! - *Nothing is resurrected*: a row's key ends with its item's whole key, an item lives on one shard, and that shard's
//!   channel has the item's changes in the order of its log. So no two channels ever meet on a row, and within a channel an
//!   older change cannot come after a newer one. A number that is not the next one is refused, not kept for later.
//! - *Tables come and go*: a mutation names its table and the schema version that it was made with. A target that has
//!   an older version, without the index, takes nothing from there on, so the sender waits until it is installed; one
//!   that knows a later version without the index, or the table no more, drops the mutation, and the channel goes on. (A
//!   table takes writes only once every shard has it, so a table that a shard does not know is one that was deleted.)
//! - *Bounded*: an outbox of [`OUTBOX_BYTES_MAX`] refuses writes that would add to it ([`Rejection::Behind`]).
//!
//! The target counts what it really finds: the statistics of an index are kept where its rows are.
//!
//! [`Rejection::Behind`]: crate::apply::Rejection::Behind

mod mutation;
mod state;

pub use crate::ids::OutboxPosition;
pub use mutation::{IndexMutation, OutboxMutation, OutboxRow};
pub use state::{OutboxChannel, OutboxChannels};
pub(crate) use state::{seen_from_bytes, seen_to_bytes};

/// Undelivered bytes in a shard's outbox from which on it takes no more: some seconds of writes at full speed while
/// another shard elects a leader. Writes that need no channel go on.
pub const OUTBOX_BYTES_MAX: u64 = 32 << 20;

/// Undelivered bytes from which on a backfill rests, so that it never takes the room that live writes need.
pub const OUTBOX_BACKFILL_BYTES_MAX: u64 = OUTBOX_BYTES_MAX / 4;

/// Outbox rows that one trim removes at most: a step must not hold up the shard.
pub const TRIM_ROWS_MAX: u64 = 4096;
