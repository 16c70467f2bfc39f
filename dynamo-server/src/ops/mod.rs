//! The operations: one file each, all of the same shape.
//!
//! - a read: decode → plan → [`Node::read`] (LeaseGuard, view, execute) → body
//! - a write: decode → plan → [`Node::propose`] → reply
//! - control plane: decode → plan → [`Node::propose_ddl`] or the catalog → reply
//!
//! A plan is made against the catalog as it is installed here. Where that turns out to be stale (the shard rejects the
//! command, or the table is unknown), the request is decoded and planned again; [`attempt`] holds that loop once for
//! all.

mod attempt;

mod batch_get_item;
mod batch_write_item;
mod create_table;
mod delete_item;
mod delete_table;
mod describe_continuous_backups;
mod describe_endpoints;
mod describe_limits;
mod describe_table;
mod describe_time_to_live;
mod get_item;
mod list_tables;
mod list_tags_of_resource;
mod put_item;
mod query;
mod scan;
mod tag_resource;
mod transact_get_items;
mod transact_write_items;
mod untag_resource;
mod update_item;
mod update_table;
mod update_time_to_live;

use dynamo_engine::context::RequestContext;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::Operation;

use crate::env::Env;
use crate::node::Node;

/// What the envelope says about a request's origin.
#[derive(Clone, Debug)]
pub struct Caller<'a> {
    /// Region and account, for ARNs.
    pub context: RequestContext,
    /// The `Host` header: the address under which the caller knows this server.
    pub host: &'a str,
}

/// Carries out one operation and gives the body of its reply.
///
/// # Errors
/// DynamoDB's error for whatever is wrong; `InternalServerError` when no quorum confirmed in time.
pub async fn dispatch<E: Env>(
    node: &Node<E>,
    operation: Operation,
    caller: &Caller<'_>,
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
        Operation::CreateTable => create_table::run(node, caller, body).await,
        Operation::UpdateTable => update_table::run(node, caller, body).await,
        Operation::DeleteTable => delete_table::run(node, caller, body).await,
        Operation::DescribeTable => describe_table::run(node, caller, body).await,
        Operation::ListTables => list_tables::run(node, body).await,
        Operation::TagResource => tag_resource::run(node, body).await,
        Operation::UntagResource => untag_resource::run(node, body).await,
        Operation::ListTagsOfResource => list_tags_of_resource::run(node, body).await,
        Operation::DescribeTimeToLive => describe_time_to_live::run(node, body).await,
        Operation::UpdateTimeToLive => update_time_to_live::run(node, body).await,
        Operation::DescribeContinuousBackups => describe_continuous_backups::run(node, body).await,
        Operation::DescribeLimits => describe_limits::run(body),
        Operation::DescribeEndpoints => describe_endpoints::run(caller, body),
        other => Err(unsupported(other)),
    }
}

/// The answer to an operation of the service that this server does not carry out yet: DynamoDB's own name for an
/// operation that the endpoint does not know, with a text that says which.
fn unsupported(operation: Operation) -> ApiError {
    ApiError::new(
        dynamo_protocol::error::ErrorKind::UnknownOperation,
        format!("{} is not supported by this server yet", operation.name()),
    )
}
