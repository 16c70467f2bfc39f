//! From request to command or read plan: one file per operation, all pure.
//!
//! A plan sees the request and the catalog, nothing else: it touches no store and no lease, so a client's mistake gets
//! DynamoDB's 4xx whatever state the shards are in. What it finds valid is never validated again.

mod error;
pub mod item_key;
pub mod lookup;
pub(crate) mod parameters;

pub use error::PlanError;
pub use item_key::ItemKey;
