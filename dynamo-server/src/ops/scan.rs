//! Scan: every item of a table or index, page by page.

use dynamo_engine::plan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ScanInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    attempt::read(node, || plan::scan::plan(ScanInput::from_json(body)?, &*node.catalog())).await
}
