//! Other members for a group that does not run, without asking anybody: for the survivors of a lost majority.
//!
//! Every membership that lies in the log, and the one in the state, becomes the same: the survivors, all of them voters. So
//! it does not matter which of them counts in the end, and survivors whose logs end in different places agree. Entries and
//! votes stay as they are: Raft elects the survivor whose log goes furthest, and what it has becomes what is so. Doing it
//! again changes nothing more.

use std::collections::{BTreeMap, BTreeSet};

use dynamo_engine::keyspace::local;
use openraft::EntryPayload;
use ordered_kv::{StateStore, WriteBatch};
use raft_log::{Batch, Log};
use shard_router::ShardId;

use super::codec::{decode_entry, get_stored_membership, put_entry, put_stored_membership};
use super::types::{LogEntry, Member, Membership, NodeId, StoredMembership};

/// Makes `members` the voters of the group of `shard`, in every membership of it; durable on return.
///
/// # Errors
/// What cannot be read or written, for people. It may be tried again.
pub fn remake(
    log: &Log,
    state: &dyn StateStore,
    shard: ShardId,
    members: &BTreeMap<NodeId, Member>,
) -> Result<(), String> {
    let voters: BTreeSet<NodeId> = members.keys().copied().collect();
    let membership = Membership::new(vec![voters], members.clone()).map_err(|error| error.to_string())?;
    remake_log(log, shard, &membership)?;
    remake_state(state, shard, &membership)
}

/// Writes the memberships anew, each in the place of the old one.
fn remake_log(log: &Log, shard: ShardId, membership: &Membership) -> Result<(), String> {
    let mut batch = Batch::new();
    for index in log.notable(shard.0) {
        for entry in log.read(shard.0, index, index + 1, usize::MAX).map_err(text)? {
            let log_id = decode_entry(&entry.body).map_err(text)?.log_id;
            let mut bytes = Vec::new();
            put_entry(&mut bytes, &LogEntry { log_id, payload: EntryPayload::Membership(membership.clone()) });
            batch.append(shard.0, entry.term, index, &bytes, true);
        }
    }
    if batch.is_empty() { Ok(()) } else { log.write(batch, true).and_then(|()| log.settle()).map_err(text) }
}

fn remake_state(state: &dyn StateStore, shard: ShardId, membership: &Membership) -> Result<(), String> {
    let key = local::membership(shard);
    let Some(bytes) = state.get(&key).map_err(text)? else { return Ok(()) };
    let log_id = *get_stored_membership(&mut &bytes[..]).map_err(text)?.log_id();
    let mut bytes = Vec::new();
    put_stored_membership(&mut bytes, &StoredMembership::new(log_id, membership.clone()));
    let mut batch = WriteBatch::new();
    batch.put(&key, &bytes);
    state.write(&batch).map_err(text)?;
    state.flush().map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use ordered_kv::Reader;
    use ordered_kv::memory::MemoryState;
    use raft_log::{MemoryDisk, Options};

    use super::super::types::{CommittedLeaderId, LogId};
    use super::*;

    const SHARD: ShardId = ShardId(3);

    fn members(nodes: &[NodeId]) -> BTreeMap<NodeId, Member> {
        nodes.iter().map(|node| (*node, Member::new(format!("h:{node}"), 100 + node))).collect()
    }

    fn at(index: u64) -> LogId {
        LogId::new(CommittedLeaderId::new(2), index)
    }

    fn body(log: &Log, index: u64) -> Bytes {
        log.read(SHARD.0, index, index + 1, usize::MAX).unwrap().pop().unwrap().body
    }

    /// Twice, since it may be interrupted and done again.
    #[test]
    fn every_membership_becomes_the_survivors_and_nothing_else_changes() {
        let disk = Arc::new(MemoryDisk::new());
        let log = Log::open(Arc::clone(&disk) as _, &Options::default()).unwrap();
        let state = MemoryState::new();
        let all = [1, 2, 3, 4, 5];
        let five = Membership::new(vec![BTreeSet::from(all)], members(&all)).unwrap();
        let sets = vec![BTreeSet::from(all), BTreeSet::from([2, 3, 4, 5])];
        let joint = Membership::new(sets, members(&all)).unwrap();
        let blank = || EntryPayload::Blank;
        let payloads = [EntryPayload::Membership(five.clone()), blank(), EntryPayload::Membership(joint), blank()];
        let mut batch = Batch::new();
        for (index, payload) in (7..).zip(payloads) {
            let is_membership = matches!(payload, EntryPayload::Membership(_));
            let mut bytes = Vec::new();
            put_entry(&mut bytes, &LogEntry { log_id: at(index), payload });
            batch.append(SHARD.0, 2, index, &bytes, is_membership);
        }
        log.write(batch, true).unwrap();
        let blanks = [body(&log, 8), body(&log, 10)];
        let mut row = Vec::new();
        put_stored_membership(&mut row, &StoredMembership::new(Some(at(7)), five));
        let mut batch = WriteBatch::new();
        batch.put(&local::membership(SHARD), &row);
        state.write(&batch).unwrap();

        let survivors = members(&[4, 5]);
        let expected = Membership::new(vec![BTreeSet::from([4, 5])], survivors.clone()).unwrap();
        for _ in 0..2 {
            remake(&log, &state, SHARD, &survivors).unwrap();
            // As it is, and as it is read at the next start.
            for log in [&log, &Log::open(Arc::clone(&disk) as _, &Options::default()).unwrap()] {
                for index in [7, 9] {
                    let entry = decode_entry(&body(log, index)).unwrap();
                    assert_eq!(entry.log_id, at(index));
                    assert!(
                        matches!(&entry.payload, EntryPayload::Membership(found) if *found == expected),
                        "{entry:?}"
                    );
                }
                assert_eq!([body(log, 8), body(log, 10)], blanks);
                assert_eq!((log.last(SHARD.0), log.notable(SHARD.0)), (Some(10), vec![7, 9]));
            }
            let row = state.get(&local::membership(SHARD)).unwrap().unwrap();
            let stored = get_stored_membership(&mut &row[..]).unwrap();
            assert_eq!((stored.log_id(), stored.membership()), (&Some(at(7)), &expected));
        }
    }
}
