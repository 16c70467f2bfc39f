//! The operations: one file each, all of the same shape.
//!
//! - a read: decode → plan → [`Node::read`] (LeaseGuard, view, execute) → body
//! - a write: decode → plan → [`Node::propose`] → reply
//! - control plane: decode → plan → [`Node::propose_ddl`] or the catalog → reply
//!
//! A plan is made against the catalog as it is installed here. Where that turns out to be stale (the shard rejects the
//! command, or the table is unknown), the request is decoded and planned again; [`attempt`] holds that loop once for all.

mod attempt;
mod batch_get_item;
mod batch_write_item;
mod control;
mod delete_item;
mod get_item;
mod put_item;
mod query;
mod scan;
mod transact_get_items;
mod transact_write_items;
mod update_item;

use dynamo_engine::context::RequestContext;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::Operation;

use crate::env::Env;
use crate::node::Node;

/// Carries out one operation and gives the body of its reply.
///
/// # Errors
/// DynamoDB's error for whatever is wrong; `InternalServerError` when no quorum confirmed in time.
pub async fn dispatch<E: Env>(
    node: &Node<E>,
    operation: Operation,
    context: &RequestContext,
    body: &[u8],
) -> Result<Vec<u8>, ApiError> {
    match operation {
        Operation::GetItem => get_item::run(node, body).await,
        Operation::PutItem => put_item::run(node, body).await,
        Operation::UpdateItem => update_item::run(node, body).await,
        Operation::DeleteItem => delete_item::run(node, body).await,
        Operation::Query => query::run(node, body).await,
        Operation::Scan => scan::run(node, body).await,
        Operation::BatchGetItem => batch_get_item::run(node, body).await,
        Operation::BatchWriteItem => batch_write_item::run(node, body).await,
        Operation::TransactGetItems => transact_get_items::run(node, body).await,
        Operation::TransactWriteItems => transact_write_items::run(node, body).await,
        other => control::run(node, other, context, body).await,
    }
}
