//! The operations: which there are, and each one's request.
//!
//! One file per operation: its members in DynamoDB's order of reporting, and `from_json`, which does the first layers of
//! validation in DynamoDB's order: what cannot be read, broken model constraints, bad attribute values. What needs a
//! table or an expression to be judged is judged later, by others.

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

#[cfg(test)]
pub(crate) use batch_execute_statement::BatchExecuteStatementBody;
pub use batch_execute_statement::BatchExecuteStatementInput;
pub use batch_get_item::BatchGetItemInput;
pub use batch_write_item::BatchWriteItemInput;
pub use create_table::CreateTableInput;
pub use delete_item::DeleteItemInput;
pub use delete_table::DeleteTableInput;
pub use describe_continuous_backups::DescribeContinuousBackupsInput;
pub use describe_endpoints::DescribeEndpointsInput;
pub use describe_limits::DescribeLimitsInput;
pub use describe_stream::DescribeStreamInput;
pub use describe_table::DescribeTableInput;
pub use describe_time_to_live::DescribeTimeToLiveInput;
pub use execute_statement::ExecuteStatementInput;
pub use execute_transaction::ExecuteTransactionInput;
pub use get_item::GetItemInput;
pub use get_records::GetRecordsInput;
pub use get_shard_iterator::GetShardIteratorInput;
pub use list_streams::ListStreamsInput;
pub use list_tables::ListTablesInput;
pub use list_tags_of_resource::ListTagsOfResourceInput;
pub use put_item::PutItemInput;
pub use query::QueryInput;
pub use scan::{ScanBody, ScanInput};
pub use tag_resource::TagResourceInput;
pub use transact_get_items::TransactGetItemsInput;
#[cfg(test)]
pub(crate) use transact_write_items::TransactWriteItemsBody;
pub use transact_write_items::TransactWriteItemsInput;
pub use untag_resource::UntagResourceInput;
pub use update_item::UpdateItemInput;
pub use update_table::UpdateTableInput;
pub use update_time_to_live::UpdateTimeToLiveInput;

use crate::error::ApiError;
use crate::json::{Reader, Refused};
use crate::shapes::checks::Checks;
use crate::shapes::path::Path;
use crate::shapes::wire::{Place, Wire};

const TARGET: &str = "DynamoDB_20120810.";
const STREAMS_TARGET: &str = "DynamoDBStreams_20120810.";

macro_rules! operations {
    (dynamodb { $($operation:ident,)* } streams { $($streams:ident,)* }) => {
        /// Every operation of the service model, whether carried out or not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        pub enum Operation { $($operation,)* $($streams,)* }

        impl Operation {
            /// All operations.
            pub const ALL: &'static [Operation] = &[$(Operation::$operation,)* $(Operation::$streams,)*];

            /// The name in the API.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Operation::$operation => stringify!($operation),)*
                    $(Operation::$streams => stringify!($streams),)*
                }
            }

            /// The operation that an `X-Amz-Target` header names.
            pub fn from_target(target: &str) -> Option<Operation> {
                if let Some(name) = target.strip_prefix(TARGET) {
                    return match name {
                        $(stringify!($operation) => Some(Operation::$operation),)*
                        _ => None,
                    };
                }
                match target.strip_prefix(STREAMS_TARGET)? {
                    $(stringify!($streams) => Some(Operation::$streams),)*
                    _ => None,
                }
            }
        }
    };
}

operations! {
    dynamodb {
        BatchExecuteStatement,
        BatchGetItem,
        BatchWriteItem,
        CancelBulkOperation,
        CreateBackup,
        CreateGlobalTable,
        CreateTable,
        DeleteBackup,
        DeleteItem,
        DeleteResourcePolicy,
        DeleteTable,
        DescribeBackup,
        DescribeBulkOperation,
        DescribeContinuousBackups,
        DescribeContributorInsights,
        DescribeEndpoints,
        DescribeExport,
        DescribeGlobalTable,
        DescribeGlobalTableSettings,
        DescribeImport,
        DescribeKinesisStreamingDestination,
        DescribeLimits,
        DescribeTable,
        DescribeTableReplicaAutoScaling,
        DescribeTimeToLive,
        DisableKinesisStreamingDestination,
        EnableKinesisStreamingDestination,
        ExecuteStatement,
        ExecuteTransaction,
        ExportTableToPointInTime,
        GetItem,
        GetResourcePolicy,
        ImportTable,
        ListBackups,
        ListBulkOperations,
        ListContributorInsights,
        ListExports,
        ListGlobalTables,
        ListImports,
        ListTables,
        ListTagsOfResource,
        PutItem,
        PutResourcePolicy,
        Query,
        RestoreTableFromBackup,
        RestoreTableToPointInTime,
        Scan,
        SearchVectors,
        StartBulkPutItems,
        TagResource,
        TransactGetItems,
        TransactWriteItems,
        UntagResource,
        UpdateContinuousBackups,
        UpdateContributorInsights,
        UpdateGlobalTable,
        UpdateGlobalTableSettings,
        UpdateItem,
        UpdateKinesisStreamingDestination,
        UpdateTable,
        UpdateTableReplicaAutoScaling,
        UpdateTimeToLive,
    }
    streams {
        DescribeStream,
        GetRecords,
        GetShardIterator,
        ListStreams,
    }
}

/// Refuses a body that is not JSON, which is answered before an unknown operation and before missing credentials. Only
/// needed on the way to these errors: [`GetItemInput::from_json`] and the others see for themselves.
///
/// # Errors
/// SerializationException without a text.
pub fn check_json(body: &[u8]) -> Result<(), ApiError> {
    let read = || {
        let mut reader = Reader::new(body)?;
        reader.skip()?;
        reader.finish()
    };
    read().map_err(|Refused(text)| ApiError::serialization(text))
}

/// Reads an item that this server wrote as JSON itself, such as a key inside a token.
///
/// # Errors
/// SerializationException where it is no item; ValidationException for a bad attribute value.
pub fn read_item(json: &[u8]) -> Result<crate::value::Item, ApiError> {
    let (item, checks) = decode::<crate::value::Item>(json)?;
    checks.contents(crate::shapes::checks::Wording::Bare)?;
    Ok(item)
}

/// Reads a body as one shape; what it breaks is still to be reported.
fn decode<T: Wire>(body: &[u8]) -> Result<(T, Checks), ApiError> {
    let mut checks = Checks::default();
    let mut read = || {
        let mut reader = Reader::new(body)?;
        let input = T::read(&mut reader, Place::Member, &Path::ROOT, &mut checks)?;
        reader.finish()?;
        Ok(input)
    };
    match read() {
        Ok(input) => Ok((input, checks)),
        Err(Refused(text)) => Err(ApiError::serialization(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for &operation in Operation::ALL {
            let targets = [TARGET, STREAMS_TARGET].map(|prefix| format!("{prefix}{}", operation.name()));
            let found: Vec<_> = targets.iter().filter_map(|target| Operation::from_target(target)).collect();
            assert_eq!(found, [operation]);
        }
        assert_eq!(Operation::ALL.len(), 66);
        assert_eq!(Operation::from_target("DynamoDB_20120810.getitem"), None);
        assert_eq!(Operation::from_target(""), None);
    }
}
