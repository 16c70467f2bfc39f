//! How far a shard's index entries have arrived on other shards, and who waits for it.
//!
//! The reply of a write waits until its entries have arrived (the index relay delivers them), so that a query of the
//! index after it finds them; but not for ever. Waiters stand by their number in the channel, so that an arrival touches
//! exactly those that it completes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dynamo_engine::apply::{Outcome, WriteOutcome};
use dynamo_engine::outbox::OutboxPosition;
use parking_lot::Mutex;
use shard_router::ShardId;
use tokio::sync::oneshot;

use super::Deadline;
use crate::env::Env;

/// How long the reply of a write waits for its index entries. Past it the write is acknowledged, as the service itself
/// does it at once, and the index lags visibly.
pub const INDEX_WAIT_MAX: Duration = Duration::from_secs(1);

/// The channels of one shard as this node sees them arrive.
#[derive(Default)]
pub struct Arrivals {
    /// A lock for some lines, never over an await.
    channels: Mutex<BTreeMap<ShardId, Channel>>,
    /// Index entries that this node has brought to other shards.
    delivered: AtomicU64,
    /// Writes that were acknowledged before their index entries had arrived.
    ahead: AtomicU64,
}

#[derive(Default)]
struct Channel {
    /// The last number that the target is known to have applied.
    through: u64,
    /// By the number waited for. Bounded by the outbox: each stands for a row in it, and goes when that row does.
    waiting: BTreeMap<u64, Vec<oneshot::Sender<()>>>,
}

impl Channel {
    /// Checks how the fields must relate; called in debug builds after every change.
    fn validate(&self) {
        let first = self.waiting.first_key_value();
        debug_assert!(first.is_none_or(|(first, _)| *first > self.through), "nobody waits for what has arrived");
        debug_assert!(first.is_none_or(|(_, waiting)| !waiting.is_empty()), "a number is kept while it is waited for");
    }
}

impl Arrivals {
    /// The last number that `target` is known to have applied.
    pub fn through(&self, target: ShardId) -> u64 {
        self.channels.lock().get(&target).map_or(0, |channel| channel.through)
    }

    /// `target` has applied everything up to `through`.
    pub fn arrived(&self, target: ShardId, through: u64) {
        let mut channels = self.channels.lock();
        let channel = channels.entry(target).or_default();
        if through <= channel.through {
            return;
        }
        channel.through = through;
        let still = channel.waiting.split_off(&(through + 1));
        let done = std::mem::replace(&mut channel.waiting, still);
        channel.validate();
        drop(channels);
        for waiter in done.into_values().flatten() {
            // Whoever no longer waits was answered before.
            let _ = waiter.send(());
        }
    }

    /// Counts entries that this node has delivered.
    pub fn count_delivered(&self, entries: u64) {
        self.delivered.fetch_add(entries, Ordering::Relaxed);
    }

    /// Waits until everything up to these places has arrived, at most `limit`; counts a write that did not see it.
    pub async fn wait<E: Env>(&self, positions: &[OutboxPosition], limit: Duration) {
        let pending = self.register(positions);
        let all = async {
            for waiter in pending {
                // The sender lives in `self`.
                let _ = waiter.await;
            }
        };
        if E::timeout(limit.min(INDEX_WAIT_MAX), all).await.is_none() {
            self.ahead.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until the index entries that an outcome has sent to other shards have arrived, within limits: then a query of
    /// the index after the reply finds them.
    pub async fn wait_for_index<E: Env>(&self, outcome: &Outcome, deadline: Deadline) {
        let positions = match outcome {
            Outcome::Written(write) => write.channels.clone(),
            Outcome::Transacted { actions, .. } | Outcome::Resolved { actions } => outbox_positions(actions),
            // A decision is waited for by other shards, which hold locks until they know it. Who records it waits afterwards.
            _ => Vec::new(),
        };
        if !positions.is_empty() {
            // Half of what is left, so that the reply still gets back in time: the write is done, whatever the index is.
            self.wait::<E>(&positions, deadline.remaining::<E>() / 2).await;
        }
    }

    fn register(&self, positions: &[OutboxPosition]) -> Vec<oneshot::Receiver<()>> {
        let mut channels = self.channels.lock();
        let mut pending = Vec::new();
        for position in positions {
            let channel = channels.entry(position.target).or_default();
            if position.sequence > channel.through {
                let (done, waiter) = oneshot::channel();
                channel.waiting.entry(position.sequence).or_default().push(done);
                pending.push(waiter);
                channel.validate();
            }
        }
        pending
    }

    /// Index entries that this node has brought to other shards.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Writes that were acknowledged before their index entries had arrived.
    pub fn ahead(&self) -> u64 {
        self.ahead.load(Ordering::Relaxed)
    }
}

/// Where the index entries of these actions on other shards stand in the channels to them. Actions may share a channel;
/// waiting for the last of them waits for all, and more than one wait does no harm.
pub fn outbox_positions(actions: &[WriteOutcome]) -> Vec<OutboxPosition> {
    actions.iter().flat_map(|action| &action.channels).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::sim::{SimEnv, run};

    fn position(target: u32, sequence: u64) -> OutboxPosition {
        OutboxPosition { target: ShardId(target), sequence }
    }

    #[test]
    fn a_wait_ends_with_the_last_of_its_arrivals() {
        run(1, async {
            let arrivals = Arrivals::default();
            arrivals.arrived(ShardId(2), 3);
            let before = SimEnv::monotonic_ns();
            let positions = [position(1, 5), position(2, 3)];
            let wait = arrivals.wait::<SimEnv>(&positions, INDEX_WAIT_MAX);
            let arrive = async {
                for through in [4, 6] {
                    SimEnv::sleep(Duration::from_millis(1)).await;
                    arrivals.arrived(ShardId(1), through);
                }
            };
            futures::join!(wait, arrive);
            assert_eq!(SimEnv::monotonic_ns() - before, 2_000_000);
            assert_eq!(arrivals.ahead(), 0);
            arrivals.arrived(ShardId(1), 2);
            assert_eq!(arrivals.through(ShardId(1)), 6, "what arrived stays so");
        });
    }

    #[test]
    fn a_wait_is_not_for_ever() {
        run(1, async {
            let arrivals = Arrivals::default();
            let before = SimEnv::monotonic_ns();
            arrivals.wait::<SimEnv>(&[position(1, 1)], Duration::MAX).await;
            assert_eq!(SimEnv::monotonic_ns() - before, INDEX_WAIT_MAX.as_nanos() as u64);
            assert_eq!(arrivals.ahead(), 1);
        });
    }
}
