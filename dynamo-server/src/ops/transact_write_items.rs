//! TransactWriteItems: up to 100 writes and checks, all or none of them.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::TransactWriteItemsInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    attempt::write(node, || {
        plan::transact_write_items::plan(TransactWriteItemsInput::from_json(body)?, &*node.catalog())
    })
    .await
}
