//! What travels in the log.
//!
//! An [`Entry`] is one log entry: the proposer's wall time, the shard's timestamp ceiling and a vector of commands,
//! each with its own timestamp. A command carries everything that apply needs: the table's id and schema version as
//! planned, the row key, the encoded item, the parsed condition and update. Apply compares the versions with the
//! descriptor installed in the shard and rejects what was planned with another one.
//!
//! The codec is written by hand ([`Entry::encode`], [`Entry::decode`]), its bytes are pinned, and decoding takes any
//! input. An entry that cannot be decoded stops the shard; it is never skipped.

pub(crate) mod codec;
mod item_write;
mod outbox;
mod stream;
mod ttl;
mod two_phase;
pub(crate) mod two_phase_codec;

use dynamo_expression::{Condition, Update};
use hlc::Timestamp;
use shard_router::Token;

use crate::catalog::{DdlCommand, IndexId, TableId};
use crate::item::ItemBody;
use crate::keyspace::token_of_client_token;

pub use crate::codec::DecodeError;
pub use item_write::request_hash;
pub use outbox::{ApplyOutbox, TrimOutbox};
pub use stream::{STREAM_STEPS_MAX, StreamAction, StreamStep, TendStreams};
pub use ttl::{EXPIRE_ITEMS_MAX, Expire, Expiring, FillTtlQueue};
pub use two_phase::{Decide, Forget, Prepare, Prepared, Resolve, TransactionId, Verdict};

/// The first byte of every entry.
pub const ENTRY_FORMAT: u8 = 1;

/// The most time that one [`Command::AgeTokens`] lets pass, in milliseconds: by how much a token may be held older than it is,
/// and so by how much longer than promised it is remembered.
pub const TOKEN_AGE_STEP_MS_MAX: u64 = 15_000;

/// One log entry: commands that share a proposal, a sync and a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The proposer's wall time in milliseconds since the epoch: the only time that apply ever sees.
    pub stamped_ms: u64,
    /// Every timestamp in this entry is below it; the shard's ceiling becomes at least this.
    pub ceiling: Timestamp,
    /// The commands, in the order in which they take effect.
    pub commands: Vec<Stamped>,
}

/// A command with the timestamp that its sequencer gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamped {
    /// Rises strictly in log order.
    pub ts: Timestamp,
    /// What to do.
    pub command: Command,
}

/// What a shard can be told to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Nothing; an entry that only carries its header.
    Noop,
    /// Nothing but the entry's ceiling, proposed alone when a shard needs a higher one.
    RaiseCeiling,
    /// Put, update or delete one item.
    Write(ItemWrite),
    /// All of these or none.
    Transact(Transaction),
    /// Change the catalog.
    Ddl(DdlCommand),
    /// Add the next rows to an index that is being filled.
    BackfillStep(BackfillStep),
    /// Lock this shard's part of a transaction across shards.
    Prepare(Prepare),
    /// Decide a transaction across shards, or ask what was decided.
    Decide(Decide),
    /// Carry out what was decided.
    Resolve(Resolve),
    /// Remove the record of a decision.
    Forget(Forget),
    /// Take the next rows of another shard's channel.
    ApplyOutbox(ApplyOutbox),
    /// Remove delivered rows of an own channel.
    TrimOutbox(TrimOutbox),
    /// Add the next rows to an expiry queue that is being filled.
    FillTtlQueue(FillTtlQueue),
    /// Delete items that are due.
    Expire(Expire),
    /// Roll over, trim and forget shards of streams.
    TendStreams(TendStreams),
    /// The remembered ClientRequestTokens are so many milliseconds older, at most [`TOKEN_AGE_STEP_MS_MAX`].
    AgeTokens(u64),
}

impl Command {
    /// The row keys of the items that a client's write is about, each once.
    pub fn item_keys(&self) -> impl Iterator<Item = &[u8]> {
        let writes = match self {
            Command::Write(write) => std::slice::from_ref(write),
            Command::Transact(transaction) => &transaction.actions,
            _ => &[],
        };
        writes.iter().map(|write| &write.key[..])
    }

    /// A word for its kind, for operators.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Noop => "no-op",
            Command::RaiseCeiling => "raise ceiling",
            Command::Write(write) => match write.change {
                Change::Put(_) => "put",
                Change::Update(_) => "update",
                Change::Delete => "delete",
                Change::Check => "condition check",
            },
            Command::Transact(_) => "transaction",
            Command::Ddl(_) => "change of the catalog",
            Command::BackfillStep(_) => "backfill step",
            Command::Prepare(_) => "prepare",
            Command::Decide(_) => "decide",
            Command::Resolve(_) => "resolve",
            Command::Forget(_) => "forget",
            Command::ApplyOutbox(_) => "index entries",
            Command::TrimOutbox(_) => "trim of index entries",
            Command::FillTtlQueue(_) => "fill of the expiry queue",
            Command::Expire(_) => "expiry",
            Command::TendStreams(_) => "upkeep of streams",
            Command::AgeTokens(_) => "age of client tokens",
        }
    }
}

/// One action on one item.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemWrite {
    /// The table as planned.
    pub table: TableId,
    /// Its schema version as planned.
    pub schema_version: u32,
    /// The base row's key; see [`crate::keyspace`].
    pub key: Vec<u8>,
    /// Must hold for the item as it is before the change.
    pub condition: Option<Condition>,
    /// What to do with the item.
    pub change: Change,
}

/// The change of one action.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Replace the item.
    Put(ItemBody),
    /// Change attributes; creates the item where there is none, unless the update only removes.
    Update(Update),
    /// Remove the item.
    Delete,
    /// Nothing: the action is only its condition.
    Check,
}

/// A transaction of which every item lies on this shard.
#[derive(Clone, Debug, PartialEq)]
pub struct Transaction {
    /// Makes a repeated request harmless for ten minutes.
    pub client_token: Option<ClientToken>,
    /// At most one action an item, at most a hundred.
    pub actions: Vec<ItemWrite>,
}

/// `ClientRequestToken` with a hash of the request it came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientToken {
    /// The client's token.
    pub token: String,
    /// [`request_hash`] of the actions.
    pub request_hash: u128,
    /// The table of the request's first action: the token is forgotten with it.
    pub table: TableId,
}

impl ClientToken {
    /// The token on the ring whose shard remembers this one, the same for every request that comes with it.
    pub fn ring_token(&self) -> Token {
        token_of_client_token(&self.token)
    }
}

/// The next rows of a backfill, from the cursor that the shard keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackfillStep {
    /// The table as planned.
    pub table: TableId,
    /// Its schema version as planned.
    pub schema_version: u32,
    /// The index, in state backfilling.
    pub index: IndexId,
    /// How many base rows to visit.
    pub rows: u32,
}

#[cfg(test)]
mod tests;
