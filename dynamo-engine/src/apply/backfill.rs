//! Filling an index with the rows that were there before it.
//!
//! Each step visits the next base rows from a cursor that the shard keeps, as they are at this point of the log, so it
//! is ordered with live writes: what a write changed after the index came into being has its row already, and the step
//! finds it there and leaves it. Behind the last row a mark takes the cursor's place, which says that this shard is done; it
//! goes with the installation of the active index. So a driver that starts after a crash asks every shard once, and
//! none visits its rows twice.

use super::overlay::Scanned;
use super::{Applier, Fault, IndexMutation, Outcome, Rejection, index_row};
use crate::catalog::{IndexDescriptor, IndexState, TableDescriptor, TableId};
use crate::command::BackfillStep;
use crate::item::{ItemRef, stored_item};
use crate::keyspace::{RowKey, RowRange, Space, id_range, local};

/// In place of a cursor: this shard has visited all of its rows. No row's key begins so.
const VISITED_ALL: [u8; 1] = [0];

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
        let visited = match self.get(&cursor_key)? {
            None => Vec::new(),
            Some(all) if all[..] == VISITED_ALL => return Ok(Outcome::Backfilled { done: true }),
            Some(cursor) => [&cursor[..], &[0]].concat(),
        };
        let Some((range, is_last)) = self.next_range(table.id, &visited) else {
            self.put(cursor_key, &VISITED_ALL[..]);
            return Ok(Outcome::Backfilled { done: true });
        };
        let limit = step.rows.clamp(1, STEP_ROWS_MAX) as usize;
        let Scanned { rows, exhausted } = self.scan(&range, limit, STEP_BYTES_MAX)?;
        for (key, row) in &rows {
            self.backfill_row(&table, index, RowKey::parse(key)?, &ItemRef::parse(row)?)?;
        }
        let done = exhausted && is_last;
        match rows.into_iter().next_back() {
            _ if done => self.put(cursor_key, &VISITED_ALL[..]),
            Some((last, _)) if !exhausted => self.put(cursor_key, last),
            _ => self.put(cursor_key, range.end),
        }
        Ok(Outcome::Backfilled { done })
    }

    /// The first range of a table's rows on this shard that is not visited whole, from `visited` on, and whether it is
    /// the last one.
    fn next_range(&self, table: TableId, visited: &[u8]) -> Option<(RowRange, bool)> {
        let ranges = self.shard.ranges();
        let ranges = ranges.iter().map(|tokens| id_range(Space::Rows, table.0, tokens.first(), tokens.last()));
        let mut left = ranges.filter(|range| range.end.is_empty() || range.end[..] > *visited);
        let (range, is_last) = (left.next()?, left.next().is_none());
        Some((RowRange { start: range.start.max(visited.to_vec()), end: range.end }, is_last))
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
