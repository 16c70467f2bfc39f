//! TransactGetItems: up to 100 items as they were at one moment.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::TransactGetItemsInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    attempt::read(node, || plan::transact_get_items::plan(TransactGetItemsInput::from_json(body)?, &*node.catalog()))
        .await
}
