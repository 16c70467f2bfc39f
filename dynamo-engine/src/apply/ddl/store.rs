//! What applying a catalog command needs of the shard it runs in.

use std::sync::Arc;

use shard_router::{ShardId, TokenRange};

use crate::catalog::{EndedStream, Rollout, TableDescriptor, TableId};
use crate::codec::DecodeError;
use crate::stream::StreamId;

/// The shard under a catalog command: the overlay of the entry being applied, and the installed descriptors.
///
/// Reads see what earlier commands of the same entry wrote. Everything must be deterministic: the same command over
/// the same state writes the same bytes.
pub trait DdlStore {
    /// A fault of the node (a failed read, corrupt bytes), which stops the shard on it.
    type Fault;

    /// The value under `key`.
    fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Fault>;
    /// Sets `key`.
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), Self::Fault>;
    /// Removes `key`, if it is there.
    fn delete(&mut self, key: Vec<u8>) -> Result<(), Self::Fault>;
    /// Removes every key from `start` on and below `end`.
    fn delete_range(&mut self, start: Vec<u8>, end: Vec<u8>) -> Result<(), Self::Fault>;

    /// The installed descriptor of a table.
    fn installed(&self, table: TableId) -> Option<Arc<TableDescriptor>>;
    /// Installs a descriptor: the row and the memory beside it.
    fn install(&mut self, table: Arc<TableDescriptor>) -> Result<(), Self::Fault>;
    /// Removes an installed descriptor: the row and the memory beside it.
    fn uninstall(&mut self, table: &TableDescriptor) -> Result<(), Self::Fault>;

    /// Whether this shard is the only one, so that nobody else has anything to install.
    fn is_alone(&self) -> bool;
    /// What is on its way to the other shards about a table; only in the system group.
    fn rollout(&self, table: TableId) -> Option<Rollout>;
    /// Begins a rollout, in place of one of the same table: the row and the memory beside it.
    fn put_rollout(&mut self, rollout: Rollout) -> Result<(), Self::Fault>;
    /// Ends a rollout: the row and the memory beside it.
    fn end_rollout(&mut self, table: TableId) -> Result<(), Self::Fault>;
    /// The catalog's era as far as this shard has heard of it.
    fn era(&self) -> u64;
    /// Sets the era: the row and the memory beside it.
    fn set_era(&mut self, era: u64) -> Result<(), Self::Fault>;

    /// Remembers a stream that is over; only in the system group: the row and the memory beside it.
    fn end_stream(&mut self, stream: EndedStream) -> Result<(), Self::Fault>;
    /// Forgets it: the row and the memory beside it. Whether it was remembered.
    fn forget_stream(&mut self, stream: StreamId) -> Result<bool, Self::Fault>;
    /// The beginning of the newest stream that is over and belonged to a table of this name.
    fn newest_ended_stream(&self, table_name: &str) -> Option<u64>;

    /// Which shard this is.
    fn shard(&self) -> ShardId;
    /// The first and the last token that the shard owns.
    fn ranges(&self) -> Vec<TokenRange>;
    /// The proposer's wall time, stamped into the entry, in milliseconds since the epoch.
    fn now_ms(&self) -> u64;

    /// The fault of bytes that cannot be decoded.
    fn corrupt(error: DecodeError) -> Self::Fault;
}
