//! PutItem: puts one item in place of whatever has its key.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::PutItemInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.write(|body, catalog| plan::put_item::plan(PutItemInput::from_json(body)?, catalog)).await
}
