//! The task of one shard: what waits in its outbox goes to the shards where it lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::Outcome;
use dynamo_engine::codec::DecodeError;
use dynamo_engine::command::{ApplyOutbox, Command, TrimOutbox};
use dynamo_engine::keyspace::local;
use dynamo_engine::outbox::{OutboxChannel, OutboxMutation, OutboxPosition, OutboxRow};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use ordered_kv::{Reader, StateStore, StoreError};
use shard_router::ShardId;
use tokio::sync::watch;

use crate::env::{Env, Stores};
use crate::router::Router;
use crate::shard::{Deadline, Shard, ShardError};

/// Rows that one command carries: enough to share a round widely, few enough to be applied in a few milliseconds.
const COMMAND_ROWS_MAX: u64 = 512;

/// Bytes of rows after which a command is closed. One row may be larger by itself.
const COMMAND_BYTES_MAX: usize = 512 << 10;

/// How long a command may wait for its outcome before it is sent again.
const DELIVERY_DEADLINE: Duration = Duration::from_secs(2);

/// How long a channel rests after a command that brought nothing: the target has no leader yet, or not yet the index.
const REST: Duration = Duration::from_millis(20);

/// How long after an arrival the delivered rows are removed, and all that arrived meanwhile with them.
const TRIM_AFTER: Duration = Duration::from_millis(50);

/// Own channels by target, as applied.
type OutboxChannels = BTreeMap<ShardId, OutboxChannel>;

/// What the task waits for.
enum Event {
    /// Something was applied to the channels, or the node is gone and with it the sender.
    Applied(watch::Receiver<OutboxChannels>, bool),
    /// This node began to lead the shard.
    Leading,
    /// A delivery has ended, well or not.
    Delivered(ShardId),
    /// It is time to trim.
    TrimDue,
    /// A trim has ended, well or not.
    Trimmed,
}

/// Why rows cannot be read out of the own state.
#[derive(Debug, thiserror::Error)]
enum OutboxError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("an outbox row is damaged: {0}")]
    Row(#[from] DecodeError),
}

impl OutboxError {
    fn is_damage(&self) -> bool {
        matches!(self, OutboxError::Store(StoreError::Corruption(_)) | OutboxError::Row(_))
    }
}

/// A shard's outbox, and the ways out of it.
pub(super) struct Outbox<E: Env> {
    /// Leads to the shards where the entries live.
    pub router: Arc<Router<E>>,
    /// The rows are read from the applied state.
    pub stores: Arc<Stores>,
    /// The shard that has sent them.
    pub shard: Arc<Shard<E>>,
}

/// The task of one shard.
pub(super) struct OutboxRelay<E: Env> {
    /// Whose rows are carried over; shared by the deliveries under way.
    outbox: Arc<Outbox<E>>,
    /// What is waited for: one change of what is applied, one beginning of the leadership at most, one delivery for each
    /// busy channel, and one trim at most.
    events: FuturesUnordered<BoxFuture<'static, Event>>,
    /// The channels as last seen applied.
    channels: OutboxChannels,
    /// Channels with a command under way, or resting after one.
    busy: BTreeSet<ShardId>,
    /// A trim is due or under way.
    trims: bool,
    /// Someone waits for the leadership to begin.
    awaits_leading: bool,
}

impl<E: Env> OutboxRelay<E> {
    /// The relay of a shard.
    pub fn new(outbox: Outbox<E>) -> OutboxRelay<E> {
        OutboxRelay {
            outbox: Arc::new(outbox),
            events: FuturesUnordered::new(),
            channels: OutboxChannels::new(),
            busy: BTreeSet::new(),
            trims: false,
            awaits_leading: false,
        }
    }

    /// Carries entries over.
    pub async fn run(mut self) {
        let mut applied = self.outbox.shard.group().published().channels();
        self.look(&mut applied);
        self.events.push(changed(applied).boxed());
        self.go_on();
        while let Some(event) = self.events.next().await {
            match event {
                Event::Applied(_, false) => return,
                Event::Applied(mut applied, true) => {
                    self.look(&mut applied);
                    self.events.push(changed(applied).boxed());
                }
                Event::Leading => self.awaits_leading = false,
                Event::Delivered(target) => drop(self.busy.remove(&target)),
                Event::TrimDue => {
                    let trims = self.to_trim();
                    self.events.push(trim(Arc::clone(&self.outbox), trims).boxed());
                }
                Event::Trimmed => self.trims = false,
            }
            self.go_on();
        }
    }

    /// Takes over what is applied. What is trimmed has arrived, whoever brought it: a node that has just started knows it
    /// from nothing else.
    fn look(&mut self, applied: &mut watch::Receiver<OutboxChannels>) {
        self.channels = applied.borrow_and_update().clone();
        debug_assert!(
            self.channels.values().all(|channel| channel.trimmed <= channel.last),
            "only what was written is trimmed"
        );
        self.channels
            .iter()
            .for_each(|(target, channel)| self.outbox.shard.arrivals().arrived(*target, channel.trimmed));
    }

    /// Starts whatever can be done now.
    fn go_on(&mut self) {
        if self.outbox.shard.group().lease().leading_term().is_none() {
            if !self.awaits_leading {
                self.awaits_leading = true;
                self.events.push(leads(Arc::clone(&self.outbox)).boxed());
            }
            return;
        }
        for (target, channel) in &self.channels {
            let through = self.outbox.shard.arrivals().through(*target);
            debug_assert!(channel.trimmed <= through, "what is trimmed has arrived");
            if through < channel.last && self.busy.insert(*target) {
                let next = OutboxPosition { target: *target, sequence: through + 1 };
                self.events.push(deliver(Arc::clone(&self.outbox), next, channel.last).boxed());
            }
        }
        if !self.trims && !self.to_trim().is_empty() {
            self.trims = true;
            self.events.push(trim_due::<E>().boxed());
        }
    }

    /// What has arrived and still lies in the outbox.
    fn to_trim(&self) -> Vec<TrimOutbox> {
        let arrived = |target: &ShardId| self.outbox.shard.arrivals().through(*target);
        let channels = self.channels.iter().map(|(target, channel)| (target, channel, arrived(target)));
        let behind = channels.filter(|(_, channel, through)| channel.trimmed < *through);
        behind.map(|(target, _, through)| TrimOutbox { target: *target, through }).collect()
    }
}

async fn changed(mut applied: watch::Receiver<OutboxChannels>) -> Event {
    let lives = applied.changed().await.is_ok();
    Event::Applied(applied, lives)
}

async fn leads<E: Env>(outbox: Arc<Outbox<E>>) -> Event {
    outbox.shard.group().lease().wait_leading().await;
    Event::Leading
}

async fn trim_due<E: Env>() -> Event {
    E::sleep(TRIM_AFTER).await;
    Event::TrimDue
}

async fn trim<E: Env>(outbox: Arc<Outbox<E>>, trims: Vec<TrimOutbox>) -> Event {
    let deadline = Deadline::after::<E>(DELIVERY_DEADLINE);
    let mut proposals = Vec::with_capacity(trims.len());
    for trim in trims {
        proposals.push(outbox.shard.sequencer().propose::<E>(Command::TrimOutbox(trim), deadline));
    }
    // One that failed is due again: whoever leads trims what has arrived.
    futures::future::join_all(proposals).await;
    Event::Trimmed
}

/// Brings the next rows of a channel, from `next` to `last` at most, to where they live.
async fn deliver<E: Env>(outbox: Arc<Outbox<E>>, next: OutboxPosition, last: u64) -> Event {
    match outbox.deliver(next, last).await {
        Ok(true) => {}
        // What is to be done comes out of the applied state, so it is simply tried again.
        Ok(false) => E::sleep(REST).await,
        Err(error) => {
            tracing::debug!(source = outbox.shard.id().0, target = next.target.0, %error, "a delivery has no outcome yet");
            E::sleep(REST).await;
        }
    }
    Event::Delivered(next.target)
}

impl<E: Env> Outbox<E> {
    /// Sends the next rows of a channel to the target's leader; whether all that was sent has arrived.
    async fn deliver(&self, next: OutboxPosition, last: u64) -> Result<bool, ShardError> {
        debug_assert!(next.sequence <= last, "there is something to deliver");
        debug_assert_ne!(next.target, self.shard.id(), "rows of this shard are written, not sent");
        let source = self.shard.id();
        let mutations = match self.read_rows(next, last).await {
            Ok(mutations) => mutations,
            Err(error) => {
                let what = format_args!("the outbox cannot be read: {error}");
                self.router.background_read_failed(source, &what, error.is_damage());
                return Err(ShardError::Stopped);
            }
        };
        let sent = mutations.len() as u64;
        if sent == 0 {
            // Trimmed meanwhile, after another leader had delivered them.
            return Ok(false);
        }
        let command = Command::ApplyOutbox(ApplyOutbox { source, first: next.sequence, mutations });
        let deadline = Deadline::after::<E>(DELIVERY_DEADLINE);
        match self.router.propose_to(self.router.shard(next.target)?, command, deadline).await? {
            Outcome::OutboxApplied { through } => {
                self.shard.arrivals().arrived(next.target, through);
                self.shard.arrivals().count_delivered((through + 1).saturating_sub(next.sequence).min(sent));
                Ok(through + 1 >= next.sequence + sent)
            }
            _ => Err(ShardError::Unknown),
        }
    }

    /// The next rows of a channel that fit one command. They were written a moment ago, so as a rule they are in memory.
    async fn read_rows(&self, next: OutboxPosition, last: u64) -> Result<Vec<OutboxMutation>, OutboxError> {
        let (source, state) = (self.shard.id(), Arc::clone(&self.stores.state));
        match rows(state.cached(), source, next, last) {
            Err(OutboxError::Store(StoreError::NotCached)) => {}
            result => return result,
        }
        E::blocking(move || rows(as_reader(&*state), source, next, last)).await
    }
}

fn as_reader(state: &dyn StateStore) -> &dyn Reader {
    state
}

fn rows(
    reader: &dyn Reader,
    source: ShardId,
    next: OutboxPosition,
    last: u64,
) -> Result<Vec<OutboxMutation>, OutboxError> {
    let (mut mutations, mut bytes) = (Vec::new(), 0);
    for sequence in (next.sequence..=last).take(COMMAND_ROWS_MAX as usize) {
        let Some(row) = reader.get(&local::outbox(source, OutboxPosition { sequence, ..next }))? else { break };
        bytes += row.len();
        mutations.push(OutboxRow::from_bytes(&row)?.mutation);
        if bytes >= COMMAND_BYTES_MAX {
            break;
        }
    }
    Ok(mutations)
}
