//! The operations: one file each, all of the same shape.
//!
//! - a read: decode → plan → `Reader::execute` (LeaseGuard, view, execute) → body
//! - a write: decode → plan → `Transactions::propose` → reply
//! - control plane: decode → plan → `Catalog::change` or the catalog → reply
//!
//! A plan is made against the catalog as it is installed here. Where that turns out to be stale (the shard rejects the
//! command, or the table is unknown), the request is decoded and planned again; `attempt` holds that loop once for
//! all.

mod attempt;
mod call;

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

use std::future::ready;

use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::Operation;
use futures::future::BoxFuture;

pub use call::Call;

use crate::env::Env;

/// Carries out one operation and gives the body of its reply. Each in a box of its own: the largest operation's future is
/// several times as large as that of a read of one item, and the compiler cannot see through so deep a generic future that
/// it may move between threads.
///
/// # Errors
/// DynamoDB's error for whatever is wrong; `InternalServerError` when no quorum confirmed in time.
pub fn dispatch<'a, E: Env>(call: &'a Call<'a, E>) -> BoxFuture<'a, Result<Vec<u8>, ApiError>> {
    match call.operation {
        Operation::GetItem => Box::pin(get_item::run(call)),
        Operation::PutItem => Box::pin(put_item::run(call)),
        Operation::UpdateItem => Box::pin(update_item::run(call)),
        Operation::DeleteItem => Box::pin(delete_item::run(call)),
        Operation::Query => Box::pin(query::run(call)),
        Operation::Scan => Box::pin(scan::run(call)),
        Operation::BatchGetItem => Box::pin(batch_get_item::run(call)),
        Operation::BatchWriteItem => Box::pin(batch_write_item::run(call)),
        Operation::TransactGetItems => Box::pin(transact_get_items::run(call)),
        Operation::TransactWriteItems => Box::pin(transact_write_items::run(call)),
        Operation::ExecuteStatement => Box::pin(execute_statement::run(call)),
        Operation::BatchExecuteStatement => Box::pin(batch_execute_statement::run(call)),
        Operation::ExecuteTransaction => Box::pin(execute_transaction::run(call)),
        Operation::CreateTable => Box::pin(create_table::run(call)),
        Operation::UpdateTable => Box::pin(update_table::run(call)),
        Operation::DeleteTable => Box::pin(delete_table::run(call)),
        Operation::DescribeTable => Box::pin(describe_table::run(call)),
        Operation::ListTables => Box::pin(list_tables::run(call)),
        Operation::TagResource => Box::pin(tag_resource::run(call)),
        Operation::UntagResource => Box::pin(untag_resource::run(call)),
        Operation::ListTagsOfResource => Box::pin(list_tags_of_resource::run(call)),
        Operation::DescribeTimeToLive => Box::pin(describe_time_to_live::run(call)),
        Operation::UpdateTimeToLive => Box::pin(update_time_to_live::run(call)),
        Operation::DescribeContinuousBackups => Box::pin(describe_continuous_backups::run(call)),
        Operation::DescribeLimits => Box::pin(describe_limits::run(call)),
        Operation::DescribeEndpoints => Box::pin(describe_endpoints::run(call)),
        Operation::ListStreams => Box::pin(list_streams::run(call)),
        Operation::DescribeStream => Box::pin(describe_stream::run(call)),
        Operation::GetShardIterator => Box::pin(get_shard_iterator::run(call)),
        Operation::GetRecords => Box::pin(get_records::run(call)),
        other => Box::pin(ready(Err(unsupported(other)))),
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
