//! Query: the items of one partition, in the order of their sort keys.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::QueryInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    attempt::read(node, || plan::query::plan(QueryInput::from_json(body)?, &*node.catalog())).await
}
