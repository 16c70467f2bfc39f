//! The state machine of one group: entries in, rows and outcomes out.
//!
//! Each entry is applied by the engine into one batch, together with its log id, and written before the next one is
//! looked at. So what the state store persists is always a prefix of the log, and it says itself how long that prefix
//! is; the store needs no log of its own. Then what changed is published, and the outcomes go to whoever waits.
//!
//! A fault (the store, a damaged row, an entry of a newer program) stops the group on this node; nothing is skipped.

use std::io;
use std::sync::Arc;

use dynamo_engine::apply::{Outcome, ShardState, apply_entry};
use dynamo_engine::keyspace::local;
use futures::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, Snapshot};
use ordered_kv::{Reader, StateStore, StoreError, WriteBatch};
use shard_router::{Epoch, ShardId, ShardMap};

use super::codec::{CodecError, get_log_id, get_stored_membership, put_log_id, put_stored_membership};
use super::incoming::Incoming;
use super::lease_feed::LeaseFeed;
use super::log::GroupLog;
use super::payload::{Applied, Payload};
use super::published::Published;
use super::snapshot::{ShardSnapshot, SnapshotPin, content};
use super::snapshot_stage::StagedSnapshot;
use super::types::{LogEntry, LogId, Membership, SnapshotMeta, StoredMembership, Types};
use crate::env::Env;
use crate::node::FaultSignal;

/// Commands after which applying lets other tasks run.
const COMMANDS_PER_TURN_MAX: usize = 256;

/// An entry with more commands than this is applied where it does not hold up other tasks.
const COMMANDS_INLINE_MAX: usize = 64;

/// What the state store holds of a shard when the node starts.
pub struct RecoveredState {
    /// The shard's replicated scalars.
    pub shard: ShardState,
    /// The last applied entry.
    pub applied: Option<LogId>,
    /// The last applied membership.
    pub membership: StoredMembership,
}

/// The state of a shard cannot be read; the node must not start.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store.
    #[error("the state cannot be read: {0}")]
    Store(#[from] StoreError),
    /// A record that drives the log.
    #[error("a record of the state is damaged: {0}")]
    Record(#[from] CodecError),
    /// The engine's own records.
    #[error(transparent)]
    Engine(#[from] dynamo_engine::apply::Fault),
}

impl RecoveredState {
    /// Reads what the store holds of `shard`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(store: &dyn Reader, shard: ShardId, map: Arc<ShardMap>) -> Result<RecoveredState, StateError> {
        let applied = match store.get(&local::applied(shard))? {
            Some(bytes) => Some(get_log_id(&mut &bytes[..]).map_err(CodecError::from)?),
            None => None,
        };
        let membership = match store.get(&local::membership(shard))? {
            Some(bytes) => get_stored_membership(&mut &bytes[..])?,
            None => StoredMembership::default(),
        };
        Ok(RecoveredState { shard: ShardState::load(store, shard, map)?, applied, membership })
    }

    /// What the shard publishes to begin with.
    pub fn publish(&self) -> Published {
        let applied_next = self.applied.map_or(0, |applied| applied.index() + 1);
        let published = Published::new(applied_next, self.shard.catalog(), self.shard.ceiling, &self.shard.lanes);
        published.set_transactions(&self.shard.locks);
        published.with_epoch(self.shard.map.epoch(self.shard.id).unwrap_or(Epoch::FIRST))
    }
}

/// The applied entry of `shard` that a crash right now could not take away.
///
/// # Errors
/// When the store cannot be read.
pub fn persisted_applied(store: &dyn StateStore, shard: ShardId) -> Result<Option<LogId>, StateError> {
    let Some(bytes) = store.get_persisted(&local::applied(shard))? else { return Ok(None) };
    Ok(Some(get_log_id(&mut &bytes[..]).map_err(CodecError::from)?))
}

/// The state machine of one group.
pub struct Machine<E: Env> {
    store: Arc<dyn StateStore>,
    /// Where the installation of a snapshot is noted first, and entries are durable before they are applied.
    log: GroupLog<E>,
    shard: ShardState,
    applied: Option<LogId>,
    membership: StoredMembership,
    /// The term of the last entry that the lease was told about.
    told_term: u64,
    lease: Arc<LeaseFeed>,
    published: Arc<Published>,
    fault: FaultSignal,
}

impl<E: Env> Machine<E> {
    /// The machine of a group as it was recovered.
    pub fn new(
        store: Arc<dyn StateStore>,
        log: GroupLog<E>,
        recovered: RecoveredState,
        lease: Arc<LeaseFeed>,
        published: Arc<Published>,
        fault: FaultSignal,
    ) -> Self {
        Machine {
            store,
            log,
            shard: recovered.shard,
            applied: recovered.applied,
            membership: recovered.membership,
            told_term: 0,
            lease,
            published,
            fault,
        }
    }

    /// Applies one entry and publishes it.
    fn apply_one(&mut self, entry: &LogEntry) -> io::Result<Applied> {
        debug_assert!(
            self.applied.is_none_or(|applied| applied < entry.log_id),
            "entries are applied in the order of the log"
        );
        let mut batch = WriteBatch::new();
        let outcomes = match &entry.payload {
            EntryPayload::Blank => Vec::new(),
            EntryPayload::Normal(payload) => self.apply_commands(payload, &mut batch)?,
            EntryPayload::Membership(membership) => {
                self.remember_membership(entry.log_id, membership, &mut batch);
                Vec::new()
            }
        };
        let mut applied = Vec::new();
        put_log_id(&mut applied, &entry.log_id);
        batch.put(&local::applied(self.shard.id), &applied);
        self.store.write(&batch).map_err(|error| self.stop(&format!("writing the state failed: {error}")))?;
        self.applied = Some(entry.log_id);
        self.publish(entry, &outcomes);
        Ok(Applied(outcomes))
    }

    fn apply_commands(&mut self, payload: &Payload, batch: &mut WriteBatch) -> io::Result<Vec<Outcome>> {
        let entry = payload.entry();
        let (shard, reader) = (&mut self.shard, &*self.store);
        let result = if entry.commands.len() > COMMANDS_INLINE_MAX {
            E::in_place(|| apply_entry(shard, reader, batch, entry))
        } else {
            apply_entry(shard, reader, batch, entry)
        };
        result.map_err(|fault| self.stop(&format!("applying an entry failed: {fault}")))
    }

    fn remember_membership(&mut self, log_id: LogId, membership: &Membership, batch: &mut WriteBatch) {
        self.membership = StoredMembership::new(Some(log_id), membership.clone());
        let mut bytes = Vec::new();
        put_stored_membership(&mut bytes, &self.membership);
        batch.put(&local::membership(self.shard.id), &bytes);
    }

    fn publish(&mut self, entry: &LogEntry, outcomes: &[Outcome]) {
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Ddl(outcome) if outcome.changes_catalog())) {
            self.published.set_catalog(self.shard.catalog());
        }
        if let EntryPayload::Normal(payload) = &entry.payload
            && payload.entry().commands.iter().any(|stamped| stamped.command.changes_locks())
        {
            self.published.set_transactions(&self.shard.locks);
        }
        if let EntryPayload::Membership(membership) = &entry.payload {
            self.lease.membership_is_applied(entry.log_id.index(), membership);
        }
        self.published.show_lanes(&self.shard.lanes);
        self.published.advance(entry.log_id.index(), self.shard.ceiling);
        // After the state shows the entry: a read that the lease lets through from here on sees it.
        let term = entry.log_id.committed_leader_id().term;
        if term != self.told_term {
            self.told_term = term;
            self.lease.entry_is_applied(term);
        }
    }

    /// Raises the fault that stops this node, and gives openraft its error.
    fn stop(&self, reason: &str) -> io::Error {
        let reason = format!("shard {}: {reason}", self.shard.id.0);
        self.fault.raise(reason.clone());
        io::Error::other(reason)
    }

    /// Replaces the state; what to do after a crash in between is noted first.
    async fn install(&mut self, upto: LogId, staged: StagedSnapshot) -> io::Result<()> {
        let mut leftovers = content(&self.shard);
        leftovers.retain(|range| !staged.ranges.contains(range));
        let note = Incoming { upto, leftovers };
        self.log.note_incoming(&note).await?;
        let installed = match staged.commit().await {
            Ok(()) => E::in_place(|| note.sweep(&*self.store)),
            Err(error) => Err(error),
        };
        installed.map_err(|error| self.stop(&format!("installing a snapshot failed: {error}")))
    }

    fn pin(&self) -> SnapshotPin {
        SnapshotPin {
            meta: SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone() },
            store: Arc::clone(&self.store),
            shard: self.shard.id,
            map: Arc::clone(&self.shard.map),
        }
    }
}

impl<E: Env> Drop for Machine<E> {
    fn drop(&mut self) {
        // Whoever waits for an outcome would wait for ever, and so would everybody after it.
        if std::thread::panicking() {
            self.fault.raise(format!("shard {}: applying an entry panicked", self.shard.id.0));
        }
    }
}

impl<E: Env> RaftStateMachine<Types<E>> for Machine<E> {
    type SnapshotData = ShardSnapshot;
    type SnapshotBuilder = SnapshotPin;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types<E>>>> + Unpin + OptionalSend,
    {
        let mut commands = 0;
        while let Some((entry, responder)) = entries.try_next().await? {
            if let Some(durable) = self.log.still_volatile(entry.log_id.index()) {
                tokio::select! {
                    () = durable.wait(entry.log_id.index()) => {}
                    reason = self.fault.raised() => return Err(io::Error::other(reason)),
                }
            }
            let applied = self.apply_one(&entry)?;
            commands += applied.0.len();
            if let Some(responder) = responder {
                responder.send(applied);
            }
            if commands >= COMMANDS_PER_TURN_MAX {
                commands = 0;
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotPin {
        self.pin()
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: ShardSnapshot) -> io::Result<()> {
        let staged = match snapshot {
            ShardSnapshot::Staged(staged) => staged,
            ShardSnapshot::Pinned(pin) => StagedSnapshot::copy::<E>(&pin, &self.store, &self.shard)
                .await
                .map_err(|refusal| self.stop(&refusal.to_string()))?,
        };
        if let Some(upto) = meta.last_log_id {
            self.install(upto, staged).await?;
        }
        let recovered = RecoveredState::read(&*self.store, self.shard.id, Arc::clone(&self.shard.map))
            .map_err(|error| self.stop(&error.to_string()))?;
        self.shard = recovered.shard;
        self.applied = recovered.applied;
        self.membership = recovered.membership;
        if let Some(log_id) = self.membership.log_id() {
            self.lease.membership_is_installed(log_id.index(), self.membership.membership());
        }
        self.published.show_lanes(&self.shard.lanes);
        self.published.set_transactions(&self.shard.locks);
        self.published.replace(self.shard.catalog(), self.shard.ceiling, self.applied.map(|applied| applied.index()));
        Ok(())
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<Snapshot<super::types::CommittedLeaderId, u64, super::types::Member, ShardSnapshot>>> {
        if self.applied.is_none() {
            return Ok(None);
        }
        Ok(Some(self.pin().snapshot()))
    }
}
