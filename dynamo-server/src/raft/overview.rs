//! Where a group stands, for operators and for the balancing of leaders. Nothing that decides about data looks here: these
//! are the figures of a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::Instant as _;
use openraft::async_runtime::watch::WatchReceiver as _;

use super::group::Group;
use super::membership::Members;
use super::types::NodeId;
use crate::env::Env;

/// Entries that a successor may lack: those that are on their way to it while the shard is written to.
const SUCCESSOR_LAG_MAX: u64 = 16;

/// Where a group stands on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupOverview {
    /// The newest term that this node has heard of.
    pub term: u64,
    /// Who leads, as far as this node knows.
    pub leader: Option<NodeId>,
    /// The members, as this node knows them.
    pub members: Members,
    /// The last entry in the log here.
    pub last: Option<u64>,
    /// The last entry that is known here to be agreed on.
    pub committed: Option<u64>,
    /// The last entry that is applied here.
    pub applied: Option<u64>,
    /// How far the other members have come; only the leader knows.
    pub followers: BTreeMap<NodeId, Follower>,
}

/// What a leader knows of another member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Follower {
    /// The last entry that it has for certain.
    pub matched: Option<u64>,
    /// Whether it answered within the shortest wait before an election.
    pub is_heard: bool,
}

impl GroupOverview {
    /// Voters that could take over from this leader at once: heard lately, with all but the newest of the log.
    pub fn successors(&self) -> BTreeSet<NodeId> {
        let last = self.last.unwrap_or(0);
        let could = |(node, follower): (&NodeId, &Follower)| {
            let has_log = follower.matched.is_some_and(|matched| matched + SUCCESSOR_LAG_MAX >= last);
            (has_log && follower.is_heard && self.members.voters.contains_key(node)).then_some(*node)
        };
        self.followers.iter().filter_map(could).collect()
    }

    /// Whether `leader`, which sees the group so, has heard so many voters lately that it and they are a majority.
    pub fn is_majority_heard_by(&self, leader: NodeId) -> bool {
        let is_heard =
            |node: &NodeId| *node == leader || self.followers.get(node).is_some_and(|follower| follower.is_heard);
        let heard = self.members.voters.keys().filter(|node| is_heard(node)).count();
        heard > self.members.voters.len() / 2
    }

    /// Whether the others could go on at once without this leader: a majority of all voters could take over.
    pub fn can_do_without_leader(&self) -> bool {
        let successors = self.successors().len();
        !self.members.is_joint && successors > self.members.voters.len() / 2
    }
}

impl<E: Env> Group<E> {
    /// Whether this node leads and a quorum has answered within this time.
    pub fn quorum_answered_within(&self, age_max: Duration) -> bool {
        let metrics = self.raft().metrics();
        let acknowledged = metrics.borrow_watched().last_quorum_acked;
        acknowledged.is_some_and(|acknowledged| acknowledged.elapsed() < age_max)
    }

    /// Where the group stands at this moment.
    pub fn overview(&self) -> GroupOverview {
        let members = self.members();
        let recent = Duration::from_millis(self.raft().config().election_timeout_min);
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let heard = |node: &NodeId| {
            let answered = metrics.heartbeat.as_ref()?.get(node).copied().flatten()?;
            Some(answered.elapsed() < recent)
        };
        let follower = |(node, matched): (&NodeId, &Option<super::types::LogId>)| {
            let matched = matched.as_ref().map(|matched| matched.index());
            (*node, Follower { matched, is_heard: heard(node).unwrap_or(false) })
        };
        let others = metrics.replication.iter().flatten().filter(|(node, _)| **node != metrics.id);
        GroupOverview {
            term: metrics.current_term,
            leader: metrics.current_leader,
            members,
            last: metrics.last_log_index,
            committed: metrics.local_committed.as_ref().map(|committed| committed.index()),
            applied: self.published().applied_next().checked_sub(1),
            followers: others.map(follower).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::Member;
    use super::*;

    #[test]
    fn a_successor_votes_is_heard_and_has_the_log() {
        let voters = [1, 2, 3, 4].map(|node| (node, Member::default())).into();
        let learners = [(5, Member::default())].into();
        let follower = |matched, is_heard| Follower { matched: Some(matched), is_heard };
        let overview = GroupOverview {
            members: Members { voters, learners, is_joint: false },
            last: Some(100),
            followers: BTreeMap::from([
                (2, follower(95, true)),
                (3, follower(50, true)),
                (4, follower(100, false)),
                (5, follower(100, true)),
            ]),
            ..GroupOverview::default()
        };
        assert_eq!(overview.successors(), BTreeSet::from([2]));
        assert!(overview.is_majority_heard_by(1), "2 and 3 answer");
        assert!(!overview.is_majority_heard_by(9), "one that is no voter does not count itself");
        assert!(!overview.can_do_without_leader(), "one of four is no majority");
        let mut well = overview.clone();
        well.followers = [2, 3, 4].map(|node| (node, follower(99, true))).into();
        assert!(well.can_do_without_leader());
        well.members.is_joint = true;
        assert!(!well.can_do_without_leader());
    }
}
