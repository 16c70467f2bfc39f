//! The naive database: a map of items, and everything else found by looking at all of them.
//!
//! It shares nothing with the engine but the descriptors, the values and the hash of a partition key (the order of a
//! scan is the order of tokens, so the model has to know them): no encoded keys, no index rows, no ranges. What takes
//! the engine a range of keys takes the model a filter and a sort.

use std::collections::BTreeMap;

use dynamo_engine::catalog::{IndexDescriptor, KeyAttribute, KeySchema, KeyType, Projection, TableDescriptor};
use dynamo_engine::keyspace::{KeyPart, token_of};
use dynamo_protocol::number::Number;
use dynamo_protocol::value::{AttributeValue, Item};

/// The value of a key attribute, in the order that DynamoDB gives it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyValue {
    S(Vec<u8>),
    N(Number),
    B(Vec<u8>),
}

/// A table and its indexes.
#[derive(Clone, Debug)]
pub struct Model {
    pub table: TableDescriptor,
    items: BTreeMap<Vec<KeyValue>, Item>,
}

/// A condition on a sort key.
#[derive(Clone, Debug)]
pub enum SortTest {
    Equal(AttributeValue),
    Less(AttributeValue),
    LessOrEqual(AttributeValue),
    Greater(AttributeValue),
    GreaterOrEqual(AttributeValue),
    Between(AttributeValue, AttributeValue),
    BeginsWith(AttributeValue),
}

impl Model {
    pub fn new(table: TableDescriptor) -> Model {
        Model { table, items: BTreeMap::new() }
    }

    pub fn put(&mut self, item: Item) -> Option<Item> {
        self.items.insert(key_values(&self.table.keys, &item).expect("an item has its key"), item)
    }

    pub fn get(&self, key: &Item) -> Option<&Item> {
        self.items.get(&key_values(&self.table.keys, key)?)
    }

    pub fn delete(&mut self, key: &Item) -> Option<Item> {
        self.items.remove(&key_values(&self.table.keys, key)?)
    }

    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// All rows of the table or of an index, as a scan gives them.
    pub fn scan(&self, index: Option<&str>) -> Vec<Item> {
        let index = index.map(|name| self.table.index(name).expect("the index is there"));
        let mut rows: Vec<(Vec<KeyValue>, u64, Item)> = Vec::new();
        for item in self.items.values() {
            let Some(row) = self.row(index, item) else {
                continue;
            };
            rows.push((self.order(index, item), self.token(index, item), row));
        }
        rows.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
        rows.into_iter().map(|(_, _, row)| row).collect()
    }

    /// The rows of one partition that pass `test`, ascending.
    pub fn query(&self, index: Option<&str>, partition: &AttributeValue, test: Option<&SortTest>) -> Vec<Item> {
        let keys = index.map_or(&self.table.keys, |name| &self.table.index(name).expect("the index is there").keys);
        let rows = self.scan(index).into_iter();
        rows.filter(|row| row.get(&keys.partition[0].name) == Some(partition))
            .filter(|row| test.is_none_or(|test| test.accepts(&row[&keys.sort[0].name])))
            .collect()
    }

    /// The item behind a row of an index.
    pub fn item_of(&self, row: &Item) -> &Item {
        self.get(row).expect("an index row has the table's key")
    }

    /// What a table or an index holds of `item`.
    fn row(&self, index: Option<&IndexDescriptor>, item: &Item) -> Option<Item> {
        let Some(index) = index else {
            return Some(item.clone());
        };
        key_values(&index.keys, item)?;
        let wanted = |name: &str| match &index.projection {
            Projection::All => true,
            Projection::KeysOnly => false,
            Projection::Include(names) => names.iter().any(|included| included == name),
        };
        let is_key = |name: &str| index.keys.contains(name) || self.table.keys.contains(name);
        let held = item.iter().filter(|(name, _)| is_key(name) || wanted(name));
        Some(held.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    fn order(&self, index: Option<&IndexDescriptor>, item: &Item) -> Vec<KeyValue> {
        let base = key_values(&self.table.keys, item).expect("an item has its key");
        let Some(index) = index else {
            return base;
        };
        let mut order = key_values(&index.keys, item).expect("only rows of the index are ordered");
        order.extend(base);
        order
    }

    fn token(&self, index: Option<&IndexDescriptor>, item: &Item) -> u64 {
        let (id, keys) = match index {
            Some(index) if !index.local => (index.id.0, &index.keys),
            _ => (self.table.id.0, &self.table.keys),
        };
        let parts: Vec<KeyPart<'_>> = keys
            .partition
            .iter()
            .map(|attribute| KeyPart::of(&item[&attribute.name]).expect("a key attribute is a scalar"))
            .collect();
        token_of(id, &parts).0
    }
}

impl SortTest {
    fn accepts(&self, value: &AttributeValue) -> bool {
        let order = |bound: &AttributeValue| key_value(value).cmp(&key_value(bound));
        match self {
            SortTest::Equal(bound) => order(bound).is_eq(),
            SortTest::Less(bound) => order(bound).is_lt(),
            SortTest::LessOrEqual(bound) => order(bound).is_le(),
            SortTest::Greater(bound) => order(bound).is_gt(),
            SortTest::GreaterOrEqual(bound) => order(bound).is_ge(),
            SortTest::Between(low, high) => order(low).is_ge() && order(high).is_le(),
            SortTest::BeginsWith(prefix) => match (value, prefix) {
                (AttributeValue::S(text), AttributeValue::S(prefix)) => text.starts_with(prefix.as_str()),
                (AttributeValue::B(bytes), AttributeValue::B(prefix)) => bytes.starts_with(prefix),
                _ => false,
            },
        }
    }
}

/// The key's values in `item`; `None` where one is absent, of another type, or empty.
fn key_values(keys: &KeySchema, item: &Item) -> Option<Vec<KeyValue>> {
    keys.attributes().map(|attribute| key_value_of(attribute, item)).collect()
}

fn key_value_of(attribute: &KeyAttribute, item: &Item) -> Option<KeyValue> {
    let value = key_value(item.get(&attribute.name)?)?;
    match (&value, attribute.kind) {
        (KeyValue::S(bytes), KeyType::S) | (KeyValue::B(bytes), KeyType::B) if !bytes.is_empty() => Some(value),
        (KeyValue::N(_), KeyType::N) => Some(value),
        _ => None,
    }
}

fn key_value(value: &AttributeValue) -> Option<KeyValue> {
    match value {
        AttributeValue::S(text) => Some(KeyValue::S(text.as_bytes().to_vec())),
        AttributeValue::N(number) => Some(KeyValue::N(*number)),
        AttributeValue::B(bytes) => Some(KeyValue::B(bytes.clone())),
        _ => None,
    }
}
