//! Changes of the cluster that operators ask for, and what must hold before they are made.

pub mod join;
pub(super) mod membership;
mod transfer;

use std::collections::BTreeSet;
use std::time::Duration;

use shard_router::ShardId;

use super::Cluster;
use super::admission::{Admission, removed};
use super::status::ClusterStatus;
use crate::env::{Env, Standing};
use crate::raft::types::Member;
use crate::raft::{MemberChange, MembershipError};
use crate::shard::{Deadline, ShardError};

/// How long a node that is to be a member may take to say who it is.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// A change of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterChange {
    /// A node gets a copy of every shard, without a vote.
    Add {
        /// The node.
        node: u64,
        /// Where it listens for its peers.
        address: String,
        /// The incarnation that it must have; `None` for the one that is found there.
        incarnation: Option<u64>,
    },
    /// A member that has lost its data, and runs on new ones, is a member with these: it gets a copy of every shard, and
    /// a vote.
    Replace {
        /// The member.
        node: u64,
        /// Where it listens for its peers now; `None` for where it did.
        address: Option<String>,
    },
    /// A learner gets a vote on every shard, once it has caught up.
    Promote {
        /// The learner.
        node: u64,
    },
    /// A node belongs to the cluster no longer.
    Remove {
        /// The member.
        node: u64,
        /// Also if too few of the others can be reached to go on.
        force: bool,
    },
    /// A node leads a shard, or all of them.
    Transfer {
        /// The shard; `None` for all.
        shard: Option<u32>,
        /// The node.
        to: u64,
    },
}

/// Why a change was not made, or not everywhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterChangeError {
    /// It does not fit the cluster as it is. Nothing was done.
    #[error("{0}")]
    Refused(String),
    /// It is not through everywhere. Asking again goes on where it stopped.
    #[error("{0}; asking again goes on where it stopped")]
    Unfinished(String),
}

impl<E: Env> Cluster<E> {
    /// Makes a change in all shards, whoever leads them, and says what is so now.
    ///
    /// # Errors
    /// [`ClusterChangeError`].
    pub async fn change(&self, change: &ClusterChange, deadline: Deadline) -> Result<String, ClusterChangeError> {
        // One deadline for everything: whatever a step waits for, the operator is answered.
        let changing = E::timeout(deadline.remaining::<E>(), self.change_within(change, deadline));
        changing.await.unwrap_or_else(|| Err(ClusterChangeError::Unfinished("the time is over".to_owned())))
    }

    async fn change_within(&self, change: &ClusterChange, deadline: Deadline) -> Result<String, ClusterChangeError> {
        if let Admission::Refused(reason) = &*self.admissions.newest() {
            return Err(ClusterChangeError::Refused(format!("this node cannot change the cluster: {reason}")));
        }
        match change {
            ClusterChange::Add { node, address, incarnation } => {
                self.check_address_is_free(*node, address)?;
                let member = self.who_is_at(*node, address).await?;
                if incarnation.is_some_and(|incarnation| incarnation != member.incarnation) {
                    return Err(ClusterChangeError::Refused(format!("another node {node} listens at {address}")));
                }
                self.change_everywhere(&MemberChange::AddLearner { node: *node, member }, deadline).await?;
                Ok(format!("node {node} at {address} is a member of {}", all_shards(self.router.shards.len())))
            }
            ClusterChange::Replace { node, address } => self.replace(*node, address.as_deref(), deadline).await,
            ClusterChange::Promote { node } => {
                self.change_everywhere(&MemberChange::Promote { node: *node }, deadline).await?;
                Ok(format!("node {node} votes on {}", all_shards(self.router.shards.len())))
            }
            ClusterChange::Remove { node, force } => {
                let status = self.gather_status().await;
                check_is_member(&status, *node)?;
                if !force {
                    check_others_go_on(&status, *node)?;
                }
                self.change_everywhere(&MemberChange::Remove { node: *node }, deadline).await?;
                Ok(format!("node {node} is no member any more: stop it, and never use its data again"))
            }
            ClusterChange::Transfer { shard, to } => self.transfer_all(*shard, *to, deadline).await,
        }
    }

    /// Every group is without the lost data before the new ones are a member of any. Asked again, it goes on: groups that
    /// know the new data already are left as they are. It ends with a vote on every shard, since nothing says afterwards
    /// whether there was one before: the one who was interrupted between the two steps would stay without it for good.
    async fn replace(
        &self,
        node: u64,
        address: Option<&str>,
        deadline: Deadline,
    ) -> Result<String, ClusterChangeError> {
        let status = self.gather_status().await;
        let known = check_is_member(&status, node)?;
        let address = address.unwrap_or(&known.address);
        self.check_address_is_free(node, address)?;
        let member = self.who_is_at(node, address).await?;
        if status.shards().iter().all(|shard| shard.members.voters.get(&node) == Some(&member)) {
            return Ok(format!("node {node} votes with the data that it has: there is nothing to replace"));
        }
        check_others_go_on(&status, node)?;
        self.change_everywhere(&MemberChange::Replace { node, member }, deadline).await?;
        self.change_everywhere(&MemberChange::Promote { node }, deadline).await?;
        Ok(format!("node {node} at {address} votes on {}, with its new data", all_shards(self.router.shards.len())))
    }

    /// The node that listens at `address`: the one that is meant, of this cluster, and not one that was removed from it.
    async fn who_is_at(&self, node: u64, address: &str) -> Result<Member, ClusterChangeError> {
        if node == 0 {
            return Err(ClusterChangeError::Refused("node numbers begin at 1".to_owned()));
        }
        if node == self.router.identity.node_id {
            return Ok(Member::new(address, self.router.identity.incarnation));
        }
        let asked = self.router.inquire(node, address, ANSWER_MAX).await;
        let found = asked.map_err(|reason| {
            ClusterChangeError::Refused(format!("no node answers at {address} ({reason}): start it first"))
        })?;
        if found.identity.cluster_id != self.router.identity.cluster_id {
            return Err(ClusterChangeError::Refused(format!("the node at {address} belongs to another cluster")));
        }
        if found.identity.node_id != node {
            return Err(ClusterChangeError::Refused(format!(
                "at {address} listens node {}, not node {node}",
                found.identity.node_id
            )));
        }
        // A removed node with its old data, asked for by itself or by an operator: its removal was acknowledged.
        if found.has_data && self.router.standing_of(node, found.identity.incarnation) == Standing::Stranger {
            return Err(ClusterChangeError::Refused(removed(node)));
        }
        Ok(Member::new(address, found.identity.incarnation))
    }

    fn check_address_is_free(&self, node: u64, address: &str) -> Result<(), ClusterChangeError> {
        match self.router.members().iter().find(|(other, member)| *other != node && member.address == address) {
            Some((other, _)) => Err(ClusterChangeError::Refused(format!("{address} is the address of node {other}"))),
            None => Ok(()),
        }
    }

    async fn change_everywhere(&self, change: &MemberChange, deadline: Deadline) -> Result<(), ClusterChangeError> {
        self.change_members(change, deadline).await.map_err(|failure| match failure.error {
            MembershipError::NoMember(node) => {
                ClusterChangeError::Refused(format!("node {node} is no member: add it first"))
            }
            MembershipError::OtherAddress { .. }
            | MembershipError::OtherIncarnation(_)
            | MembershipError::LastVoter(_) => ClusterChangeError::Refused(failure.error.to_string()),
            _ => ClusterChangeError::Unfinished(failure.to_string()),
        })
    }

    async fn transfer_all(
        &self,
        shard: Option<u32>,
        to: u64,
        deadline: Deadline,
    ) -> Result<String, ClusterChangeError> {
        let shards: Vec<ShardId> = self
            .router
            .shards
            .iter()
            .map(|shard| shard.id())
            .filter(|id| shard.is_none_or(|shard| shard == id.0))
            .collect();
        if shards.is_empty() {
            let last = self.router.shards.len() - 1;
            return Err(ClusterChangeError::Refused(format!("there is no such shard: they are numbered 0 to {last}")));
        }
        if !self.router.members().voters.contains_key(&to) {
            return Err(ClusterChangeError::Refused(format!("node {to} does not vote, so it cannot lead")));
        }
        self.pause_balancing_everywhere(deadline).await;
        for shard in &shards {
            self.transfer(*shard, to, deadline).await.map_err(|error| {
                let why = match error {
                    ShardError::NotConfirmed => "it is away, or lacks a part of the log".to_owned(),
                    other => other.to_string(),
                };
                ClusterChangeError::Unfinished(format!("shard {}: node {to} did not take over: {why}", shard.0))
            })?;
        }
        let what = match shard {
            Some(shard) => format!("shard {shard}"),
            None => all_shards(shards.len()),
        };
        Ok(format!("node {to} leads {what}; leaders stay where they are for the next ten minutes"))
    }
}

/// Every shard, in the words of an answer.
fn all_shards(count: usize) -> String {
    if count == 1 { "the only shard".to_owned() } else { format!("all {count} shards") }
}

/// The member as some shard knows it.
fn check_is_member(status: &ClusterStatus, node: u64) -> Result<Member, ClusterChangeError> {
    let members = status.shards().into_iter().find_map(|shard| shard.members.get(node).cloned());
    members.ok_or_else(|| {
        ClusterChangeError::Refused(format!(
            "node {node} is no member of any shard: it never was, or was removed before"
        ))
    })
}

/// Whether every shard keeps a majority that can be reached when `node` is gone.
fn check_others_go_on(status: &ClusterStatus, node: u64) -> Result<(), ClusterChangeError> {
    let silent = status.silent();
    for shard in status.shards() {
        let rest: BTreeSet<u64> = shard.members.voters.keys().copied().filter(|voter| *voter != node).collect();
        let gone: Vec<String> = rest.intersection(&silent).map(u64::to_string).collect();
        let reached = rest.len() - gone.len();
        if !rest.is_empty() && reached * 2 <= rest.len() {
            return Err(ClusterChangeError::Refused(format!(
                "without node {node} no majority of shard {} can be reached: of its {} other voters node {} does not \
                 answer; bring it back, add another one first, or ask with force",
                shard.shard,
                rest.len(),
                gone.join(", ")
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::status::tests::example;
    use super::*;

    #[test]
    fn a_node_is_not_removed_where_the_others_could_not_go_on() {
        // Node 3 does not answer: without 1 or 2 only one of two voters is left.
        assert!(check_others_go_on(&example(), 3).is_ok());
        let refused = check_others_go_on(&example(), 1).unwrap_err().to_string();
        assert!(refused.contains("node 3 does not answer"), "{refused}");
    }

    #[test]
    fn only_members_can_be_removed_or_replaced() {
        assert_eq!(check_is_member(&example(), 3).unwrap().address, "127.0.0.1:7003");
        assert!(check_is_member(&example(), 99).unwrap_err().to_string().contains("node 99 is no member"));
    }
}
