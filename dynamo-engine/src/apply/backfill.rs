//! Filling an index with the rows that were there before it.
//!
//! Each step visits the next base rows from a cursor that the shard keeps, as they are at this point of the log, so it
//! is ordered with live writes: what a write changed after the index came into being has its row already, and the step
//! finds it there and leaves it. Once the step says that it is done, the cursor is gone; a step that is proposed again
//! after that begins anew and finds every row in place.

use shard_router::Token;

use super::overlay::Scanned;
use super::{Applier, Fault, IndexMutation, Outcome, Rejection, index_row};
use crate::catalog::{IndexDescriptor, IndexState, TableDescriptor};
use crate::command::BackfillStep;
use crate::item::{ItemRef, stored_item};
use crate::keyspace::{RowKey, Space, id_range, local};

/// Upper bound of rows in one step, whatever the proposer asks for: a step must not hold up the shard.
const STEP_ROWS_MAX: u32 = 4096;

/// Upper bound of stored bytes visited in one step, but for its first row: its batch is held in memory.
const STEP_BYTES_MAX: usize = 1 << 20;

impl Applier<'_> {
    /// Applies one step.
    pub(super) fn backfill(&mut self, step: &BackfillStep) -> Result<Outcome, Fault> {
        let table = match self.planned(step.table, step.schema_version) {
            Ok(table) => table,
            Err(rejection) => return Ok(Outcome::Rejected(rejection)),
        };
        let Some(index) = table.index_by_id(step.index).filter(|index| index.state == IndexState::Backfilling) else {
            return Ok(Outcome::Rejected(Rejection::Stale));
        };
        let cursor_key = local::backfill(self.shard.id, index.id.0);
        let mut range = id_range(Space::Rows, table.id.0, Token(0), Token(u64::MAX));
        if let Some(cursor) = self.get(&cursor_key)? {
            range.start = [&cursor[..], &[0]].concat();
        }
        let limit = step.rows.clamp(1, STEP_ROWS_MAX) as usize;
        let Scanned { rows, exhausted } = self.scan(&range, limit, STEP_BYTES_MAX)?;
        for (key, row) in &rows {
            self.backfill_row(&table, index, RowKey::parse(key)?, &ItemRef::parse(row)?)?;
        }
        match rows.into_iter().next_back() {
            Some((last, _)) if !exhausted => self.put(cursor_key, last),
            _ => self.delete(cursor_key),
        }
        Ok(Outcome::Backfilled { done: exhausted })
    }

    fn backfill_row(
        &mut self,
        table: &TableDescriptor,
        index: &IndexDescriptor,
        base: RowKey<'_>,
        item: &ItemRef<'_>,
    ) -> Result<(), Fault> {
        let Some(key) = index_row::index_key_of(table, index, base, item)? else { return Ok(()) };
        if self.get(&key)?.is_some() {
            return Ok(());
        }
        let body = index_row::projected(table, index, item)?;
        let body = body.view();
        self.mutate_index(IndexMutation {
            index: index.id,
            token: RowKey::parse(&key)?.token(),
            key,
            billed: (None, Some(body.billed_bytes())),
            row: Some(stored_item(&body, item.timestamp())),
        });
        Ok(())
    }
}
