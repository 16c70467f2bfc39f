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
