//! The descriptor of a table: everything that plans and apply need to know about it.

use std::collections::BTreeMap;

use super::{
    BillingMode, IndexDescriptor, IndexId, IndexState, KeyAttribute, KeySchema, OnDemandLimits, SseSettings,
    StreamSettings, TableClassSettings, TableId, TableStep, Throughput, TtlSettings, WarmThroughput,
};

/// A table, as the catalog row of the system group and as each shard's installed copy hold it.
///
/// Rows depend on `id`, `keys` and `indexes` alone; the rest is settings. Every change, of whatever part, raises
/// `schema_version`, so that two descriptors of a table with the same version are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDescriptor {
    /// The number in its rows' keys and in commands.
    pub id: TableId,
    /// Counts changes, from 1. A command planned with another version is rejected by apply and planned again.
    pub schema_version: u32,
    /// The name, unique among the tables there are.
    pub name: String,
    /// `TableId` of DescribeTable: a UUID that tells two tables of the same name apart.
    pub uuid: String,
    /// The key: one partition attribute, at most one sort attribute.
    pub keys: KeySchema,
    /// The attribute definitions, in the order of the requests that made them: exactly the key attributes of the
    /// table and its indexes.
    pub attribute_definitions: Vec<KeyAttribute>,
    /// Secondary indexes, local and global, in the order of creation.
    pub indexes: Vec<IndexDescriptor>,
    /// How it is billed.
    pub billing_mode: BillingMode,
    /// When it was last switched to on-demand billing, in milliseconds since the epoch. Stays after switching back,
    /// as the service's description does.
    pub on_demand_since_ms: Option<u64>,
    /// Provisioned units; zero when on demand.
    pub throughput: Throughput,
    /// On-demand limits, as set.
    pub on_demand: Option<OnDemandLimits>,
    /// Warm throughput, as set.
    pub warm: Option<WarmThroughput>,
    /// The stream, if there ever was one.
    pub stream: Option<StreamSettings>,
    /// Time to live, if it was ever set.
    pub ttl: Option<TtlSettings>,
    /// Tags, by key.
    pub tags: BTreeMap<String, String>,
    /// Refuses DeleteTable.
    pub deletion_protection: bool,
    /// The storage class, if one was ever asked for.
    pub table_class: Option<TableClassSettings>,
    /// Encryption with a customer's key, if asked for.
    pub sse: Option<SseSettings>,
    /// When the table was created, in milliseconds since the epoch.
    pub created_ms: u64,
    /// The settings that are changing in the background, in the order in which they were asked for: plain steps, which
    /// [`TableStep::Finish`] ends. See [`pending`](super::pending).
    pub pending: Vec<TableStep>,
}

impl TableDescriptor {
    /// A table with nothing but a name and a key, on demand: the start of every longer description, and of tests.
    pub fn new(id: TableId, name: &str, keys: KeySchema) -> Self {
        TableDescriptor {
            id,
            schema_version: 1,
            name: name.to_owned(),
            uuid: String::new(),
            attribute_definitions: keys.attributes().cloned().collect(),
            keys,
            indexes: Vec::new(),
            billing_mode: BillingMode::PayPerRequest,
            on_demand_since_ms: None,
            throughput: Throughput::default(),
            on_demand: None,
            warm: None,
            stream: None,
            ttl: None,
            tags: BTreeMap::new(),
            deletion_protection: false,
            table_class: None,
            sse: None,
            created_ms: 0,
            pending: Vec::new(),
        }
    }

    /// The partition key's attribute.
    pub fn partition_key(&self) -> &KeyAttribute {
        self.keys.partition.first().expect("a table has a partition key: validated when it was created")
    }

    /// The sort key's attribute, if the table has one.
    pub fn sort_key(&self) -> Option<&KeyAttribute> {
        self.keys.sort.first()
    }

    /// The index named `name`, in whatever state.
    pub fn index(&self, name: &str) -> Option<&IndexDescriptor> {
        self.indexes.iter().find(|index| index.name == name)
    }

    /// The index with the number `id`.
    pub fn index_by_id(&self, id: IndexId) -> Option<&IndexDescriptor> {
        self.indexes.iter().find(|index| index.id == id)
    }

    /// The local indexes, in order of creation.
    pub fn local_indexes(&self) -> impl Iterator<Item = &IndexDescriptor> {
        self.indexes.iter().filter(|index| index.local)
    }

    /// The global indexes, in order of creation.
    pub fn global_indexes(&self) -> impl Iterator<Item = &IndexDescriptor> {
        self.indexes.iter().filter(|index| !index.local)
    }

    /// The indexes that every write keeps current.
    pub fn maintained_indexes(&self) -> impl Iterator<Item = &IndexDescriptor> {
        self.indexes.iter().filter(|index| index.state.is_maintained())
    }

    /// Has the table local indexes, and therefore item collections with a bound?
    pub fn has_local_indexes(&self) -> bool {
        self.local_indexes().next().is_some()
    }

    /// The index that is being built or removed, if there is one.
    pub fn index_in_work(&self) -> Option<&IndexDescriptor> {
        self.indexes.iter().find(|index| index.state != IndexState::Active)
    }

    /// Is the table `UPDATING`? While an index is set up or removed, but no more while it is filled; and while a setting
    /// changes that is the whole table's.
    pub fn is_updating(&self) -> bool {
        self.index_in_work().is_some_and(|index| index.state != IndexState::Backfilling)
            || self.pending.iter().any(TableStep::holds_table)
    }

    /// Is nothing left to do about the table?
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.index_in_work().is_none()
    }

    /// The stream, when it is on.
    pub fn live_stream(&self) -> Option<&StreamSettings> {
        self.stream.as_ref().filter(|stream| stream.enabled)
    }

    /// The attribute that holds the expiry, when time to live is on.
    pub fn ttl_attribute(&self) -> Option<&str> {
        self.ttl.as_ref().filter(|ttl| ttl.enabled).map(|ttl| ttl.attribute.as_str())
    }

    /// Checks how the fields must relate; called in debug builds where a descriptor is made and where it is read
    /// back.
    ///
    /// # Panics
    ///
    /// When a relation does not hold.
    pub fn validate(&self) {
        assert!(self.schema_version > 0, "versions count from 1");
        assert_eq!(self.keys.partition.len(), 1, "one partition attribute");
        assert!(self.keys.sort.len() <= 1, "at most one sort attribute");
        for (position, index) in self.indexes.iter().enumerate() {
            assert_ne!(index.id.0, self.id.0, "an index never has its table's number");
            assert!(!index.keys.partition.is_empty(), "an index has a partition key");
            assert!(!index.local || index.state == IndexState::Active, "local indexes come and go with the table");
            assert!(!index.local || index.keys.partition == self.keys.partition, "a local index shares the partition");
            let later = &self.indexes[position + 1..];
            assert!(later.iter().all(|other| other.id != index.id), "index ids are unique");
            assert!(later.iter().all(|other| other.name != index.name), "index names are unique");
        }
        let building = self.indexes.iter().filter(|index| index.state != IndexState::Active).count();
        assert!(building <= 1, "one index is built or removed at a time");
        assert!(self.pending.iter().all(TableStep::is_plain), "what is pending is a plain step");
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::fixture;

    #[test]
    fn lookups() {
        let table = fixture::orders();
        table.validate();
        assert_eq!(table.partition_key().name, "customer");
        assert_eq!(table.sort_key().map(|key| key.name.as_str()), Some("placed"));
        assert_eq!(table.local_indexes().count(), 1);
        assert_eq!(table.index("by_state").map(|index| index.local), Some(false));
        assert!(table.index("none").is_none());
        let by_state = table.index("by_state").unwrap();
        assert!(by_state.projects(&table.keys, "total") && by_state.projects(&table.keys, "customer"));
        assert!(!by_state.projects(&table.keys, "note"));
    }
}
