//! BatchGetItem: up to 100 items of several tables by their keys.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::BatchGetItemInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    attempt::read(node, || plan::batch_get_item::plan(BatchGetItemInput::from_json(body)?, &*node.catalog())).await
}
