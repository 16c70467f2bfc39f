//! ListTables: names in order, page by page.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ListTablesInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let input = call.decode(ListTablesInput::from_json).await?;
    call.confirm().await?;
    Ok(reply::list_tables(&plan::list_tables::plan(input, &*call.node.catalog.installed())))
}
