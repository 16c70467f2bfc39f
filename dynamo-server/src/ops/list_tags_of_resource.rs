//! ListTagsOfResource: the tags of a table.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ListTagsOfResourceInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let plan = || plan::tag_resource::plan_list(ListTagsOfResourceInput::from_json(body)?, &*node.catalog());
    let (table, _) = attempt::look(node, plan).await?;
    Ok(reply::list_tags_of_resource(&table))
}
