//! The operations: one file each, all of the same shape.
//!
//! - a read: decode → plan → [`Node::read`] (LeaseGuard, view, execute) → body
//! - a write: decode → plan → [`Node::propose`] → reply
//! - control plane: decode → plan → [`Node::propose_ddl`] or the catalog → reply
//!
//! A plan is made against the catalog as it is installed here. Where that turns out to be stale (the shard rejects the
//! command, or the table is unknown), the request is decoded and planned again; `attempt` holds that loop once for
//! all.

mod attempt;

mod batch_execute_statement;
mod batch_get_item;
mod batch_write_item;
mod create_table;
mod delete_item;
mod delete_table;
mod describe_continuous_backups;
mod describe_endpoints;
mod describe_limits;
mod describe_stream;
mod describe_table;
mod describe_time_to_live;
mod execute_statement;
mod execute_transaction;
mod get_item;
mod get_records;
mod get_shard_iterator;
mod list_streams;
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

use bytes::Bytes;
use dynamo_engine::context::RequestContext;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::Operation;

use crate::env::Env;
use crate::node::Node;
use crate::shard::Deadline;

/// One request on its way: what the envelope said, and the one deadline that all of its steps share.
pub struct Call<'a, E: Env> {
    /// The node that received it.
    pub node: &'a Node<E>,
    /// What is asked.
    pub operation: Operation,
    /// Region and account, for ARNs.
    pub context: &'a RequestContext,
    /// The `Host` header: the address under which the caller knows this server.
    pub host: &'a str,
    /// The request's JSON.
    pub body: &'a Bytes,
    /// When it must have been answered.
    pub deadline: Deadline,
}

/// Carries out one operation and gives the body of its reply.
///
/// # Errors
/// DynamoDB's error for whatever is wrong; `InternalServerError` when no quorum confirmed in time.
pub async fn dispatch<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    match call.operation {
        Operation::GetItem => get_item::run(call).await,
        Operation::PutItem => put_item::run(call).await,
        Operation::UpdateItem => update_item::run(call).await,
        Operation::DeleteItem => delete_item::run(call).await,
        Operation::Query => query::run(call).await,
        Operation::Scan => scan::run(call).await,
        Operation::BatchGetItem => batch_get_item::run(call).await,
        Operation::BatchWriteItem => batch_write_item::run(call).await,
        Operation::TransactGetItems => transact_get_items::run(call).await,
        Operation::TransactWriteItems => transact_write_items::run(call).await,
        Operation::ExecuteStatement => execute_statement::run(call).await,
        Operation::BatchExecuteStatement => batch_execute_statement::run(call).await,
        Operation::ExecuteTransaction => execute_transaction::run(call).await,
        Operation::CreateTable => create_table::run(call).await,
        Operation::UpdateTable => update_table::run(call).await,
        Operation::DeleteTable => delete_table::run(call).await,
        Operation::DescribeTable => describe_table::run(call).await,
        Operation::ListTables => list_tables::run(call).await,
        Operation::TagResource => tag_resource::run(call).await,
        Operation::UntagResource => untag_resource::run(call).await,
        Operation::ListTagsOfResource => list_tags_of_resource::run(call).await,
        Operation::DescribeTimeToLive => describe_time_to_live::run(call).await,
        Operation::UpdateTimeToLive => update_time_to_live::run(call).await,
        Operation::DescribeContinuousBackups => describe_continuous_backups::run(call).await,
        Operation::DescribeLimits => describe_limits::run(call),
        Operation::DescribeEndpoints => describe_endpoints::run(call),
        Operation::ListStreams => list_streams::run(call).await,
        Operation::DescribeStream => describe_stream::run(call).await,
        Operation::GetShardIterator => get_shard_iterator::run(call).await,
        Operation::GetRecords => get_records::run(call).await,
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
