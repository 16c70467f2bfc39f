//! DynamoDB's limits, each once.
//!
//! Source: AWS, *Developer guide: Quotas in Amazon DynamoDB*, and the public service model.

/// Largest item: names and values.
pub const ITEM_BYTES_MAX: usize = 400 * 1024;
/// Largest partition key value.
pub const PARTITION_KEY_BYTES_MAX: usize = 2048;
/// Largest sort key value.
pub const SORT_KEY_BYTES_MAX: usize = 1024;
/// Longest attribute name.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 65_535;
/// Longest name of an attribute that is a key of a table or an index, or projected by name.
pub const KEY_ATTRIBUTE_NAME_BYTES_MAX: usize = 255;
/// Shortest table or index name.
pub const NAME_LENGTH_MIN: usize = 3;
/// Longest table or index name.
pub const NAME_LENGTH_MAX: usize = 255;
/// Longest `TableName` parameter, which may be an ARN.
pub const TABLE_ARN_LENGTH_MAX: usize = 1024;
/// Levels of lists and maps inside each other, an attribute's own value being the first.
pub const NESTING_LEVELS_MAX: usize = 32;
/// Longest expression text.
pub const EXPRESSION_BYTES_MAX: usize = 4096;
/// Operators and functions in one expression.
pub const EXPRESSION_OPERATORS_MAX: usize = 300;
/// Longest placeholder (`#name`, `:value`).
pub const PLACEHOLDER_BYTES_MAX: usize = 255;
/// Expression attribute names and values of one request, together.
pub const EXPRESSION_SUBSTITUTIONS_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Operands of `IN`.
pub const IN_OPERANDS_MAX: usize = 100;
/// Keys of one BatchGetItem.
pub const BATCH_GET_KEYS_MAX: usize = 100;
/// Requests of one BatchWriteItem.
pub const BATCH_WRITE_REQUESTS_MAX: usize = 25;
/// Bytes of one batch, request or reply.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Actions of one transaction.
pub const TRANSACTION_ACTIONS_MAX: usize = 100;
/// Items of one transaction, together.
pub const TRANSACTION_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes that one page of Query or Scan looks at.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Largest request body.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Global indexes of a table.
pub const GLOBAL_INDEXES_MAX: usize = 20;
/// Local indexes of a table.
pub const LOCAL_INDEXES_MAX: usize = 5;
/// Attributes projected by name, over all indexes of a table.
pub const PROJECTED_ATTRIBUTES_MAX: usize = 100;
/// Attributes projected by name into one index.
pub const PROJECTED_ATTRIBUTES_PER_INDEX_MAX: usize = 20;
/// Items and index entries of one partition key, in a table with local indexes.
pub const ITEM_COLLECTION_BYTES_MAX: u64 = 10 * 1024 * 1024 * 1024;
/// Tags of one resource.
pub const TAGS_MAX: usize = 50;
/// Segments of a parallel scan.
pub const SCAN_SEGMENTS_MAX: i64 = 1_000_000;
/// Names on one page of ListTables.
pub const LIST_TABLES_PAGE: usize = 100;
/// Streams on one page of ListStreams.
pub const LIST_STREAMS_PAGE: usize = 100;
/// Shards on one page of DescribeStream.
pub const DESCRIBE_STREAM_PAGE: usize = 100;
/// Records of one GetRecords.
pub const GET_RECORDS_PAGE: usize = 1000;
/// Bytes of one GetRecords.
pub const GET_RECORDS_BYTES_MAX: usize = 1024 * 1024;
/// How long an iterator of a stream's shard is good for.
pub const SHARD_ITERATOR_AGE_MAX_MS: u64 = 15 * 60 * 1000;
/// Shortest ARN of a stream.
pub const STREAM_ARN_LENGTH_MIN: usize = 37;
/// Longest ARN of a stream.
pub const STREAM_ARN_LENGTH_MAX: usize = 1024;
/// Shortest name of a stream's shard.
pub const SHARD_ID_LENGTH_MIN: usize = 28;
/// Longest name of a stream's shard.
pub const SHARD_ID_LENGTH_MAX: usize = 65;
/// Fewest digits of a stream record's number.
pub const SEQUENCE_NUMBER_LENGTH_MIN: usize = 21;
/// Most digits of a stream record's number.
pub const SEQUENCE_NUMBER_LENGTH_MAX: usize = 40;
/// Longest iterator of a stream's shard.
pub const SHARD_ITERATOR_LENGTH_MAX: usize = 2048;
/// Tables of an account and region.
pub const TABLES_MAX: usize = 2_500;
/// How long a ClientRequestToken is remembered.
pub const IDEMPOTENCY_WINDOW_MS: u64 = 10 * 60 * 1000;
/// Bytes of one read unit.
pub const READ_UNIT_BYTES: usize = 4096;
/// Bytes of one write unit.
pub const WRITE_UNIT_BYTES: usize = 1024;

const _: () = assert!(SORT_KEY_BYTES_MAX < PARTITION_KEY_BYTES_MAX);
const _: () = assert!(ITEM_BYTES_MAX <= PAGE_BYTES_MAX);
const _: () = assert!(PAGE_BYTES_MAX <= BATCH_BYTES_MAX);
