//! Time to live: the queue of what expires, kept beside the items, and the deletion of what is due.
//!
//! ```text
//! queue   ttl queue space · table · place · expiry · the item's token and key  ->  (empty)
//! fill    local · shard · ttl fill · table  ->  cursor (key of the last row visited) | 00 (all are visited)
//! ```
//!
//! From the entry on in which a shard hears that time to live is enabled, every write keeps the queue current; items from
//! before are added step by step ([`FillTtlQueue`]), from a cursor as an index is filled. There is no record where nothing
//! has been filled. A queue lies where its items lie, so no shard waits for another one. When it is disabled, or enabled
//! for another attribute, queue and cursor go in the entry that says so, by a range delete.
//!
//! Whoever leads the shard reads the queue and proposes to delete what is due ([`Expire`]). What it has read may be old by
//! the time that the command is applied, so everything is compared here, under the time of the entry: that time to live is
//! enabled, by this attribute, on this table; that the item expires when the queue said, that this is past, and not for too
//! long; that no transaction holds the item.

use super::backfill::Visited;
use super::evaluate::{Evaluated, Next, written_bytes};
use super::{Applier, Fault, Outcome, Rejection};
use crate::catalog::{TableDescriptor, TableId};
use crate::command::{Expire, Expiring, FillTtlQueue};
use crate::item::ItemRef;
use crate::keyspace::{RowKey, local, ttl_queue_key};
use crate::ttl;
use std::sync::Arc;

/// In place of a cursor: all base rows are visited. No row's key begins so.
const FILLED: u8 = 0x00;

/// Whether a shard's queue of a table is filled, going by the record of it.
pub fn is_ttl_queue_filled(record: Option<&[u8]>) -> bool {
    record.is_some_and(|record| record.first() == Some(&FILLED))
}

/// What became of one item.
enum Fate {
    Deleted,
    PutOff,
    Kept,
}

impl Applier<'_> {
    /// Moves an item's row in the queue with a change of the item from `old` to `new`.
    pub(super) fn maintain_ttl_queue(
        &mut self,
        attribute: &str,
        key: &[u8],
        old: Option<ItemRef<'_>>,
        new: Option<ItemRef<'_>>,
    ) -> Result<(), Fault> {
        let expiry = |item: Option<ItemRef<'_>>| item.map_or(Ok(None), |item| ttl::expiry_ms(&item, attribute));
        let (old, new) = (expiry(old)?, expiry(new)?);
        if old == new {
            return Ok(());
        }
        let place = self.shard.ttl_place(RowKey::parse(key)?.token());
        if let Some(old) = old {
            self.delete(ttl_queue_key(place, old, key)?);
        }
        if let Some(new) = new {
            self.put(ttl_queue_key(place, new, key)?, &[][..]);
        }
        Ok(())
    }

    /// Visits the next items from before time to live was enabled.
    pub(super) fn fill_ttl_queue(&mut self, fill: &FillTtlQueue) -> Result<Outcome, Fault> {
        let Some(table) = self.expiring_table(fill.table, &fill.attribute) else {
            return Ok(Outcome::Rejected(Rejection::Stale));
        };
        let cursor_key = local::ttl_fill(self.shard.id, table.id.0);
        let cursor = self.get(&cursor_key)?;
        if is_ttl_queue_filled(cursor.as_deref()) {
            return Ok(Outcome::Backfilled { done: true });
        }
        let Visited { rows, cursor } = self.visit(table.id, cursor.as_deref(), fill.rows)?;
        for (key, row) in &rows {
            self.maintain_ttl_queue(&fill.attribute, key, None, Some(ItemRef::parse(row)?))?;
        }
        let done = cursor.is_none();
        self.put(cursor_key, cursor.unwrap_or_else(|| vec![FILLED]));
        Ok(Outcome::Backfilled { done })
    }

    /// Deletes what is due. When the entry has done enough the rest is put off.
    pub(super) fn expire(&mut self, expire: &Expire) -> Result<Outcome, Fault> {
        let Some(table) = self.expiring_table(expire.table, &expire.attribute) else {
            return Ok(Outcome::Rejected(Rejection::Stale));
        };
        if self.entry.work.is_limited() {
            for item in &expire.items {
                let old = self.get(&item.key)?.map_or(0, |row| row.len());
                self.entry.work.weigh(old + written_bytes(&table, old, 0))?;
            }
        }
        let (mut deleted, mut put_off) = (0, 0);
        for item in &expire.items {
            match self.has_done_enough() {
                true => put_off += 1,
                false => match self.expire_item(&table, &expire.attribute, item)? {
                    Fate::Deleted => deleted += 1,
                    Fate::PutOff => put_off += 1,
                    Fate::Kept => {}
                },
            }
        }
        Ok(Outcome::Expired { deleted, put_off })
    }

    fn expire_item(&mut self, table: &TableDescriptor, attribute: &str, item: &Expiring) -> Result<Fate, Fault> {
        if self.shard.locks.is_locked(&item.key) {
            return Ok(Fate::PutOff);
        }
        let old = self.get(&item.key)?;
        self.entry.work.hold(old.as_ref());
        let expiry_ms = match old.as_deref().map(ItemRef::parse).transpose()? {
            Some(old) => ttl::expiry_ms(&old, attribute)?,
            None => None,
        };
        if expiry_ms != Some(item.expiry_ms) && is_compared() {
            return self.leave_queue(item).map(|()| Fate::Kept);
        }
        if !ttl::due(self.entry.stamped_ms).contains(&item.expiry_ms) {
            return Ok(Fate::Kept);
        }
        // Like a backfill, it leaves room in the outbox for what clients write.
        if self.shard.channels.is_full_for_backfill() && table.global_indexes().next().is_some() {
            return Ok(Fate::PutOff);
        }
        self.commit(table, &item.key, Evaluated { old, next: Next::Gone, by_ttl: true })?;
        Ok(Fate::Deleted)
    }

    /// Takes out a queue row that is no item's (any more). Writes take theirs out themselves, so there is none, as a rule;
    /// one that stayed would be proposed for ever.
    fn leave_queue(&mut self, item: &Expiring) -> Result<(), Fault> {
        let place = self.shard.ttl_place(RowKey::parse(&item.key)?.token());
        let queued = ttl_queue_key(place, item.expiry_ms, &item.key)?;
        if self.get(&queued)?.is_some() {
            self.delete(queued);
        }
        Ok(())
    }

    /// The table, where its items expire by this attribute.
    fn expiring_table(&self, table: TableId, attribute: &str) -> Option<Arc<TableDescriptor>> {
        let table = self.shard.tables.get(&table)?;
        (table.ttl_attribute() == Some(attribute)).then(|| Arc::clone(table))
    }
}

/// Whether the item's own expiry is compared, as it always is: tests may see what it is good for.
#[cfg(not(test))]
fn is_compared() -> bool {
    true
}

#[cfg(test)]
use tests::is_compared;

#[cfg(test)]
mod tests;
