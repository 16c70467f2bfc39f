//! UntagResource: removes tags of a table.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UntagResourceInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let plan = || plan::tag_resource::plan_untag(UntagResourceInput::from_json(body)?, &*node.catalog());
    reply::tag_resource(&attempt::ddl(node, plan).await?)
}
