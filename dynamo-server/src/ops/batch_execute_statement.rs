//! BatchExecuteStatement: up to 25 PartiQL statements, each on its own.

use std::sync::atomic::{AtomicBool, Ordering};

use dynamo_engine::plan::batch_execute_statement::Batch;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::BatchExecuteStatementInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let batch = Batch::parse(BatchExecuteStatementInput::from_json(call.body)?)?;
    // A table that is not known fails the first plan, so that the catalog is confirmed, and from then on its statement.
    let is_confirmed = AtomicBool::new(false);
    let confirmed = || is_confirmed.swap(true, Ordering::Relaxed);
    match batch.is_write() {
        true => call.write(|| batch.write(confirmed(), &*call.node.catalog())).await,
        false => call.read(|| batch.read(confirmed(), &*call.node.catalog())).await,
    }
}
