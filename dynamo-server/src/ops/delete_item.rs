//! DeleteItem: removes one item.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DeleteItemInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    attempt::write(node, || plan::delete_item::plan(DeleteItemInput::from_json(body)?, &*node.catalog())).await
}
