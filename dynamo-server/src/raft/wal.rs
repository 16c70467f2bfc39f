//! The write-ahead log of a node: one worker writes the logs of all its groups.
//!
//! Every group sends what it wants written; the worker drains whatever has gathered while it waited for the disk into
//! one batch, writes and syncs it once, and then answers everybody. So a sync is shared by all groups and all requests
//! that came in meanwhile, and the worker is the one place that knows what is durable.
//!
//! ```text
//! group 0 ──append──╮
//! group 1 ──vote────┼─▶ queue ─▶ drain ─▶ one batch ─▶ one sync ─▶ callbacks, votes, floor
//! group 2 ──append──╯
//! ```
//!
//! Order is kept: requests are written in the order in which they were sent, and answered only when they and all
//! before them are durable. A failed write or sync raises a fault: what is on the disk is unknown then, so nothing is
//! ever answered with success again.
//!
//! In production the worker is a thread (its life is waiting for the disk), in a simulation a task.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use openraft::storage::IOFlushed;
use ordered_kv::{LogStore, WriteBatch};
use tokio::sync::{mpsc, oneshot};

use super::codec::{put_log_id, put_vote};
use super::floor::Floor;
use super::keys::{self, Scalar};
use super::types::{LogId, Types, Vote};
use crate::env::Env;
use crate::node::FaultSignal;

/// Requests that wait for the worker. Each group has few in flight (its sequencer bounds its entries), so this is
/// never reached in practice; when it is, the group waits.
const QUEUE_MAX: usize = 4096;

/// Bytes after which a batch is written although more is waiting: one sync of 4 MiB takes about as long as many
/// requests may be made to wait.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Up to this many purged entries are deleted one by one; more with one range deletion, of which there must not be
/// many since each one slows down every later read.
const POINT_DELETES_MAX: u64 = 1024;

enum Request<E: Env> {
    Append {
        group: u32,
        records: Vec<(LogId, Bytes)>,
        committed: Option<LogId>,
        flushed_next: Arc<AtomicU64>,
        done: IOFlushed<Types<E>>,
    },
    Vote {
        group: u32,
        vote: Vote,
        done: oneshot::Sender<io::Result<()>>,
    },
    Incoming {
        group: u32,
        note: Vec<u8>,
        done: oneshot::Sender<io::Result<()>>,
    },
    Truncate {
        group: u32,
        last: Option<LogId>,
    },
    Purge {
        group: u32,
        first: u64,
        upto: LogId,
    },
    Close {
        done: oneshot::Sender<()>,
    },
}

/// A handle of the worker.
pub struct Wal<E: Env> {
    requests: mpsc::Sender<Request<E>>,
}

impl<E: Env> Clone for Wal<E> {
    fn clone(&self) -> Self {
        Wal { requests: self.requests.clone() }
    }
}

impl<E: Env> Wal<E> {
    /// Starts the worker of `store`, whose logs stand at `floor`.
    pub fn start(store: Arc<dyn LogStore>, floor: Floor, fault: FaultSignal) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let worker = Worker::<E> { store, queue, floor, fault, failed: None };
        E::spawn_dedicated("wal", worker.run());
        Wal { requests }
    }

    /// Writes entries; `done` is called when they are durable, and `flushed_next` then holds the index behind them.
    ///
    /// # Errors
    /// When the worker is gone.
    pub async fn append(
        &self,
        group: u32,
        records: Vec<(LogId, Bytes)>,
        committed: Option<LogId>,
        flushed_next: Arc<AtomicU64>,
        done: IOFlushed<Types<E>>,
    ) -> io::Result<()> {
        self.send(Request::Append { group, records, committed, flushed_next, done }).await
    }

    /// Writes a vote; durable on return.
    ///
    /// # Errors
    /// When it may not be durable.
    pub async fn save_vote(&self, group: u32, vote: Vote) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.send(Request::Vote { group, vote, done }).await?;
        answer.await.map_err(|_| gone())?
    }

    /// Notes that a snapshot is about to be installed; durable on return.
    ///
    /// # Errors
    /// When it may not be durable.
    pub async fn note_incoming(&self, group: u32, note: Vec<u8>) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.send(Request::Incoming { group, note, done }).await?;
        answer.await.map_err(|_| gone())?
    }

    /// Removes everything behind `last`, with the next batch.
    ///
    /// # Errors
    /// When the worker is gone.
    pub async fn truncate(&self, group: u32, last: Option<LogId>) -> io::Result<()> {
        self.send(Request::Truncate { group, last }).await
    }

    /// Removes the entries from `first` up to `upto`, with the next batch.
    ///
    /// # Errors
    /// When the worker is gone.
    pub async fn purge(&self, group: u32, first: u64, upto: LogId) -> io::Result<()> {
        self.send(Request::Purge { group, first, upto }).await
    }

    /// Writes what is waiting, records the floor and ends the worker.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.send(Request::Close { done }).await.is_ok() {
            // An error means that the worker ended by itself, which is what was asked for.
            let _ = closed.await;
        }
    }

    async fn send(&self, request: Request<E>) -> io::Result<()> {
        self.requests.send(request).await.map_err(|_| gone())
    }
}

fn gone() -> io::Error {
    io::Error::other("the write-ahead log was closed")
}

struct Worker<E: Env> {
    store: Arc<dyn LogStore>,
    queue: mpsc::Receiver<Request<E>>,
    /// How far every group's log has come, as written to the store.
    floor: Floor,
    fault: FaultSignal,
    /// Why nothing is written any more.
    failed: Option<String>,
}

impl<E: Env> Drop for Worker<E> {
    fn drop(&mut self) {
        // Whoever waits for a callback would wait for ever.
        if std::thread::panicking() {
            self.fault.raise("the writer of the log panicked");
        }
    }
}

/// What one batch answers once it is durable.
struct Round<E: Env> {
    batch: WriteBatch,
    /// Whether somebody waits for the batch to be durable.
    sync: bool,
    /// Whether the end of a log is cut off, so that the floor must not promise it any more.
    cut: bool,
    appended: Vec<(Arc<AtomicU64>, u64, IOFlushed<Types<E>>)>,
    /// Who waits for a vote or a note.
    waiting: Vec<oneshot::Sender<io::Result<()>>>,
    closed: Option<oneshot::Sender<()>>,
}

impl<E: Env> Worker<E> {
    async fn run(mut self) {
        while let Some(first) = self.queue.recv().await {
            let mut round = Round::new();
            self.take(&mut round, first);
            while round.closed.is_none() && round.batch.byte_len() < BATCH_BYTES_MAX {
                let Ok(next) = self.queue.try_recv() else { break };
                self.take(&mut round, next);
            }
            E::disk_pause().await;
            let closed = round.closed.take();
            self.write(round);
            if let Some(closed) = closed {
                self.queue.close();
                self.record_floor();
                // The store must be let go before the one who waits goes on.
                drop(self);
                // Nobody has to wait.
                let _ = closed.send(());
                return;
            }
        }
    }

    fn take(&mut self, round: &mut Round<E>, request: Request<E>) {
        match request {
            Request::Append { group, records, committed, flushed_next, done } => {
                round.sync = true;
                for (log_id, bytes) in &records {
                    round.batch.put(&keys::entry(group, log_id.index()), bytes);
                }
                if let Some(committed) = committed {
                    round.put_log_id(group, Scalar::Committed, &committed);
                }
                let Some((last, _)) = records.last() else { return done.io_completed(self.health()) };
                self.floor.groups.entry(group).or_default().last = Some(*last);
                round.appended.push((flushed_next, last.index() + 1, done));
            }
            Request::Vote { group, vote, done } => {
                round.sync = true;
                let mut bytes = Vec::new();
                put_vote(&mut bytes, &vote);
                round.batch.put(&keys::scalar(group, Scalar::Vote), &bytes);
                self.floor.groups.entry(group).or_default().vote = Some(vote);
                round.waiting.push(done);
            }
            Request::Incoming { group, note, done } => {
                round.sync = true;
                round.batch.put(&keys::scalar(group, Scalar::Incoming), &note);
                round.waiting.push(done);
            }
            Request::Truncate { group, last } => {
                round.cut = true;
                let from = last.map_or(0, |last| last.index() + 1);
                round.batch.delete_range(&keys::entry(group, from), &keys::entry(group, u64::MAX));
                let known = &mut self.floor.groups.entry(group).or_default().last;
                *known = (*known).min(last);
            }
            Request::Purge { group, first, upto } => {
                round.put_log_id(group, Scalar::Purged, &upto);
                round.batch.delete(&keys::scalar(group, Scalar::Incoming));
                if (upto.index() + 1).saturating_sub(first) <= POINT_DELETES_MAX {
                    (first..=upto.index()).for_each(|index| round.batch.delete(&keys::entry(group, index)));
                } else {
                    round.batch.delete_range(&keys::entry(group, first), &keys::entry(group, upto.index() + 1));
                }
                let last = &mut self.floor.groups.entry(group).or_default().last;
                *last = (*last).max(Some(upto));
            }
            Request::Close { done } => round.closed = Some(done),
        }
    }

    fn write(&mut self, round: Round<E>) {
        if self.failed.is_none()
            && let Err(error) = self.commit(&round)
        {
            let reason = format!("writing the log failed: {error}");
            self.fault.raise(reason.clone());
            self.failed = Some(reason);
        }
        round.answer(&self.health());
        if self.failed.is_none() && self.store.floor_due() {
            self.record_floor();
        }
    }

    fn commit(&self, round: &Round<E>) -> Result<(), ordered_kv::StoreError> {
        if round.cut {
            self.lower_floor()?;
        }
        if round.batch.is_empty() {
            return Ok(());
        }
        if round.sync { self.store.write_synced(&round.batch) } else { self.store.write_lazy(&round.batch) }
    }

    /// Before an end is cut off, the floor must stop promising it: what is written in this very batch is not promised
    /// either, since the floor is recorded before it.
    fn lower_floor(&self) -> Result<(), ordered_kv::StoreError> {
        let recorded = match self.store.floor()? {
            Some(bytes) => Floor::decode(&bytes).unwrap_or_default(),
            None => return Ok(()),
        };
        let mut lowered = recorded;
        for (group, known) in &mut lowered.groups {
            let now = self.floor.groups.get(group).copied().unwrap_or_default();
            known.last = known.last.min(now.last);
        }
        self.store.record_floor(&lowered.encode())
    }

    fn record_floor(&mut self) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = self.store.record_floor(&self.floor.encode()) {
            let reason = format!("recording the end of the log failed: {error}");
            self.fault.raise(reason.clone());
            self.failed = Some(reason);
        }
    }

    fn health(&self) -> io::Result<()> {
        self.failed.as_ref().map_or(Ok(()), |reason| Err(io::Error::other(reason.clone())))
    }
}

impl<E: Env> Round<E> {
    fn new() -> Self {
        Round {
            batch: WriteBatch::new(),
            sync: false,
            cut: false,
            appended: Vec::new(),
            waiting: Vec::new(),
            closed: None,
        }
    }

    fn put_log_id(&mut self, group: u32, kind: Scalar, log_id: &LogId) {
        let mut bytes = Vec::new();
        put_log_id(&mut bytes, log_id);
        self.batch.put(&keys::scalar(group, kind), &bytes);
    }

    fn answer(self, health: &io::Result<()>) {
        let result = || match health {
            Ok(()) => Ok(()),
            Err(error) => Err(io::Error::other(error.to_string())),
        };
        for (flushed_next, next, done) in self.appended {
            if health.is_ok() {
                flushed_next.store(next, Ordering::Release);
            }
            done.io_completed(result());
        }
        for waiting in self.waiting {
            // The group may have been shut down meanwhile.
            let _ = waiting.send(result());
        }
    }
}
