//! One entry being applied: dispatch, and what the command kinds share.

use std::collections::BTreeSet;
use std::sync::Arc;

use hlc::Timestamp;
use ordered_kv::{Reader, Value, WriteBatch};
use shard_router::ShardId;

use super::overlay::{Changes, Scanned};
use super::state::encode_deletions;
use super::work::Work;
use super::{Fault, Outcome, Overlay, Rejection, ShardState, ddl};
use crate::catalog::{TableDescriptor, TableId};
use crate::command::{Command, Entry, Stamped};
use crate::keyspace::{RowRange, local};
use crate::stream::{SequenceNumber, StreamId, StreamShardId};

/// The state and the overlay while an entry is applied.
pub struct Applier<'a> {
    /// The shard's scalars; changed in place.
    pub shard: &'a mut ShardState,
    /// The rows as the entry has changed them.
    pub(super) overlay: Overlay<'a>,
    /// What else is known of the entry at hand.
    pub(super) entry: Begun,
}

/// An entry that was begun: its time, what it has done so far, and what was before it.
pub(super) struct Begun {
    /// The proposer's wall time in milliseconds since the epoch.
    pub stamped_ms: u64,
    /// The timestamp of the command at hand.
    pub ts: Timestamp,
    /// What the entry has done so far.
    pub work: Work,
    /// Tables and indexes whose counters changed.
    pub counted: BTreeSet<u64>,
    /// Own channels that changed.
    pub channels_changed: BTreeSet<ShardId>,
    /// Shards of streams that changed.
    pub streams_changed: BTreeSet<(StreamId, StreamShardId)>,
    /// Ranges that hold nothing any more, for good.
    pub emptied: Vec<RowRange>,
    /// The number that the next record of a stream got before the entry.
    pub next_number_before: SequenceNumber,
    /// Ceiling and high water before the entry.
    pub clock_before: (Timestamp, Timestamp),
    /// The highest timestamp of a deletion before the entry.
    pub deletions_before: Timestamp,
}

/// An entry that is applied in part, without the shard and the store: it can go to another thread.
pub struct Suspended {
    /// What is in the overlay.
    changes: Changes,
    /// The rest.
    entry: Begun,
}

impl Suspended {
    /// Goes on with the shard as it was left, and the same store.
    pub fn resume<'a>(self, shard: &'a mut ShardState, reader: &'a dyn Reader) -> Applier<'a> {
        Applier { shard, overlay: Overlay::with_changes(reader, self.changes), entry: self.entry }
    }
}

impl<'a> Applier<'a> {
    /// Begins an entry: its ceiling counts from here on.
    pub fn new(shard: &'a mut ShardState, reader: &'a dyn Reader, entry: &Entry) -> Applier<'a> {
        let clock_before = (shard.ceiling, shard.high_water);
        shard.ceiling = shard.ceiling.max(entry.ceiling);
        let entry = Begun {
            stamped_ms: entry.stamped_ms,
            ts: shard.high_water,
            work: Work::default(),
            counted: BTreeSet::new(),
            channels_changed: BTreeSet::new(),
            streams_changed: BTreeSet::new(),
            emptied: Vec::new(),
            next_number_before: shard.streams.next(),
            clock_before,
            deletions_before: shard.deletions_high,
        };
        Applier { overlay: Overlay::new(reader), shard, entry }
    }

    /// Applies one command. Where it takes more than `work_max` bytes and steps, nothing of it is done, and the caller applies
    /// it on a background thread, where it is [`UNLIMITED`](super::UNLIMITED): the outcome is the same.
    ///
    /// # Errors
    /// A [`Fault`] of this node; [`Fault::TooLong`] past `work_max`.
    pub fn apply(&mut self, stamped: &Stamped, work_max: u64) -> Result<Outcome, Fault> {
        if stamped.ts <= self.shard.high_water || stamped.ts >= self.shard.ceiling {
            return Ok(Outcome::Rejected(Rejection::Timestamp));
        }
        let clock_before = (self.shard.high_water, self.entry.ts);
        let work_before = self.entry.work.begin(work_max);
        (self.shard.high_water, self.entry.ts) = (stamped.ts, stamped.ts);
        let applied = match &stamped.command {
            Command::Noop | Command::RaiseCeiling => Ok(Outcome::Done),
            Command::Write(_) | Command::Transact(_) | Command::Prepare(_) | Command::Expire(_)
                if self.has_done_enough() =>
            {
                Ok(Outcome::Rejected(Rejection::Crowded))
            }
            Command::Write(write) => self.write(write),
            Command::Transact(transaction) => self.transact(transaction),
            Command::Ddl(command) => ddl::apply(self, command).map(Outcome::Ddl),
            Command::BackfillStep(step) => self.backfill(step),
            Command::Prepare(prepare) => self.prepare(prepare),
            Command::Decide(decide) => self.decide(decide),
            Command::Resolve(resolve) => self.resolve(resolve),
            Command::Forget(forget) => Ok(self.forget(forget)),
            Command::ApplyOutbox(channel) => self.apply_outbox(channel),
            Command::TrimOutbox(trim) => self.trim_outbox(trim),
            Command::FillTtlQueue(fill) => self.fill_ttl_queue(fill),
            Command::Expire(expire) => self.expire(expire),
            Command::TendStreams(tend) => Ok(self.tend_streams(tend)),
            Command::AgeTokens(passed_ms) => self.age_tokens(*passed_ms),
        };
        if let Err(Fault::TooLong) = applied {
            (self.shard.high_water, self.entry.ts) = clock_before;
            self.entry.work.forget_since(&work_before);
        }
        applied
    }

    /// Whether what is left of the entry is put off.
    pub(super) fn has_done_enough(&self) -> bool {
        self.entry.work.is_enough(self.overlay.written())
    }

    /// Bytes of rows read and written, and steps of expressions, since this was last called: what the work of a command
    /// amounts to, however small the command is; one is about a nanosecond. The caller yields its thread by it.
    pub fn take_work(&self) -> usize {
        self.overlay.take_work() + self.entry.work.take_steps()
    }

    /// Lets go of the shard and the store, with the entry applied in part; [`Suspended::resume`] goes on.
    pub fn suspend(self) -> Suspended {
        Suspended { changes: self.overlay.into_changes(), entry: self.entry }
    }

    /// Ends the entry: everything that changed goes into `batch`. Returns the ranges that it empties for good, whose room a
    /// store can give back: those of tables, indexes, queues and stream shards that are gone, not those of trimmed records,
    /// which are many and small, and go with their stream shard.
    pub fn finish(mut self, batch: &mut WriteBatch) -> Vec<RowRange> {
        if (self.shard.ceiling, self.shard.high_water) != self.entry.clock_before {
            self.overlay.put(local::clock(self.shard.id), self.shard.encode_clock());
        }
        if self.shard.deletions_high != self.entry.deletions_before {
            self.overlay.put(local::deletions(self.shard.id), encode_deletions(self.shard.deletions_high));
        }
        for id in std::mem::take(&mut self.entry.counted) {
            if let Some(stats) = self.shard.stats.get(&id) {
                self.overlay.put(local::stats(self.shard.id, id), stats.to_bytes());
            }
        }
        for target in std::mem::take(&mut self.entry.channels_changed) {
            if let Some(channel) = self.shard.channels.out.get(&target) {
                self.overlay.put(local::channel(self.shard.id, target), channel.to_bytes());
            }
        }
        self.finish_streams();
        self.overlay.finish(batch);
        self.entry.emptied
    }

    /// Removes every row of a range that nothing is put into again.
    pub(super) fn empty(&mut self, range: RowRange) {
        self.entry.emptied.push(range.clone());
        self.overlay.delete_range(range);
    }

    /// The descriptor installed here, if it is the one that a command was planned with.
    pub(super) fn planned(&self, id: TableId, schema_version: u32) -> Result<Arc<TableDescriptor>, Rejection> {
        match self.shard.tables.get(&id) {
            Some(table) if table.schema_version == schema_version => Ok(Arc::clone(table)),
            _ => Err(Rejection::Stale),
        }
    }

    /// The value under `key` as it will be.
    ///
    /// # Errors
    /// [`Fault::Store`].
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Value>, Fault> {
        self.overlay.get(key)
    }

    /// Stores a row.
    pub(super) fn put(&mut self, key: Vec<u8>, value: impl Into<Value>) {
        self.overlay.put(key, value);
    }

    /// Removes a row.
    pub(super) fn delete(&mut self, key: Vec<u8>) {
        self.overlay.delete(key);
    }

    /// Rows of a range as they will be, within both bounds.
    ///
    /// # Errors
    /// [`Fault::Store`].
    pub(super) fn scan(&self, range: &RowRange, limit: usize, bytes_max: usize) -> Result<Scanned, Fault> {
        self.overlay.scan(range, limit, bytes_max)
    }

    /// Counts the change of one item or index row from `old` to `new` billed bytes.
    pub(super) fn count(&mut self, id: u64, old: Option<usize>, new: Option<usize>) {
        let items = i64::from(new.is_some()) - i64::from(old.is_some());
        let bytes = new.unwrap_or(0) as i64 - old.unwrap_or(0) as i64;
        self.shard.stats.entry(id).or_default().change(items, bytes);
        self.entry.counted.insert(id);
    }
}
