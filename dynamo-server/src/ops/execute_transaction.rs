//! ExecuteTransaction: up to a hundred PartiQL statements, all or none of them.

use std::sync::Arc;

use dynamo_engine::plan::execute_transaction::StatementTransaction;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ExecuteTransactionInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let parse = |body: &[u8]| StatementTransaction::parse(ExecuteTransactionInput::from_json(body)?);
    let transaction = Arc::new(call.decode(parse).await?);
    match transaction.is_write() {
        true => call.write(move |_, catalog| transaction.write(catalog)).await,
        false => call.read(move |_, catalog| transaction.read(catalog)).await,
    }
}
