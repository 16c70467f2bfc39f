//! Filling an index with the rows that were there before it.
//!
//! Each step visits the next base rows from a cursor that the shard keeps, as they are at this point of the log, so it
//! is ordered with live writes: what a write changed after the index came into being has its row already, and the step
//! finds it there and leaves it. A row of the index that lives on another shard goes there through the same channel as those
//! of live writes, so it is ordered with them, too.
//!
//! ```text
//! cursor (key of the last row visited) ──▶ visited all, and where each channel ended then ──▶ done
//! ```
//!
//! Behind the last row a mark takes the cursor's place; once what it tells of was delivered, this shard is done. The
//! mark goes with the installation of the active index. So a driver that starts after a crash asks every shard once, and
//! none visits its rows twice.

use ordered_kv::Value;

use super::overlay::Scanned;
use super::{Applier, Fault, Outcome, Rejection, index_row};
use crate::catalog::{IndexDescriptor, IndexState, TableDescriptor, TableId};
use crate::codec::Record;
use crate::command::BackfillStep;
use crate::item::{ItemRef, committed_at, stored_item};
use crate::keyspace::{RowKey, RowRange, Space, id_range, local};
use crate::outbox::{IndexMutation, OutboxPosition};

/// In place of a cursor: this shard has visited all of its rows, and everything has been delivered. No row's key begins
/// so.
const DONE: u8 = 0x00;

/// In place of a cursor: this shard has visited all of its rows. The ends of its channels follow. No row's key begins so.
const VISITED_ALL: u8 = 0x01;

/// Upper bound of rows in one step, whatever the proposer asks for: a step must not hold up the shard.
const STEP_ROWS_MAX: u32 = 4096;

/// Upper bound of stored bytes visited in one step, but for its first row: its batch is held in memory.
const STEP_BYTES_MAX: usize = 1 << 20;

/// Base rows that a step visits.
pub(super) struct Visited {
    /// Key and row, in key order.
    pub rows: Vec<(Vec<u8>, Value)>,
    /// Where to go on; `None` where all are visited.
    pub cursor: Option<Vec<u8>>,
}

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
        let cursor = match self.get(&cursor_key)? {
            Some(mark) if mark[0] == DONE => return Ok(Outcome::Backfilled { done: true }),
            Some(mark) if mark[0] == VISITED_ALL => return self.deliver_backfill(cursor_key, &mark[1..]),
            cursor => cursor,
        };
        if self.shard.channels.is_full_for_backfill() {
            return Ok(Outcome::Rejected(Rejection::Behind));
        }
        let Visited { rows, cursor } = self.visit(table.id, cursor.as_deref(), step.rows)?;
        for (key, row) in &rows {
            self.backfill_row(&table, index, RowKey::parse(key)?, &ItemRef::parse(row)?)?;
        }
        match cursor {
            None => Ok(self.end_backfill(cursor_key)),
            Some(cursor) => {
                self.put(cursor_key, cursor);
                Ok(Outcome::Backfilled { done: false })
            }
        }
    }

    /// The next base rows of a table behind `cursor`, and the cursor behind them. Bounded, whatever `rows` asks for.
    pub(super) fn visit(&self, table: TableId, cursor: Option<&[u8]>, rows: u32) -> Result<Visited, Fault> {
        let visited = cursor.map_or_else(Vec::new, |cursor| [cursor, &[0]].concat());
        let Some((range, is_last)) = self.next_range(table, &visited) else {
            return Ok(Visited { rows: Vec::new(), cursor: None });
        };
        let limit = rows.clamp(1, STEP_ROWS_MAX) as usize;
        let Scanned { rows, exhausted } = self.scan(&range, limit, STEP_BYTES_MAX)?;
        let cursor = match rows.last() {
            _ if exhausted && is_last => None,
            Some((last, _)) if !exhausted => Some(last.clone()),
            _ => Some(range.end),
        };
        Ok(Visited { rows, cursor })
    }

    /// All rows are visited: what they gave for other shards must still arrive there.
    fn end_backfill(&mut self, cursor_key: Vec<u8>) -> Outcome {
        let ends = self.shard.channels.ends();
        let mut mark = vec![if ends.is_empty() { DONE } else { VISITED_ALL }];
        if !ends.is_empty() {
            ends.encode(&mut mark);
        }
        self.put(cursor_key, mark);
        Outcome::Backfilled { done: ends.is_empty() }
    }

    /// Whether what the visited rows gave has arrived.
    fn deliver_backfill(&mut self, cursor_key: Vec<u8>, mut ends: &[u8]) -> Result<Outcome, Fault> {
        let ends = Vec::<OutboxPosition>::decode(&mut ends)?;
        if !self.shard.channels.have_delivered(&ends) {
            return Ok(Outcome::Rejected(Rejection::Behind));
        }
        self.put(cursor_key, &[DONE][..]);
        Ok(Outcome::Backfilled { done: true })
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
        let token = RowKey::parse(&key)?.token();
        // What lies here and was written since the index is there needs nothing. What lies elsewhere cannot be looked
        // at: it is sent as it is now, behind every earlier change in its channel and before every later one.
        if self.shard.owns(token) && self.get(&key)?.is_some() {
            return Ok(());
        }
        let body = index_row::projected(table, index, item)?;
        let body = body.view();
        self.mutate_index(
            table,
            index,
            IndexMutation {
                index: index.id,
                token,
                key,
                billed: (None, Some(body.billed_bytes())),
                row: Some(stored_item(&body, committed_at(item))),
            },
        )?;
        Ok(())
    }
}
