//! Scan: every item of a table or index, page by page.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ScanInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.read(|body, catalog| plan::scan::plan(ScanInput::from_json(body)?, catalog)).await
}
