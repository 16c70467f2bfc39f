//! CreateTable: a table that is ready at once.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::CreateTableInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let outcome = call.ddl(|body, _| plan::create_table::plan(CreateTableInput::from_json(body)?)).await?;
    reply::create_table(&outcome, call.context)
}
