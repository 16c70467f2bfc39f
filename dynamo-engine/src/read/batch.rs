//! BatchGetItem: many point reads, each of its own moment, up to 16 MB of them.

use std::sync::Arc;

use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::shapes::KeysAndAttributes;

use crate::capacity::Units;
use crate::catalog::TableDescriptor;
use crate::item::ItemRef;
use crate::keyspace::ItemKey;

use super::page::Run;
use super::read_set::reader;
use super::report::{CapacityReport, units};
use super::{ReadError, Shape, Views};

/// The most item bytes in one reply; what does not fit comes back as unprocessed keys. The service's 16 MB.
pub(super) const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A planned BatchGetItem.
#[derive(Clone, Debug)]
pub(crate) struct BatchRead {
    /// One per table of the request, in the order of their names.
    pub tables: Vec<TableRead>,
}

/// What is read of one table.
#[derive(Clone, Debug)]
pub(crate) struct TableRead {
    /// The table.
    pub table: Arc<TableDescriptor>,
    /// The rows, in the order of the request's keys.
    pub keys: Vec<ItemKey>,
    /// What to return of each.
    pub shape: Shape,
    /// Strongly consistent, so billed twice.
    pub consistent: bool,
    /// What to report of the capacity, and under which table name.
    pub report: CapacityReport,
    /// The request, from which unprocessed keys are given back.
    pub request: KeysAndAttributes,
}

/// The outcome for one table: how many of its keys were processed, and what that cost.
struct Processed {
    /// The first so many were read; the rest goes back to the client.
    keys: usize,
    /// What they cost.
    units: Units,
}

impl BatchRead {
    pub(super) fn keys(&self) -> impl Iterator<Item = &ItemKey> {
        self.tables.iter().flat_map(|table| &table.keys)
    }

    /// Items of more bytes than `run` allows together are [`ReadError::TooLong`].
    pub(super) fn execute(&self, views: &dyn Views, out: &mut Vec<u8>, run: Run<'_>) -> Result<(), ReadError> {
        let (mut json, bytes_max) = (run.writer(out), run.bytes_max());
        let mut budget = REPLY_BYTES_MAX;
        json.begin_object();
        json.key("Responses").begin_object();
        let mut processed = Vec::with_capacity(self.tables.len());
        for table in &self.tables {
            json.key(table.report.table_name());
            processed.push(table.read(views, &mut budget, bytes_max, &mut json)?);
        }
        json.end_object();
        self.write_unprocessed(&processed, &mut json);
        self.write_consumed(&processed, &mut json);
        json.end_object();
        Ok(())
    }

    fn write_unprocessed(&self, processed: &[Processed], json: &mut JsonWriter<'_>) {
        json.key("UnprocessedKeys").begin_object();
        for (table, processed) in self.tables.iter().zip(processed) {
            if processed.keys < table.keys.len() {
                json.key(table.report.table_name());
                table.write_unprocessed(processed.keys, json);
            }
        }
        json.end_object();
    }

    fn write_consumed(&self, processed: &[Processed], json: &mut JsonWriter<'_>) {
        if !self.tables.iter().any(|table| table.report.is_wanted()) {
            return;
        }
        json.key("ConsumedCapacity").begin_array();
        for (table, processed) in self.tables.iter().zip(processed) {
            let mut consumed = table.report.tally();
            consumed.table = processed.units;
            table.report.write(&consumed, false, json);
        }
        json.end_array();
    }
}

impl TableRead {
    /// Writes the array of the items found, until the budget of the reply is used up.
    fn read(
        &self,
        views: &dyn Views,
        budget: &mut usize,
        bytes_max: usize,
        json: &mut JsonWriter<'_>,
    ) -> Result<Processed, ReadError> {
        let mut processed = Processed { keys: 0, units: Units::default() };
        json.begin_array();
        for key in &self.keys {
            if *budget == 0 {
                break;
            }
            let row = reader(views, key.token)?.get(&key.row)?;
            let item = row.as_deref().map(ItemRef::parse).transpose()?;
            let bytes = item.as_ref().map_or(0, ItemRef::billed_bytes);
            if bytes > *budget {
                *budget = 0;
                break;
            }
            *budget -= bytes;
            if REPLY_BYTES_MAX - *budget > bytes_max {
                return Err(ReadError::TooLong);
            }
            processed.keys += 1;
            processed.units += units(bytes, self.consistent);
            if let Some(item) = &item {
                self.shape.write(item, json)?;
            }
        }
        json.end_array();
        Ok(processed)
    }

    /// Writes the KeysAndAttributes with which the client asks for the rest.
    fn write_unprocessed(&self, processed: usize, json: &mut JsonWriter<'_>) {
        json.begin_object();
        json.key("Keys").begin_array();
        for key in &self.request.keys[processed..] {
            json.item(key);
        }
        json.end_array();
        if let Some(names) = &self.request.attributes_to_get {
            json.key("AttributesToGet").begin_array();
            for name in names {
                json.str(name);
            }
            json.end_array();
        }
        if let Some(consistent) = self.request.consistent_read {
            json.key("ConsistentRead").bool(consistent);
        }
        if let Some(expression) = &self.request.projection_expression {
            json.key("ProjectionExpression").str(expression);
        }
        if let Some(names) = &self.request.expression_attribute_names {
            json.key("ExpressionAttributeNames").begin_object();
            for (placeholder, name) in names {
                json.key(placeholder).str(name);
            }
            json.end_object();
        }
        json.end_object();
    }
}
