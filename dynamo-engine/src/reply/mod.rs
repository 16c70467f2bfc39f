//! From outcome to the JSON body of the response: one file per operation.

mod batch_write_item;
mod consumed_write;
mod item_write;
mod settings;
mod spec;
mod statement;
mod streams;
pub mod table_description;
mod tables;
pub(crate) mod timestamp;
mod transact_write_items;

pub use batch_write_item::BatchReply;
pub(crate) use batch_write_item::BatchRequest;
pub use item_write::SingleReply;
pub use settings::{
    describe_continuous_backups, describe_endpoints, describe_limits, describe_time_to_live, list_tags_of_resource,
    tag_resource, update_time_to_live,
};
pub use spec::ReplySpec;
pub(crate) use statement::write_failed_statement;
pub use statement::{StatementBatchReply, StatementReply};
pub use streams::{ShardPage, StreamPage, describe_stream, get_records, get_shard_iterator, list_streams};
pub use tables::{TableNames, create_table, delete_table, describe_table, list_tables, update_table};
pub use transact_write_items::{TransactReply, transact_get_conflict};
