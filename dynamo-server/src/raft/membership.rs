//! Who belongs to a group, and how that changes.
//!
//! A node comes as a *learner*: it is sent the log, or a snapshot where the log begins too late, and counts for nothing.
//! Once it has caught up it is *promoted* to a voter. Voters change through a joint membership, in which both the old and
//! the new majority must agree; openraft writes the two entries, one after the other, and the lease counts with every
//! membership that may be active (see [`lease`](super::lease)).
//!
//! Every change may be asked for again, whatever became of it the first time: one that is done already is a success,
//! one that a dead leader left half done is completed.
//!
//! A leader that is removed goes on leading until its removal is committed. With that it gives up its lease and its
//! right to issue timestamps, in the same turn in which it applies the entry; then openraft hands the leadership to
//! another voter. A node that asks for its own removal had better hand over first, which leaves no gap at all; see
//! `cluster::membership`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver as _;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use openraft::{ChangeMembers, Raft};

use super::group::Group;
use super::machine::Machine;
use super::types::{Member, NodeId, Types};
use crate::env::Deadline;
use crate::env::{Env, Standing};

/// How often a change that has to wait for another one, or for a learner, looks again.
const LOOK: Duration = Duration::from_millis(20);

/// Entries that a learner may lack when it is promoted. What is missing then arrives while the promotion is being
/// agreed on; an entry holds up to hundreds of commands, so a node that is much further behind would hold up its group.
pub const PROMOTION_LAG_MAX: u64 = 64;

/// One change of the members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// A node is sent everything from now on, and counts for nothing.
    AddLearner {
        /// The node.
        node: NodeId,
        /// Where it listens for its peers, and the incarnation of its data.
        member: Member,
    },
    /// A learner that has caught up gets a vote.
    Promote {
        /// The learner.
        node: NodeId,
    },
    /// A voter or learner belongs to the group no longer.
    Remove {
        /// The member.
        node: NodeId,
    },
    /// A member whose data are lost is removed, and the same number comes back as a learner with other data: the only way
    /// in which a number is used twice. In between, the group is without it; so the old data and the new are never
    /// members at the same time.
    Replace {
        /// The node.
        node: NodeId,
        /// Where it listens for its peers now, and the incarnation of its new data.
        member: Member,
    },
}

impl MemberChange {
    /// The node that the change is about.
    pub fn node(&self) -> NodeId {
        match self {
            MemberChange::AddLearner { node, .. }
            | MemberChange::Promote { node }
            | MemberChange::Remove { node }
            | MemberChange::Replace { node, .. } => *node,
        }
    }
}

/// Why a change of the members did not happen, or may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// This node does not lead the group; nothing was done. Ask the leader.
    #[error("this node does not lead the shard")]
    NotLeader {
        /// Who does, as far as is known.
        leader: Option<NodeId>,
    },
    /// Only members can be promoted.
    #[error("node {0} is no member")]
    NoMember(NodeId),
    /// A node number stands for one node.
    #[error("node {node} is a member already, at {address}")]
    OtherAddress {
        /// The node.
        node: NodeId,
        /// Where it listens.
        address: String,
    },
    /// A node number stands for one data directory.
    #[error("node {0} is a member already, with another data directory; see cluster replace")]
    OtherIncarnation(NodeId),
    /// The learner lacks too much of the log; nothing was done. Ask again later.
    #[error("node {0} has not caught up")]
    NotCaughtUp(NodeId),
    /// Somebody has to stay.
    #[error("node {0} is the only voter")]
    LastVoter(NodeId),
    /// The change before is not through yet, perhaps an earlier attempt at this one; nothing was done. Ask again later.
    #[error("an earlier change of its members, or an earlier attempt at this one, waits for a majority to agree")]
    InProgress,
    /// The time was over, or the leadership was lost: the change may have happened or still happen. It may be asked for
    /// again.
    #[error("whether the members changed is not known")]
    Unknown,
    /// The group has stopped on this node.
    #[error("the shard has stopped on this node")]
    Stopped,
}

/// The members of a group as one of its nodes knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Those that vote, in the old or the new majority.
    pub voters: BTreeMap<NodeId, Member>,
    /// Those that are only sent everything.
    pub learners: BTreeMap<NodeId, Member>,
    /// Whether the voters are changing: two majorities have to agree.
    pub is_joint: bool,
}

impl Members {
    /// A member, voter or learner.
    pub fn get(&self, node: NodeId) -> Option<&Member> {
        self.voters.get(&node).or_else(|| self.learners.get(&node))
    }

    /// All of them, voters first.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Member)> {
        self.voters.iter().chain(&self.learners).map(|(node, member)| (*node, member))
    }
}

/// What it takes to be without a node.
fn remove(members: &Members, node: NodeId) -> Result<MembershipStep, MembershipError> {
    let of_node = BTreeSet::from([node]);
    Ok(if members.voters.len() == 1 && members.voters.contains_key(&node) {
        return Err(MembershipError::LastVoter(node));
    } else if members.voters.contains_key(&node) {
        MembershipStep::Change(ChangeMembers::RemoveVoters(of_node))
    } else if members.learners.contains_key(&node) {
        MembershipStep::Change(ChangeMembers::RemoveNodes(of_node))
    } else {
        MembershipStep::Done
    })
}

/// Whether the newest membership is not agreed on yet. Asked first, because openraft logs what it refuses for that as an error
/// of its own, and it is none.
async fn is_changing<E: Env>(raft: &Raft<Types<E>, Machine<E>>) -> bool {
    let looking = raft.with_raft_state(|state| {
        let members = &state.membership_state;
        members.effective().log_id() != members.committed().log_id()
    });
    looking.await.unwrap_or(false)
}

/// What a change comes to for these members.
enum MembershipStep {
    /// Nothing: it is as it was asked to be.
    Done,
    /// The learner has to catch up first.
    Wait,
    Change(ChangeMembers<NodeId, Member>),
}

impl<E: Env> Group<E> {
    /// What the node with this number and incarnation is to the group, as this node knows its members.
    pub fn standing_of(&self, node: NodeId, incarnation: u64) -> Standing {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        match membership.get_node(&node) {
            Some(member) if member.is(incarnation) => Standing::Member,
            Some(_) => Standing::OtherIncarnation,
            None if membership.nodes().next().is_some() => Standing::Stranger,
            None => Standing::Unknown,
        }
    }

    /// A member, as this node knows it.
    pub fn member(&self, node: NodeId) -> Option<Member> {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        metrics.membership_config.membership().get_node(&node).cloned()
    }

    /// The members as this node knows them.
    pub fn members(&self) -> Members {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        let voters: BTreeSet<NodeId> = membership.voter_ids().collect();
        let mut members = Members { is_joint: membership.get_joint_config().len() > 1, ..Members::default() };
        for (node, member) in membership.nodes() {
            let of_kind = if voters.contains(node) { &mut members.voters } else { &mut members.learners };
            of_kind.insert(*node, member.clone());
        }
        debug_assert_eq!(members.voters.len(), voters.len(), "every voter is a member");
        members
    }

    /// Changes the members, at their leader, and waits until the change is agreed on.
    ///
    /// # Errors
    /// [`MembershipError`]; all of them may be tried again.
    pub async fn change_members(&self, change: &MemberChange, deadline: Deadline) -> Result<(), MembershipError> {
        let mut last = MembershipError::Unknown;
        while !deadline.is_over::<E>() {
            if self.leader() != Some(*self.raft().node_id()) {
                return Err(MembershipError::NotLeader { leader: self.other_leader() });
            }
            match self.step(change)? {
                MembershipStep::Done => return Ok(()),
                MembershipStep::Wait => last = MembershipError::NotCaughtUp(change.node()),
                MembershipStep::Change(voters) => match self.write_members(voters, deadline).await {
                    Err(MembershipError::InProgress) => last = MembershipError::InProgress,
                    // Looked at once more: half done counts as not done.
                    Ok(()) => last = MembershipError::Unknown,
                    Err(error) => return Err(error),
                },
            }
            if !matches!(last, MembershipError::Unknown) {
                E::sleep(LOOK).await;
            }
        }
        Err(last)
    }

    /// These voters instead of those that there are, through one joint membership; all of them must be members.
    ///
    /// No [`MemberChange`] asks for several at once, and one at a time could not show why the lease counts with every
    /// membership: majorities before and after the change of one voter have a voter in common, whose promise holds.
    ///
    /// # Errors
    /// As [`Group::change_members`].
    #[cfg(test)]
    pub async fn replace_voters(&self, voters: BTreeSet<NodeId>, deadline: Deadline) -> Result<(), MembershipError> {
        self.write_members(ChangeMembers::ReplaceAllVoters(voters), deadline).await
    }

    fn step(&self, change: &MemberChange) -> Result<MembershipStep, MembershipError> {
        let members = self.members();
        let is_settled = !members.is_joint;
        let of = |node: NodeId| BTreeSet::from([node]);
        Ok(match change {
            MemberChange::AddLearner { node, member } => match members.get(*node) {
                Some(known) if known.address != member.address => {
                    return Err(MembershipError::OtherAddress { node: *node, address: known.address.clone() });
                }
                Some(known) if !known.is(member.incarnation) => {
                    return Err(MembershipError::OtherIncarnation(*node));
                }
                Some(_) => MembershipStep::Done,
                None => MembershipStep::Change(ChangeMembers::AddNodes(BTreeMap::from([(*node, member.clone())]))),
            },
            MemberChange::Replace { node, member } => match members.get(*node) {
                Some(known) if known == member => MembershipStep::Done,
                Some(_) => remove(&members, *node)?,
                None => MembershipStep::Change(ChangeMembers::AddNodes(BTreeMap::from([(*node, member.clone())]))),
            },
            MemberChange::Promote { node } => {
                if members.voters.contains_key(node) && is_settled {
                    MembershipStep::Done
                } else if members.get(*node).is_none() {
                    return Err(MembershipError::NoMember(*node));
                } else if members.learners.contains_key(node) && !self.has_caught_up(*node) {
                    MembershipStep::Wait
                } else {
                    MembershipStep::Change(ChangeMembers::AddVoterIds(of(*node)))
                }
            }
            MemberChange::Remove { node } => remove(&members, *node)?,
        })
    }

    fn has_caught_up(&self, learner: NodeId) -> bool {
        let metrics = self.raft().metrics();
        let metrics = metrics.borrow_watched();
        let reached = metrics.replication.as_ref().and_then(|reached| reached.get(&learner).copied().flatten());
        let last = metrics.last_log_index.unwrap_or(0);
        reached.is_some_and(|reached| reached.index() + PROMOTION_LAG_MAX >= last)
    }

    /// Writes the one or two entries of a change. A task of its own does it, so that a caller who gives up leaves no
    /// joint membership behind.
    async fn write_members(
        &self,
        change: ChangeMembers<NodeId, Member>,
        deadline: Deadline,
    ) -> Result<(), MembershipError> {
        let raft = self.raft().clone();
        let writing = E::spawn(async move {
            if is_changing(&raft).await { None } else { Some(raft.change_membership(change, false).await) }
        });
        let written = match E::timeout(deadline.remaining::<E>(), writing).await {
            Some(Ok(Some(written))) => written,
            Some(Ok(None)) => return Err(MembershipError::InProgress),
            Some(Err(_)) => return Err(MembershipError::Stopped),
            None => return Err(MembershipError::Unknown),
        };
        match written {
            Ok(_) => Ok(()),
            Err(RaftError::Fatal(_)) => Err(MembershipError::Stopped),
            Err(RaftError::APIError(error)) => Err(match error {
                ClientWriteError::ForwardToLeader(forward) => MembershipError::NotLeader { leader: forward.leader_id },
                ClientWriteError::ChangeMembershipError(
                    ChangeMembershipError::InProgress(_) | ChangeMembershipError::UncommittedLeaderLog(_),
                ) => MembershipError::InProgress,
                ClientWriteError::ChangeMembershipError(ChangeMembershipError::LearnerNotFound(missing)) => {
                    MembershipError::NoMember(missing.node_id)
                }
                _ => MembershipError::Unknown,
            }),
        }
    }
}
