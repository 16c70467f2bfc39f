//! DescribeEndpoints: where to send requests, which is where this one arrived.

use dynamo_engine::reply;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeEndpointsInput;

use super::Caller;

pub(super) fn run(caller: &Caller<'_>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    DescribeEndpointsInput::from_json(body)?;
    Ok(reply::describe_endpoints(caller.host))
}
