//! tmp
use dynamo_engine::context::RequestContext;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::Operation;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(_node: &Node<E>, _op: Operation, _context: &RequestContext, _body: &[u8]) -> Result<Vec<u8>, ApiError> {
    Err(ApiError::unknown_operation())
}
