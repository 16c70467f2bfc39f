//! CreateTable: a table that is ready at once.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::CreateTableInput;

use super::{Caller, attempt};
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, caller: &Caller<'_>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let outcome = attempt::ddl(node, || plan::create_table::plan(CreateTableInput::from_json(body)?)).await?;
    reply::create_table(&outcome, &caller.context)
}
