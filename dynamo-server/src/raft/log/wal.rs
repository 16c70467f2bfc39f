//! The write-ahead log of a node: one worker writes the logs of all its groups.
//!
//! Every group sends what it wants written; the worker drains whatever has gathered while it waited for the disk into
//! one batch, writes and syncs it once, and then answers everybody. So a sync is shared by all groups and all requests
//! that came in meanwhile, and the worker is the one place that knows what is durable.
//!
//! ```text
//! group 0 ──append──╮
//! group 1 ──vote────┼─▶ queue ─▶ drain ─▶ one batch ─▶ one sync ─▶ callbacks, votes
//! group 2 ──append──╯
//! ```
//!
//! Order is kept: requests are written in the order in which they were sent, and answered only when they and all
//! before them are durable. A failed write or sync raises a fault: what is on the disk is unknown then, so nothing is
//! ever answered with success again.
//!
//! *Without room* nothing has failed: the room of a batch is reserved before it is written. A batch that finds none waits, with
//! whatever was sent after it, until there is some. What gives room back goes before it (purges, of entries that the state has),
//! and so do votes, which take next to none and which a group may be waiting for before it can purge. Neither minds: who
//! purges has made the entries durable long before, and nobody may count on an append that is not acknowledged.
//!
//! In production the worker is a thread (its life is waiting for the disk), in a simulation a task.
//!
//! # In place
//!
//! To hand a batch to the worker's thread and hear of it again are two threads woken, which on a virtual machine takes longer
//! than a quick disk's sync. Where nothing would be gained by that, a second worker, a task of the node's own thread, does the
//! same in place: the disk is quick (by the syncs before, and [`Env::may_block_here`]), and nothing but Raft waits for the thread
//! meanwhile, even if the disk stands still in a sync. Every other task of the thread has its turn first, so that all groups
//! share the sync. In memory a sync is nothing, and every append is written in place. A thread that also serves connections
//! never waits for a sync; a member of a cluster leaves all to the worker's thread: its disk and its peers' work at the same time.
//!
//! Only one of the two has requests at any time ([`UnderWay`]), so that none overtakes another.

use std::collections::VecDeque;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use openraft::storage::IOFlushed;
use parking_lot::Mutex;
use raft_log::{Batch, Log, LogError};
use tokio::sync::{Notify, mpsc, oneshot};

use super::durable::Durable;
use super::keys::Value;
use crate::env::Env;
use crate::env::FaultSignal;
use crate::raft::codec::{put_log_id, put_vote};
use crate::raft::rules::{self, Rule};
use crate::raft::types::{LogId, Types, Vote, key_of};

/// Requests that wait for the worker. Each group has few in flight (its sequencer bounds its entries), so this is
/// never reached in practice; when it is, the group waits.
const QUEUE_MAX: usize = 4096;

/// Bytes after which a batch is written although more is waiting: one sync of 4 MiB takes about as long as many
/// requests may be made to wait.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Bytes of a batch that is written in place: so few that they fit the segment, or the next one, for which there is a file
/// while the log is not short of room.
const IN_PLACE_BYTES_MAX: usize = 512 << 10;

/// How often everything else on the node's thread has its turn before a batch is written there.
const TURNS_IN_PLACE: u32 = 2;

/// What a sync is held to take before any was made: so long that the first few are left to the worker.
const SYNC_NS_AT_FIRST: u64 = 1_000_000;

/// Nothing waits for the disk.
const IDLE: u64 = 0;

/// The disk is at work until this is dropped.
struct Busy<'a>(&'a AtomicU64);

impl<'a> Busy<'a> {
    fn begin(since: &'a AtomicU64, began_ns: u64) -> Busy<'a> {
        since.store(began_ns, Ordering::Relaxed);
        Busy(since)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }
}

/// An entry as it is written.
pub struct NewEntry {
    /// Its term and index.
    pub log_id: LogId,
    /// Its stored form.
    pub bytes: Bytes,
    /// Whether it is a membership, of which a start must know without reading the whole log.
    pub is_membership: bool,
}

enum Request<E: Env> {
    Append {
        group: u32,
        entries: Vec<NewEntry>,
        committed: Option<LogId>,
        durable: Arc<Durable>,
        done: IOFlushed<Types<E>>,
    },
    Vote {
        group: u32,
        vote: Vote,
        done: oneshot::Sender<io::Result<()>>,
    },
    Note {
        group: u32,
        kind: Value,
        note: Vec<u8>,
        done: oneshot::Sender<io::Result<()>>,
    },
    Truncate {
        group: u32,
        last: Option<LogId>,
    },
    Purge {
        group: u32,
        upto: LogId,
    },
    Settle,
    /// Somebody has looked whether there is room.
    Retry,
    Close {
        done: oneshot::Sender<()>,
    },
}

/// A handle of the workers.
pub struct Wal<E: Env> {
    /// To the worker that has a thread.
    to_thread: mpsc::Sender<Request<E>>,
    /// To the worker in place.
    to_task: mpsc::Sender<Request<E>>,
    /// What the workers have in common.
    shared: Arc<Shared<E>>,
}

/// Requests that were sent and are not answered yet; never both.
#[derive(Default)]
struct UnderWay {
    /// With the worker that has a thread.
    thread: usize,
    /// With the worker in place.
    task: usize,
}

impl UnderWay {
    fn of(&mut self, kind: Kind) -> &mut usize {
        match kind {
            Kind::Thread => &mut self.thread,
            Kind::Task => &mut self.task,
        }
    }
}

/// Which of the two workers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It has a thread.
    Thread,
    /// It shares the node's.
    Task,
}

/// What the workers have in common.
struct Shared<E: Env> {
    /// `None` once it is closed, or has panicked: taken out while it writes, so that one which did not come to the end of
    /// a write records nothing more.
    writer: Mutex<Option<Writer<E>>>,
    /// Where requests are.
    under_way: Mutex<UnderWay>,
    /// Told when the thread has no request any more, or has to wait for room.
    thread_is_idle: Notify,
    /// The time of a sync, averaged over the last few, in nanoseconds.
    sync_ns: AtomicU64,
    /// Since when the writer has been waiting for the disk, on the monotonic clock; [`IDLE`] while it does not.
    busy_since_ns: AtomicU64,
    /// Appends that were written in place.
    written_in_place: AtomicU64,
    /// Whether anything was written since the log was settled last.
    is_unsettled: AtomicBool,
    /// Whether a batch waits for room on the disk.
    is_short: AtomicBool,
    /// Whether the node stops, and nothing is to wait for room any more.
    is_ending: AtomicBool,
    /// Whether appends may be written in place, while the disk is quick.
    in_place: bool,
    /// To ask about its room.
    log: Arc<Log>,
    /// Raised when nothing can be written any more.
    fault: FaultSignal,
}

impl<E: Env> Clone for Wal<E> {
    fn clone(&self) -> Self {
        Wal { to_thread: self.to_thread.clone(), to_task: self.to_task.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<E: Env> Wal<E> {
    /// Starts the workers of `store`, the one in place as a task of the caller's runtime. With `in_place` it is used: the node must
    /// be alone, and the thread serve no connections unless the store is in memory.
    pub fn start(store: Arc<Log>, fault: FaultSignal, in_place: bool) -> Self {
        let log = Arc::clone(&store);
        let writer = Writer { store, fault: fault.clone(), failed: None, of: PhantomData };
        let shared = Arc::new(Shared {
            writer: Mutex::new(Some(writer)),
            under_way: Mutex::default(),
            thread_is_idle: Notify::new(),
            sync_ns: AtomicU64::new(SYNC_NS_AT_FIRST),
            busy_since_ns: AtomicU64::new(IDLE),
            written_in_place: AtomicU64::new(0),
            is_unsettled: AtomicBool::new(false),
            is_short: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
            in_place,
            log,
            fault,
        });
        let (to_thread, worker) = Worker::new(Kind::Thread, &shared);
        E::spawn_dedicated("wal", worker.run());
        let (to_task, worker) = Worker::new(Kind::Task, &shared);
        drop(E::spawn(worker.run()));
        Wal { to_thread, to_task, shared }
    }

    /// Writes entries; `done` is called when they are durable, and `durable` then reaches beyond them.
    ///
    /// # Errors
    /// When the worker is gone.
    pub async fn append(
        &self,
        group: u32,
        entries: Vec<NewEntry>,
        committed: Option<LogId>,
        durable: Arc<Durable>,
        done: IOFlushed<Types<E>>,
    ) -> io::Result<()> {
        let request = Request::Append { group, entries, committed, durable, done };
        loop {
            // Looked for before the look at the thread, so that it is not missed.
            let mut idle = std::pin::pin!(self.shared.thread_is_idle.notified());
            idle.as_mut().enable();
            if !self.shared.should_wait_for_thread(&request) {
                return self.send(request).await;
            }
            idle.await;
        }
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

    /// Writes a value of a group; durable on return.
    ///
    /// # Errors
    /// When it may not be durable.
    pub async fn note(&self, group: u32, kind: Value, note: Vec<u8>) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.send(Request::Note { group, kind, note, done }).await?;
        answer.await.map_err(|_| gone())?
    }

    /// Removes everything behind `last`, with the next batch.
    ///
    /// # Errors
    /// When the worker is gone.
    pub async fn truncate(&self, group: u32, last: Option<LogId>) -> io::Result<()> {
        self.send(Request::Truncate { group, last }).await
    }

    /// Removes the entries up to `upto`, with the next batch.
    ///
    /// # Errors
    /// When the worker is gone.
    pub async fn purge(&self, group: u32, upto: LogId) -> io::Result<()> {
        self.send(Request::Purge { group, upto }).await
    }

    /// Has the end of the log settled with the next batch, where anything was written since ([`Log::settle`]). Whoever calls
    /// this now and then bounds by time what a power cut together with rot could take away unnoticed.
    pub async fn settle(&self) {
        if self.shared.is_unsettled.swap(false, Ordering::Relaxed) {
            // An error means that the log was closed, which settled it.
            let _ = self.send(Request::Settle).await;
        }
    }

    /// Has a batch that waits for room look again, if there is one. To be called now and then.
    pub fn look_for_room(&self) {
        if self.shared.is_short.load(Ordering::Relaxed) {
            self.nudge();
        }
    }

    /// Whether a batch waits for room on the disk.
    pub fn is_short_of_room(&self) -> bool {
        self.shared.is_short.load(Ordering::Relaxed)
    }

    /// Lets nothing wait for room any more: what finds none is not written, and nothing after it.
    pub fn stop_waiting(&self) {
        self.shared.is_ending.store(true, Ordering::Relaxed);
        self.nudge();
    }

    /// Gives the files back that the log keeps beyond what may wait.
    pub async fn tidy(&self) {
        // An error means that the log was closed.
        let _ = self.send(Request::Settle).await;
    }

    fn nudge(&self) {
        let kind = self.shared.send_to(&Request::Retry);
        if self.to(kind).try_send(Request::Retry).is_err() {
            // The worker has enough to wake up for, or is gone.
            self.shared.answered(kind, 1);
        }
    }

    /// For how long the oldest request has been waiting for the disk, from when the disk was asked; zero while none does.
    pub fn waits_for(&self) -> Duration {
        match self.shared.busy_since_ns.load(Ordering::Relaxed) {
            IDLE => Duration::ZERO,
            since_ns => Duration::from_nanos(E::monotonic_ns().saturating_sub(since_ns)),
        }
    }

    /// Appends that were written in place.
    pub fn written_in_place(&self) -> u64 {
        self.shared.written_in_place.load(Ordering::Relaxed)
    }

    /// Writes what is waiting, settles the log and ends the worker.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.send(Request::Close { done }).await.is_ok() {
            // An error means that the worker ended by itself, which is what was asked for.
            let _ = closed.await;
        }
    }

    async fn send(&self, request: Request<E>) -> io::Result<()> {
        let kind = self.shared.send_to(&request);
        self.to(kind).send(request).await.map_err(|_| {
            self.shared.answered(kind, 1);
            gone()
        })
    }

    fn to(&self, kind: Kind) -> &mpsc::Sender<Request<E>> {
        match kind {
            Kind::Thread => &self.to_thread,
            Kind::Task => &self.to_task,
        }
    }
}

impl<E: Env> Shared<E> {
    /// The worker that a request is to be sent to, where it is counted from now on.
    fn send_to(&self, request: &Request<E>) -> Kind {
        let mut under_way = self.under_way.lock();
        debug_assert!(under_way.thread == 0 || under_way.task == 0, "requests are with one worker");
        let is_in_place = under_way.task > 0 || (under_way.thread == 0 && self.is_better_in_place(request));
        let kind = if is_in_place { Kind::Task } else { Kind::Thread };
        *under_way.of(kind) += 1;
        kind
    }

    /// Whether an append is better written in place once the thread has done what it has. That is one sync: otherwise
    /// appends that come without a pause would be the thread's for ever.
    fn should_wait_for_thread(&self, request: &Request<E>) -> bool {
        self.under_way.lock().thread > 0 && self.is_better_in_place(request)
    }

    /// So many requests are no longer with a worker.
    fn answered(&self, kind: Kind, requests: usize) {
        let mut under_way = self.under_way.lock();
        let left = under_way.of(kind);
        debug_assert!(requests <= *left, "no more is answered than was sent");
        *left = left.saturating_sub(requests);
        if kind == Kind::Thread && under_way.thread == 0 {
            self.thread_is_idle.notify_waiters();
        }
    }

    /// Whether a request is better done by the node's own thread, and certainly finds its room.
    fn is_better_in_place(&self, request: &Request<E>) -> bool {
        if !self.in_place
            || !matches!(request, Request::Append { .. })
            || self.log.is_short_of_room()
            || self.is_short.load(Ordering::Relaxed)
            || request.byte_len() > IN_PLACE_BYTES_MAX
        {
            return false;
        }
        u128::from(self.sync_ns.load(Ordering::Relaxed)) <= E::may_block_here().as_nanos()
    }

    /// Writes a round, for which the disk has been at work since `began_ns`, and answers it. `has_more` says whether the next
    /// one is at hand.
    fn write(&self, writer: &mut Writer<E>, mut round: Round<E>, began_ns: u64, has_more: impl Fn() -> bool) {
        let (batch, sync, settle) = (std::mem::take(&mut round.batch), round.sync, round.settle);
        debug_assert!(sync || round.appended.is_empty(), "an append is answered when it is durable");
        debug_assert!(sync || round.waiting.is_empty(), "a vote or a note is answered when it is durable");
        if !batch.is_empty() {
            self.is_unsettled.store(true, Ordering::Relaxed);
        }
        let syncs = sync && rules::is_kept(Rule::SyncFirst);
        writer.attempt("writing the log", |store| match (batch.is_empty(), syncs) {
            (true, _) if has_more() || syncs != sync => Ok(()),
            (true, _) => store.mark(),
            (false, true) => store.write_before_more(batch, has_more),
            (false, false) => store.write(batch, false),
        });
        round.answer(&writer.health());
        if settle {
            writer.settle();
        }
        if sync {
            let took_ns = E::monotonic_ns().saturating_sub(began_ns);
            let average = self.sync_ns.load(Ordering::Relaxed);
            self.sync_ns.store(average - average / 4 + took_ns / 4, Ordering::Relaxed);
        }
    }
}

/// Whoever waits for a callback would wait for ever if its writer panicked.
struct Alarm<'a>(&'a FaultSignal);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.raise("the writer of the log panicked");
        }
    }
}

impl<E: Env> Request<E> {
    /// About what it adds to a batch.
    fn byte_len(&self) -> usize {
        match self {
            Request::Append { entries, .. } => entries.iter().map(|entry| entry.bytes.len()).sum(),
            Request::Note { note, .. } => note.len(),
            Request::Vote { .. }
            | Request::Truncate { .. }
            | Request::Purge { .. }
            | Request::Settle
            | Request::Retry
            | Request::Close { .. } => 0,
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the write-ahead log was closed")
}

struct Worker<E: Env> {
    /// Whether it has a thread.
    kind: Kind,
    /// What the groups want written, in the order of asking.
    queue: mpsc::Receiver<Request<E>>,
    /// What came while a batch waited for room. As much as the groups have in flight, which is little.
    deferred: VecDeque<Request<E>>,
    /// What it has in common with the other one.
    shared: Arc<Shared<E>>,
}

struct Writer<E: Env> {
    /// The log of all groups.
    store: Arc<Log>,
    /// Raised by a write or sync that failed.
    fault: FaultSignal,
    /// Why nothing is written any more.
    failed: Option<String>,
    /// For whose requests it is.
    of: PhantomData<fn(E)>,
}

/// What one batch answers once it is durable.
struct Round<E: Env> {
    /// What is written, for all who asked.
    batch: Batch,
    /// Whether somebody waits for the batch to be durable.
    sync: bool,
    /// Whether the log is to be settled after the batch.
    settle: bool,
    /// Each append's log, the index behind its last entry, and who is told.
    appended: Vec<(Arc<Durable>, u64, IOFlushed<Types<E>>)>,
    /// Who waits for a vote or a note.
    waiting: Vec<oneshot::Sender<io::Result<()>>>,
    /// Who waits for the log to be closed.
    closed: Option<oneshot::Sender<()>>,
}

impl<E: Env> Worker<E> {
    /// A worker, and the way to it.
    fn new(kind: Kind, shared: &Arc<Shared<E>>) -> (mpsc::Sender<Request<E>>, Worker<E>) {
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        (requests, Worker { kind, queue, deferred: VecDeque::new(), shared: Arc::clone(shared) })
    }

    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _alarm = Alarm(&shared.fault);
        let mut gathered = Vec::new();
        let bytes_max = if self.kind == Kind::Task { IN_PLACE_BYTES_MAX } else { BATCH_BYTES_MAX };
        while let Some(first) = self.next().await {
            if self.kind == Kind::Task {
                for _ in 0..TURNS_IN_PLACE {
                    tokio::task::yield_now().await;
                }
            }
            let mut bytes = first.byte_len();
            gathered.push(first);
            while bytes < bytes_max && !matches!(gathered.last(), Some(Request::Close { .. })) {
                let Some(next) = self.next_at_hand() else { break };
                bytes += next.byte_len();
                gathered.push(next);
            }
            let began_ns = E::monotonic_ns();
            let _busy = Busy::begin(&shared.busy_since_ns, began_ns);
            E::disk_pause().await;
            let requests = gathered.len();
            let Some(round) = self.take(&mut gathered) else {
                self.shared.answered(self.kind, requests);
                continue;
            };
            let closed = match self.write(round, began_ns) {
                Ok(closed) => closed,
                Err(round) => self.write_when_there_is_room(round, began_ns).await,
            };
            self.shared.answered(self.kind, requests);
            if self.kind == Kind::Task {
                self.shared.written_in_place.fetch_add(requests as u64, Ordering::Relaxed);
            }
            if let Some(closed) = closed {
                // Nobody has to wait.
                let _ = closed.send(());
                return;
            }
        }
    }

    async fn next(&mut self) -> Option<Request<E>> {
        match self.deferred.pop_front() {
            Some(deferred) => Some(deferred),
            None => self.queue.recv().await,
        }
    }

    fn next_at_hand(&mut self) -> Option<Request<E>> {
        self.deferred.pop_front().or_else(|| self.queue.try_recv().ok())
    }

    /// What has gathered, as one round.
    fn take(&self, gathered: &mut Vec<Request<E>>) -> Option<Round<E>> {
        let mut place = self.shared.writer.lock();
        let Some(writer) = &mut *place else {
            // Whoever waits hears that the log is gone.
            gathered.clear();
            return None;
        };
        let mut round = Round::new();
        gathered.drain(..).for_each(|request| writer.take(&mut round, request));
        Some(round)
    }

    /// Writes a round, which is given back where it finds no room. When it closed the log, the store was let go, and whoever
    /// waits for it is given.
    fn write(&mut self, mut round: Round<E>, began_ns: u64) -> Result<Option<oneshot::Sender<()>>, Round<E>> {
        let mut place = self.shared.writer.lock();
        let Some(mut writer) = place.take() else { return Ok(None) };
        if !writer.has_room(&round) {
            // Nothing follows the round before for now.
            writer.attempt("writing the log", Log::mark);
            *place = Some(writer);
            return Err(round);
        }
        let closed = round.closed.take();
        let has_more = || !self.deferred.is_empty() || !self.queue.is_empty();
        self.shared.write(&mut writer, round, began_ns, has_more);
        if closed.is_some() {
            self.queue.close();
            writer.settle();
        } else {
            *place = Some(writer);
        }
        Ok(closed)
    }

    /// Writes a round once there is room; only votes and purges go before it. Where the node stops first, the log ends before
    /// the round.
    async fn write_when_there_is_room(&mut self, mut round: Round<E>, began_ns: u64) -> Option<oneshot::Sender<()>> {
        tracing::error!(bytes = round.batch.byte_len(), "the log goes on as soon as there is room on the disk");
        self.shared.is_short.store(true, Ordering::Relaxed);
        self.shared.thread_is_idle.notify_waiters();
        let closed = loop {
            if round.closed.is_some() || self.shared.is_ending.load(Ordering::Relaxed) {
                self.give_up();
            }
            round = match self.write(round, began_ns) {
                Ok(closed) => break closed,
                Err(round) => round,
            };
            match self.queue.recv().await {
                Some(request @ (Request::Purge { .. } | Request::Vote { .. })) => {
                    if let Some(overtakes) = self.take(&mut vec![request])
                        && let Err(overtakes) = self.write(overtakes, began_ns)
                    {
                        // Not even that fits; it is part of what waits then.
                        round.merge(overtakes);
                    }
                    self.shared.answered(self.kind, 1);
                }
                Some(Request::Retry) => self.shared.answered(self.kind, 1),
                Some(close @ Request::Close { .. }) => {
                    self.deferred.push_back(close);
                    self.give_up();
                }
                Some(other) => self.deferred.push_back(other),
                None => self.give_up(),
            }
        };
        self.shared.is_short.store(false, Ordering::Relaxed);
        tracing::warn!("the log goes on");
        closed
    }

    /// Nothing waits for room any more, and nothing is written.
    fn give_up(&self) {
        if let Some(writer) = &mut *self.shared.writer.lock() {
            writer.failed.get_or_insert_with(|| "the node stops, and the disk is full".to_owned());
        }
    }
}

impl<E: Env> Writer<E> {
    fn take(&mut self, round: &mut Round<E>, request: Request<E>) {
        match request {
            Request::Append { group, entries, committed, durable, done } => {
                round.sync = true;
                debug_assert!(
                    entries.windows(2).all(|pair| pair[0].log_id.index() + 1 == pair[1].log_id.index()),
                    "a log has no holes"
                );
                for entry in &entries {
                    let (term, index) = key_of(&entry.log_id);
                    debug_assert!(!entry.bytes.is_empty(), "an entry has a stored form");
                    round.batch.append(group, term, index, &entry.bytes, entry.is_membership);
                }
                if let Some(committed) = committed {
                    let mut bytes = Vec::new();
                    put_log_id(&mut bytes, &committed);
                    round.batch.put(group, Value::Committed as u8, &bytes);
                }
                let Some(last) = entries.last() else { return done.io_completed(self.health()) };
                round.appended.push((durable, last.log_id.index() + 1, done));
            }
            Request::Vote { group, vote, done } => {
                round.sync = true;
                let mut bytes = Vec::new();
                put_vote(&mut bytes, &vote);
                round.batch.put(group, Value::Vote as u8, &bytes);
                round.waiting.push(done);
            }
            Request::Note { group, kind, note, done } => {
                round.sync = true;
                round.batch.put(group, kind as u8, &note);
                round.waiting.push(done);
            }
            Request::Truncate { group, last } => {
                round.batch.truncate(group, last.map_or(0, |last| last.index() + 1));
            }
            Request::Purge { group, upto } => {
                let (term, index) = key_of(&upto);
                round.batch.purge(group, term, index, &[Value::Incoming as u8]);
            }
            Request::Settle => round.settle = true,
            // Nothing waits.
            Request::Retry => {}
            Request::Close { done } => round.closed = Some(done),
        }
    }

    /// Whether the round finds its room, or fails whether it does or not.
    fn has_room(&mut self, round: &Round<E>) -> bool {
        let finds_none = |batch| matches!(self.store.reserve(batch), Err(LogError::Full(_)));
        self.failed.is_some() || !rules::is_kept(Rule::WaitForRoom) || !finds_none(&round.batch)
    }

    fn settle(&mut self) {
        self.attempt("settling the log", Log::settle);
    }

    /// Does something with the store, unless it has failed before.
    fn attempt(&mut self, what: &str, act: impl FnOnce(&Log) -> Result<(), LogError>) {
        if self.failed.is_none()
            && let Err(error) = act(&self.store)
        {
            let reason = format!("{what} failed: {error}");
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
            batch: Batch::new(),
            sync: false,
            settle: false,
            appended: Vec::new(),
            waiting: Vec::new(),
            closed: None,
        }
    }

    /// Adds what is to be written after it.
    fn merge(&mut self, other: Round<E>) {
        debug_assert!(self.closed.is_none() || other.closed.is_none(), "the log is closed once");
        self.batch.extend(&other.batch);
        self.sync |= other.sync;
        self.settle |= other.settle;
        self.appended.extend(other.appended);
        self.waiting.extend(other.waiting);
        self.closed = self.closed.take().or(other.closed);
    }

    fn answer(self, health: &io::Result<()>) {
        debug_assert!(self.batch.is_empty(), "what is answered was written, or never will be");
        let result = || match health {
            Ok(()) => Ok(()),
            Err(error) => Err(io::Error::other(error.to_string())),
        };
        for (durable, next, done) in self.appended {
            if health.is_ok() {
                durable.reach(next);
            }
            done.io_completed(result());
        }
        for waiting in self.waiting {
            // The group may have been shut down meanwhile.
            let _ = waiting.send(result());
        }
    }
}
