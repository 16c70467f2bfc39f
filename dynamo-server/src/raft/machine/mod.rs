//! The state machine of one group: entries in, rows and outcomes out.
//!
//! Each entry is applied by the engine into one batch, together with its log id, and written before the next one is
//! looked at. So what the state store persists is always a prefix of the log, and it says itself how long that prefix
//! is; the store needs no log of its own. Then what changed is published, and the outcomes go to whoever waits.
//!
//! Where the store fails, the node stops; but where it only has no room, applying waits until there is some
//! ([`patience`](self::patience)). Where one entry cannot be applied (it panics, meets a damaged row, comes from a newer
//! program) the shard alone stops on this node and names the entry: see [`quarantine`](self::quarantine). Nothing is
//! skipped but what an operator has named ([`skip`](self::skip)).
//!
//! Applying shares its thread with the group's ticks and heartbeats. So it works in *turns*: after so many commands, or so many
//! bytes of rows read and written ([`Turn`]), it lets others run, also in the middle of an entry; a small command may touch
//! a large item. One command that is more than a turn by itself ([`long_command`](self::long_command)), and a batch that is
//! large or that the store may hold up, go to another thread.

pub(super) mod applied;
pub(super) mod comparison;
pub(super) mod long_command;
pub(super) mod patience;
pub(super) mod published;
pub(super) mod quarantine;
pub(super) mod recovered;
pub(super) mod skip;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::{Applier, Fault, Outcome, ShardState};
use dynamo_engine::command::Command;
use dynamo_engine::keyspace::{RowRange, local};
use futures::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, Snapshot};
use ordered_kv::{StateStore, StoreError, WriteBatch};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::comparison::Mark;
use self::long_command::{Failure, LongCommand, attempt};
use self::patience::Patience;
use self::published::Published;
use self::quarantine::Quarantine;
use self::recovered::RecoveredState;
use self::skip::Skips;
use super::codec::{put_log_id, put_stored_membership};
use super::lease::LeaseFeed;
use super::log::GroupLog;
use super::payload::{Applied, Payload};
use super::rules::{self, Rule};
use super::snapshot::incoming::Incoming;
use super::snapshot::stage::StagedSnapshot;
use super::snapshot::{ShardSnapshot, SnapshotPin, content};
use super::types::{LogEntry, LogId, Membership, SnapshotMeta, StoredMembership, Types, key_of};
use crate::env::Env;
use crate::env::FaultSignal;

/// Commands after which applying lets other tasks run: about a millisecond.
pub const COMMANDS_PER_TURN_MAX: usize = 256;

/// Bytes of rows read and written, and steps of expressions, after which it does, and the most that one command may take
/// where others wait: about a millisecond.
pub const WORK_PER_TURN_MAX: usize = 1 << 20;

/// Entries that are applied at the same time, of all groups of a node, with plenty of memory: those whose work is more than
/// [`WORK_PER_TURN_MAX`]. One holds some [`ENTRY_ROWS_BYTES_MAX`](dynamo_engine::cost::ENTRY_ROWS_BYTES_MAX) until it is written.
pub const LARGE_ENTRIES_MAX: usize = 64;

/// Bytes of a batch that is written where the others run. Copying a megabyte takes about as long as waking a thread twice.
const WRITE_INLINE_BYTES_MAX: usize = 1 << 20;

/// How long a group goes on without applying where the store takes no more writes. The node ends before, as a rule: once that is
/// noted on the disk and others lead.
const LEAVE_MAX: Duration = Duration::from_secs(3);

/// The state machine of one group.
pub struct Machine<E: Env> {
    /// Where the rows are.
    store: Arc<dyn StateStore>,
    /// Where the installation of a snapshot is noted first, and entries are durable before they are applied.
    log: GroupLog<E>,
    /// The shard's replicated scalars, as of the last applied entry.
    shard: ShardState,
    /// The last applied entry.
    applied: Option<LogId>,
    /// The last applied membership.
    membership: StoredMembership,
    /// Entries that an operator has skipped.
    skips: Skips,
    /// What was done since other tasks could run.
    turn: Turn,
    /// Places of the node for entries that are large when they are applied.
    large_entries: Arc<Semaphore>,
    /// The place of the entry at hand, if it is large; until its batch is written, or waits for room.
    large: Option<OwnedSemaphorePermit>,
    /// The term of the last entry that the lease was told about.
    told_term: u64,
    /// Told of entries and memberships once they are applied.
    lease: Arc<LeaseFeed>,
    /// What others see of the applied state.
    published: Arc<Published>,
    /// Raised when the store fails.
    fault: FaultSignal,
}

impl<E: Env> Machine<E> {
    /// The machine of a group as it was recovered, on a node that applies so many large entries at the same time.
    pub fn new(
        store: Arc<dyn StateStore>,
        log: GroupLog<E>,
        recovered: RecoveredState,
        (lease, published): (Arc<LeaseFeed>, Arc<Published>),
        large_entries: Arc<Semaphore>,
        fault: FaultSignal,
    ) -> Self {
        Machine {
            store,
            log,
            shard: recovered.shard,
            applied: recovered.applied,
            membership: recovered.membership,
            skips: recovered.skips,
            turn: Turn::default(),
            large_entries,
            large: None,
            told_term: 0,
            lease,
            published,
            fault,
        }
    }

    /// Applies one entry and publishes it.
    async fn apply_one(&mut self, entry: &LogEntry) -> io::Result<Applied> {
        debug_assert!(
            self.applied.is_none_or(|applied| applied < entry.log_id),
            "entries are applied in the order of the log"
        );
        debug_assert_eq!(
            self.applied.map_or(self.published.applied_next(), |applied| applied.index() + 1),
            self.published.applied_next(),
            "what is published is what is applied"
        );
        let mut batch = WriteBatch::new();
        let mut is_skipped = false;
        let (outcomes, emptied) = match &entry.payload {
            EntryPayload::Blank => Default::default(),
            EntryPayload::Normal(payload) => match self.apply_commands(payload, &mut batch).await {
                Ok(applied) => applied,
                Err(Failure::Node(reason)) => return Err(self.stop(&reason)),
                Err(Failure::Damage(reason)) => return Err(self.quarantine(Quarantine::Data(reason))),
                Err(Failure::Entry { reason, .. }) if self.skips.contains(&key_of(&entry.log_id)) => {
                    let (shard, entry) = (self.shard.id.0, entry.log_id);
                    tracing::error!(
                        shard, %entry, %payload, reason, "an operator has this entry skipped: nothing of it is applied"
                    );
                    self.forget_what_failed()?;
                    batch = WriteBatch::new();
                    is_skipped = true;
                    Default::default()
                }
                Err(Failure::Entry { command, reason }) => {
                    return Err(self.quarantine(Quarantine::at(&entry.log_id, command, reason)));
                }
            },
            EntryPayload::Membership(membership) => {
                self.remember_membership(entry.log_id, membership, &mut batch);
                Default::default()
            }
        };
        if !is_skipped {
            self.take_back_skips(entry.log_id, &mut batch);
        }
        let mut applied = Vec::new();
        put_log_id(&mut applied, &entry.log_id);
        batch.put(&local::applied(self.shard.id), &applied);
        match self.write(batch).await {
            Ok(()) => {}
            // The group stops; the entry is applied after the next start.
            Err(error @ StoreError::Closed(_)) if self.published.is_stopping() => {
                return Err(io::Error::other(error.to_string()));
            }
            Err(error) => {
                if matches!(error, StoreError::Corruption(_)) && self.store.damage().is_some() {
                    // Every group meets it. Whoever watches the store stops the node, and lets others lead first what still runs.
                    E::sleep(LEAVE_MAX).await;
                }
                return Err(self.stop(&format!("writing the state failed: {error}")));
            }
        }
        self.applied = Some(entry.log_id);
        self.published.note_emptied(emptied);
        if self.published.comparison().is_armed() && has_no_op(entry) {
            let (index, view) = (entry.log_id.index(), self.store.view());
            self.published.comparison().mark(Mark { index, view, ranges: content(&self.shard) });
        }
        self.publish(entry, &outcomes);
        self.validate();
        Ok(Applied(outcomes))
    }

    /// Checks how the fields must relate; called in debug builds whenever the state has changed.
    fn validate(&self) {
        debug_assert!(
            self.membership.log_id().map(|log_id| log_id.index()) <= self.applied.map(|applied| applied.index()),
            "a membership is applied with its entry"
        );
        debug_assert!(self.shard.high_water <= self.shard.ceiling, "no timestamp is above the ceiling");
        debug_assert_eq!(
            self.published.ceiling(),
            self.shard.ceiling,
            "the ceiling that others see is the applied one"
        );
        debug_assert!(
            self.applied.is_none_or(|applied| self.published.applied_next() == applied.index() + 1),
            "others see what is applied, and no more"
        );
    }

    /// Applies the commands of an entry into `batch`, in turns. Returns their outcomes, and the ranges that they empty for good.
    async fn apply_commands(
        &mut self,
        payload: &Payload,
        batch: &mut WriteBatch,
    ) -> Result<(Vec<Outcome>, Vec<RowRange>), Failure> {
        let unreadable = |error: &dynamo_engine::command::DecodeError| {
            Failure::of_entry("commands", format!("it cannot be read: {error}"))
        };
        let entry = payload.entry().map_err(unreadable)?;
        let mut applier = Applier::new(&mut self.shard, &*self.store, entry);
        let mut outcomes = Vec::with_capacity(entry.commands.len());
        let mut work = 0;
        for (at, stamped) in entry.commands.iter().enumerate() {
            let tried = attempt::<E, _>(payload, stamped, &mut applier, |applier, stamped| {
                match applier.apply(stamped, WORK_PER_TURN_MAX as u64) {
                    Err(Fault::TooLong) => Ok(None),
                    applied => applied.map(Some),
                }
            });
            let tried = match tried {
                Err(Failure::Entry { .. }) if !rules::is_kept(Rule::PoisonStops) => Some(Outcome::Done),
                tried => tried?,
            };
            if let Some(outcome) = tried {
                outcomes.push(outcome);
                let done = applier.take_work();
                work += done;
                if self.turn.is_over_after(done) {
                    self.published.ends_turn(self.turn.end());
                    tokio::task::yield_now().await;
                }
                if work > WORK_PER_TURN_MAX {
                    take_place(&self.large_entries, &mut self.large).await;
                }
                continue;
            }
            self.turn.is_over_after(applier.take_work());
            self.published.ends_turn(self.turn.end());
            take_place(&self.large_entries, &mut self.large).await;
            self.published.counts_long_command();
            let (store, payload) = (Arc::clone(&self.store), payload.clone());
            let entry = applier.suspend();
            let nothing = ShardState::new(self.shard.id, Arc::clone(&self.shard.map));
            let shard = std::mem::replace(&mut self.shard, nothing);
            let (shard, entry, outcome) = LongCommand { store, shard, entry, payload, at }.apply::<E>().await;
            self.shard = shard;
            outcomes.push(outcome?);
            let Some(entry) = entry else { return Err(Failure::of_entry("commands", "they are lost".to_owned())) };
            applier = entry.resume(&mut self.shard, &*self.store);
        }
        let emptied = applier.finish(batch);
        debug_assert_eq!(outcomes.len(), entry.commands.len(), "one outcome per command");
        Ok((outcomes, emptied))
    }

    /// An entry that can be applied here is applied, whatever an operator has said: other replicas have applied it, too, or
    /// will, and this one must not differ from them. What was named at this index goes, whatever its term and kind.
    fn take_back_skips(&mut self, entry: LogId, batch: &mut WriteBatch) {
        if skip::strike_out(&mut self.skips, entry.index()) {
            let shard = self.shard.id.0;
            tracing::error!(
                shard, %entry,
                "an operator has an entry of this index skipped, but it can be applied here, and is: a replica that \
                 has skipped it differs, and must be replaced"
            );
            skip::put(batch, self.shard.id, &self.skips);
        }
    }

    /// What a command has done to the shard's state in memory before it failed goes: the store has nothing of it.
    fn forget_what_failed(&mut self) -> io::Result<()> {
        let recovered = RecoveredState::read(&*self.store, self.shard.id, Arc::clone(&self.shard.map));
        self.shard = recovered.map_err(|error| self.stop(&error.to_string()))?.shard;
        Ok(())
    }

    /// Writes a batch, here or where it holds nobody up; once there is room.
    async fn write(&mut self, batch: WriteBatch) -> Result<(), StoreError> {
        if batch.as_bytes().len() <= WRITE_INLINE_BYTES_MAX && !self.store.may_stall() {
            match self.store.write(&batch) {
                Err(StoreError::Full(_)) if rules::is_kept(Rule::WaitForRoom) => {}
                written => return written,
            }
        }
        self.write_patiently(batch).await
    }

    async fn write_patiently(&mut self, batch: WriteBatch) -> Result<(), StoreError> {
        let (batch, mut patience) = (Arc::new(batch), Patience::default());
        loop {
            let (store, again) = (Arc::clone(&self.store), Arc::clone(&batch));
            let reason = match E::blocking(move || store.write(&again)).await {
                Err(StoreError::Full(reason)) => reason,
                written => return written,
            };
            if self.published.is_stopping() {
                return Err(StoreError::Closed(reason));
            }
            // What gives room back may be an entry that waits for the place.
            self.large = None;
            patience.wait::<E>("an entry is applied", &reason).await;
        }
    }

    /// What openraft is told of entries that are not applied: a running group ends by it. One that is being started would not
    /// even be, and the node with it; so it hears nothing, and ends as soon as it has started ([`Group::start`]).
    ///
    /// [`Group::start`]: super::Group::start
    fn stands_still(&self, quarantine: &Quarantine) -> io::Result<()> {
        match self.published.is_running() {
            true => Err(io::Error::other(format!("shard {} stands still: {quarantine}", self.shard.id.0))),
            false => Ok(()),
        }
    }

    /// Stops the shard on this node, and gives openraft its error.
    fn quarantine(&self, quarantine: Quarantine) -> io::Error {
        self.lease.shut_down();
        let shard = self.shard.id.0;
        tracing::error!(shard, %quarantine, "the shard stands still on this node: an entry cannot be applied");
        let error = io::Error::other(format!("shard {shard} stands still: {quarantine}"));
        self.published.set_quarantine(quarantine);
        error
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
            && payload.entry().is_ok_and(|entry| entry.commands.iter().any(|stamped| stamped.command.changes_locks()))
        {
            self.published.set_transactions(&self.shard.locks);
        }
        if let EntryPayload::Membership(membership) = &entry.payload {
            self.lease.membership_is_applied(entry.log_id.index(), membership);
        }
        self.published.show_channels(&self.shard.channels);
        self.published.show_streams(self.shard.streams.totals());
        self.published.show_client_tokens(self.shard.has_client_tokens());
        self.published.advance(entry.log_id.index(), self.shard.ceiling);
        self.log.has_applied();
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
        debug_assert!(self.applied.is_none_or(|applied| applied <= upto), "a snapshot does not undo what is applied");
        let mut leftovers = content(&self.shard);
        leftovers.retain(|range| !staged.ranges.contains(range));
        let note = Incoming { upto, leftovers };
        self.log.note_incoming(&note).await?;
        let installed = match staged.commit().await {
            Ok(()) => self.sweep(&note).await,
            Err(error) => Err(error),
        };
        installed.map_err(|error| self.stop(&format!("installing a snapshot failed: {error}")))?;
        self.published.note_emptied(note.leftovers);
        Ok(())
    }

    async fn sweep(&self, note: &Incoming) -> Result<(), StoreError> {
        let mut patience = Patience::default();
        loop {
            match E::in_place(|| note.sweep(&*self.store)) {
                Err(StoreError::Full(reason)) => patience.wait::<E>("what a snapshot replaces goes", &reason).await,
                swept => return swept,
            }
        }
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
            let next = LogId::new(
                super::types::CommittedLeaderId::new(self.told_term),
                self.applied.map_or(0, |applied| applied.index() + 1),
            );
            self.quarantine(Quarantine::at(&next, "unknown", "what follows the entry before panicked"));
        }
    }
}

/// Takes a place for an entry that turns out to be large, once.
async fn take_place(places: &Arc<Semaphore>, place: &mut Option<OwnedSemaphorePermit>) {
    if place.is_none() {
        *place = Arc::clone(places).acquire_owned().await.ok();
    }
}

/// Whether this is the entry at which replicas are compared.
fn has_no_op(entry: &LogEntry) -> bool {
    let EntryPayload::Normal(payload) = &entry.payload else { return false };
    payload.entry().is_ok_and(|entry| entry.commands.iter().any(|stamped| stamped.command == Command::Noop))
}

/// What was done since other tasks could run.
#[derive(Clone, Copy, Debug, Default)]
struct Turn {
    /// Commands applied.
    commands: usize,
    /// Bytes of rows read and written.
    work: usize,
}

impl Turn {
    /// Whether it is time to let others run after one more command that did so much.
    fn is_over_after(&mut self, work: usize) -> bool {
        self.commands += 1;
        self.work += work;
        self.commands >= COMMANDS_PER_TURN_MAX || self.work >= WORK_PER_TURN_MAX
    }

    /// Begins a new one; the work of the last.
    fn end(&mut self) -> usize {
        std::mem::take(self).work
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
        if let Some(quarantine) = self.published.quarantine() {
            return self.stands_still(&quarantine);
        }
        while let Some((entry, responder)) = entries.try_next().await? {
            if let Some(durable) = self.log.still_volatile(entry.log_id.index()) {
                tokio::select! {
                    () = durable.wait(entry.log_id.index()) => {}
                    reason = self.fault.raised() => return Err(io::Error::other(reason)),
                }
            }
            let applied = self.apply_one(&entry).await;
            self.large = None;
            let applied = match applied {
                Ok(applied) => applied,
                Err(error) => {
                    return self.published.quarantine().map_or(Err(error), |quarantine| self.stands_still(&quarantine));
                }
            };
            if let Some(responder) = responder {
                responder.send(applied);
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
        self.skips = recovered.skips;
        if let Some(log_id) = self.membership.log_id() {
            self.lease.membership_is_installed(log_id.index(), self.membership.membership());
        }
        self.published.show_channels(&self.shard.channels);
        self.published.show_streams(self.shard.streams.totals());
        self.published.show_client_tokens(self.shard.has_client_tokens());
        self.published.set_transactions(&self.shard.locks);
        self.published.replace(self.shard.catalog(), self.shard.ceiling, self.applied.map(|applied| applied.index()));
        debug_assert!(
            meta.last_log_id.is_none() || self.applied == meta.last_log_id,
            "a snapshot leaves the state at its entry"
        );
        self.validate();
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
