//! UpdateItem: changes attributes of one item, which is made where it is absent.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateItemInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.write(|body, catalog| plan::update_item::plan(UpdateItemInput::from_json(body)?, catalog)).await
}
