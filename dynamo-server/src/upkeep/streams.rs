//! Upkeep of streams: rolls stream shards over, trims records older than the retention, forgets ended streams.
//!
//! On the node that leads a data shard one task looks at the rows of its stream shards every so often, decides what is due
//! (`dynamo_engine::stream::StreamPolicy`), and proposes one command; where that was as much as one command takes it looks
//! again at once. So age and size at which shards roll over, and the retention, are the leader's settings and never part of
//! what applying an entry means. Records are removed only while this node's time can be believed ([`BelievedTime`]).
//!
//! Nothing is read while a data shard keeps no stream: that is one atomic load.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dynamo_engine::catalog::DdlCommand;
use dynamo_engine::command::{Command, STREAM_STEPS_MAX, TendStreams};
use dynamo_engine::read::ReadError;
use dynamo_engine::stream::{StreamPolicy, StreamTotals};
use futures::future::join_all;
use ordered_kv::StoreError;

use super::expiry::BelievedTime;
use crate::env::{Env, PeriodicTask, Stores};
use crate::router::Router;
use crate::shard::{Deadline, Shard};

/// How often the task looks at most, and at least. Between them, eight times in what is shorter of the age of a shard and the
/// retention, so that either is kept to an eighth.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How long one command may wait for its outcome.
const COMMAND_DEADLINE: Duration = Duration::from_secs(5);

/// Streams that are forgotten in one look: they are few, and the next look is soon.
const FORGOTTEN_MAX: usize = 16;

/// The task of a node.
pub(crate) struct StreamUpkeep<E: Env> {
    /// The shards that are led here.
    router: Arc<Router<E>>,
    /// Where records and stream shards are read.
    stores: Arc<Stores>,
    /// When a stream shard is rolled over, and how long records are kept.
    policy: StreamPolicy,
    /// By which records are too old.
    time: BelievedTime,
    /// The last look did not come to an end of what was due.
    has_more: bool,
}

impl<E: Env> StreamUpkeep<E> {
    /// Keeps to this policy.
    pub(crate) fn new(router: Arc<Router<E>>, stores: Arc<Stores>, policy: StreamPolicy) -> StreamUpkeep<E> {
        StreamUpkeep { router, stores, policy, time: BelievedTime::default(), has_more: false }
    }
}

/// How long to wait between two looks.
fn pause(policy: &StreamPolicy) -> Duration {
    Duration::from_millis(policy.roll_ms.min(policy.retention_ms) / 8).clamp(PAUSE_MIN, PAUSE_MAX)
}

#[async_trait]
impl<E: Env> PeriodicTask for StreamUpkeep<E> {
    fn pause(&self) -> Duration {
        if self.has_more { PAUSE_MIN } else { pause(&self.policy) }
    }

    async fn look(&mut self) {
        let (router, stores) = (&self.router, &self.stores);
        self.time.look(router);
        let mut looks = Vec::new();
        for shard in router.led() {
            let (policy, now_ms) = match self.time.now_ms(router, shard) {
                Ok(now_ms) => (self.policy, now_ms),
                Err(_) => (StreamPolicy { retention_ms: u64::MAX, ..self.policy }, router.wall_ms()),
            };
            if shard.group().published().streams().shards > 0 {
                looks.push(tend(router, stores, shard, policy, now_ms));
            }
            if shard.id() == router.system().id() {
                forget_ended(router, policy.kept_since(now_ms)).await;
            }
        }
        self.has_more = join_all(looks).await.contains(&true);
    }
}

/// One look at a data shard led here; whether it was left before its end.
async fn tend<E: Env>(
    router: &Router<E>,
    stores: &Stores,
    shard: &Arc<Shard<E>>,
    policy: StreamPolicy,
    now_ms: u64,
) -> bool {
    let (state, id) = (Arc::clone(&stores.state), shard.id());
    let due: Option<TendStreams> = match E::background(move || policy.look(&*state.view(), id, now_ms)).await {
        Ok(due) => due,
        Err(error) => {
            let is_damage = matches!(error, ReadError::Store(StoreError::Corruption(_)) | ReadError::Corrupt(_));
            router.background_read_failed(
                id,
                &format_args!("the rows of its streams cannot be read: {error}"),
                is_damage,
            );
            return false;
        }
    };
    let Some(due) = due else { return false };
    let is_full = due.steps.len() + 1 >= STREAM_STEPS_MAX;
    let deadline = Deadline::after::<E>(COMMAND_DEADLINE);
    if let Err(error) = router.propose_here(shard, Command::TendStreams(due), deadline).await {
        tracing::debug!(shard = id.0, %error, "the upkeep of streams has no outcome yet");
    }
    is_full
}

/// Forgets streams that were over before `kept_since`, where the system group is led.
async fn forget_ended<E: Env>(router: &Router<E>, kept_since: u64) {
    let catalog = router.system().group().published().catalog();
    let old = catalog.ended_streams().filter(|stream| stream.ended_ms < kept_since).take(FORGOTTEN_MAX);
    let deadline = Deadline::after::<E>(COMMAND_DEADLINE);
    for stream in old {
        let command = Command::Ddl(DdlCommand::ForgetStream { stream: stream.id });
        if let Err(error) = router.propose_here(router.system(), command, deadline).await {
            tracing::debug!(%error, "a stream that is over is not forgotten yet");
            return;
        }
    }
}

/// What the streams on this node's replicas come to.
pub(crate) fn totals<E: Env>(router: &Router<E>) -> StreamTotals {
    let mut sum = StreamTotals::default();
    for shard in &router.shards {
        let totals = shard.group().published().streams();
        sum.shards += totals.shards;
        sum.records += totals.records;
        sum.bytes += totals.bytes;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_keep_to_an_eighth_within_bounds() {
        let of = |roll_ms, retention_ms| pause(&StreamPolicy { roll_ms, retention_ms, ..StreamPolicy::default() });
        assert_eq!(pause(&StreamPolicy::default()), PAUSE_MAX);
        assert_eq!(of(8_000, 80_000), Duration::from_secs(1));
        assert_eq!(of(80_000, 8_000), Duration::from_secs(1));
        assert_eq!(of(0, 8_000), PAUSE_MIN);
    }
}
