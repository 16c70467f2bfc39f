//! How applying and reading can fail on one node, once a command or a read was planned.

use dynamo_expression::OutOfSteps;
use dynamo_protocol::error::ApiError;
use ordered_kv::StoreError;
use shard_router::Token;

use crate::codec::DecodeError;
use crate::cost::OUT_OF_STEPS;
use crate::item::Corrupt;
use crate::keyspace::KeyDecodeError;

/// Something is wrong with this node: its disk, its memory, its program. The shard stops here.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// A stored item is damaged.
    #[error(transparent)]
    Item(#[from] Corrupt),
    /// A row's key is damaged.
    #[error(transparent)]
    Key(#[from] KeyDecodeError),
    /// A stored record is damaged.
    #[error("a stored record is damaged: {0}")]
    Record(#[from] DecodeError),
    /// The command takes more than it may where it was begun ([`Applier::apply`](crate::apply::Applier::apply)); nothing of it
    /// was done.
    #[error("the command takes more work than it may here")]
    TooLong,
    /// Something that must hold does not.
    #[error("an invariant is broken: {0}")]
    Invariant(&'static str),
}

/// Why executing a plan gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store could not be read. [`StoreError::NotCached`] means: try again where blocking is allowed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored row is damaged: a fault of this node.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The page is too long to be made without blocking others: run the plan again where that is allowed.
    #[error("the page is too long to be made in place")]
    TooLong,
    /// There is no memory for what the answer comes to.
    #[error("there is no room for the answer")]
    NoRoom,
    /// Nobody waits for the page any more.
    #[error("nobody waits for the page any more")]
    Abandoned,
    /// The view of the shard that owns this token is not there. Only an [`Execution`](crate::read::Execution) can go on
    /// from here.
    #[error("the view of the shard that owns {0} is not there")]
    Missing(Token),
    /// The answer is an error that depends on the data read.
    #[error("{0}")]
    Client(ApiError),
}

impl ReadError {
    /// An expression takes too much work for one row.
    pub(crate) fn out_of_steps(_: OutOfSteps) -> ReadError {
        ReadError::Client(ApiError::validation(OUT_OF_STEPS))
    }

    /// Whether the same read would succeed where blocking is allowed.
    pub fn is_not_cached(&self) -> bool {
        matches!(self, ReadError::Store(StoreError::NotCached) | ReadError::TooLong)
    }
}
