//! TransactWriteItems: up to 100 writes and checks, all or none of them.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::TransactWriteItemsInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.write(|body, catalog| plan::transact_write_items::plan(TransactWriteItemsInput::from_json(body)?, catalog))
        .await
}
