//! DescribeEndpoints: where to send requests, which is where this one arrived.

use dynamo_engine::reply;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeEndpointsInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.decode(DescribeEndpointsInput::from_json).await?;
    Ok(reply::describe_endpoints(call.host))
}
