//! DescribeTimeToLive: which attribute holds the time at which an item expires.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeTimeToLiveInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let table = call
        .look(|body, catalog| {
            plan::describe_table::plan_time_to_live(DescribeTimeToLiveInput::from_json(body)?, catalog)
        })
        .await?;
    Ok(reply::describe_time_to_live(&table))
}
