//! GetItem: one point read of the newest state, the stored row written straight into the reply.

use std::sync::Arc;

use crate::catalog::TableDescriptor;
use crate::item::ItemRef;
use crate::keyspace::ItemKey;

use super::page::Run;
use super::read_set::reader;
use super::report::{CapacityReport, units};
use super::{ReadError, Shape, Views};

/// A planned GetItem.
#[derive(Clone, Debug)]
pub(crate) struct PointRead {
    /// The table.
    pub table: Arc<TableDescriptor>,
    /// The item.
    pub key: ItemKey,
    /// What to return of it.
    pub shape: Shape,
    /// Strongly consistent, so billed twice.
    pub consistent: bool,
    /// What to report of the capacity, and under which table name.
    pub report: CapacityReport,
}

impl PointRead {
    /// An item of more than twice the bytes that `run` allows is [`ReadError::TooLong`]: nothing is evaluated of it.
    pub(super) fn execute(&self, views: &dyn Views, out: &mut Vec<u8>, run: Run<'_>) -> Result<(), ReadError> {
        let row = reader(views, self.key.token)?.get(&self.key.row)?;
        let item = row.as_deref().map(ItemRef::parse).transpose()?;
        if row.as_ref().is_some_and(|row| row.len() / 2 > run.bytes_max()) {
            return Err(ReadError::TooLong);
        }
        let mut json = run.writer(out);
        json.reserve(item.as_ref().map_or(0, ItemRef::json_room) + 64);
        json.begin_object();
        if self.report.is_wanted() {
            let mut consumed = self.report.tally();
            consumed.table = units(item.as_ref().map_or(0, ItemRef::billed_bytes), self.consistent);
            json.key("ConsumedCapacity");
            self.report.write(&consumed, false, &mut json);
        }
        if let Some(item) = &item {
            json.key("Item");
            self.shape.write(item, &mut json)?;
        }
        json.end_object();
        Ok(())
    }
}
