//! The members of the cluster: one change for all its groups.
//!
//! Every member replicates every shard, so a node is added to, promoted in or removed from each group, one after the
//! other, at the group's leader. A change may end half way, with some groups changed and others not; asked for again,
//! it goes on where it stopped, since every step is idempotent.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::cluster::{Cluster, HAND_OVER_MAX};
use crate::env::Env;
use crate::peer::{ChangeMembers, Header};
use crate::raft::{MemberChange, MembershipError};
use crate::router::{Called, Place};
use crate::shard::{Deadline, Shard, ShardError};

/// How long one attempt at a leader may take: it may have been deposed without knowing.
const ATTEMPT_MAX: Duration = Duration::from_secs(3);

/// A change of the members that is not through in every group. Asking again goes on where it stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shard {shard}: {error}")]
pub struct MembershipFailure {
    /// The group where it stopped.
    pub shard: u32,
    /// What happened there.
    pub error: MembershipError,
}

impl<E: Env> Cluster<E> {
    /// Adds, promotes or removes a node in every group of the cluster, whoever leads it.
    ///
    /// # Errors
    /// The group where it stopped, and why.
    pub(crate) async fn change_members(
        &self,
        change: &MemberChange,
        deadline: Deadline,
    ) -> Result<(), MembershipFailure> {
        let mut shards: Vec<&Arc<Shard<E>>> = self.router.shards.iter().collect();
        if matches!(change, MemberChange::Remove { .. }) {
            // The system group last: as long as it leads anything, the node needs the catalog, and others its address.
            shards.reverse();
        }
        for shard in shards {
            let changed = self.change_members_of(shard, change, deadline).await;
            changed.map_err(|error| MembershipFailure { shard: shard.id().0, error })?;
        }
        Ok(())
    }

    /// Changes one group, here or at its leader. Everything may be tried again, so whatever may pass is.
    async fn change_members_of(
        &self,
        shard: &Arc<Shard<E>>,
        change: &MemberChange,
        deadline: Deadline,
    ) -> Result<(), MembershipError> {
        let last = Mutex::new(MembershipError::NotLeader { leader: None });
        let last_seen = &last;
        let changed = self.router.at_leader(shard, deadline, |place| async move {
            let attempt = Deadline::after::<E>(ATTEMPT_MAX).min(deadline);
            let result = match place {
                Place::Here => self.change_members_here(shard, change, attempt).await,
                Place::At(leader) => self.change_members_at(leader, shard, change, attempt).await,
            };
            match result {
                Err(MembershipError::NotLeader { leader }) => Err(ShardError::NotLeader { leader }),
                Err(
                    error @ (MembershipError::InProgress | MembershipError::NotCaughtUp(_) | MembershipError::Unknown),
                ) => {
                    *last_seen.lock() = error;
                    Err(ShardError::NotLeader { leader: None })
                }
                result => Ok(result),
            }
        });
        changed.await.unwrap_or_else(|_| Err(last.into_inner()))
    }

    /// Changes a group as far as this node leads it. A node that is to go hands over first, so that nobody has to wait
    /// for an election; its successor then removes it.
    ///
    /// # Errors
    /// As [`Group::change_members`](crate::raft::Group::change_members).
    pub(crate) async fn change_members_here(
        &self,
        shard: &Arc<Shard<E>>,
        change: &MemberChange,
        deadline: Deadline,
    ) -> Result<(), MembershipError> {
        let group = shard.group();
        let removes_itself = *change == MemberChange::Remove { node: self.router.me() };
        if removes_itself && group.lease().leading_term().is_some() && group.members().voters.len() > 1 {
            group.hand_over(HAND_OVER_MAX.min(deadline.remaining::<E>())).await;
            return Err(MembershipError::NotLeader { leader: group.other_leader() });
        }
        group.change_members(change, deadline).await
    }

    async fn change_members_at(
        &self,
        leader: u64,
        shard: &Arc<Shard<E>>,
        change: &MemberChange,
        deadline: Deadline,
    ) -> Result<(), MembershipError> {
        match self.router.call::<ChangeMembers>(leader, shard.id(), change, deadline).await {
            Called::Answer(result) => result,
            Called::NotSent => Err(MembershipError::NotLeader { leader: None }),
            Called::Lost => Err(MembershipError::Unknown),
        }
    }

    /// Changes a group for another node, as far as this one leads it.
    pub(crate) async fn change_members_for_peer(
        &self,
        header: Header,
        change: MemberChange,
    ) -> Result<(), MembershipError> {
        let shard = self.router.shard(header.shard).map_err(|_| MembershipError::Stopped)?;
        self.change_members_here(shard, &change, Deadline::after::<E>(header.remaining)).await
    }
}
