//! The reply of BatchWriteItem.

use std::collections::BTreeMap;

use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::shapes::{ReturnConsumedCapacity, ReturnItemCollectionMetrics};
use dynamo_protocol::value::Item;

use super::consumed_write::{ConsumedReport, Factor, metrics_wanted, write_list, write_metrics};
use crate::apply::{Outcome, Rejection, WriteOutcome};
use crate::capacity::Consumed;
use crate::catalog::TableDescriptor;
use crate::item::ItemBody;

/// What to say of a batch of writes.
#[derive(Clone, Debug)]
pub struct BatchReply {
    /// `ReturnConsumedCapacity`.
    consumed_mode: Option<ReturnConsumedCapacity>,
    /// `ReturnItemCollectionMetrics`.
    metrics_mode: Option<ReturnItemCollectionMetrics>,
    /// In the order of the plan's writes.
    tables: Vec<BatchTable>,
}

/// The writes of one table.
#[derive(Clone, Debug)]
struct BatchTable {
    /// As in the request.
    name: String,
    /// How its capacity is reported, where that is wanted.
    consumed: Option<ConsumedReport>,
    /// In the order of the request, as outcomes are.
    writes: Vec<BatchWrite>,
}

/// One write.
#[derive(Clone, Debug)]
struct BatchWrite {
    /// What was asked for, given back where it is not done.
    request: BatchRequest,
    /// The item collection written to, where it is to be reported.
    collection: Option<Item>,
}

/// What a batch asks for: one write.
#[derive(Clone, Debug)]
pub(crate) enum BatchRequest {
    /// This item.
    Put(ItemBody),
    /// The item with this key goes.
    Delete(Item),
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
        self.tables.push(BatchTable { name: name.to_owned(), consumed, writes: Vec::new() });
    }

    /// Adds a write to the table begun last; `collection_key` is asked for where it is to be reported.
    pub(crate) fn write(
        &mut self,
        table: &TableDescriptor,
        collection_key: impl FnOnce() -> Item,
        request: BatchRequest,
    ) {
        let Some(last) = self.tables.last_mut() else { return };
        let collection = metrics_wanted(table, self.metrics_mode).then(collection_key);
        last.writes.push(BatchWrite { request, collection });
    }

    /// The body, from what came of each write: an outcome, or why it was refused and certainly not done. What was not
    /// done goes back to the client as unprocessed, if anything was.
    ///
    /// # Errors
    /// Where a write failed for reasons of our own; the first refusal where nothing was done.
    pub fn render(&self, outcomes: Vec<Result<Outcome, ApiError>>) -> Result<Vec<u8>, ApiError> {
        let mut outcomes = outcomes.into_iter();
        let (mut tallies, mut arms): (Vec<Consumed>, bool) = (Vec::new(), false);
        let (mut unprocessed, mut collections) = (Vec::new(), Vec::new());
        let (mut is_any_done, mut refusal) = (false, None);
        for table in &self.tables {
            let mut tally = table.consumed.as_ref().map(ConsumedReport::tally);
            let (mut open, mut touched) = (Vec::new(), Vec::new());
            for write in &table.writes {
                match done(outcomes.next().unwrap_or_else(|| Err(ApiError::internal())))? {
                    Ok(outcome) => {
                        is_any_done = true;
                        if let (Some(report), Some(tally)) = (&table.consumed, &mut tally) {
                            report.count(&outcome, Factor::Plain, tally)?;
                            arms = report.arms;
                        }
                        touched.extend(write.collection.as_ref().filter(|key| !touched.contains(key)));
                    }
                    Err(error) => {
                        refusal.get_or_insert(error);
                        open.push(&write.request);
                    }
                }
            }
            tallies.extend(tally);
            unprocessed.push((&table.name, open));
            collections.push((&table.name, touched.into_iter().cloned().collect::<Vec<_>>()));
        }
        match refusal {
            Some(refusal) if !is_any_done => return Err(refusal),
            _ => {}
        }
        let mut out = Vec::new();
        let mut json = JsonWriter::new(&mut out);
        json.begin_object();
        write_unprocessed(&unprocessed, &mut json)?;
        if !tallies.is_empty() {
            write_list(&tallies, arms, None, &mut json);
        }
        write_collections(collections.iter().map(|(name, keys)| (*name, keys)), &mut json);
        json.end_object();
        Ok(out)
    }
}

/// What came of a write: done, or not done and to be asked for again.
///
/// # Errors
/// Where neither is certain.
fn done(outcome: Result<Outcome, ApiError>) -> Result<Result<WriteOutcome, ApiError>, ApiError> {
    match outcome {
        Ok(Outcome::Written(write)) => Ok(Ok(write)),
        // It was waited for, as long as the request had time.
        Ok(Outcome::Conflict) => Ok(Err(ApiError::transaction_conflict())),
        Ok(Outcome::Rejected(Rejection::Behind | Rejection::Crowded)) => Ok(Err(ApiError::throughput_exceeded())),
        Ok(_) => Err(ApiError::internal()),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// Writes `UnprocessedItems`, by the names under which the request knows the tables.
///
/// # Errors
/// An item that cannot be read, which none is.
fn write_unprocessed(tables: &[(&String, Vec<&BatchRequest>)], json: &mut JsonWriter<'_>) -> Result<(), ApiError> {
    json.key("UnprocessedItems").begin_object();
    for (name, requests) in tables.iter().filter(|(_, requests)| !requests.is_empty()) {
        json.key(name).begin_array();
        for request in requests {
            json.begin_object();
            match request {
                BatchRequest::Put(item) => {
                    json.key("PutRequest").begin_object().key("Item");
                    item.view().write_json(json).map_err(|_| ApiError::internal())?;
                }
                BatchRequest::Delete(key) => {
                    json.key("DeleteRequest").begin_object().key("Key").item(key);
                }
            }
            json.end_object().end_object();
        }
        json.end_array();
    }
    json.end_object();
    Ok(())
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
