//! Finishing what coordinators left behind, on the shards led here.
//!
//! A coordinator dies with its node. What it leaves is found by whoever leads the shards: a prepare without a decision
//! (recorded as ABORT after a while), a prepare whose decision is recorded at home, a record that some shards have not
//! carried out yet. Ages are counted from when this node saw something first, so no clock of another node matters.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use dynamo_engine::apply::Outcome;
use dynamo_engine::apply::two_phase::{Decision, PreparedTransaction};
use dynamo_engine::command::{Command, Forget, Resolve, TransactionId};
use shard_router::ShardId;

use super::FINISH_MAX;
use crate::env::Env;
use crate::node::Node;
use crate::shard::{Deadline, Shard, ShardError};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// What has been there for this long has nobody who cares for it. Aborting a transaction that is only slow does no
/// harm but to it.
const ABANDONED_AFTER: Duration = Duration::from_secs(3);

/// Transactions finished between two looks on one shard; the rest waits for the next.
const ROUND_MAX: usize = 256;

/// Something that is open, and since when this node knows.
type Seen = BTreeMap<(ShardId, TransactionId, bool), u64>;

/// Looks after the shards until the node has gone.
pub(in crate::node) async fn run<E: Env>(node: Weak<Node<E>>) {
    let mut seen = Seen::new();
    loop {
        E::sleep(INTERVAL).await;
        let Some(node) = node.upgrade() else { return };
        if *node.stopping.borrow() {
            return;
        }
        node.keep(&mut seen).await;
    }
}

impl<E: Env> Node<E> {
    async fn keep(&self, seen: &mut Seen) {
        let mut open = Seen::new();
        for shard in &self.shards {
            if shard.group().lease().leading_term().is_some() {
                self.keep_shard(shard, seen, &mut open).await;
            }
        }
        *seen = open;
    }

    async fn keep_shard(&self, shard: &Arc<Shard<E>>, seen: &Seen, open: &mut Seen) {
        let transactions = shard.group().published().transactions();
        let mut is_old = |id, is_decision| {
            let now_ns = E::monotonic_ns();
            let key = (shard.id(), id, is_decision);
            let since_ns = seen.get(&key).copied().unwrap_or(now_ns);
            open.insert(key, since_ns);
            Duration::from_nanos(now_ns.saturating_sub(since_ns)) >= ABANDONED_AFTER
        };
        let left: Vec<Arc<PreparedTransaction>> = transactions
            .prepared
            .iter()
            .filter(|prepared| is_old(prepared.id, false))
            .take(ROUND_MAX)
            .cloned()
            .collect();
        let records: Vec<(TransactionId, Arc<Decision>)> =
            transactions.decisions.iter().filter(|(id, _)| is_old(*id, true)).take(ROUND_MAX).cloned().collect();
        for prepared in left {
            let result = self.settle(shard, &prepared, true, Deadline::after::<E>(FINISH_MAX)).await;
            self.report(shard, result.map(|_| ()));
        }
        for (id, decision) in records {
            let result = self.finish(shard, id, &decision).await;
            self.report(shard, result);
        }
    }

    /// Has everybody carry out a recorded decision, and removes the record.
    async fn finish(&self, home: &Arc<Shard<E>>, id: TransactionId, decision: &Decision) -> Result<(), ShardError> {
        let deadline = Deadline::after::<E>(FINISH_MAX);
        match decision {
            Decision::Committed { at, prepares } => {
                for prepared in prepares {
                    let resolve = Resolve { id, prepared: Some(prepared.ts), commit: Some(*at) };
                    match self.propose_to(self.shard_of(prepared.token), Command::Resolve(resolve), deadline).await? {
                        Outcome::Resolved { .. } => {}
                        _ => return Err(ShardError::Unknown),
                    }
                }
            }
            // Only once it is over does the shard let the record go; until then there is nothing to do.
            Decision::Aborted { deadline_ms } if self.clock_reading().physical_ms() <= *deadline_ms => return Ok(()),
            Decision::Aborted { .. } => {}
        }
        self.propose_to(home, Command::Forget(Forget { id }), deadline).await?;
        self.transactions.recovered(decision);
        Ok(())
    }

    fn report(&self, shard: &Shard<E>, result: Result<(), ShardError>) {
        if let Err(error) = result {
            tracing::debug!(shard = shard.id().0, %error, "a transaction left behind cannot be finished yet");
        }
    }
}
