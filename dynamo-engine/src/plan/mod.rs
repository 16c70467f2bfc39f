//! From request to command or read plan: one file per operation, all pure.
//!
//! A plan sees the request and the catalog, nothing else: it touches no store and no lease, so a client's mistake gets
//! DynamoDB's 4xx whatever state the shards are in. What it finds valid is never validated again.

pub mod batch_get_item;
mod error;
pub mod get_item;
pub mod item_key;
mod key_condition;
mod legacy;
pub mod lookup;
pub(crate) mod parameters;
mod paths;
pub(crate) mod projection;
pub mod query;
pub mod scan;
mod select;
pub(crate) mod source;
mod start_key;
pub mod transact_get_items;

pub use error::PlanError;
pub use item_key::ItemKey;
