//! The reply of BatchWriteItem.

use std::collections::BTreeMap;

use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::shapes::{ReturnConsumedCapacity, ReturnItemCollectionMetrics};
use dynamo_protocol::value::Item;

use super::consumed_write::{ConsumedReport, Factor, metrics_wanted, write_list, write_metrics};
use crate::apply::Outcome;
use crate::capacity::Consumed;
use crate::catalog::TableDescriptor;

/// What to say of a batch of writes.
#[derive(Clone, Debug)]
pub struct BatchReply {
    consumed_mode: Option<ReturnConsumedCapacity>,
    metrics_mode: Option<ReturnItemCollectionMetrics>,
    /// In the order of the plan's writes.
    tables: Vec<BatchTable>,
}

/// The writes of one table.
#[derive(Clone, Debug)]
struct BatchTable {
    name: String,
    consumed: Option<ConsumedReport>,
    writes: usize,
    /// The item collections written to, each once, in the order of the request; empty where not wanted.
    collections: Vec<Item>,
}

impl BatchReply {
    /// A reply about no table yet.
    pub(crate) fn new(
        consumed_mode: Option<ReturnConsumedCapacity>,
        metrics_mode: Option<ReturnItemCollectionMetrics>,
    ) -> BatchReply {
        BatchReply { consumed_mode, metrics_mode, tables: Vec::new() }
    }

    /// Begins the writes of a table.
    pub(crate) fn table(&mut self, table: &TableDescriptor, name: &str) {
        let consumed = ConsumedReport::new(table, name, self.consumed_mode);
        self.tables.push(BatchTable { name: name.to_owned(), consumed, writes: 0, collections: Vec::new() });
    }

    /// Adds a write to the table begun last.
    pub(crate) fn write(&mut self, table: &TableDescriptor, collection_key: Item) {
        let Some(last) = self.tables.last_mut() else { return };
        last.writes += 1;
        if metrics_wanted(table, self.metrics_mode) && !last.collections.contains(&collection_key) {
            last.collections.push(collection_key);
        }
    }

    /// The body. Every write has been done, so nothing is ever unprocessed.
    ///
    /// # Errors
    /// Where a write failed for reasons of our own.
    pub fn render(&self, outcomes: Vec<Outcome>) -> Result<Vec<u8>, ApiError> {
        let mut outcomes = outcomes.into_iter();
        let mut tallies: Vec<Consumed> = Vec::new();
        let mut arms = false;
        for table in &self.tables {
            let mut tally = table.consumed.as_ref().map(ConsumedReport::tally);
            for _ in 0..table.writes {
                let write = match outcomes.next() {
                    Some(Outcome::Written(write)) => write,
                    // It was waited for, as long as the request had time.
                    Some(Outcome::Conflict) => return Err(ApiError::transaction_conflict()),
                    _ => return Err(ApiError::internal()),
                };
                if let (Some(report), Some(tally)) = (&table.consumed, &mut tally) {
                    report.count(&write, Factor::Plain, tally)?;
                    arms = report.arms;
                }
            }
            tallies.extend(tally);
        }
        let mut out = Vec::new();
        let mut json = JsonWriter::new(&mut out);
        json.begin_object();
        json.key("UnprocessedItems").begin_object().end_object();
        if !tallies.is_empty() {
            write_list(&tallies, arms, None, &mut json);
        }
        write_collections(self.tables.iter().map(|table| (&table.name, &table.collections)), &mut json);
        json.end_object();
        Ok(out)
    }
}

/// Writes `ItemCollectionMetrics` by table, where there is any.
pub(super) fn write_collections<'a>(
    tables: impl Iterator<Item = (&'a String, &'a Vec<Item>)>,
    json: &mut JsonWriter<'_>,
) {
    let tables: BTreeMap<&String, &Vec<Item>> = tables.filter(|(_, collections)| !collections.is_empty()).collect();
    if tables.is_empty() {
        return;
    }
    json.key("ItemCollectionMetrics").begin_object();
    for (name, collections) in tables {
        json.key(name).begin_array();
        collections.iter().for_each(|collection| write_metrics(collection, json));
        json.end_array();
    }
    json.end_object();
}
