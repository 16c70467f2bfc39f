//! DescribeTable: the description with its counts as they are now.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeTableInput;

use super::{Caller, attempt};
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, caller: &Caller<'_>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let plan = || plan::describe_table::plan(DescribeTableInput::from_json(body)?, &*node.catalog());
    let (table, deadline) = attempt::look(node, plan).await?;
    let stats = attempt::stats(node, &table, deadline).await?;
    Ok(reply::describe_table(&table, &stats, &caller.context))
}
