//! The capacity that writes consumed, and the item collections that they touched.

use std::collections::BTreeMap;

use dynamo_protocol::error::{ApiError, ItemJson};
use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::shapes::{ReturnConsumedCapacity, ReturnItemCollectionMetrics};
use dynamo_protocol::value::Item;
use ordered_kv::Value;

use crate::apply::WriteOutcome;
use crate::capacity::{Consumed, UnitKind, Units, collection_range_gb, wanted, write_units};
use crate::catalog::{IndexId, TableDescriptor};
use crate::item::ItemRef;

/// What a request wants to hear of one table's capacity.
#[derive(Clone, Debug)]
pub(super) struct ConsumedReport {
    /// The table as the request named it.
    table_name: String,
    /// Whether the indexes are told apart.
    pub arms: bool,
    /// The table's indexes: name, and whether it is local.
    indexes: BTreeMap<IndexId, (String, bool)>,
}

impl ConsumedReport {
    /// `None` where nothing is wanted.
    pub fn new(table: &TableDescriptor, name: &str, mode: Option<ReturnConsumedCapacity>) -> Option<ConsumedReport> {
        let indexes = table.indexes.iter().map(|index| (index.id, (index.name.clone(), index.local)));
        Some(ConsumedReport { table_name: name.to_owned(), arms: wanted(mode)?, indexes: indexes.collect() })
    }

    /// A tally to fill.
    pub fn tally(&self) -> Consumed {
        Consumed::new(&self.table_name)
    }

    /// Counts one write: the larger of the old and the new item, and what the indexes cost.
    pub fn count(&self, write: &WriteOutcome, factor: Factor, tally: &mut Consumed) -> Result<(), ApiError> {
        tally.table += factor.of(Units::whole(write_units(larger_bytes(write)?)));
        for cost in &write.index_writes {
            let Some((name, local)) = self.indexes.get(&cost.index) else { continue };
            let arms = if *local { &mut tally.local_indexes } else { &mut tally.global_indexes };
            *arms.entry(name.clone()).or_default() += Units::whole(cost.units);
        }
        Ok(())
    }

    /// Counts what a replayed transaction costs for one item: reading it.
    pub fn count_replay(&self, read_units: u32, tally: &mut Consumed) {
        tally.table += Units::whole(read_units).doubled();
    }
}

/// Transactions pay double for the table's item; what indexes cost is the same (captures of October 2026: a put into one
/// index is 2 + 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Factor {
    Plain,
    Transaction,
}

impl Factor {
    fn of(self, units: Units) -> Units {
        match self {
            Factor::Plain => units,
            Factor::Transaction => units.doubled(),
        }
    }
}

/// Writes `ConsumedCapacity` as the list of a request on several tables.
pub(super) fn write_list(tallies: &[Consumed], arms: bool, kind: Option<UnitKind>, json: &mut JsonWriter<'_>) {
    json.key("ConsumedCapacity").begin_array();
    tallies.iter().for_each(|tally| tally.write_json(arms, kind, json));
    json.end_array();
}

/// Whether a table's collections are to be told: only tables with local indexes have bounded ones.
pub(super) fn metrics_wanted(table: &TableDescriptor, mode: Option<ReturnItemCollectionMetrics>) -> bool {
    mode == Some(ReturnItemCollectionMetrics::Size) && table.has_local_indexes()
}

/// Writes one ItemCollectionMetrics object.
///
/// The size is an estimate by contract. Collections are not measured here, so it is always the lowest range.
pub(super) fn write_metrics(collection_key: &Item, json: &mut JsonWriter<'_>) {
    let (low, high) = collection_range_gb(0);
    json.begin_object();
    json.key("ItemCollectionKey").item(collection_key);
    json.key("SizeEstimateRangeGB").begin_array().f64(low).f64(high).end_array();
    json.end_object();
}

/// A stored row looked at; a damaged one is an internal error here, since the client cannot help it.
pub(super) fn item(row: &Value) -> Result<ItemRef<'_>, ApiError> {
    ItemRef::parse(row).map_err(|_| ApiError::internal())
}

/// A stored row as the JSON that an error shows, if there is one.
pub(super) fn shown(row: Option<&Value>) -> Result<Option<ItemJson>, ApiError> {
    let Some(row) = row else { return Ok(None) };
    let mut out = Vec::with_capacity(row.len() + row.len() / 2);
    item(row)?.write_json(&mut JsonWriter::new(&mut out)).map_err(|_| ApiError::internal())?;
    Ok(Some(out))
}

/// A stored row as a tree, if there is one.
pub(super) fn tree(row: Option<&Value>) -> Result<Option<Item>, ApiError> {
    row.map(|row| item(row)?.to_item().map_err(|_| ApiError::internal())).transpose()
}

fn larger_bytes(write: &WriteOutcome) -> Result<usize, ApiError> {
    Ok(row_bytes(write.old.as_ref())?.max(row_bytes(write.new.as_ref())?))
}

fn row_bytes(row: Option<&Value>) -> Result<usize, ApiError> {
    row.map_or(Ok(0), |row| Ok(item(row)?.billed_bytes()))
}
