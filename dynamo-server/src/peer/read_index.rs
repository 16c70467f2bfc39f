//! Asking the leader of a shard how far a replica must have applied to show everything acknowledged by now.
//!
//! ```text
//! request   nothing
//! response  00 · the index behind the last entry that must be applied   |   a refusal
//! ```
//!
//! The leader answers at once while it holds its lease, and asks a quorum otherwise. Asking twice does no harm.

use super::Rpc;
use crate::shard::ShardError;

/// The service.
pub struct ReadIndex;

impl Rpc for ReadIndex {
    const KIND: u8 = 33;
    type Request<'a> = ();
    type Received = ();
    type Response = Result<u64, ShardError>;
}
