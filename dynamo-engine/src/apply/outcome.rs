//! What applying a command gives: outcomes for everyone, faults for this node.

use hlc::Timestamp;
use ordered_kv::Value;

use super::ddl::DdlOutcome;
use super::two_phase::Decision;
use crate::capacity::read_units;
use crate::catalog::IndexId;
use crate::item::{Corrupt, ItemRef};
use crate::outbox::OutboxPosition;

/// The agreed answer to one command.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Done, with nothing to say: a no-op, a raised ceiling.
    Done,
    /// The item was written (or found to be so already).
    Written(WriteOutcome),
    /// The condition was false for this item (a stored row; `None`: there is none).
    ConditionFailed {
        /// The stored row that the condition met.
        item: Option<Value>,
    },
    /// The write is wrong in a way that only shows with the item at hand: the text of a ValidationException.
    Invalid(String),
    /// Every action of the transaction was done.
    Transacted {
        /// One for each action, in order.
        actions: Vec<WriteOutcome>,
    },
    /// The same request was done before, under the same token; nothing was done now.
    Replayed {
        /// What it costs to read the larger of the two images of each action's item, as the first call saw them, in
        /// order; empty where that is not known.
        reads: Vec<u32>,
    },
    /// No action of the transaction was done; one verdict for each, in order.
    Cancelled(Vec<ActionOutcome>),
    /// The transaction's token was used before for another request.
    TokenMismatch,
    /// The command does not fit the shard as it is now; nothing was done.
    Rejected(Rejection),
    /// The catalog command's own outcome.
    Ddl(DdlOutcome),
    /// A step of a backfill was made, of an index or of an expiry queue.
    Backfilled {
        /// No base row is left behind the cursor.
        done: bool,
    },
    /// Nothing was written: a transaction that is not decided yet holds the item.
    Conflict,
    /// Nothing was done: a transaction with the same client token is not decided yet.
    InProgress,
    /// The shard's part of a transaction may be done, and its items are locked.
    Prepared {
        /// When; names this prepare in the decision.
        ts: Timestamp,
        /// What a commit does, one for each action, in order; without the cost of indexes, and with the prepare's
        /// timestamp in the new rows.
        actions: Vec<WriteOutcome>,
    },
    /// What is decided about a transaction.
    Decided {
        /// The decision; `None` where there is none.
        decision: Option<Decision>,
        /// What this very command did to the items on this shard, in the order of their prepare, if it committed them.
        actions: Vec<WriteOutcome>,
    },
    /// A decision was carried out, or had been before.
    Resolved {
        /// What was done now, one for each action of the prepare; empty where nothing was.
        actions: Vec<WriteOutcome>,
    },
    /// A channel's rows arrived.
    OutboxApplied {
        /// The last number of the channel that was ever applied here. Short of what was sent: send from there on, later.
        through: u64,
    },
    /// Items that were due are gone.
    Expired {
        /// How many were deleted.
        deleted: u32,
        /// How many must wait, because a transaction holds them, or there was too much to do, or the outbox is full.
        put_off: u32,
    },
}

impl Outcome {
    /// Whether a client's write was carried out, now or before.
    pub fn is_done(&self) -> bool {
        matches!(self, Outcome::Written(_) | Outcome::Transacted { .. } | Outcome::Replayed { .. })
    }

    /// Bytes of the stored rows that were read and written, as far as they are told.
    pub fn row_bytes(&self) -> usize {
        let row = |row: &Option<Value>| row.as_ref().map_or(0, |row| row.len());
        let written = |write: &WriteOutcome| row(&write.old) + row(&write.new);
        match self {
            Outcome::Written(write) => written(write),
            Outcome::ConditionFailed { item } => row(item),
            Outcome::Transacted { actions }
            | Outcome::Prepared { actions, .. }
            | Outcome::Decided { actions, .. }
            | Outcome::Resolved { actions } => actions.iter().map(written).sum(),
            Outcome::Cancelled(verdicts) => {
                let met = |verdict: &ActionOutcome| match verdict {
                    ActionOutcome::ConditionFailed { item } => row(item),
                    ActionOutcome::Passed | ActionOutcome::Conflict | ActionOutcome::Invalid(_) => 0,
                };
                verdicts.iter().map(met).sum()
            }
            _ => 0,
        }
    }
}

/// Why a command was not even tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// Planned with another table id or schema version than the installed one: plan again.
    Stale,
    /// Its timestamp does not rise, or is not below the ceiling: a proposer that was deposed. Propose again.
    Timestamp,
    /// A prepare whose transaction is over here: its deadline has passed, or it was decided, or it came before.
    Late,
    /// Too many transactions are prepared on this shard. Come back later.
    Full,
    /// The entry has done as much before this command as one entry may. Propose again.
    Crowded,
    /// Other shards have not yet taken the index entries that wait in this shard's outbox: come back later.
    Behind,
}

/// What a write did to an item and its index rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOutcome {
    /// The stored row before.
    pub old: Option<Value>,
    /// The stored row after.
    pub new: Option<Value>,
    /// Whether the item is another one now. Where not, no row was written and no stream will hear of it.
    pub changed: bool,
    /// What the index rows cost, for indexes that were written, in the order of their creation.
    pub index_writes: Vec<IndexWrite>,
    /// Where index entries on other shards stand in the channels to them, the last one of each channel, by target.
    pub channels: Vec<OutboxPosition>,
}

impl WriteOutcome {
    /// Of an action that left the item as it is, or as it is absent.
    pub fn unchanged(row: Option<Value>) -> WriteOutcome {
        WriteOutcome { new: row.clone(), old: row, ..WriteOutcome::default() }
    }

    /// What a replay of a transaction costs for the item, undoubled: to read the larger of the images that the first
    /// call saw.
    ///
    /// # Errors
    /// A stored row that cannot be read.
    pub fn replay_units(&self) -> Result<u32, Corrupt> {
        let bytes = |row: Option<&Value>| row.map_or(Ok(0), |row| Ok(ItemRef::parse(row)?.billed_bytes()));
        Ok(read_units(bytes(self.old.as_ref())?.max(bytes(self.new.as_ref())?)))
    }
}

/// The cost of keeping one index current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexWrite {
    /// The index.
    pub index: IndexId,
    /// Write units.
    pub units: u32,
}

/// The verdict on one action of a cancelled transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionOutcome {
    /// Nothing against it.
    Passed,
    /// A transaction that is not decided yet holds the item.
    Conflict,
    /// Its condition was false for this stored row.
    ConditionFailed {
        /// The stored row that the condition met.
        item: Option<Value>,
    },
    /// It is wrong in a way that only shows with the item at hand.
    Invalid(String),
}
