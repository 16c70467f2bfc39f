//! Letting ClientRequestTokens become older.
//!
//! How long a token is remembered must not depend on a wall clock: one that is set ten minutes ahead would have a transaction done
//! twice. So the leader of a shard says by a command how much time has passed, measured by its clock since boot, and apply counts
//! that (`dynamo_engine::apply`, client tokens). A stretch of time counts only if the lease of the shard held at its end, and no
//! stretch reaches back before the task has seen this node lead in the same term: so no two leaders ever count the same time.
//! Between two leaders, and while a node is off, no time passes, and tokens are remembered for longer. Where the system has no
//! clock since boot there are no leases either; leading is enough there, and a leader that was deposed and elected again within
//! the deadline of a command may count one step that another one has counted, which is in what tokens are kept for longer.
//!
//! Nothing is proposed while a shard remembers no token: that is one atomic load.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dynamo_engine::command::{Command, TOKEN_AGE_STEP_MS_MAX};
use futures::future::join_all;
use shard_router::ShardId;

use crate::env::{Env, PeriodicTask};
use crate::router::Router;
use crate::shard::{Deadline, Shard};

/// How often time passes. What is beyond one step is not counted, so the task looks a little earlier.
const PAUSE: Duration = Duration::from_millis(TOKEN_AGE_STEP_MS_MAX - 1_000);

/// How long one command may wait for its outcome.
const COMMAND_DEADLINE: Duration = Duration::from_secs(5);

/// The task of a node.
pub(crate) struct TokenUpkeep<E: Env> {
    /// The shards that are led here.
    router: Arc<Router<E>>,
    /// For each of them, the term, and up to when its time was counted, on the clock since boot in nanoseconds.
    counted: BTreeMap<ShardId, (u64, u64)>,
}

impl<E: Env> TokenUpkeep<E> {
    /// Has counted nothing yet.
    pub(crate) fn new(router: Arc<Router<E>>) -> TokenUpkeep<E> {
        TokenUpkeep { router, counted: BTreeMap::new() }
    }
}

#[async_trait]
impl<E: Env> PeriodicTask for TokenUpkeep<E> {
    fn pause(&self) -> Duration {
        PAUSE
    }

    async fn look(&mut self) {
        let router = &self.router;
        let mut proposals = Vec::new();
        for shard in &router.shards {
            // In this order: the lease held when the clock was read, or later.
            let boot_ns = E::boot_ns();
            let has_lease = boot_ns.is_none() || shard.has_lease();
            let Some(term) = shard.group().lease().leading_term().filter(|_| has_lease) else { continue };
            let now_ns = boot_ns.unwrap_or_else(E::monotonic_ns);
            let before = self.counted.insert(shard.id(), (term, now_ns));
            let passed_ms =
                before.filter(|(of_term, _)| *of_term == term).map_or(0, |(_, since_ns)| ms(since_ns, now_ns));
            if passed_ms > 0 && shard.group().published().has_client_tokens() {
                proposals.push(age(router, shard, passed_ms));
            }
        }
        join_all(proposals).await;
    }
}

fn ms(since_ns: u64, now_ns: u64) -> u64 {
    (now_ns.saturating_sub(since_ns) / 1_000_000).min(TOKEN_AGE_STEP_MS_MAX)
}

async fn age<E: Env>(router: &Router<E>, shard: &Arc<Shard<E>>, passed_ms: u64) {
    let deadline = Deadline::after::<E>(COMMAND_DEADLINE);
    if let Err(error) = router.propose_here(shard, Command::AgeTokens(passed_ms), deadline).await {
        tracing::debug!(shard = shard.id().0, %error, "the age of client tokens has no outcome yet");
    }
}
