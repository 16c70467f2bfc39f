//! DeleteItem: removes one item.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DeleteItemInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.write(|body, catalog| plan::delete_item::plan(DeleteItemInput::from_json(body)?, catalog)).await
}
