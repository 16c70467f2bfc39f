//! Moving leaderships by hand.

use std::time::Duration;

use shard_router::ShardId;

use crate::cluster::Cluster;
use crate::cluster::balance::PAUSE;
use crate::env::Env;
use crate::peer::{PauseBalancing, Transfer};
use crate::router::{IfLost, Place};
use crate::shard::{Deadline, Shard, ShardError};

/// How often a transfer under way is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How long one attempt may take: two messages and two synced writes, as a rule. A leader whose transfer came to nothing
/// takes no proposals until the next election, which must not be waited for here.
const TAKE_OVER_MAX: Duration = Duration::from_secs(2);

impl<E: Env> Cluster<E> {
    /// Lets node `to` lead a shard, whoever leads it now. Nothing happens where it does already.
    ///
    /// # Errors
    /// [`ShardError::NotConfirmed`] when it did not take over in time: it does not vote, lacks entries, or is away.
    pub(crate) async fn transfer(&self, shard: ShardId, to: u64, deadline: Deadline) -> Result<(), ShardError> {
        let shard_here = self.router.shard(shard)?;
        self.router
            .at_leader(shard_here, deadline, |place| async move {
                match place {
                    Place::At(leader) if leader == to => Ok(()),
                    Place::Here => self.transfer_here(shard, to, deadline).await,
                    Place::At(leader) => {
                        self.router.call_leader::<Transfer>(leader, shard, to, IfLost::AskAgain, deadline).await?
                    }
                }
            })
            .await
    }

    /// Lets node `to` lead a shard that this node leads, and waits until it does.
    ///
    /// # Errors
    /// As [`Cluster::transfer`]; [`ShardError::NotLeader`] where another node leads.
    pub(crate) async fn transfer_here(&self, shard: ShardId, to: u64, deadline: Deadline) -> Result<(), ShardError> {
        let shard = self.router.shard(shard)?;
        if shard.group().lease().leading_term().is_none() {
            return Err(ShardError::NotLeader { leader: shard.group().other_leader() });
        }
        if to == self.router.me() {
            return Ok(());
        }
        let could_take_over = || shard.group().overview().successors().contains(&to);
        self.wait_until(deadline, could_take_over).await?;
        shard.group().transfer(to).await?;
        self.wait_until(Deadline::after::<E>(TAKE_OVER_MAX).min(deadline), || is_led_by(shard, to)).await
    }

    /// Leaves the leaders where they are for a while, on this node.
    pub(crate) fn pause_balancing(&self, pause: Duration) {
        self.balancer.lock().pause(E::monotonic_ns(), pause);
    }

    /// Leaves the leaders where they are for [`PAUSE`], on all nodes that can be reached: an operator has moved some.
    pub(crate) async fn pause_balancing_everywhere(&self, deadline: Deadline) {
        self.pause_balancing(PAUSE);
        let pause_ms = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
        let members = self.router.members();
        for peer in members.voters.keys().chain(members.learners.keys()).filter(|peer| **peer != self.router.me()) {
            let patience = Deadline::after::<E>(TAKE_OVER_MAX).min(deadline);
            // A node that does not hear of it may move a leader back; it is shown in the status.
            let _ = self.router.call::<PauseBalancing>(*peer, ShardId(0), pause_ms, patience).await;
        }
    }

    async fn wait_until(&self, deadline: Deadline, is_so: impl Fn() -> bool + Send) -> Result<(), ShardError> {
        while !is_so() {
            if deadline.is_over::<E>() {
                return Err(ShardError::NotConfirmed);
            }
            E::sleep(LOOK).await;
        }
        Ok(())
    }
}

fn is_led_by<E: Env>(shard: &Shard<E>, node: u64) -> bool {
    shard.group().leader() == Some(node)
}
