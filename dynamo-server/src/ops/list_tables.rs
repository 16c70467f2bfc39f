//! ListTables: names in order, page by page.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ListTablesInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let input = ListTablesInput::from_json(body)?;
    attempt::confirm(node, node.deadline()).await?;
    Ok(reply::list_tables(&plan::list_tables::plan(input, &*node.catalog())))
}
