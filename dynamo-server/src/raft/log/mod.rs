//! The log of one group, as openraft sees it.
//!
//! Appending puts the entries into the tail (readable at once) and into the WAL's queue (durable soon; a callback tells
//! when). Reading prefers the tail. Nothing here waits for the disk except saving a vote, which must be durable before
//! anybody hears of it.
//!
//! The lease is told first, synchronously, of every vote and of every membership that enters the log: each step-down
//! and each grant passes through [`save_vote`](openraft::storage::RaftLogStorage::save_vote) before a response leaves
//! the node, so that a lease which is about to be unsafe is gone before it is.

pub(super) mod durable;
pub(super) mod keys;
pub(super) mod tail;
pub(super) mod wal;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use lease::Voters;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{EntryPayload, LogState, OptionalSend, RaftLogReader};
use parking_lot::Mutex;
use raft_log::{Log, LogError};

use self::durable::Durable;
use self::keys::Value;
use self::tail::{LogSize, Tail};
use self::wal::{NewEntry, Wal};
use super::codec::{CodecError, decode_entry, get_log_id, get_vote, put_entry};
use super::lease::{LeaseFeed, voters};
use super::machine::published::Published;
use super::machine::quarantine::Quarantine;
use super::snapshot::incoming::Incoming;
use super::types::{CommittedLeaderId, LogEntry, LogId, Member, NodeId, Types, Vote, key_of, longer, shorter};
use crate::env::{Env, LOG_TAIL_BYTES_MAX};

/// Bytes of entries that one read of the log brings into memory, at most and at least: for applying after a restart, for a
/// lagging peer. In between it is what the group's newest entries may take ([`Tail`]). One entry is read in any case.
const READ_BYTES_MAX: usize = 2 << 20;
const READ_BYTES_MIN: usize = 64 << 10;

/// The log of a group is not what it was; the node must not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogEndError {
    /// It ends before what was applied: the two stores do not belong together, or the log's folder was exchanged.
    #[error(
        "the log of shard {group} ends at index {found:?} but was known to be durable up to index {known}: \
         acknowledged writes are missing, the log is damaged"
    )]
    Ends {
        /// The group.
        group: u32,
        /// The last index in the log.
        found: Option<u64>,
        /// The last index that the state has applied.
        known: u64,
    },
    /// The state lacks what the log has dropped because the state had it.
    #[error(
        "the state of shard {group} lacks entries that its log holds no longer (up to index {purged}): the state is lost or \
         damaged"
    )]
    State {
        /// The group.
        group: u32,
        /// The last index that was purged.
        purged: u64,
    },
    /// Something in it cannot be read.
    #[error("the log of shard {group} cannot be read: {reason}")]
    Unreadable {
        /// The group.
        group: u32,
        /// What is wrong.
        reason: String,
    },
}

/// What a log holds when the node starts, read and checked.
#[derive(Default)]
pub struct RecoveredLog {
    /// The vote.
    vote: Option<Vote>,
    /// The newest committed entry that was written down; a hint, no later than `last`.
    committed: Option<LogId>,
    /// The last entry that was purged.
    purged: Option<LogId>,
    /// The last entry, purged or not.
    last: Option<LogId>,
    /// The memberships in the log, by the index of their entries.
    memberships: Vec<(u64, Voters<NodeId>)>,
    /// The nodes in the newest of them.
    newest: Option<BTreeMap<NodeId, Member>>,
    /// How many bytes the entries take.
    size: LogSize,
}

impl RecoveredLog {
    /// Reads the log of `group`, whose end the store has judged, and compares it with the applied entry that the state
    /// store has persisted.
    ///
    /// # Errors
    /// When it ends before that or cannot be read; the node must not start.
    pub fn read(store: &Log, group: u32, applied: Option<LogId>) -> Result<RecoveredLog, LogEndError> {
        let unreadable = |reason| LogEndError::Unreadable { group, reason };
        let log = RecoveredLog::read_unchecked(store, group).map_err(unreadable)?;
        let (found, known) = (log.last.map(|last| last.index()), applied.map(|applied| applied.index()));
        match known {
            Some(known) if found < Some(known) => Err(LogEndError::Ends { group, found, known }),
            _ => Ok(log),
        }
    }

    fn read_unchecked(store: &Log, group: u32) -> Result<RecoveredLog, String> {
        let value = |kind| store.value(group, kind as u8);
        let vote = value(Value::Vote).map(|bytes| get_vote(&mut &bytes[..])).transpose().map_err(in_words)?;
        let committed = value(Value::Committed).map(|bytes| get_log_id(&mut &bytes[..])).transpose();
        let mut log = RecoveredLog { vote, committed: committed.map_err(in_words)?, ..RecoveredLog::default() };
        log.purged = store.purged(group).map(|(term, index)| LogId::new(CommittedLeaderId::new(term), index));
        log.read_memberships(store, group)?;
        let sizes = store.sizes(group);
        sizes.iter().for_each(|(index, bytes)| log.size.add(*index, *bytes));
        log.last = log.purged;
        if let Some((last, _)) = sizes.last() {
            let read = read_entries(store, group, *last, last + 1, usize::MAX)?;
            log.last = read.last().map(|(entry, _)| entry.log_id);
        }
        // What the hint speaks of may have been lost with the end of the log; it is a hint.
        log.committed = shorter(log.committed, log.last);
        Ok(log)
    }

    fn read_memberships(&mut self, store: &Log, group: u32) -> Result<(), String> {
        for index in store.notable(group) {
            for (entry, _) in read_entries(store, group, index, index + 1, usize::MAX)? {
                if let EntryPayload::Membership(membership) = &entry.payload {
                    self.memberships.push((index, voters(membership)));
                    self.newest = Some(membership.nodes().map(|(node, member)| (*node, member.clone())).collect());
                }
            }
        }
        Ok(())
    }

    /// The last entry, purged or not.
    pub fn last(&self) -> Option<LogId> {
        self.last
    }

    /// The vote.
    pub fn vote(&self) -> Option<&Vote> {
        self.vote.as_ref()
    }

    /// The last entry that was purged: what it and all before it did is in the state.
    pub fn purged(&self) -> Option<LogId> {
        self.purged
    }

    /// The memberships in the log by the index of their entries. Together with the applied one these are all that may
    /// be active.
    pub fn memberships(&self) -> Vec<(u64, Voters<NodeId>)> {
        self.memberships.clone()
    }

    /// The members in the newest membership of the log, voters and learners; `None` where the log has none.
    pub fn newest_members(&self) -> Option<&BTreeMap<NodeId, Member>> {
        self.newest.as_ref()
    }
}

/// Whether the entry of this term and index is in a group's log.
pub(super) fn has_entry(store: &Log, group: u32, term: u64, index: u64) -> bool {
    let entries = read_entries(store, group, index, index + 1, usize::MAX).unwrap_or_default();
    entries.first().is_some_and(|(entry, _)| key_of(&entry.log_id) == (term, index))
}

fn in_words(error: impl Into<CodecError>) -> String {
    error.into().to_string()
}

/// Entries with their lengths, as [`Log::read`] finds them.
fn read_entries(
    store: &Log,
    group: u32,
    start: u64,
    end: u64,
    bytes_max: usize,
) -> Result<Vec<(LogEntry, usize)>, String> {
    let read = store.read(group, start, end, bytes_max).map_err(|error: LogError| error.to_string())?;
    let decode = |entry: raft_log::Entry| {
        let decoded = decode_entry(&entry.body).map_err(|error| format!("entry {}: {error}", entry.index))?;
        Ok((decoded, entry.body.len()))
    };
    read.into_iter().map(decode).collect()
}

/// The log of one group. Clones read and write the same log.
pub struct GroupLog<E: Env> {
    /// The same for all clones.
    shared: Arc<Shared<E>>,
}

impl<E: Env> Clone for GroupLog<E> {
    fn clone(&self) -> Self {
        GroupLog { shared: Arc::clone(&self.shared) }
    }
}

struct Shared<E: Env> {
    /// The shard's number.
    group: u32,
    /// The log of all groups, to be read.
    store: Arc<Log>,
    /// The way to write into it.
    wal: Wal<E>,
    /// Told first of every vote, membership and cut.
    lease: Arc<LeaseFeed>,
    /// How far the log is applied.
    published: Arc<Published>,
    /// A lock for some moves, never over an await.
    inner: Mutex<Inner>,
}

struct Inner {
    /// The newest vote; it may not be durable yet.
    vote: Option<Vote>,
    /// The last entry that was purged.
    purged: Option<LogId>,
    /// The index of the first entry there is, or will be.
    first: u64,
    /// The last entry, purged or not; it may not be durable yet.
    last: Option<LogId>,
    /// The newest committed entry that openraft told of, and whether the WAL was told of it.
    committed: Option<LogId>,
    /// Whether the WAL was told of `committed`.
    committed_saved: bool,
    /// The newest entries, decoded.
    tail: Tail,
    /// How many bytes the entries take.
    size: LogSize,
    /// How far it is durable. Replaced by a fresh one at a truncation, so that a write which is on its way for an entry
    /// that no longer exists cannot make its successor look durable.
    durable: Arc<Durable>,
}

impl Inner {
    /// Checks how the fields must relate; called in debug builds after every change.
    fn validate(&self) {
        let (last, purged) = (self.last.map(|last| last.index()), self.purged.map(|purged| purged.index()));
        debug_assert!(last >= purged, "what was purged was in the log");
        debug_assert!(purged.is_none_or(|purged| self.first == purged + 1), "the log begins behind what was purged");
        debug_assert!(last.is_none_or(|last| self.first <= last + 1), "the log ends behind its beginning");
        debug_assert!(self.durable.next() <= last.map_or(0, |last| last + 1), "only what is in the log is durable");
        debug_assert!(self.tail.last_index().is_none_or(|tail| Some(tail) == last), "the tail ends where the log does");
        debug_assert!(self.tail.first_index().is_none_or(|tail| tail >= self.first), "nothing purged is in the tail");
    }
}

impl<E: Env> GroupLog<E> {
    /// The log of `group` as it was recovered; `published` says how far it is applied.
    pub fn new(
        group: u32,
        store: Arc<Log>,
        wal: Wal<E>,
        (lease, published): (Arc<LeaseFeed>, Arc<Published>),
        recovered: RecoveredLog,
    ) -> Self {
        let next = recovered.last.map_or(0, |last| last.index() + 1);
        let inner = Inner {
            vote: recovered.vote,
            purged: recovered.purged,
            first: recovered.purged.map_or(0, |purged| purged.index() + 1),
            last: recovered.last,
            committed: recovered.committed,
            committed_saved: true,
            tail: Tail::default(),
            size: recovered.size,
            durable: Arc::new(Durable::new(next)),
        };
        inner.validate();
        GroupLog { shared: Arc::new(Shared { group, store, wal, lease, published, inner: Mutex::new(inner) }) }
    }

    /// Keeps no more than so many bytes of memory of entries that are applied.
    pub fn set_tail_bytes_max(&self, bytes_max: usize) {
        self.shared.inner.lock().tail.set_applied_bytes_max(bytes_max);
    }

    /// Lets go of entries that were kept until they are applied, as now they are.
    pub fn has_applied(&self) {
        let applied_next = self.shared.published.applied_next();
        let mut inner = self.shared.inner.lock();
        let durable_next = inner.durable.next();
        inner.tail.shrink(durable_next, applied_next);
    }

    /// Bytes of entries that are not purged, roughly.
    pub fn bytes(&self) -> u64 {
        self.shared.inner.lock().size.bytes()
    }

    /// The last entry that was purged.
    pub fn purged(&self) -> Option<LogId> {
        self.shared.inner.lock().purged
    }

    /// The last entry.
    pub fn last(&self) -> Option<LogId> {
        self.shared.inner.lock().last
    }

    /// The last vote.
    pub fn vote(&self) -> Option<Vote> {
        self.shared.inner.lock().vote
    }

    /// What an entry has to wait for before it may be applied, if anything: that this log has it on the disk.
    ///
    /// Others may have committed an entry before this node's disk has it. Applied at once, it could outlive its own log
    /// in a power cut: the state would be ahead of the log, which is how a damaged log looks.
    pub fn still_volatile(&self, index: u64) -> Option<Arc<Durable>> {
        let inner = self.shared.inner.lock();
        let is_volatile = inner.durable.next() <= index && inner.last.is_some_and(|last| last.index() >= index);
        is_volatile.then(|| Arc::clone(&inner.durable))
    }

    /// Notes that a snapshot is about to replace the state; durable on return.
    ///
    /// # Errors
    /// When it may not be durable; nothing may be installed then.
    pub async fn note_incoming(&self, incoming: &Incoming) -> io::Result<()> {
        self.shared.wal.note(self.shared.group, Value::Incoming, incoming.encode()).await
    }

    /// A page of entries from `start` to before `end` (at least one if there is any).
    fn read_some(&self, start: u64, end: u64) -> io::Result<Vec<LogEntry>> {
        let (start, end, bytes_max) = {
            let inner = self.shared.inner.lock();
            let bytes_max = inner.tail.applied_bytes_max().clamp(READ_BYTES_MIN, READ_BYTES_MAX);
            let start = start.max(inner.first);
            let end = end.min(inner.last.map_or(0, |last| last.index() + 1));
            if start >= end {
                return Ok(Vec::new());
            }
            match inner.tail.first_index() {
                Some(first) if first <= start => return Ok(inner.tail.read(start, end, bytes_max)),
                Some(first) => (start, end.min(first), bytes_max),
                None => (start, end, bytes_max),
            }
        };
        // Older than the tail, hence durable: the store has it.
        E::in_place(|| self.read_store(start, end, bytes_max))
    }

    fn read_store(&self, start: u64, end: u64, bytes_max: usize) -> io::Result<Vec<LogEntry>> {
        let group = self.shared.group;
        let entries = read_entries(&self.shared.store, group, start, end, bytes_max).map_err(io::Error::other)?;
        debug_assert!(
            entries.iter().all(|(entry, _)| (start..end).contains(&entry.log_id.index())),
            "what was asked for"
        );
        if entries.is_empty() {
            return Err(io::Error::other(format!("entry {start} of shard {group} is not in the log")));
        }
        Ok(entries.into_iter().map(|(entry, _)| entry).collect())
    }
}

/// The half-open range of indexes that `range` means.
fn half_open(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before + 1,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last + 1,
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    (start, end)
}

impl<E: Env> RaftLogReader<Types<E>> for GroupLog<E> {
    async fn entries_stream<RB>(&mut self, range: RB) -> impl Stream<Item = io::Result<LogEntry>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        // Page by page: after a restart the range may be the whole log.
        let (start, end) = half_open(&range);
        let log = self.clone();
        let pages = futures::stream::unfold(Some(start), move |next| {
            let log = log.clone();
            async move {
                let page = log.read_some(next?, end);
                let following = match &page {
                    Ok(entries) => entries.last().map(|last| last.log_id.index() + 1),
                    Err(_) => None,
                };
                let items: Vec<io::Result<LogEntry>> = match page {
                    Ok(entries) => entries.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                };
                Some((futures::stream::iter(items), following))
            }
        });
        Box::pin(futures::StreamExt::flatten(pages))
    }

    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<LogEntry>> {
        let (mut start, end) = half_open(&range);
        let mut entries = Vec::new();
        loop {
            let page = self.read_some(start, end)?;
            let Some(last) = page.last() else { return Ok(entries) };
            start = last.log_id.index() + 1;
            entries.extend(page);
        }
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<LogEntry>> {
        self.read_some(start, end)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.shared.inner.lock().vote)
    }
}

impl<E: Env> RaftLogStorage<Types<E>> for GroupLog<E> {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<Types<E>>> {
        let inner = self.shared.inner.lock();
        Ok(LogState { last_purged_log_id: inner.purged, last_log_id: inner.last })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let before = self.shared.inner.lock().vote.replace(*vote);
        // In production, too: whoever votes twice in a term elects two leaders.
        assert!(before.is_none_or(|before| before.leader_id.term <= vote.leader_id.term), "a term never goes back");
        assert!(before.is_none_or(|before| before <= *vote), "a vote never goes back");
        self.shared.lease.vote_is_saved(vote);
        self.shared.wal.save_vote(self.shared.group, *vote).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        // A hint that shortens the catching up after a restart; it rides on the next append.
        let mut inner = self.shared.inner.lock();
        inner.committed = committed;
        inner.committed_saved = false;
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.shared.inner.lock().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types<E>>) -> io::Result<()>
    where
        I: IntoIterator<Item = LogEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let (entries, committed, durable) = self.shared.remember(entries);
        self.shared.wal.append(self.shared.group, entries, committed, durable, callback).await
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let from = last.map_or(0, |last| last.index() + 1);
        self.shared.refuse_to_lose_applied(from)?;
        {
            let mut inner = self.shared.inner.lock();
            inner.tail.truncate(from);
            inner.size.truncate(from);
            inner.last = shorter(inner.last, last);
            inner.durable = Arc::new(Durable::new(inner.durable.next().min(from)));
            self.shared.lease.log_is_cut(from);
            inner.validate();
        }
        self.shared.wal.truncate(self.shared.group, last).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        {
            let mut inner = self.shared.inner.lock();
            inner.first = upto.index() + 1;
            inner.tail.purge(upto.index());
            inner.size.purge(upto.index());
            inner.purged = Some(upto);
            inner.last = longer(inner.last, Some(upto));
            inner.validate();
        }
        self.shared.wal.purge(self.shared.group, upto).await
    }
}

/// What the WAL is to write: entries, a newer committed one, and the mark to move when they are durable.
type ToWrite = (Vec<NewEntry>, Option<LogId>, Arc<Durable>);

impl<E: Env> Shared<E> {
    /// What is applied is committed, so no leader may have another entry there. Where one has, a majority has forgotten what
    /// it acknowledged: a member's disk went back to an older state of itself. Nothing here can tell who is right, so the
    /// shard stands still on this node instead of following into a log that its own state does not fit.
    fn refuse_to_lose_applied(&self, from: u64) -> io::Result<()> {
        let applied_next = self.published.applied_next();
        if from >= applied_next {
            return Ok(());
        }
        let quarantine = Quarantine::Replaced { index: from, applied: applied_next - 1 };
        tracing::error!(shard = self.group, %quarantine, "the shard stands still on this node");
        self.lease.shut_down();
        let error = io::Error::other(format!("shard {} stands still: {quarantine}", self.group));
        self.published.set_quarantine(quarantine);
        Err(error)
    }

    /// Makes entries readable and encodes them for the WAL.
    fn remember(&self, entries: impl IntoIterator<Item = LogEntry>) -> ToWrite {
        let mut written = Vec::new();
        let mut inner = self.inner.lock();
        for entry in entries {
            let index = entry.log_id.index();
            debug_assert!(inner.last.is_none_or(|last| last < entry.log_id), "entries are appended in order");
            debug_assert!(inner.last.is_none_or(|last| last.index() + 1 == index), "a log has no holes");
            if inner.last.is_none() {
                inner.first = index;
            }
            let mut bytes = Vec::new();
            put_entry(&mut bytes, &entry);
            let mut is_membership = false;
            if let EntryPayload::Membership(membership) = &entry.payload {
                is_membership = true;
                self.lease.membership_is_appended(entry.log_id.index(), membership);
            }
            inner.last = Some(entry.log_id);
            inner.size.add(entry.log_id.index(), bytes.len());
            let (log_id, length) = (entry.log_id, bytes.len());
            inner.tail.push(entry, length);
            written.push(NewEntry { log_id, bytes: Bytes::from(bytes), is_membership });
        }
        let durable_next = inner.durable.next();
        inner.tail.shrink(durable_next, self.published.applied_next());
        inner.validate();
        let committed = if inner.committed_saved { None } else { inner.committed };
        inner.committed_saved = true;
        (written, committed, Arc::clone(&inner.durable))
    }
}

const _: () =
    assert!(2 * READ_BYTES_MAX <= LOG_TAIL_BYTES_MAX, "with plenty of memory a page of the newest entries is there");
