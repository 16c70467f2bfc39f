//! PartiQL's reads of single items: a SELECT that names one, and BatchExecuteStatement.
//!
//! Each is a point read with what is left of its WHERE clause as a filter; an item that the filter refuses was read and
//! is paid for.

use std::collections::BTreeMap;
use std::sync::Arc;

use dynamo_expression::{Condition, OutOfSteps, Steps};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::JsonWriter;

use crate::capacity::{Consumed, Units};
use crate::catalog::TableDescriptor;
use crate::item::{Decoded, ItemRef};
use crate::keyspace::ItemKey;
use crate::reply::write_failed_statement;

use super::page::Run;
use super::read_set::reader;
use super::report::{CapacityReport, units};
use super::{ReadError, Shape, Views};

/// Planned reads of single items.
#[derive(Clone, Debug)]
pub(crate) struct StatementRead {
    /// In the order of the request.
    pub slots: Vec<StatementSlot>,
    /// What the reply looks like.
    pub style: StatementStyle,
}

/// The reply's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatementStyle {
    /// ExecuteStatement: `Items`.
    Items,
    /// BatchExecuteStatement: `Responses`, one for each slot.
    Responses,
}

/// One statement.
#[derive(Clone, Debug)]
pub(crate) enum StatementSlot {
    /// Reads an item.
    Get(StatementGet),
    /// Is wrong; the others of the batch are read all the same.
    Failed(ApiError),
}

/// A read of one item.
#[derive(Clone, Debug)]
pub(crate) struct StatementGet {
    /// The table.
    pub table: Arc<TableDescriptor>,
    /// The item.
    pub key: ItemKey,
    /// What to return of it.
    pub shape: Shape,
    /// What else must hold for it to be returned.
    pub filter: Option<Condition>,
    /// Strongly consistent, so billed twice.
    pub consistent: bool,
    /// What to report of the capacity, and under which table name.
    pub report: CapacityReport,
}

impl StatementRead {
    /// The items that are read.
    pub fn gets(&self) -> impl Iterator<Item = &StatementGet> {
        self.slots.iter().filter_map(|slot| match slot {
            StatementSlot::Get(get) => Some(get),
            StatementSlot::Failed(_) => None,
        })
    }

    /// Where more is to be read behind the bytes of `run` it is [`ReadError::TooLong`].
    pub(super) fn execute(&self, views: &dyn Views, out: &mut Vec<u8>, run: Run<'_>) -> Result<(), ReadError> {
        let steps = run.steps();
        let mut json = run.writer(out);
        let mut consumed: BTreeMap<&str, Consumed> = BTreeMap::new();
        json.begin_object();
        json.key(match self.style {
            StatementStyle::Items => "Items",
            StatementStyle::Responses => "Responses",
        });
        json.begin_array();
        for slot in &self.slots {
            if json.len() > run.bytes_max() {
                return Err(ReadError::TooLong);
            }
            match slot {
                StatementSlot::Get(get) => {
                    let units = get.read(self.style, views, &mut json, &run, &steps)?;
                    if get.report.is_wanted() {
                        let tally = consumed.entry(get.report.table_name()).or_insert_with(|| get.report.tally());
                        tally.table += units;
                    }
                }
                StatementSlot::Failed(error) => write_failed_statement(error, None, &mut json),
            }
        }
        json.end_array();
        self.write_consumed(consumed, &mut json);
        json.end_object();
        Ok(())
    }

    fn write_consumed(&self, consumed: BTreeMap<&str, Consumed>, json: &mut JsonWriter<'_>) {
        let Some(report) = self.gets().map(|get| &get.report).find(|report| report.is_wanted()) else { return };
        json.key("ConsumedCapacity");
        if self.style == StatementStyle::Responses {
            json.begin_array();
        }
        consumed.values().for_each(|tally| report.write(tally, false, json));
        if self.style == StatementStyle::Responses {
            json.end_array();
        }
    }
}

impl StatementGet {
    /// Writes what is found, and says what it cost.
    fn read(
        &self,
        style: StatementStyle,
        views: &dyn Views,
        json: &mut JsonWriter<'_>,
        run: &Run<'_>,
        steps: &Steps,
    ) -> Result<Units, ReadError> {
        let row = reader(views, self.key.token)?.get(&self.key.row)?;
        let item = row.as_deref().map(ItemRef::parse).transpose()?;
        let units = units(item.as_ref().map_or(0, ItemRef::billed_bytes), self.consistent);
        let found = match (&self.filter, item) {
            (Some(filter), Some(item)) => {
                let accepts = filter.eval(&Decoded::new(item), steps).map_err(|OutOfSteps| run.out_of_steps())?;
                accepts.then_some(item)
            }
            (_, item) => item,
        };
        match style {
            StatementStyle::Items => {
                if let Some(item) = &found {
                    self.shape.write(item, json)?;
                }
            }
            StatementStyle::Responses => {
                json.begin_object();
                json.key("TableName").str(self.report.table_name());
                if let Some(item) = &found {
                    json.key("Item");
                    self.shape.write(item, json)?;
                }
                json.end_object();
            }
        }
        Ok(units)
    }
}
