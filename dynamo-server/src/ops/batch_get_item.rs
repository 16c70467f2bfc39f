//! BatchGetItem: up to 100 items of several tables by their keys.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::BatchGetItemInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.read(|body, catalog| {
        let repeats_a_key = || BatchGetItemInput::repeats_a_key(body);
        plan::batch_get_item::plan(BatchGetItemInput::from_json(body)?, catalog, repeats_a_key)
    })
    .await
}
