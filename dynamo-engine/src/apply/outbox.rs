//! The source's side of its channels: index mutations for other shards' tokens go into the outbox, delivered ones leave it.

use std::sync::Arc;

use shard_router::ShardId;

use super::evaluate::{Evaluated, Next, Refusal};
use super::{Applier, Fault, Outcome, index_row};
use crate::catalog::TableDescriptor;
use crate::command::{ItemWrite, TrimOutbox};
use crate::item::{ItemBody, ItemRef, stored};
use crate::keyspace::{RowKey, local};
use crate::outbox::{IndexMutation, OutboxMutation, OutboxPosition, OutboxRow, TRIM_ROWS_MAX};

impl Applier<'_> {
    /// Puts a mutation at the end of the channel to `target`.
    pub(super) fn send(&mut self, target: ShardId, table: &TableDescriptor, mutation: IndexMutation) -> OutboxPosition {
        let channel = self.shard.channels.out.entry(target).or_default();
        let row = OutboxRow::after(channel.bytes, OutboxMutation::new(table, mutation));
        channel.last += 1;
        channel.bytes = row.bytes_through;
        channel.validate();
        let position = OutboxPosition { target, sequence: channel.last };
        self.put(local::outbox(self.shard.id, position), row.to_bytes());
        self.entry.channels_changed.insert(target);
        position
    }

    /// Removes rows that the target has. What was removed before, or was never written, is left alone.
    pub(super) fn trim_outbox(&mut self, trim: &TrimOutbox) -> Result<Outcome, Fault> {
        let Some(channel) = self.shard.channels.out.get(&trim.target).copied() else { return Ok(Outcome::Done) };
        let through = trim.through.min(channel.last).min(channel.trimmed.saturating_add(TRIM_ROWS_MAX));
        if through <= channel.trimmed {
            return Ok(Outcome::Done);
        }
        let position = |sequence| OutboxPosition { target: trim.target, sequence };
        let newest = self.get(&local::outbox(self.shard.id, position(through)))?;
        let newest = newest.ok_or(Fault::Invariant("the rows behind a channel's trimmed ones are there"))?;
        let trimmed_bytes = OutboxRow::from_bytes(&newest)?.bytes_through;
        for sequence in channel.trimmed + 1..=through {
            self.delete(local::outbox(self.shard.id, position(sequence)));
        }
        let trimmed = crate::outbox::OutboxChannel { trimmed: through, trimmed_bytes, ..channel };
        trimmed.validate();
        self.shard.channels.out.insert(trim.target, trimmed);
        self.entry.channels_changed.insert(trim.target);
        Ok(Outcome::Done)
    }

    /// Whether any of a transaction's actions may not be committed because the outbox is full.
    pub(super) fn is_any_behind(
        &self,
        tables: &[Arc<TableDescriptor>],
        actions: &[ItemWrite],
        verdicts: &[Result<Evaluated<'_>, Refusal>],
    ) -> Result<bool, Fault> {
        for ((table, action), evaluated) in tables.iter().zip(actions).zip(verdicts.iter().flatten()) {
            if self.is_behind(table, &action.key, evaluated)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether an action may not be committed because it would add to an outbox that is full.
    pub(super) fn is_behind(
        &self,
        table: &TableDescriptor,
        key: &[u8],
        evaluated: &Evaluated<'_>,
    ) -> Result<bool, Fault> {
        // The sum over a few channels; none on a node with one shard.
        if !self.shard.channels.is_full() {
            return Ok(false);
        }
        let row = |body: &ItemBody| Some(stored(body, self.entry.ts));
        let new = match &evaluated.next {
            Next::Same => return Ok(false),
            Next::Given(body) => row(body),
            Next::Made(body) => row(body),
            Next::Gone => None,
        };
        let old = evaluated.old.as_deref().map(ItemRef::parse).transpose()?;
        let new = new.as_deref().map(ItemRef::parse).transpose()?;
        for index in table.maintained_indexes() {
            let mutations = index_row::mutations(table, index, RowKey::parse(key)?, old.as_ref(), new.as_ref())?;
            if mutations.iter().any(|mutation| !self.shard.owns(mutation.token)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
