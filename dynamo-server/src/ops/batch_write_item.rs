//! BatchWriteItem: up to 25 puts and deletes, each on its own.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::BatchWriteItemInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    attempt::write(node, || plan::batch_write_item::plan(BatchWriteItemInput::from_json(body)?, &*node.catalog())).await
}
