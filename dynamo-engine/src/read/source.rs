//! What a Query or a Scan reads: a table, or one of its indexes.

use std::sync::Arc;

use dynamo_protocol::json::JsonWriter;

use crate::catalog::{IndexDescriptor, KeyAttribute, KeySchema, Projection, TableDescriptor};
use crate::item::{Corrupt, ItemRef};
use crate::keyspace::{KeyPart, RowKey, Space, partition_prefix};

/// A table or an index of it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The table.
    pub table: Arc<TableDescriptor>,
    /// The position of the index among the table's; `None` reads the table itself.
    pub index: Option<usize>,
}

impl Source {
    /// The index, where it is one.
    pub fn index(&self) -> Option<&IndexDescriptor> {
        self.index.map(|at| &self.table.indexes[at])
    }

    /// The global index, where it is one.
    pub fn global_index(&self) -> Option<&IndexDescriptor> {
        self.index().filter(|index| !index.local)
    }

    /// The key that the rows are ordered by: the index's or the table's.
    pub fn keys(&self) -> &KeySchema {
        self.index().map_or(&self.table.keys, |index| &index.keys)
    }

    /// The space of its rows.
    pub fn space(&self) -> Space {
        match self.index() {
            None => Space::Rows,
            Some(index) if index.local => Space::LocalIndex,
            Some(_) => Space::GlobalIndex,
        }
    }

    /// The number in its rows' keys.
    pub fn id(&self) -> u64 {
        self.index().map_or(self.table.id.0, |index| index.id.0)
    }

    /// The number under which its partitions are hashed: a local index's rows live at the table's tokens.
    pub fn token_id(&self) -> u64 {
        self.global_index().map_or(self.table.id.0, |index| index.id.0)
    }

    /// Whether each partition is one item: a table without a sort key.
    pub fn is_one_item_each(&self) -> bool {
        self.index().is_none() && self.table.keys.sort.is_empty()
    }

    /// Whether its rows hold whole items.
    pub fn holds_whole_items(&self) -> bool {
        self.index().is_none_or(|index| index.projection == Projection::All)
    }

    /// Whether its rows have the attribute `name` where the item has it.
    pub fn projects(&self, name: &str) -> bool {
        self.index().is_none_or(|index| index.projects(&self.table.keys, name))
    }

    /// All key attributes of a row, each once: the ones it is ordered by, then the table's.
    pub fn row_key_attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        let own = self.keys();
        let table = self.index().map(|_| self.table.keys.attributes()).into_iter().flatten();
        own.attributes().chain(table.filter(move |attribute| !own.contains(&attribute.name)))
    }

    /// A LastEvaluatedKey: the key attributes of `row`, as a JSON object.
    pub fn key_json(&self, row: &ItemRef<'_>) -> Result<Vec<u8>, Corrupt> {
        let mut out = Vec::with_capacity(128);
        let mut json = JsonWriter::new(&mut out);
        json.begin_object();
        for attribute in self.row_key_attributes() {
            let value = row.get(&attribute.name)?.ok_or(Corrupt("row without a key attribute"))?;
            json.key(&attribute.name);
            value.write_json(&mut json)?;
        }
        json.end_object();
        Ok(out)
    }
}

/// The key of the item behind `row`, a row of a local index of `table` under `row_key`: the token is the same.
pub(crate) fn base_key(table: &TableDescriptor, row_key: &[u8], row: &ItemRef<'_>) -> Result<Vec<u8>, Corrupt> {
    let token = RowKey::parse(row_key).map_err(|_| Corrupt("row key is cut off"))?.token();
    let mut key = partition_prefix(Space::Rows, table.id.0, token, &[]);
    push_parts(&table.keys.partition, row, &mut key)?;
    push_parts(&table.keys.sort, row, &mut key)?;
    Ok(key)
}

fn push_parts(attributes: &[KeyAttribute], row: &ItemRef<'_>, out: &mut Vec<u8>) -> Result<(), Corrupt> {
    for attribute in attributes {
        let value = row.get(&attribute.name)?.ok_or(Corrupt("row without a key attribute"))?;
        let value = value.as_scalar()?.ok_or(Corrupt("key attribute of another type"))?;
        KeyPart::from(&value).encode(out);
    }
    Ok(())
}
