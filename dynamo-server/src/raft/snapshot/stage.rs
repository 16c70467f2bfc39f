//! The receiver's side of a snapshot: rows are staged beside the state and replace it all at once.
//!
//! A task per transfer owns a bulk load of the state store ([`Ingest`]): files that nobody sees until they are linked in
//! with one record, and that vanish when the task ends before. It takes one chunk after the other, so a node never holds
//! a snapshot in memory, and it outlives the connection that brought a chunk, so the sender may go on over another one.
//!
//! ```text
//!            begin                 end               install
//!  (nothing) ─────▶ taking chunks ─────▶ complete ─────────▶ installed
//!                    │  a newer begin, no chunk for IDLE_MAX, bad content, the group stops: thrown away
//!
//! Complete, it is handed over to openraft, and from then on waits for as long as the installation takes to come.
//! ```
//!
//! There is one transfer per group. What is replaced is the content of the shard as it was here when the transfer began
//! and as it is there; `Machine` looks after what came in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dynamo_engine::apply::ShardState;
use dynamo_engine::keyspace::RowRange;
use ordered_kv::{Ingest, StateStore, StoreError};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::message::{Refusal, get_row};
use super::send::Source;
use super::{SNAPSHOT_CHUNK_BYTES, SnapshotPin, content, union};
use crate::env::Env;
use crate::raft::machine::patience::Patience;
use crate::raft::types::{SnapshotMeta, Vote};

/// Messages that wait for the task. A sender has one under way, and may repeat it.
const MAILBOX: usize = 4;

/// How long a transfer may say nothing. Its sender gives up much earlier; this frees the disk.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// What the task is asked to do.
enum Work {
    Chunk { number: u64, rows: Bytes, answer: oneshot::Sender<Result<u64, Refusal>> },
    End { chunks: u64, rows: u64, answer: oneshot::Sender<Result<(), Refusal>> },
    Commit { answer: oneshot::Sender<Result<(), StoreError>> },
}

/// What a group receives.
pub(in crate::raft) struct Staging {
    /// A plain lock, held for looks and replacements, never over an await.
    inner: Mutex<Inner>,
}

struct Inner {
    /// Snapshots installed since the start.
    installed: u64,
    /// `None` once the group has stopped.
    store: Option<Arc<dyn StateStore>>,
    /// The one transfer that there may be.
    slot: Slot,
}

/// Where the transfer of a group stands.
#[derive(Clone, Default)]
pub(in crate::raft) enum Slot {
    /// There is none.
    #[default]
    Empty,
    /// Chunks come in.
    Taking(Transfer),
    /// This transfer is complete and being installed.
    Installing(u64),
    /// This one was, and the sender may not have heard it.
    Installed(u64, Vote),
}

/// A transfer as messages find it.
#[derive(Clone)]
pub(in crate::raft) struct Transfer {
    /// The leadership that sends it.
    pub(in crate::raft) vote: Vote,
    /// Drawn by the sender.
    pub(in crate::raft) id: u64,
    /// What the snapshot is of.
    pub(in crate::raft) meta: SnapshotMeta,
    /// Whose rows it replaces.
    ranges: Arc<Vec<RowRange>>,
    /// To the task that owns the load.
    work: mpsc::Sender<Work>,
    /// Whether it is handed over or given up.
    fate: Arc<Fate>,
}

/// Whether a transfer is handed over or given up: one of the two, whichever is first, for good.
#[derive(Default)]
struct Fate(AtomicU8);

impl Fate {
    const OPEN: u8 = 0;
    const HANDED_OVER: u8 = 1;
    const GIVEN_UP: u8 = 2;

    /// Whether that is what became of it.
    fn decide(&self, fate: u8) -> bool {
        match self.0.compare_exchange(Fate::OPEN, fate, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(decided) => decided == fate,
        }
    }
}

/// A complete snapshot that waits to be installed. Dropped, it leaves no trace.
pub struct StagedSnapshot {
    /// Every range whose rows it replaces.
    pub(in crate::raft) ranges: Arc<Vec<RowRange>>,
    /// To the task that owns the load.
    work: mpsc::Sender<Work>,
}

impl Staging {
    /// For a group whose rows are in `store`.
    pub(in crate::raft) fn new(store: Arc<dyn StateStore>) -> Self {
        Staging { inner: Mutex::new(Inner { installed: 0, store: Some(store), slot: Slot::Empty }) }
    }

    /// The store; `None` once the group has stopped.
    pub(in crate::raft) fn store(&self) -> Option<Arc<dyn StateStore>> {
        self.inner.lock().store.clone()
    }

    /// Begins a transfer in the place of the one before. `replaced` are the ranges whose rows go, `sent` those that may
    /// come, both in order.
    pub(in crate::raft) fn begin<E: Env>(
        &self,
        store: Arc<dyn StateStore>,
        (vote, id, meta): (Vote, u64, SnapshotMeta),
        replaced: Vec<RowRange>,
        sent: Vec<RowRange>,
    ) -> Transfer {
        let (work, mailbox) = mpsc::channel(MAILBOX);
        let replaced = Arc::new(replaced);
        let fate = Arc::new(Fate::default());
        let task = Task { store, replaced: Arc::clone(&replaced), sent, mailbox, fate: Arc::clone(&fate) };
        let transfer = Transfer { vote, id, meta, ranges: replaced, work, fate };
        self.inner.lock().slot = Slot::Taking(transfer.clone());
        E::spawn(task.run::<E>());
        transfer
    }

    /// Where the transfer stands.
    pub(in crate::raft) fn slot(&self) -> Slot {
        self.inner.lock().slot.clone()
    }

    /// The complete transfer, to be installed; from now on its task lives for as long as the result does. `None` where
    /// another message was quicker.
    pub(in crate::raft) fn hand_over(&self, transfer: Transfer) -> Option<StagedSnapshot> {
        let slot = &mut self.inner.lock().slot;
        let is_taken = matches!(slot, Slot::Taking(current) if current.id == transfer.id);
        if !is_taken || !transfer.fate.decide(Fate::HANDED_OVER) {
            return None;
        }
        debug_assert!(transfer.ranges.windows(2).all(|pair| pair[0].start <= pair[1].start), "ranges are in order");
        *slot = Slot::Installing(transfer.id);
        Some(StagedSnapshot { ranges: transfer.ranges, work: transfer.work })
    }

    /// An installation is over; with this vote where it went well.
    pub(in crate::raft) fn installed(&self, transfer: u64, vote: Option<Vote>) {
        let mut inner = self.inner.lock();
        debug_assert!(
            !matches!(inner.slot, Slot::Installing(current) if current != transfer),
            "one transfer is installed at a time"
        );
        inner.installed += u64::from(vote.is_some());
        inner.slot = vote.map_or(Slot::Empty, |vote| Slot::Installed(transfer, vote));
    }

    /// How many snapshots were installed since the start.
    pub(in crate::raft) fn count(&self) -> u64 {
        self.inner.lock().installed
    }

    /// Throws away what is there, and takes nothing any more.
    pub(in crate::raft) fn close(&self) {
        let mut inner = self.inner.lock();
        (inner.store, inner.slot) = (None, Slot::Empty);
    }
}

impl Transfer {
    /// Stages a chunk; gives the number of the one that is missing next.
    pub(in crate::raft) async fn chunk(&self, number: u64, rows: Bytes) -> Result<u64, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Work::Chunk { number, rows, answer })?;
        answered.await.unwrap_or(Err(Refusal::Transfer))
    }

    /// Whether everything is there.
    pub(in crate::raft) async fn end(&self, chunks: u64, rows: u64) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Work::End { chunks, rows, answer })?;
        answered.await.unwrap_or(Err(Refusal::Transfer))
    }

    fn ask(&self, work: Work) -> Result<(), Refusal> {
        self.work.try_send(work).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::Busy,
            mpsc::error::TrySendError::Closed(_) => Refusal::Transfer,
        })
    }
}

impl StagedSnapshot {
    /// Stages the pinned shard of another store in this process, as the replica of `current` in `store` would.
    ///
    /// # Errors
    /// When it cannot be read or staged.
    pub async fn copy<E: Env>(
        pin: &SnapshotPin,
        store: &Arc<dyn StateStore>,
        current: &ShardState,
    ) -> Result<StagedSnapshot, Refusal> {
        let mut source = E::in_place(|| Source::open(pin, SNAPSHOT_CHUNK_BYTES)).map_err(|_| Refusal::Store)?;
        let staging = Staging::new(Arc::clone(store));
        let replaced = union(content(current), &source.ranges);
        let head = (Vote::new(0, 0), 0, source.meta.clone());
        let transfer = staging.begin::<E>(Arc::clone(store), head, replaced, source.ranges.clone());
        let (mut number, mut sent) = (0, 0);
        loop {
            let (rows, count) = E::in_place(|| source.next_chunk()).map_err(|_| Refusal::Store)?;
            sent += count;
            if count == 0 {
                transfer.end(number, sent).await?;
                return staging.hand_over(transfer).ok_or(Refusal::Transfer);
            }
            number = transfer.chunk(number, rows.into()).await?;
        }
    }

    /// Replaces the rows of the shard; durable on return, and all or nothing. Where the disk has no room for that, it waits
    /// until there is some.
    ///
    /// # Errors
    /// When that cannot be done; nothing has changed then.
    pub async fn commit(self) -> Result<(), StoreError> {
        let gone = || StoreError::Io("a staged snapshot is gone".to_owned());
        let (answer, answered) = oneshot::channel();
        self.work.send(Work::Commit { answer }).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// The task that owns the load.
struct Task {
    /// Where the rows go.
    store: Arc<dyn StateStore>,
    /// Ranges whose rows go, in order.
    replaced: Arc<Vec<RowRange>>,
    /// Ranges in which rows may come, in order.
    sent: Vec<RowRange>,
    /// What it is asked to do.
    mailbox: mpsc::Receiver<Work>,
    /// Whether the transfer is handed over or given up.
    fate: Arc<Fate>,
}

impl Task {
    /// What is asked next; `None` once nobody can ask any more, or the sender says nothing for too long. A snapshot that is
    /// handed over waits for its installation however long that takes: the log here relies on it.
    async fn next<E: Env>(&mut self) -> Option<Work> {
        loop {
            match E::timeout(IDLE_MAX, self.mailbox.recv()).await {
                Some(work) => return work,
                None if self.fate.decide(Fate::GIVEN_UP) => return None,
                None => {}
            }
        }
    }

    async fn run<E: Env>(mut self) {
        let store = Arc::clone(&self.store);
        let begun = store.ingest().and_then(|mut load| {
            self.replaced.iter().try_for_each(|range| load.replace(&range.start, &range.end))?;
            Ok(load)
        });
        let load = match begun {
            Ok(load) => load,
            Err(error) => return tracing::warn!(%error, "a snapshot cannot be staged"),
        };
        let sent = std::mem::take(&mut self.sent);
        let mut stage = Stage { load, sent: &sent, range: 0, last: Vec::new(), chunks: 0, rows: 0 };
        // A sender whose answer is not awaited any more has given up, or asks again.
        while let Some(work) = self.next::<E>().await {
            match work {
                Work::Chunk { number, rows, answer } => {
                    let staged = if number == stage.chunks { E::in_place(|| stage.take(&rows)) } else { Ok(()) };
                    let _ = answer.send(staged.map(|()| stage.chunks));
                    if let Err(refusal) = staged {
                        return tracing::warn!(number, %refusal, "a snapshot is thrown away");
                    }
                }
                Work::End { chunks, rows, answer } => {
                    let is_complete = (stage.chunks, stage.rows) == (chunks, rows);
                    let sealed = if is_complete { E::in_place(|| stage.seal()) } else { Err(Refusal::Content) };
                    let _ = answer.send(sealed);
                    if sealed == Err(Refusal::Store) {
                        return;
                    }
                }
                Work::Commit { answer } => {
                    let _ = answer.send(stage.commit::<E>().await);
                    return;
                }
            }
        }
    }
}

/// A load with what it has taken so far.
struct Stage<'a> {
    /// What becomes the state all at once.
    load: Box<dyn Ingest + 'a>,
    /// The ranges in which rows may come, in order.
    sent: &'a [RowRange],
    /// The one that rows came in last.
    range: usize,
    /// The key of the last row.
    last: Vec<u8>,
    /// Chunks taken.
    chunks: u64,
    /// Rows in them.
    rows: u64,
}

impl Stage<'_> {
    /// Ends the rows: what is handed over has its room on the disk.
    fn seal(&mut self) -> Result<(), Refusal> {
        self.load.seal().map_err(|error| {
            tracing::warn!(%error, "a snapshot cannot be staged");
            Refusal::Store
        })
    }

    /// Makes it the state, when there is room.
    async fn commit<E: Env>(&mut self) -> Result<(), StoreError> {
        let mut patience = Patience::default();
        loop {
            match E::in_place(|| self.load.commit()) {
                Err(StoreError::Full(reason)) => patience.wait::<E>("a snapshot is installed", &reason).await,
                other => return other,
            }
        }
    }

    /// Takes the next chunk.
    fn take(&mut self, rows: &[u8]) -> Result<(), Refusal> {
        let mut rest = rows;
        while !rest.is_empty() {
            let (key, value) = get_row(&mut rest).map_err(|_| Refusal::Content)?;
            self.check(key)?;
            self.load.put(key, value).map_err(|error| {
                tracing::warn!(%error, "a row of a snapshot cannot be staged");
                Refusal::Store
            })?;
            self.rows += 1;
        }
        debug_assert!(self.rows == 0 || self.range < self.sent.len(), "every row came in an announced range");
        self.chunks += 1;
        Ok(())
    }

    /// A row must come behind the one before, in an announced range: otherwise it is another shard's, or nobody's.
    fn check(&mut self, key: &[u8]) -> Result<(), Refusal> {
        if self.rows > 0 && key <= &self.last[..] {
            return Err(Refusal::Content);
        }
        self.last.clear();
        self.last.extend_from_slice(key);
        while let Some(range) = self.sent.get(self.range) {
            if key < &range.start[..] {
                return Err(Refusal::Content);
            }
            if range.end.is_empty() || key < &range.end[..] {
                return Ok(());
            }
            self.range += 1;
        }
        Err(Refusal::Content)
    }
}
