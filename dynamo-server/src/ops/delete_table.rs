//! DeleteTable: the table and all its rows go at once.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DeleteTableInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let outcome =
        call.ddl(|body, catalog| plan::delete_table::plan(DeleteTableInput::from_json(body)?, catalog)).await?;
    reply::delete_table(&outcome, call.context)
}
