//! Reading a shard whose leader is another node.
//!
//! The node that received a request plans it, and executes it; what it lacks are rows. So it asks the leader of each
//! shard for exactly the rows that its plan will look at there ([`FetchRequest`]), in one call that confirms the lease, looks
//! and answers ([`FetchRequest::serve`] → [`FetchResponse`]); no view outlives the call. What comes back is a [`Reader`](ordered_kv::Reader)
//! for the plan ([`Fetched`]), so filter, projection, capacity and paging are done in one place only, and a page is the
//! same bytes whoever leads.
//!
//! ```text
//! origin: plan ─▶ FetchRequest ──────────(one call)──────▶ leader: epoch, lease, locks, view ─▶ serve
//!           execution over Fetched ◀── FetchResponse ───────────────────────────────────────────┘
//! ```
//!
//! | selector | for | response | bound |
//! |---|---|---|---|
//! | keys | GetItem, BatchGetItem | their rows, in order | 16 MB and one row |
//! | page | Query, Scan, PartiQL's SELECT | rows of ranges, with the items behind a local index | 1 MB and one row |
//! | cut | TransactGetItems, first round | rows, and a mark for each key | 4 MB and one row |
//! | marks | TransactGetItems, second round | a mark for each key | |
//!
//! The bounds stop a response exactly where the plan stops, too: it counts the same bytes and rows, and over several
//! shards it only stops earlier. So a plan never looks behind the end of what was fetched.
//!
//! Two rounds make a cut out of several shards (design §6, after the service's paper on transactions): where a key's
//! [`Mark`] is the same in both rounds and it was locked in neither, nothing changed it in between, so all values
//! were there together at the moment between the rounds.

mod codec;
mod mark;
mod request;
mod response;
mod serve;
#[cfg(test)]
mod tests;

pub use mark::{Mark, is_steady};
pub use request::{FetchRequest, PageRequest, RowRange, Selector};
pub use response::{FetchResponse, Fetched, MismatchError};

pub(super) use request::keys;
