//! The types that openraft is instantiated with, generic over the environment.
//!
//! Leader ids are the standard kind (one leader per term): the default kind lets a delayed election of an older
//! leader win over a leader of the same term, which no lease survives.

use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;

use openraft::impls::{BoxedErrorSource, InlineBatch, leader_id_std};
use openraft::vote::RaftLeaderId;
use openraft::{EntryPayload, OptionalSend, RaftTypeConfig};

use super::payload::{Applied, Payload};
use super::reply::Reply;
use super::runtime::EnvRuntime;
use crate::env::{ANY_INCARNATION, Env};

/// A node's number in the cluster.
pub type NodeId = u64;
/// Who claims to lead in which term.
pub type LeaderId = leader_id_std::LeaderId<u64, NodeId>;
/// The leader id as log entries carry it: the term alone.
pub type CommittedLeaderId = <LeaderId as RaftLeaderId>::Committed;
/// A vote, granted or asked for.
pub type Vote = openraft::impls::Vote<LeaderId>;
/// Term and index of an entry.
pub type LogId = openraft::LogId<CommittedLeaderId>;
/// Of two ends of one log the one that comes first. Ends of a log are compared by index alone: a log id orders by term
/// first, and the end of a later term that replaced a longer one is the shorter end all the same.
pub fn shorter(one: Option<LogId>, other: Option<LogId>) -> Option<LogId> {
    if index_of(one) <= index_of(other) { one } else { other }
}

/// Of two ends of one log the one that reaches further, by index as in [`shorter`].
pub fn longer(one: Option<LogId>, other: Option<LogId>) -> Option<LogId> {
    if index_of(one) >= index_of(other) { one } else { other }
}

fn index_of(end: Option<LogId>) -> Option<u64> {
    end.map(|end| end.index())
}

/// What an entry carries.
pub type LogPayload = EntryPayload<Payload, NodeId, Member>;
/// An entry of a group's log.
pub type LogEntry = openraft::Entry<CommittedLeaderId, LogPayload>;
/// The voters (joint while they change) and learners of a group.
pub type Membership = openraft::Membership<NodeId, Member>;
/// A membership and the entry that made it.
pub type StoredMembership = openraft::StoredMembership<CommittedLeaderId, NodeId, Member>;
/// What a snapshot of a group covers.
pub type SnapshotMeta = openraft::SnapshotMeta<CommittedLeaderId, NodeId, Member>;

/// A member of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Where it listens for its peers; empty for a node that is alone.
    pub address: String,
    /// The incarnation of its data: what another one says under the same number does not count.
    /// [`ANY_INCARNATION`] in memberships that were written before incarnations stood in them.
    pub incarnation: u64,
}

impl Member {
    /// The member with this incarnation that listens at `address`.
    pub fn new(address: impl Into<String>, incarnation: u64) -> Member {
        Member { address: address.into(), incarnation }
    }

    /// Whether data of this incarnation are the member's.
    pub fn is(&self, incarnation: u64) -> bool {
        self.incarnation == ANY_INCARNATION || self.incarnation == incarnation
    }
}

/// The type configuration of a group in the environment `E`.
pub struct Types<E>(PhantomData<fn() -> E>);

impl<E: Env> RaftTypeConfig for Types<E> {
    type D = Payload;
    type R = Applied;
    type NodeId = NodeId;
    type Node = Member;
    type Term = u64;
    type LeaderId = LeaderId;
    type Vote = Vote;
    type Payload = LogPayload;
    type Entry = LogEntry;
    type AsyncRuntime = EnvRuntime<E>;
    type Responder<T>
        = Reply<T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = BoxedErrorSource;
}

// Written out because a derive would ask the same of `E`, which is never held.
impl<E> Clone for Types<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Types<E> {}

impl<E> Default for Types<E> {
    fn default() -> Self {
        Types(PhantomData)
    }
}

impl<E> fmt::Debug for Types<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Types")
    }
}

impl<E> PartialEq for Types<E> {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl<E> Eq for Types<E> {}

impl<E> PartialOrd for Types<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Types<E> {
    fn cmp(&self, _other: &Self) -> Ordering {
        Ordering::Equal
    }
}

/// Term and index, by which an entry is named.
pub(super) fn key_of(log_id: &LogId) -> (u64, u64) {
    (log_id.committed_leader_id().term, log_id.index())
}
