//! From request to command or read plan: one file per operation, all pure.
//!
//! A plan sees the request and the catalog, nothing else: it touches no store and no lease, so a client's mistake gets
//! DynamoDB's 4xx whatever state the shards are in. What it finds valid is never validated again.

pub mod batch_execute_statement;
pub mod batch_get_item;
pub mod batch_write_item;
pub mod create_table;
pub(crate) mod ddl;
pub mod delete_item;
pub mod delete_table;
pub mod describe_stream;
pub mod describe_table;
mod error;
pub mod execute_statement;
pub mod execute_transaction;
pub mod get_item;
pub mod get_records;
pub mod get_shard_iterator;
pub mod item_key;
mod key_condition;
mod legacy;
pub mod list_streams;
pub mod list_tables;
pub mod lookup;
mod partiql;
mod paths;
pub(crate) mod projection;
pub mod put_item;
mod put_target;
pub mod query;
pub mod scan;
mod select;
mod source;
mod start_key;
mod stream;
pub mod tag_resource;
pub mod transact_get_items;
pub mod transact_write_items;
mod update_charge;
mod update_index;
pub mod update_item;
pub mod update_table;
mod update_target;
pub mod update_time_to_live;
mod write;
mod write_request;

pub use crate::keyspace::ItemKey;
pub use error::{PlanError, UnknownTable};
pub use write::{PlannedCommand, WritePlan};
