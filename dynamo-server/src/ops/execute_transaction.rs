//! ExecuteTransaction: up to a hundred PartiQL statements, all or none of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dynamo_engine::plan::execute_transaction::StatementTransaction;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ExecuteTransactionInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let parse = |body: &[u8]| StatementTransaction::parse(ExecuteTransactionInput::from_json(body)?);
    let transaction = Arc::new(call.decode(parse).await?);
    // A table that is not known fails the first plan, so that the catalog is confirmed, and from then on it cancels.
    let is_confirmed = Arc::new(AtomicBool::new(false));
    match transaction.is_write() {
        true => {
            call.write(move |_, catalog| transaction.write(is_confirmed.swap(true, Ordering::Relaxed), catalog)).await
        }
        false => {
            call.read(move |_, catalog| transaction.read(is_confirmed.swap(true, Ordering::Relaxed), catalog)).await
        }
    }
}
