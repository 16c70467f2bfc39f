//! TransactGetItems: up to 100 items as they were at one moment.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::TransactGetItemsInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.read(|body, catalog| plan::transact_get_items::plan(TransactGetItemsInput::from_json(body)?, catalog)).await
}
