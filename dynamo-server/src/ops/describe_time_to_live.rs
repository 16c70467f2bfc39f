//! DescribeTimeToLive: which attribute holds the time at which an item expires.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeTimeToLiveInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let plan = || plan::describe_table::plan_time_to_live(DescribeTimeToLiveInput::from_json(body)?, &*node.catalog());
    let (table, _) = attempt::look(node, plan).await?;
    Ok(reply::describe_time_to_live(&table))
}
