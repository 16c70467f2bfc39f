//! DeleteTable: the table and all its rows go at once.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DeleteTableInput;

use super::{Caller, attempt};
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, caller: &Caller<'_>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let outcome =
        attempt::ddl(node, || plan::delete_table::plan(DeleteTableInput::from_json(body)?, &*node.catalog())).await?;
    reply::delete_table(&outcome, &caller.context)
}
