//! DescribeTable: the description with its counts as they are now.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeTableInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let (table, phase) =
        call.look(|body, catalog| plan::describe_table::plan(DescribeTableInput::from_json(body)?, catalog)).await?;
    let stats = call.stats(&table)?;
    Ok(reply::describe_table(&table, phase, &stats, &call.dated()))
}
