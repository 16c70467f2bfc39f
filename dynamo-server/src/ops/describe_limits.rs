//! DescribeLimits: the account's quotas, which nothing here enforces.

use dynamo_engine::reply;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeLimitsInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.decode(DescribeLimitsInput::from_json).await?;
    Ok(reply::describe_limits())
}
