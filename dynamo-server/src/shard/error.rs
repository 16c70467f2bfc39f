//! Why a shard gave no outcome, and what the caller can do next.

use dynamo_protocol::error::ApiError;

use crate::raft::{ProposeError, ReadIndexError};

/// A write or a check of leadership that has no outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// This node does not lead the shard; nothing was done. Ask the leader.
    #[error("this node does not lead the shard")]
    NotLeader {
        /// Who leads, as far as is known.
        leader: Option<u64>,
    },
    /// The write may or may not have happened, or still happen. Not to be repeated blindly.
    #[error("whether the write happened is not known")]
    Unknown,
    /// The request's time is over. For a write as [`ShardError::Unknown`].
    #[error("the request's time is over")]
    DeadlinePassed,
    /// No quorum confirmed that this node leads. Nothing was read.
    #[error("no quorum confirmed the leadership")]
    NotConfirmed,
    /// A queue is full; nothing was done. Come back later.
    #[error("too many requests are waiting")]
    Overloaded,
    /// There is too little room on the disk; nothing was done.
    #[error("there is too little free space on the disk")]
    DiskFull,
    /// The node has stopped.
    #[error("this node has stopped")]
    Stopped,
}

impl ShardError {
    /// Whether the shard could be asked and would not: nothing was done, and later it may be.
    pub fn is_refusal(&self) -> bool {
        matches!(self, ShardError::Overloaded | ShardError::DiskFull)
    }

    /// What the client is told. One mapping for all handlers.
    pub fn into_api_error(self) -> ApiError {
        match self {
            ShardError::Overloaded => ApiError::throughput_exceeded(),
            ShardError::DiskFull => ApiError::service_unavailable(),
            ShardError::NotLeader { .. }
            | ShardError::Unknown
            | ShardError::DeadlinePassed
            | ShardError::NotConfirmed
            | ShardError::Stopped => ApiError::internal(),
        }
    }
}

impl From<ProposeError> for ShardError {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NotLeader { leader } => ShardError::NotLeader { leader },
            ProposeError::Unknown => ShardError::Unknown,
            ProposeError::Stopped => ShardError::Stopped,
        }
    }
}

impl From<ReadIndexError> for ShardError {
    fn from(error: ReadIndexError) -> Self {
        match error {
            ReadIndexError::NotLeader { leader } => ShardError::NotLeader { leader },
            ReadIndexError::NoQuorum => ShardError::NotConfirmed,
            ReadIndexError::Stopped => ShardError::Stopped,
        }
    }
}
