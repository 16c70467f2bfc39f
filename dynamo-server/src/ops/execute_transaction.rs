//! ExecuteTransaction: up to a hundred PartiQL statements, all or none of them.

use dynamo_engine::plan::execute_transaction::StatementTransaction;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ExecuteTransactionInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let transaction = StatementTransaction::parse(ExecuteTransactionInput::from_json(call.body)?)?;
    match transaction.is_write() {
        true => call.write(|| transaction.write(&*call.node.catalog())).await,
        false => call.read(|| transaction.read(&*call.node.catalog())).await,
    }
}
