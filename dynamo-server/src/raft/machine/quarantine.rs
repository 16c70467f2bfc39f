//! A shard that stands still on this node, because of one entry that cannot be applied here.
//!
//! An entry that panics, meets a damaged row or comes from a newer program is not skipped: replicas would diverge. Nor does it
//! end the node: its other shards know nothing of it. So the shard alone leaves its group on this node, says which entry
//! it was, and stays so until somebody acts. Where it is the entry's fault, every replica stops at the same one, and again
//! after each start; where it is this node's, the other replicas go on without it.
//!
//! ```text
//!  applied 4-118 │ 4-119 │ 5-120  ✗ put: applying it panicked │ 5-121 …  kept in the log, not applied
//! ```
//!
//! A shard of which the records cannot be read when the node starts stands still in the same way, before its first
//! entry. Only the system group's keep the node from starting: they say who the members are. Where damage is met later,
//! by applying, the shard stands still; where it is met by anything else (a request, the relay of index entries, a
//! snapshot to send) it is noted ([`Published::note_damage`](crate::raft::Published::note_damage)), and the shard given
//! up here as soon as this node leads it and a majority of others could go on
//! ([`Group::give_up`](crate::raft::Group::give_up)): a replica of which most can be read is better than none, and its
//! vote than no majority.
//!
//! The way out is the operator's (`docs/operating.md`): a program that can apply the entry, another replica's copy, or to
//! [`skip`](super::skip) the entry on every replica.

use std::fmt;

use crate::raft::types::LogId;

/// Why a shard stands still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quarantine {
    /// Because of an entry.
    Entry {
        /// The term of the entry that was not applied.
        term: u64,
        /// Its index.
        index: u64,
        /// The kind of the command that failed, as far as it was understood.
        command: String,
        /// What happened.
        reason: String,
    },
    /// Because the leader's log has another entry here than the one that is applied.
    Replaced {
        /// Its index.
        index: u64,
        /// The last index that is applied.
        applied: u64,
    },
    /// Because of what lies here of it, which could not be read when the node started, or later.
    Data(String),
}

impl Quarantine {
    /// At this entry.
    pub(in crate::raft) fn at(log_id: &LogId, command: impl Into<String>, reason: impl Into<String>) -> Quarantine {
        let term = log_id.committed_leader_id().term;
        Quarantine::Entry { term, index: log_id.index(), command: command.into(), reason: reason.into() }
    }
}

impl fmt::Display for Quarantine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quarantine::Entry { term, index, command, reason } => {
                write!(f, "entry {term}-{index} ({command}): {reason}")
            }
            Quarantine::Replaced { index, applied } => write!(
                f,
                "entry {index}: the leader has another one there, and this node has applied up to {applied}: a member's disk \
                 holds an older state of itself, and has forgotten what it acknowledged"
            ),
            Quarantine::Data(reason) => {
                write!(
                    f,
                    "what lies here of it: {reason}. Replace this node where others have the shard; restore the directory of \
                     one that is alone from a backup"
                )
            }
        }
    }
}

/// The text that a panic carries.
pub(in crate::raft) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given").to_owned()
}
