//! DescribeLimits: the account's quotas, which nothing here enforces.

use dynamo_engine::reply;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeLimitsInput;

pub(super) fn run(body: &[u8]) -> Result<Vec<u8>, ApiError> {
    DescribeLimitsInput::from_json(body)?;
    Ok(reply::describe_limits())
}
