//! Changes of the cluster that operators ask for, and what must hold before they are made.

use std::collections::BTreeSet;

use shard_router::ShardId;

use super::status::ClusterStatus;
use crate::env::Env;
use crate::node::Node;
use crate::raft::{MemberChange, MembershipError};
use crate::shard::{Deadline, ShardError};

/// A change of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterChange {
    /// A node gets a copy of every shard, without a vote.
    Add {
        /// The node.
        node: u64,
        /// Where it listens for its peers.
        address: String,
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

impl<E: Env> Node<E> {
    /// Makes a change in all shards, whoever leads them, and says what is so now.
    ///
    /// # Errors
    /// [`ClusterChangeError`].
    pub async fn change_cluster(
        &self,
        change: &ClusterChange,
        deadline: Deadline,
    ) -> Result<String, ClusterChangeError> {
        match change {
            ClusterChange::Add { node, address } => {
                let change = MemberChange::AddLearner { node: *node, address: address.clone() };
                self.check_address_is_free(*node, address)?;
                self.change_everywhere(&change, deadline).await?;
                Ok(format!("node {node} at {address} is a member of all {} shards", self.shards().count()))
            }
            ClusterChange::Promote { node } => {
                self.change_everywhere(&MemberChange::Promote { node: *node }, deadline).await?;
                Ok(format!("node {node} votes on all {} shards", self.shards().count()))
            }
            ClusterChange::Remove { node, force } => {
                if !force {
                    check_others_go_on(&ClusterStatus::gather(self).await, *node)?;
                }
                self.change_everywhere(&MemberChange::Remove { node: *node }, deadline).await?;
                Ok(format!("node {node} is no member any more: stop it, and never use its number again"))
            }
            ClusterChange::Transfer { shard, to } => self.transfer_all(*shard, *to, deadline).await,
        }
    }

    fn check_address_is_free(&self, node: u64, address: &str) -> Result<(), ClusterChangeError> {
        let members = self.members();
        match members.voters.iter().chain(&members.learners).find(|(other, taken)| **other != node && *taken == address)
        {
            Some((other, _)) => Err(ClusterChangeError::Refused(format!("{address} is the address of node {other}"))),
            None => Ok(()),
        }
    }

    async fn change_everywhere(&self, change: &MemberChange, deadline: Deadline) -> Result<(), ClusterChangeError> {
        self.change_members(change, deadline).await.map_err(|failure| match failure.error {
            MembershipError::NoMember(node) => {
                ClusterChangeError::Refused(format!("node {node} is no member: add it first"))
            }
            MembershipError::OtherAddress { .. } | MembershipError::LastVoter(_) => {
                ClusterChangeError::Refused(failure.error.to_string())
            }
            _ => ClusterChangeError::Unfinished(failure.to_string()),
        })
    }

    async fn transfer_all(
        &self,
        shard: Option<u32>,
        to: u64,
        deadline: Deadline,
    ) -> Result<String, ClusterChangeError> {
        let shards: Vec<ShardId> = self.shards().filter(|id| shard.is_none_or(|shard| shard == id.0)).collect();
        if shards.is_empty() {
            let last = self.shards().count() - 1;
            return Err(ClusterChangeError::Refused(format!("there is no such shard: they are numbered 0 to {last}")));
        }
        if !self.members().voters.contains_key(&to) {
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
            None => format!("all {} shards", shards.len()),
        };
        Ok(format!("node {to} leads {what}; leaders stay where they are for the next ten minutes"))
    }
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
}
