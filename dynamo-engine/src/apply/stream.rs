//! Stream records and stream shards: what a write leaves for consumers, and where a stream begins, goes on and ends.
//!
//! A record is made of the images of the write and goes into its batch. Whether there is one is decided by what has become
//! of the item: where old and new are the same there is none, whatever was asked for. Where a table has no stream that is
//! on, nothing happens here.

use shard_router::Token;

use crate::catalog::{StreamView, TableDescriptor};
use crate::command::{StreamAction, StreamStep, TendStreams};
use crate::item::{ItemBody, ItemRef};
use crate::keyspace::local;
use crate::stream::{EventName, SequenceNumber, StreamId, StreamRecord, StreamShard, StreamShardId};

use super::{Applier, Fault, Outcome};

impl Applier<'_> {
    /// Adds the record of a change to the table's stream.
    pub(super) fn record_change(
        &mut self,
        table: &TableDescriptor,
        old: Option<ItemRef<'_>>,
        new: Option<ItemRef<'_>>,
        by_ttl: bool,
    ) -> Result<(), Fault> {
        let Some(settings) = table.live_stream() else { return Ok(()) };
        let (event, item) = match (old, new) {
            (None, None) => return Ok(()),
            // Equal values have equal bytes.
            (Some(old), Some(new)) if old.body() == new.body() => return Ok(()),
            (Some(_), Some(new)) => (EventName::Modify, new),
            (None, Some(new)) => (EventName::Insert, new),
            (Some(old), None) => (EventName::Remove, old),
        };
        let keys = keys_of(table, &item)?;
        let shard = self.open_shard(StreamId { table: table.id, since_ms: settings.since_ms });
        let created_ms = shard.newest_ms.max(self.entry.stamped_ms);
        let sequence = self.shard.streams.take_number();
        let carries_new = matches!(settings.view, StreamView::NewImage | StreamView::NewAndOldImages);
        let carries_old = matches!(settings.view, StreamView::OldImage | StreamView::NewAndOldImages);
        let record = StreamRecord {
            sequence,
            created_ms,
            event,
            by_ttl,
            keys: keys.view(),
            new: new.filter(|_| carries_new),
            old: old.filter(|_| carries_old),
        };
        let (key, value) = (shard.record_key(sequence), record.to_bytes());
        let bytes = (key.len() + value.len()) as u64;
        self.put(key, value);
        self.shard.streams.change(shard.stream, shard.id, |shard| {
            shard.newest_ms = created_ms;
            shard.records += 1;
            shard.bytes += bytes;
        });
        self.entry.streams_changed.insert((shard.stream, shard.id));
        Ok(())
    }

    /// The shard of a stream that takes records; opened where there is none yet.
    fn open_shard(&mut self, stream: StreamId) -> StreamShard {
        match self.shard.streams.open_shard(stream) {
            Some(shard) => shard.clone(),
            None => self.open_next(stream),
        }
    }

    /// Opens the next shard of a stream, which goes on from the newest one.
    fn open_next(&mut self, stream: StreamId) -> StreamShard {
        let parent = self.shard.streams.of(stream).last().map(|newest| newest.id);
        let created_ms = self.entry.stamped_ms.max(parent.map_or(0, |parent| parent.created_ms + 1));
        let id = StreamShardId { created_ms, data_shard: self.shard.id };
        let key_token = self.shard.ranges().first().map_or(Token(0), |tokens| tokens.first());
        let shard = StreamShard::open(stream, id, parent, self.shard.streams.next(), key_token);
        self.put(local::stream_shard(self.shard.id, stream, id), shard.to_bytes());
        self.shard.streams.push(shard.clone());
        shard
    }

    /// The table's stream is this one from now on.
    pub(super) fn follow_stream(&mut self, before: Option<StreamId>, now: Option<StreamId>) {
        if before != now {
            if let Some(ended) = before {
                self.seal(ended);
            }
            if let Some(begun) = now {
                self.open_shard(begun);
            }
        }
    }

    /// Seals the open shard of a stream, if there is one. The number that is its end is no record's.
    fn seal(&mut self, stream: StreamId) {
        let Some(id) = self.shard.streams.open_shard(stream).map(|shard| shard.id) else { return };
        let last = self.shard.streams.take_number();
        let sealed_ms = self.entry.stamped_ms;
        self.shard.streams.change(stream, id, |shard| {
            shard.last = Some(last);
            shard.sealed_ms = Some(sealed_ms.max(shard.newest_ms));
        });
        self.entry.streams_changed.insert((stream, id));
    }

    /// Carries out what the shard's leader has found to be due. A step that is of no use any more does nothing.
    pub(super) fn tend_streams(&mut self, tend: &TendStreams) -> Outcome {
        for step in &tend.steps {
            let shard = self.shard.streams.of(step.stream).iter().find(|shard| shard.id == step.shard).cloned();
            if let Some(shard) = shard {
                self.tend(&shard, step);
            }
        }
        Outcome::Done
    }

    fn tend(&mut self, shard: &StreamShard, step: &StreamStep) {
        match step.action {
            StreamAction::Roll if shard.is_open() => {
                self.seal(step.stream);
                self.open_next(step.stream);
            }
            StreamAction::Drop if !shard.is_open() => {
                // With those that were trimmed: their room is given back only now.
                self.empty(shard.records_in(shard.first, SequenceNumber::MAX));
                self.shard.streams.remove(step.stream, step.shard);
                self.entry.streams_changed.remove(&(step.stream, step.shard));
                self.delete(local::stream_shard(self.shard.id, step.stream, step.shard));
            }
            StreamAction::Trim { through } => {
                // No record that is still to come may be before the horizon.
                let end = shard.last.map_or(self.shard.streams.next(), SequenceNumber::next);
                let horizon = through.next().min(end);
                if horizon > shard.horizon {
                    self.overlay.delete_range(shard.records_in(shard.horizon, horizon));
                    self.shard.streams.change(step.stream, step.shard, |shard| shard.trim(horizon, end));
                    self.entry.streams_changed.insert((step.stream, step.shard));
                }
            }
            StreamAction::Roll | StreamAction::Drop => {}
        }
    }

    /// The rows of streams that changed, at the end of an entry.
    pub(super) fn finish_streams(&mut self) {
        for (stream, id) in std::mem::take(&mut self.entry.streams_changed) {
            let row =
                self.shard.streams.of(stream).iter().rev().find(|shard| shard.id == id).map(StreamShard::to_bytes);
            if let Some(row) = row {
                self.put(local::stream_shard(self.shard.id, stream, id), row);
            }
        }
        if self.shard.streams.next() != self.entry.next_number_before {
            let row = self.shard.streams.encode_sequence();
            self.put(local::stream_sequence(self.shard.id), row);
        }
    }
}

/// The key attributes of an item.
fn keys_of(table: &TableDescriptor, item: &ItemRef<'_>) -> Result<ItemBody, Fault> {
    let mut names = [table.partition_key().name.as_str(); 2];
    let count = match table.sort_key() {
        Some(sort) => {
            names[1] = &sort.name;
            names.sort_unstable();
            2
        }
        None => 1,
    };
    Ok(ItemBody::project(item, &names[..count])?)
}

#[cfg(test)]
mod tests;
