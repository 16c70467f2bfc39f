//! Entries that an operator has a shard skip: the way out where an entry can be applied nowhere.
//!
//! Written offline, into the state of each replica that stands at the entry ([`skip_entry`]), and executed when the entry is
//! met *and cannot be applied*: it counts as an entry without commands then. Where it can be applied it is, and its name is
//! struck out. So nothing depends on whether the replica had applied it before a crash took that out of its state, and a wrong
//! index does no harm. The list is a row of the shard, so a snapshot takes it along, and a comparison of replicas finds one
//! that has applied what others have skipped.
//!
//! ```text
//! skipped   format (1) · n × log id
//! ```

use std::collections::BTreeSet;

use dynamo_engine::codec::{finish, get_list, get_u8, put_list};
use dynamo_engine::keyspace::local;
use ordered_kv::{Reader, StateStore, WriteBatch};
use raft_log::Log;
use shard_router::ShardId;

use super::applied::{StateError, persisted_applied};
use crate::raft::codec::{CodecError, LOG_FORMAT, get_log_id, put_log_id};
use crate::raft::log::has_entry;
use crate::raft::types::{CommittedLeaderId, LogId, key_of};

/// Entries to skip, by term and index.
pub(in crate::raft) type Skips = BTreeSet<(u64, u64)>;

/// Why an entry is not going to be skipped.
#[derive(Debug, thiserror::Error)]
pub enum SkipError {
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The replica is past it.
    #[error(
        "shard {shard} has applied everything up to index {applied} here, that entry included: nothing was changed"
    )]
    Applied {
        /// The shard.
        shard: u32,
        /// What is applied.
        applied: u64,
    },
    /// There is no such entry in the replica's log.
    #[error("shard {shard} has no entry {term}-{index} here: nothing was changed")]
    NotThere {
        /// The shard.
        shard: u32,
        /// The term that was named.
        term: u64,
        /// The index that was named.
        index: u64,
    },
}

/// The entries that the shard skips.
///
/// # Errors
/// When they cannot be read.
pub(in crate::raft) fn read(store: &dyn Reader, shard: ShardId) -> Result<Skips, StateError> {
    match store.get(&local::skipped(shard))? {
        Some(bytes) => Ok(decode(&bytes)?),
        None => Ok(Skips::new()),
    }
}

/// Whether there is something to skip: an entry of this term and index that is in the shard's log, and not applied. For the
/// operator's sake: an entry that can be applied is never skipped.
///
/// # Errors
/// [`SkipError`].
pub fn check_skip(log: &Log, store: &dyn StateStore, shard: ShardId, term: u64, index: u64) -> Result<(), SkipError> {
    if let Some(applied) = persisted_applied(store, shard)?.filter(|applied| applied.index() >= index) {
        return Err(SkipError::Applied { shard: shard.0, applied: applied.index() });
    }
    if !has_entry(log, shard.0, term, index) {
        return Err(SkipError::NotThere { shard: shard.0, term, index });
    }
    Ok(())
}

/// Has a shard skip the entry of this term and index, once it comes to it and cannot apply it. Durable on return. For stores
/// that no node has open.
///
/// # Errors
/// As [`check_skip`]; nothing is changed then.
pub fn skip_entry(log: &Log, store: &dyn StateStore, shard: ShardId, term: u64, index: u64) -> Result<(), SkipError> {
    check_skip(log, store, shard, term, index)?;
    let mut skips = read(store, shard)?;
    skips.insert((term, index));
    let mut batch = WriteBatch::new();
    put(&mut batch, shard, &skips);
    store.write(&batch).and_then(|()| store.flush()).map_err(|error| SkipError::State(error.into()))
}

/// Strikes out what is named at an index of which an entry was applied; whether anything was.
pub(in crate::raft) fn strike_out(skips: &mut Skips, applied: u64) -> bool {
    let before = skips.len();
    skips.retain(|(_, index)| *index != applied);
    skips.len() < before
}

/// Writes the list; none where it is empty, as before there was one.
pub(in crate::raft) fn put(batch: &mut WriteBatch, shard: ShardId, skips: &Skips) {
    match skips.is_empty() {
        true => batch.delete(&local::skipped(shard)),
        false => batch.put(&local::skipped(shard), &encode(skips)),
    }
}

fn encode(skips: &Skips) -> Vec<u8> {
    let mut out = vec![LOG_FORMAT];
    let skips: Vec<LogId> =
        skips.iter().map(|(term, index)| LogId::new(CommittedLeaderId::new(*term), *index)).collect();
    put_list(&mut out, &skips, put_log_id);
    out
}

fn decode(mut bytes: &[u8]) -> Result<Skips, CodecError> {
    let input = &mut bytes;
    match get_u8(input)? {
        LOG_FORMAT => {}
        other => return Err(CodecError::Format(other)),
    }
    let skips: Vec<LogId> = get_list(input, get_log_id)?;
    finish(input)?;
    Ok(skips.iter().map(key_of).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use openraft::EntryPayload;
    use ordered_kv::memory::MemoryState;
    use raft_log::MemoryDisk;

    use super::*;
    use crate::raft::codec::put_entry;
    use crate::raft::types::LogEntry;

    #[test]
    fn applied_entries_are_no_longer_skipped() {
        let mut skips = Skips::from([(4, 119), (4, 120), (5, 120)]);
        assert!(!strike_out(&mut skips, 118));
        assert!(strike_out(&mut skips, 120), "the entry of the other term was replaced and never comes");
        assert_eq!(skips, Skips::from([(4, 119)]));
    }

    #[test]
    fn only_an_entry_that_is_not_applied_can_be_skipped() {
        let (store, shard) = (MemoryState::new(), ShardId(3));
        let log = Log::open(Arc::new(MemoryDisk::default()), &raft_log::Options::default()).unwrap();
        let mut applied = Vec::new();
        put_log_id(&mut applied, &LogId::new(CommittedLeaderId::new(4), 119));
        let mut batch = WriteBatch::new();
        batch.put(&local::applied(shard), &applied);
        store.write(&batch).unwrap();
        store.flush().unwrap();
        for wrong in [118, 119] {
            assert!(matches!(skip_entry(&log, &store, shard, 5, wrong), Err(SkipError::Applied { applied: 119, .. })));
        }
        assert!(
            matches!(skip_entry(&log, &store, shard, 5, 120), Err(SkipError::NotThere { .. })),
            "it is not in the log"
        );
        let entry = LogEntry { log_id: LogId::new(CommittedLeaderId::new(5), 120), payload: EntryPayload::Blank };
        let mut bytes = Vec::new();
        put_entry(&mut bytes, &entry);
        let mut batch = raft_log::Batch::default();
        batch.append(shard.0, 5, 120, &bytes, false);
        log.write(batch, true).unwrap();
        for wrong in [(5, 121), (4, 120), (9, 999_999)] {
            let refused = skip_entry(&log, &store, shard, wrong.0, wrong.1);
            assert!(matches!(refused, Err(SkipError::NotThere { .. })), "{refused:?}");
        }
        skip_entry(&log, &store, shard, 5, 120).unwrap();
        skip_entry(&log, &store, shard, 5, 120).unwrap();
        let skips = read(&store, shard).unwrap();
        assert_eq!(skips, Skips::from([(5, 120)]));
        assert_eq!(encode(&skips), [LOG_FORMAT, 1, 5, 120]);
        assert!(read(&store, ShardId(1)).unwrap().is_empty());
    }
}
