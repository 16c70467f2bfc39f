//! The catalog: the descriptors of all tables, and how they change.
//!
//! There are two records of every table, written by the same code: the *catalog row* in the system group, which decides
//! (names are unique there, ids come from its counter), and the *installed descriptor* in every shard that owns rows of
//! the table, which is what apply goes by. On a node with one shard both live in shard 0 and one command writes both; on
//! more shards an `Install` command carries the row's descriptor to each of them. A step of a change is done when every
//! owning shard has installed it; until then the system group keeps a [`Rollout`] of it.
//!
//! - [`TableDescriptor`]: the description itself, with its [`IndexDescriptor`]s and their life.
//! - [`Catalog`]: how plans look tables up; [`MemoryCatalog`] is the map behind it.
//! - [`DdlWork`]: what is left to do about a table, for the driver that does it.

mod changes;
mod codec;
#[cfg(test)]
pub(crate) mod fixture;
mod index;
mod key_schema;
mod load;
mod lookup;
mod settings;
mod shared;
mod stats;
mod stream;
mod table;

pub use crate::ids::{IndexId, TableId};
pub use changes::{DdlCommand, DdlWork, Rollout, TablePhase, TableStep, next_ddl_step, pending};
pub use codec::{DESCRIPTOR_FORMAT, DESCRIPTOR_FORMAT_PENDING};
pub use index::{IndexDescriptor, IndexState, Projection};
pub use key_schema::{KeyAttribute, KeySchema, KeyType};
pub use load::{installed, load};
pub use lookup::{Catalog, MemoryCatalog};
pub use settings::{
    BillingMode, OnDemandLimits, SseSettings, StreamSettings, StreamView, TableClass, TableClassSettings, Throughput,
    TtlSettings, WarmThroughput,
};
pub use shared::shared;
pub use stats::{LoadError, Stats, TableStats};
pub use stream::{EndedStream, StreamDescription, StreamStatus};
pub use table::TableDescriptor;
