//! BatchWriteItem: up to 25 puts and deletes, each on its own.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::BatchWriteItemInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.write(|body, catalog| plan::batch_write_item::plan(BatchWriteItemInput::from_json(body)?, catalog)).await
}
