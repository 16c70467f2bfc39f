//! GetItem: one item by its key.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::GetItemInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.read(|body, catalog| plan::get_item::plan(GetItemInput::from_json(body)?, catalog)).await
}
