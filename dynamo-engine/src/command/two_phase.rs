//! The four commands of a transaction whose items lie on several shards.
//!
//! ```text
//! coordinator      record shard                        other shards
//!   Prepare ──────▶ evaluate, lock ─────────────────▶ evaluate, lock        all at once
//!   Decide  ──────▶ record COMMIT, write its items                          the commit point
//!   Resolve ────────────────────────────────────────▶ write items, unlock   all at once
//!   Forget  ──────▶ remove the record
//! ```
//!
//! The *record shard* of a transaction, which records what is decided about it, is the shard where the client's token
//! lives, so that all requests under one token meet there, whether or not it has items of this one; without a client's
//! token it is the shard of the first item.
//!
//! Anybody may take the coordinator's place: what is locked names the record shard, which says what was decided, and
//! where nothing was decided anybody may record ABORT there. See [`crate::apply`] for what each command does.

use hlc::Timestamp;
use shard_router::Token;

use super::{ClientToken, Command, ItemWrite};

/// A transaction across shards, drawn at random by its coordinator; never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub u128);

/// Evaluate these actions and, if all may be done, lock their items until the transaction is decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepare {
    /// The transaction.
    pub id: TransactionId,
    /// The shard that owns this token holds the decision: [`ClientToken::ring_token`] or, without a client's token,
    /// that of the first item.
    pub record_token: Token,
    /// In milliseconds since the epoch, against the shard's replicated time: a prepare that comes later is refused.
    pub deadline_ms: u64,
    /// The client's token; only on the record shard.
    pub client_token: Option<ClientToken>,
    /// The actions whose items lie on this shard, in the order of the request; only a record shard that a client's
    /// token has chosen may have none.
    pub actions: Vec<ItemWrite>,
}

/// Say on the record shard what becomes of a transaction, or ask. The first to say wins; everybody gets the same
/// answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decide {
    /// The transaction.
    pub id: TransactionId,
    /// What to record, if nothing is recorded yet.
    pub verdict: Verdict,
}

/// What a [`Decide`] wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Only to know.
    Ask,
    /// Everything is done, at this moment.
    Commit {
        /// The largest timestamp of the prepares: that of every row the transaction writes.
        at: Timestamp,
        /// The prepares that belong to the transaction. Only these are carried out, so that a prepare that comes
        /// twice never takes effect twice.
        prepares: Vec<Prepared>,
        /// What a replay under the client's token costs, for each action; empty without a token.
        reads: Vec<u32>,
    },
    /// Nothing is done. Without a prepare on the record shard the record stays until the deadline, so that none comes
    /// later.
    Abort {
        /// The deadline of the transaction's prepares.
        deadline_ms: u64,
    },
}

/// One shard's prepare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// A token on the shard, by which it is found.
    pub token: Token,
    /// When it was prepared; unique on the shard.
    pub ts: Timestamp,
}

/// Carry out a decision: write what was prepared, or not, and unlock. Done at most once, and never refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// The transaction.
    pub id: TransactionId,
    /// The prepare that is meant, by its timestamp; `None`, which only an abort may say, for any.
    pub prepared: Option<Timestamp>,
    /// The timestamp of the rows; `None` writes nothing.
    pub commit: Option<Timestamp>,
}

/// Remove the record of a decision: everybody has carried it out. An ABORT stays until its deadline is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forget {
    /// The transaction.
    pub id: TransactionId,
}

impl Command {
    /// The timestamp of a decision that this command carries: whoever stamps it stamps it above, since applying it
    /// lifts the shard's clock that far.
    pub fn decided_at(&self) -> Option<Timestamp> {
        match self {
            Command::Decide(Decide { verdict: Verdict::Commit { at, .. }, .. }) => Some(*at),
            Command::Resolve(resolve) => resolve.commit,
            _ => None,
        }
    }

    /// Whether applying this command may change which transactions are under way in the shard.
    pub fn changes_locks(&self) -> bool {
        matches!(
            self,
            Command::Prepare(_) | Command::Decide(_) | Command::Resolve(_) | Command::Forget(_) | Command::Ddl(_)
        )
    }
}
