//! The members of the cluster: one change for all its groups.
//!
//! Every member replicates every shard, so a node is added to, promoted in or removed from each group, one after the
//! other, at the group's leader. A change may end half way, with some groups changed and others not; asked for again,
//! it goes on where it stopped, since every step is idempotent.

use std::sync::Arc;

use super::Node;
use crate::env::Env;
use crate::raft::{MemberChange, Members, MembershipError};
use crate::shard::{Deadline, Shard};

/// A change of the members that is not through in every group. Asking again goes on where it stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shard {shard}: {error}")]
pub struct MembershipFailure {
    /// The group where it stopped.
    pub shard: u32,
    /// What happened there.
    pub error: MembershipError,
}

impl<E: Env> Node<E> {
    /// The members of the system group as this node knows them.
    pub fn members(&self) -> Members {
        self.system().group().members()
    }

    /// Adds, promotes or removes a node in every group of the cluster, whoever leads it.
    ///
    /// # Errors
    /// The group where it stopped, and why.
    pub async fn change_members(&self, change: &MemberChange, deadline: Deadline) -> Result<(), MembershipFailure> {
        for shard in &self.shards {
            let changed = self.change_members_of(shard, change, deadline).await;
            changed.map_err(|error| MembershipFailure { shard: shard.id().0, error })?;
        }
        Ok(())
    }

    /// Changes one group, here or at its leader.
    async fn change_members_of(
        &self,
        shard: &Arc<Shard<E>>,
        change: &MemberChange,
        deadline: Deadline,
    ) -> Result<(), MembershipError> {
        shard.group().change_members(change, deadline).await
    }
}
