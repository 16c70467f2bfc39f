//! Answering a request at the shard's leader.

use std::sync::Arc;

use hlc::Timestamp;
use ordered_kv::{KeyRange, Reader, Value};
use shard_router::ShardId;

use super::{FetchRequest, FetchResponse, Mark, PageRequest, Selector};
use crate::catalog::{Catalog, TableDescriptor};
use crate::item::{Corrupt, ItemRef, committed_at};
use crate::read::batch::REPLY_BYTES_MAX;
use crate::read::page::PAGE_BYTES_MAX;
use crate::read::source::base_key;
use crate::read::{ReadError, Run, deletions_high, intent_at};

use dynamo_protocol::limits::TRANSACTION_BYTES_MAX;

impl FetchRequest {
    /// Reads what is needed of `shard` through `reader`, whose state is current, with the tables as they are
    /// `installed` in it. Whatever the request says, no more is read than the bounds of the operations allow.
    ///
    /// # Errors
    /// The store's, and damaged rows; [`ReadError::TooLong`] where `run` ends before the answer.
    pub fn serve(
        &self,
        shard: ShardId,
        reader: &dyn Reader,
        installed: &dyn Catalog,
        run: Run<'_>,
    ) -> Result<FetchResponse, ReadError> {
        let mut tables = Vec::with_capacity(self.tables.len());
        for table in &self.tables {
            match installed.table_by_id(table.id) {
                Some(found) if found.schema_version <= table.version => tables.push(found),
                _ => return Ok(FetchResponse::Stale),
            }
        }
        Ok(match &self.selector {
            Selector::Keys { keys, bytes_max } => {
                FetchResponse::Rows(rows(reader, keys, bound(*bytes_max, REPLY_BYTES_MAX))?)
            }
            Selector::Page(page) => page.serve(reader, &tables, run.bytes_max())?,
            Selector::Cut(keys) => {
                let rows = rows(reader, keys, TRANSACTION_BYTES_MAX)?;
                FetchResponse::Cut { marks: marks(shard, reader, keys, &rows)?, rows }
            }
            Selector::Marks(keys) => FetchResponse::Marks(marks(shard, reader, keys, &[])?),
            Selector::Stream(request) => FetchResponse::Stream(request.serve(shard, reader, run.bytes_max())?),
        })
    }
}

fn bound(wanted: u64, most: usize) -> usize {
    usize::try_from(wanted).map_or(most, |wanted| wanted.min(most))
}

/// The rows of `keys`, up to and with the one that crosses the bound.
fn rows(reader: &dyn Reader, keys: &[Vec<u8>], bytes_max: usize) -> Result<Vec<Option<Value>>, ReadError> {
    let mut rows = Vec::with_capacity(keys.len());
    let mut bytes = 0;
    for key in keys {
        let row = reader.get(key)?;
        bytes += billed_bytes(row.as_ref())?;
        rows.push(row);
        if bytes > bytes_max {
            break;
        }
    }
    Ok(rows)
}

fn billed_bytes(row: Option<&Value>) -> Result<usize, Corrupt> {
    row.map_or(Ok(0), |row| Ok(ItemRef::parse(row)?.billed_bytes()))
}

/// The marks of `keys`, of which the first ones have been read: these are their `rows`.
fn marks(
    shard: ShardId,
    reader: &dyn Reader,
    keys: &[Vec<u8>],
    rows: &[Option<Value>],
) -> Result<Vec<Mark>, ReadError> {
    let mut marks = Vec::with_capacity(keys.len());
    for (at, key) in keys.iter().enumerate() {
        let row = match rows.get(at) {
            Some(row) => row.clone(),
            None => reader.get(key)?,
        };
        let committed: Option<Timestamp> = match row {
            Some(row) => Some(committed_at(&ItemRef::parse(&row)?)),
            None => None,
        };
        let version = match committed {
            Some(version) => version,
            None => deletions_high(reader, shard)?,
        };
        marks.push(Mark { version, is_there: committed.is_some(), is_locked: intent_at(reader, key)? });
    }
    Ok(marks)
}

impl PageRequest {
    fn serve(
        &self,
        reader: &dyn Reader,
        tables: &[Arc<TableDescriptor>],
        inline_bytes_max: usize,
    ) -> Result<FetchResponse, ReadError> {
        let bytes_max = bound(self.bytes_max, PAGE_BYTES_MAX);
        let (mut rows, mut items) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        for range in self.ranges.iter().filter(|range| !range.is_empty()) {
            let range = match range.end.is_empty() {
                true => KeyRange::from(&range.start),
                false => KeyRange::between(&range.start, &range.end),
            };
            let mut cursor = reader.cursor(range, self.direction)?;
            loop {
                if bytes > bytes_max || self.rows_max.is_some_and(|most| rows.len() as u64 >= most) {
                    return Ok(FetchResponse::Page { rows, items, is_end: false });
                }
                let Some((key, row)) = cursor.next()? else { break };
                bytes += ItemRef::parse(row)?.billed_bytes();
                if self.fetch {
                    let table = tables.first().ok_or(Corrupt("items of no table"))?;
                    let base = base_key(table, key, &ItemRef::parse(row)?)?;
                    let item = reader.get(&base)?;
                    bytes += billed_bytes(item.as_ref())?;
                    items.push((Value::from(base), item));
                }
                if bytes > inline_bytes_max {
                    return Err(ReadError::TooLong);
                }
                rows.push((Value::copy_from_slice(key), Value::copy_from_slice(row)));
            }
        }
        Ok(FetchResponse::Page { rows, items, is_end: true })
    }
}
