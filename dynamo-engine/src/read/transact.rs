//! TransactGetItems: up to 100 items of one cut.
//!
//! On one shard the cut is one frozen view. Over several shards two validated rounds are to follow; the guard then
//! hands in views that were taken under locks, and this file stays as it is.

use std::sync::Arc;

use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::limits::TRANSACTION_BYTES_MAX;

use crate::capacity::Units;
use crate::catalog::TableDescriptor;
use crate::item::ItemRef;
use crate::keyspace::ItemKey;

use super::page::Run;
use super::read_set::reader;
use super::report::{CapacityReport, units};
use super::{ReadError, Shape, Views};

/// A planned TransactGetItems.
#[derive(Clone, Debug)]
pub(crate) struct TransactRead {
    /// In the order of the request.
    pub items: Vec<TransactItem>,
}

/// One Get of the transaction.
#[derive(Clone, Debug)]
pub(crate) struct TransactItem {
    /// The table.
    pub table: Arc<TableDescriptor>,
    /// What to report of the capacity, and under which table name.
    pub report: CapacityReport,
    /// The item.
    pub key: ItemKey,
    /// What to return of it.
    pub shape: Shape,
    /// Whether an item of which nothing is wanted is shown as an empty one: ExecuteTransaction's answer, not
    /// TransactGetItems' (both recorded).
    pub shows_empty: bool,
}

impl TransactRead {
    /// Items of more bytes than `run` allows together are [`ReadError::TooLong`].
    pub(super) fn execute(&self, views: &dyn Views, out: &mut Vec<u8>, run: Run<'_>) -> Result<(), ReadError> {
        let mut json = run.writer(out);
        let mut costs = Vec::with_capacity(self.items.len());
        let mut bytes_total = 0;
        json.begin_object();
        json.key("Responses").begin_array();
        for get in &self.items {
            let bytes = get.read(views, &mut json)?;
            bytes_total += bytes;
            if bytes_total > TRANSACTION_BYTES_MAX {
                return Err(ReadError::Client(too_large()));
            }
            if bytes_total > run.bytes_max() {
                return Err(ReadError::TooLong);
            }
            costs.push(units(bytes, true).doubled());
        }
        json.end_array();
        self.write_consumed(&costs, &mut json);
        json.end_object();
        Ok(())
    }

    fn write_consumed(&self, costs: &[Units], json: &mut JsonWriter<'_>) {
        let mut tables: Vec<(&CapacityReport, Units)> = Vec::new();
        for (get, units) in self.items.iter().zip(costs).filter(|(get, _)| get.report.is_wanted()) {
            match tables.iter_mut().find(|(report, _)| report.table_name() == get.report.table_name()) {
                Some((_, sum)) => *sum += *units,
                None => tables.push((&get.report, *units)),
            }
        }
        if tables.is_empty() {
            return;
        }
        json.key("ConsumedCapacity").begin_array();
        for (report, units) in tables {
            let mut consumed = report.tally();
            consumed.table = units;
            report.write(&consumed, true, json);
        }
        json.end_array();
    }
}

impl TransactItem {
    /// Writes the response for this item, an empty one where there is nothing to tell, and returns the item's size.
    fn read(&self, views: &dyn Views, json: &mut JsonWriter<'_>) -> Result<usize, ReadError> {
        let row = reader(views, self.key.token)?.get(&self.key.row)?;
        json.begin_object();
        let mut bytes = 0;
        if let Some(row) = row.as_deref() {
            let item = ItemRef::parse(row)?;
            bytes = item.billed_bytes();
            if self.shows_empty {
                json.key("Item");
                self.shape.write(&item, json)?;
            } else {
                self.shape.write_unless_empty(&item, json)?;
            }
        }
        json.end_object();
        Ok(bytes)
    }
}

fn too_large() -> ApiError {
    ApiError::validation("Transaction request exceeds the maximum size: the items read are larger than 4 MB in total")
}
