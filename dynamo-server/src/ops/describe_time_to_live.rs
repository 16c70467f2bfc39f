//! DescribeTimeToLive: which attribute holds the time at which an item expires.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeTimeToLiveInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let plan = || {
        plan::describe_table::plan_time_to_live(DescribeTimeToLiveInput::from_json(call.body)?, &*call.node.catalog())
    };
    let table = call.look(plan).await?;
    Ok(reply::describe_time_to_live(&table))
}
