//! The catalog as plans see it: names to descriptors, in memory.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{EndedStream, StreamDescription, StreamStatus, TableDescriptor, TableId, TablePhase, TableStep};
use crate::ids::StreamId;

/// The descriptors installed in the shards of this node, at one moment.
///
/// A plan asks by name and keeps the `Arc`; the version in it travels in the command, so a change between plan and
/// apply is noticed there. "Not in this catalog" is not yet "does not exist": the server confirms with the system
/// group before a client hears it.
pub trait Catalog {
    /// The table named `name`, where it serves data.
    fn table(&self, name: &str) -> Option<Arc<TableDescriptor>>;

    /// The table named `name`, in whatever phase.
    fn described(&self, name: &str) -> Option<(Arc<TableDescriptor>, TablePhase)> {
        self.table(name).map(|table| (table, TablePhase::Active))
    }

    /// Up to `limit` names after `after`, in the order of their bytes, of tables in whatever phase.
    fn table_names(&self, after: Option<&str>, limit: usize) -> Vec<String>;

    /// The table with the number `id`, where it serves data; a walk where an implementation has nothing better.
    fn table_by_id(&self, id: TableId) -> Option<Arc<TableDescriptor>> {
        let names = self.table_names(None, usize::MAX);
        names.iter().filter_map(|name| self.table(name)).find(|table| table.id == id)
    }

    /// Every stream that is kept, in the order of table name and beginning; only those of tables called `table_name`, where
    /// one is given.
    fn streams(&self, table_name: Option<&str>) -> Vec<StreamDescription>;

    /// The stream of that number, while it is kept.
    fn stream(&self, id: StreamId) -> Option<StreamDescription>;
}

/// A catalog in memory: what a shard's state holds, and what tests plan against.
#[derive(Clone, Debug, Default)]
pub struct MemoryCatalog {
    /// By name, each with where it is between its beginning and its end.
    tables: BTreeMap<Named, TablePhase>,
    /// How many tables have been deleted, as far as this catalog knows.
    era: u64,
    /// Streams that are over and kept; empty but in the system group's catalog.
    ended_streams: BTreeMap<StreamId, Arc<EndedStream>>,
}

/// A descriptor, found and ordered by its table's name: a node may have a thousand catalogs of thousands of tables, which
/// share the descriptors.
#[derive(Clone, Debug)]
struct Named(Arc<TableDescriptor>);

impl Borrow<str> for Named {
    fn borrow(&self) -> &str {
        &self.0.name
    }
}

impl Ord for Named {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.name.cmp(&other.0.name)
    }
}

impl PartialEq for Named {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Named {}

impl PartialOrd for Named {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl MemoryCatalog {
    /// A catalog of these tables, all of them active.
    pub fn new(tables: impl IntoIterator<Item = TableDescriptor>) -> Self {
        let mut catalog = MemoryCatalog::default();
        for table in tables {
            catalog.insert(Arc::new(table), TablePhase::Active);
        }
        catalog
    }

    /// An empty catalog of that era; see [`Rollout`](super::Rollout).
    pub fn of_era(era: u64) -> Self {
        MemoryCatalog { era, ..MemoryCatalog::default() }
    }

    /// Puts a table in, in place of what had its name.
    pub fn insert(&mut self, table: Arc<TableDescriptor>, phase: TablePhase) {
        // The key goes, too: it is a descriptor itself.
        self.tables.remove(&*table.name);
        self.tables.insert(Named(table), phase);
    }

    /// Puts a stream in that is over.
    pub fn insert_ended_stream(&mut self, stream: Arc<EndedStream>) {
        self.ended_streams.insert(stream.id, stream);
    }

    /// The streams that are over and kept.
    pub fn ended_streams(&self) -> impl Iterator<Item = &Arc<EndedStream>> {
        self.ended_streams.values()
    }

    /// How many tables have been deleted, as far as this catalog knows.
    pub fn era(&self) -> u64 {
        self.era
    }

    /// All tables, by name, in whatever phase.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableDescriptor>> {
        self.tables.keys().map(|Named(table)| table)
    }

    /// All tables, by name, with their phases.
    pub fn described_tables(&self) -> impl Iterator<Item = (&Arc<TableDescriptor>, TablePhase)> {
        self.tables.iter().map(|(Named(table), phase)| (table, *phase))
    }

    /// The table with the number `id`, in whatever phase.
    pub fn described_by_id(&self, id: TableId) -> Option<(Arc<TableDescriptor>, TablePhase)> {
        let (table, phase) = self.described_tables().find(|(table, _)| table.id == id)?;
        Some((Arc::clone(table), phase))
    }

    fn ended(&self, ended: &EndedStream) -> StreamDescription {
        let is_ending = match self.described_by_id(ended.id.table) {
            Some((_, TablePhase::Deleting)) => true,
            Some((table, _)) => table.pending.contains(&TableStep::Stream(None)),
            None => false,
        };
        StreamDescription {
            id: ended.id,
            table_name: ended.table_name.clone(),
            keys: ended.keys.clone(),
            view: ended.view,
            status: if is_ending { StreamStatus::Disabling } else { StreamStatus::Disabled },
        }
    }
}

impl Catalog for MemoryCatalog {
    fn table(&self, name: &str) -> Option<Arc<TableDescriptor>> {
        let (table, _) = self.tables.get_key_value(name).filter(|(_, phase)| phase.serves_data())?;
        Some(Arc::clone(&table.0))
    }

    fn described(&self, name: &str) -> Option<(Arc<TableDescriptor>, TablePhase)> {
        self.tables.get_key_value(name).map(|(table, phase)| (Arc::clone(&table.0), *phase))
    }

    fn table_names(&self, after: Option<&str>, limit: usize) -> Vec<String> {
        use std::ops::Bound::{Excluded, Unbounded};
        let start = after.map_or(Unbounded, Excluded);
        self.tables.range::<str, _>((start, Unbounded)).take(limit).map(|(table, _)| table.0.name.clone()).collect()
    }

    fn table_by_id(&self, id: TableId) -> Option<Arc<TableDescriptor>> {
        let (table, phase) = self.described_by_id(id)?;
        phase.serves_data().then_some(table)
    }

    /// The system group's catalog knows them all.
    fn streams(&self, table_name: Option<&str>) -> Vec<StreamDescription> {
        let is_wanted = |name: &str| table_name.is_none_or(|wanted| wanted == name);
        let tables = self.described_tables().filter(|(table, _)| is_wanted(&table.name));
        let mut streams: Vec<StreamDescription> = tables.filter_map(|(table, phase)| live(table, phase)).collect();
        for ended in self.ended_streams().filter(|ended| is_wanted(&ended.table_name)) {
            streams.push(self.ended(ended));
        }
        streams.sort_by(|one, other| (&one.table_name, one.id.since_ms).cmp(&(&other.table_name, other.id.since_ms)));
        streams
    }

    fn stream(&self, id: StreamId) -> Option<StreamDescription> {
        let of_table = self.described_by_id(id.table);
        let found = of_table.and_then(|(table, phase)| live(&table, phase)).filter(|stream| stream.id == id);
        found.or_else(|| self.ended_streams().find(|ended| ended.id == id).map(|ended| self.ended(ended)))
    }
}

/// The stream of a table that is on. A table that is deleted has none any more: it ended with the decision.
fn live(table: &TableDescriptor, phase: TablePhase) -> Option<StreamDescription> {
    let id = table.stream_id().filter(|_| phase != TablePhase::Deleting)?;
    let is_beginning =
        phase == TablePhase::Creating || table.pending.iter().any(|step| matches!(step, TableStep::Stream(Some(_))));
    Some(StreamDescription {
        id,
        table_name: table.name.clone(),
        keys: table.keys.clone(),
        view: table.live_stream()?.view,
        status: if is_beginning { StreamStatus::Enabling } else { StreamStatus::Enabled },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::fixture;

    #[test]
    fn tables_and_names() {
        let mut catalog = MemoryCatalog::new([fixture::orders()]);
        let mut other = fixture::orders();
        other.name = "zebras".to_owned();
        other.id = TableId(70);
        catalog.insert(Arc::new(other), TablePhase::Active);
        assert_eq!(catalog.table_names(None, 10), ["orders", "zebras"]);
        assert_eq!(catalog.table_names(Some("orders"), 10), ["zebras"]);
        assert_eq!(catalog.table_names(None, 1), ["orders"]);
        assert_eq!(catalog.table_by_id(TableId(70)).unwrap().name, "zebras");
    }

    #[test]
    fn only_some_phases_serve_data() {
        for (phase, serves) in [
            (TablePhase::Creating, false),
            (TablePhase::Changing, true),
            (TablePhase::Active, true),
            (TablePhase::Deleting, false),
        ] {
            let mut catalog = MemoryCatalog::default();
            catalog.insert(Arc::new(fixture::orders()), phase);
            assert_eq!(catalog.table("orders").is_some(), serves, "{phase:?}");
            assert_eq!(catalog.table_by_id(TableId(7)).is_some(), serves, "{phase:?}");
            assert_eq!(catalog.described("orders").map(|(_, phase)| phase), Some(phase));
            assert_eq!(catalog.table_names(None, 10), ["orders"]);
        }
    }
}
