//! UpdateTable: settings at once, indexes step by step behind the reply. Its counts are those from before: the shards remove what
//! an index has that is deleted, each in its time.

use dynamo_engine::catalog::{Catalog, DdlCommand, TableStats};
use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateTableInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let change = call.ddl_after(
        |body, catalog| plan::update_table::plan(UpdateTableInput::from_json(body)?, catalog),
        |command| stats(call, command),
    );
    let (outcome, stats) = change.await?;
    reply::update_table(&outcome, &stats, &call.dated())
}

/// The counts of the table that is about to be changed.
fn stats<E: Env>(call: &Call<'_, E>, command: &DdlCommand) -> Result<TableStats, ApiError> {
    let DdlCommand::ChangeTable { table, .. } = command else { return Ok(TableStats::default()) };
    call.node.catalog.installed().table_by_id(*table).map_or(Ok(TableStats::default()), |table| call.stats(&table))
}
