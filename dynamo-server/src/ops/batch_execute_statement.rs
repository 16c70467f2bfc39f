//! BatchExecuteStatement: up to 25 PartiQL statements, each on its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dynamo_engine::plan::batch_execute_statement::Batch;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::BatchExecuteStatementInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let batch = call.decode(|body| Batch::parse(BatchExecuteStatementInput::from_json(body)?)).await?;
    let batch = Arc::new(batch);
    // A table that is not known fails the first plan, so that the catalog is confirmed, and from then on its statement.
    let is_confirmed = Arc::new(AtomicBool::new(false));
    match batch.is_write() {
        true => call.write(move |_, catalog| batch.write(is_confirmed.swap(true, Ordering::Relaxed), catalog)).await,
        false => call.read(move |_, catalog| batch.read(is_confirmed.swap(true, Ordering::Relaxed), catalog)).await,
    }
}
