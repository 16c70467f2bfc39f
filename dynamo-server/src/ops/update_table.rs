//! UpdateTable: settings at once, indexes step by step behind the reply.

use dynamo_engine::catalog::{CatalogChange, TableStats};
use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateTableInput;

use super::{Caller, attempt};
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, caller: &Caller<'_>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let outcome =
        attempt::ddl(node, || plan::update_table::plan(UpdateTableInput::from_json(body)?, &*node.catalog())).await?;
    let stats = match outcome.catalog_change() {
        Some(CatalogChange::Installed(table)) => attempt::stats(node, &table, node.deadline()).await?,
        _ => TableStats::default(),
    };
    reply::update_table(&outcome, &stats, &caller.context)
}
