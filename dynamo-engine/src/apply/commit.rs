//! Writing what an action decided: the row, its index rows, the counters.

use std::collections::BTreeMap;

use ordered_kv::Value;

use super::evaluate::{Evaluated, Next, Refusal};
use super::{Applier, Fault, IndexWrite, Outcome, Rejection, WriteOutcome, index_row};
use crate::catalog::{IndexDescriptor, IndexState, TableDescriptor};
use crate::command::ItemWrite;
use crate::item::{ItemBody, ItemRef, stored};
use crate::keyspace::RowKey;
use crate::outbox::{IndexMutation, OutboxPosition};

impl Applier<'_> {
    /// Applies a single-item write.
    pub(super) fn write(&mut self, write: &ItemWrite) -> Result<Outcome, Fault> {
        let table = match self.planned(write.table, write.schema_version) {
            Ok(table) => table,
            Err(rejection) => return Ok(Outcome::Rejected(rejection)),
        };
        if self.shard.locks.is_locked(&write.key) {
            return Ok(Outcome::Conflict);
        }
        Ok(match self.entry.work.counted(|steps| self.evaluate(&table, write, steps))? {
            Err(Refusal::Conflict) => Outcome::Conflict,
            Ok(evaluated) if self.is_behind(&table, &write.key, &evaluated)? => Outcome::Rejected(Rejection::Behind),
            Ok(evaluated) => Outcome::Written(self.commit(&table, &write.key, evaluated)?),
            Err(Refusal::Condition(item)) => Outcome::ConditionFailed { item },
            Err(Refusal::Invalid(text)) => Outcome::Invalid(text),
        })
    }

    /// Writes an evaluated action. An action that changes nothing writes nothing.
    pub(super) fn commit(
        &mut self,
        table: &TableDescriptor,
        key: &[u8],
        evaluated: Evaluated<'_>,
    ) -> Result<WriteOutcome, Fault> {
        let Evaluated { old, next, by_ttl } = evaluated;
        let row = |body: &ItemBody| Some(Value::from(stored(body, self.entry.ts)));
        let new = match &next {
            Next::Same => return Ok(WriteOutcome::unchanged(old)),
            Next::Given(body) => row(body),
            Next::Made(body) => row(body),
            Next::Gone => None,
        };
        self.entry.work.hold(new.as_ref());
        let old_item = old.as_deref().map(ItemRef::parse).transpose()?;
        let new_item = new.as_deref().map(ItemRef::parse).transpose()?;
        self.count(table.id.0, old_item.map(|item| item.billed_bytes()), new_item.map(|item| item.billed_bytes()));
        self.record_change(table, old_item, new_item, by_ttl)?;
        let (index_writes, channels) = self.maintain_indexes(table, key, old_item, new_item)?;
        if let Some(attribute) = table.ttl_attribute() {
            self.maintain_ttl_queue(attribute, key, old_item, new_item)?;
        }
        match &new {
            Some(row) => self.put(key.to_vec(), row.clone()),
            None => {
                self.delete(key.to_vec());
                self.shard.deletions_high = self.shard.deletions_high.max(self.entry.ts);
            }
        }
        Ok(WriteOutcome { old, new, changed: true, index_writes, channels })
    }

    fn maintain_indexes(
        &mut self,
        table: &TableDescriptor,
        key: &[u8],
        old: Option<ItemRef<'_>>,
        new: Option<ItemRef<'_>>,
    ) -> Result<(Vec<IndexWrite>, Vec<OutboxPosition>), Fault> {
        let (mut writes, mut channels) = (Vec::new(), BTreeMap::new());
        for index in table.maintained_indexes() {
            let mutations = index_row::mutations(table, index, RowKey::parse(key)?, old.as_ref(), new.as_ref())?;
            if !mutations.is_empty() {
                writes.push(IndexWrite { index: index.id, units: index_row::units(&mutations) });
            }
            for mutation in mutations {
                if let Some(position) = self.mutate_index(table, index, mutation)? {
                    channels.insert(position.target, position);
                }
            }
        }
        Ok((writes, channels.into_values().collect()))
    }

    /// Carries out one mutation of an index row that lives on this shard, or sends it to the shard where it lives.
    pub(super) fn mutate_index(
        &mut self,
        table: &TableDescriptor,
        index: &IndexDescriptor,
        mut mutation: IndexMutation,
    ) -> Result<Option<OutboxPosition>, Fault> {
        let owner = self.shard.owner(mutation.token);
        if owner != self.shard.id {
            return Ok(Some(self.send(owner, table, mutation)));
        }
        if index.state != IndexState::Active && self.get(&mutation.key)?.is_none() {
            mutation.not_filled_yet();
        }
        self.put_index_row(mutation);
        Ok(None)
    }

    fn put_index_row(&mut self, mutation: IndexMutation) {
        self.count(mutation.index.0, mutation.billed.0, mutation.billed.1);
        match mutation.row {
            Some(row) => self.put(mutation.key, row),
            None => self.delete(mutation.key),
        }
    }
}
