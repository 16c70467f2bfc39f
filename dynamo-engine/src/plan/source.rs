//! Finding what a Query or a Scan reads, and what cannot be read so.

use std::sync::Arc;

use dynamo_protocol::error::ApiError;

use super::PlanError;
use crate::catalog::{IndexDescriptor, TableDescriptor};
use crate::read::Source;

impl Source {
    /// The table's index of this name, or the table.
    ///
    /// # Errors
    /// DynamoDB's errors for an unknown index and for one that is not complete yet.
    pub fn new(table: Arc<TableDescriptor>, index_name: Option<&str>) -> Result<Source, PlanError> {
        let Some(name) = index_name else {
            return Ok(Source { table, index: None });
        };
        let known = |index: &IndexDescriptor| index.name == name && index.state.is_maintained();
        let Some(index) = table.indexes.iter().position(known) else {
            return Err(unknown(format!("The table does not have the specified index: {name}")));
        };
        if !table.indexes[index].state.is_readable() {
            return Err(unknown(format!("Cannot read from backfilling global secondary index: {name}")));
        }
        Ok(Source { table, index: Some(index) })
    }

    /// Global indexes follow their table, so they have no strongly consistent reads.
    pub fn check_consistency(&self, consistent: bool) -> Result<(), PlanError> {
        if consistent && self.global_index().is_some() {
            return Err(PlanError::validation("Consistent reads are not supported on global secondary indexes"));
        }
        Ok(())
    }
}

fn unknown(message: String) -> PlanError {
    PlanError::UnknownIndex(ApiError::validation(message))
}
