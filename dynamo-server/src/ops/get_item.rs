//! GetItem: one item by its key.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::GetItemInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    attempt::read(node, || plan::get_item::plan(GetItemInput::from_json(body)?, &*node.catalog())).await
}
