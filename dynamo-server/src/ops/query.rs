//! Query: the items of one partition, in the order of their sort keys.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::QueryInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.read(|body, catalog| plan::query::plan(QueryInput::from_json(body)?, catalog)).await
}
