//! DescribeEndpoints: where to send requests, which is where this one arrived.

use dynamo_engine::reply;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeEndpointsInput;

use super::Call;
use crate::env::Env;

pub(super) fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    DescribeEndpointsInput::from_json(call.body)?;
    Ok(reply::describe_endpoints(call.host))
}
