//! DescribeTable: the description with its counts as they are now.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeTableInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let plan = || plan::describe_table::plan(DescribeTableInput::from_json(call.body)?, &*call.node.catalog());
    let (table, phase) = call.look(plan).await?;
    let stats = call.stats(&table)?;
    Ok(reply::describe_table(&table, phase, &stats, call.context))
}
