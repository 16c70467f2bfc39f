//! Secondary indexes and the states they pass through.
//!
//! ```text
//!             installed everywhere          every row visited
//!   Writing ───────────────────▶ Backfilling ───────────────▶ Active
//!      │                              │                          │
//!      └──────────────────────────────┴──────────▶ Dropping ◀────┘ ──▶ (gone: rows removed)
//! ```
//!
//! In *Writing* every write maintains the index, so that no row can slip between the backfill's visit and the first
//! maintained write; *Backfilling* visits the rows that were there before; only an *Active* index is read. Dropping
//! goes in reverse: first nobody reads or maintains it, then its rows are removed with it. An index that is created
//! with its table, and every local index, is active from the start, because there are no rows yet.

use super::{IndexId, KeySchema, OnDemandLimits, Throughput, WarmThroughput};

/// Where an index is between its creation and its removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IndexState {
    /// Maintained by every write; older rows are missing.
    Writing,
    /// Maintained by every write, and older rows are being added.
    Backfilling,
    /// Complete, maintained and read.
    Active,
    /// Neither read nor maintained; its rows wait to be removed.
    Dropping,
}

impl IndexState {
    /// All states, in the order of an index's life.
    pub const ALL: [IndexState; 4] =
        [IndexState::Writing, IndexState::Backfilling, IndexState::Active, IndexState::Dropping];

    /// Must a write keep the index current?
    pub fn is_maintained(self) -> bool {
        self != IndexState::Dropping
    }

    /// May a query or a scan read the index?
    pub fn is_readable(self) -> bool {
        self == IndexState::Active
    }

    /// May an index go from this state to `next` in one step?
    pub fn may_become(self, next: IndexState) -> bool {
        use IndexState::{Active, Backfilling, Dropping, Writing};
        matches!(
            (self, next),
            (Writing, Backfilling) | (Backfilling, Active) | (Writing | Backfilling | Active, Dropping)
        )
    }
}

/// Which attributes an index carries besides the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projection {
    /// The whole item.
    All,
    /// Only the keys of the index and of the table.
    KeysOnly,
    /// The keys and these attributes, in the order of the request.
    Include(Vec<String>),
}

/// One secondary index of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexDescriptor {
    /// The number in its rows' keys.
    pub id: IndexId,
    /// Its name, unique among the table's indexes.
    pub name: String,
    /// A local index shares the table's partition key, and its rows live beside the table's.
    pub local: bool,
    /// The index's own key, without the table's key that is added to make its rows unique.
    pub keys: KeySchema,
    /// What it carries.
    pub projection: Projection,
    /// Where it is in its life.
    pub state: IndexState,
    /// Provisioned units; zero for local indexes and on-demand tables.
    pub throughput: Throughput,
    /// On-demand limits, as set.
    pub on_demand: Option<OnDemandLimits>,
    /// Warm throughput, as set.
    pub warm: Option<WarmThroughput>,
}

impl IndexDescriptor {
    /// Does the index carry the attribute `name` of an item of a table with the key `table_keys`?
    pub fn projects(&self, table_keys: &KeySchema, name: &str) -> bool {
        match &self.projection {
            Projection::All => true,
            Projection::KeysOnly => self.keys.contains(name) || table_keys.contains(name),
            Projection::Include(names) => {
                self.keys.contains(name) || table_keys.contains(name) || names.iter().any(|included| included == name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_transitions() {
        let allowed: Vec<String> = IndexState::ALL
            .into_iter()
            .flat_map(|from| IndexState::ALL.into_iter().map(move |to| (from, to)))
            .filter(|(from, to)| from.may_become(*to))
            .map(|(from, to)| format!("{from:?} -> {to:?}"))
            .collect();
        assert_eq!(
            allowed,
            [
                "Writing -> Backfilling",
                "Writing -> Dropping",
                "Backfilling -> Active",
                "Backfilling -> Dropping",
                "Active -> Dropping",
            ]
        );
    }

    #[test]
    fn only_maintained_indexes_are_read() {
        assert!(IndexState::ALL.into_iter().all(|state| !state.is_readable() || state.is_maintained()));
    }
}
