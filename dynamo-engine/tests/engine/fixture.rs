//! The tables, requests and replies of the tests.

use dynamo_engine::catalog::{
    Catalog, IndexDescriptor, IndexId, IndexState, KeyAttribute, KeySchema, KeyType, MemoryCatalog, Projection,
    TableDescriptor, TableId, Throughput,
};
use dynamo_engine::plan::{self, PlanError};
use dynamo_engine::read::ReadPlan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::number::Number;
use dynamo_protocol::ops::{BatchGetItemInput, GetItemInput, QueryInput, ScanInput, TransactGetItemsInput};
use dynamo_protocol::value::{AttributeValue, Item};
use serde_json::Value;

pub fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub fn n(number: i64) -> AttributeValue {
    AttributeValue::N(Number::from_i64(number))
}

pub fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn keys(partition: (&str, KeyType), sort: Option<(&str, KeyType)>) -> KeySchema {
    let attribute = |(name, kind): (&str, KeyType)| KeyAttribute { name: name.to_owned(), kind };
    KeySchema { partition: vec![attribute(partition)], sort: sort.into_iter().map(attribute).collect() }
}

fn index(id: u64, name: &str, local: bool, keys: KeySchema, projection: Projection) -> IndexDescriptor {
    IndexDescriptor {
        id: IndexId(id),
        name: name.to_owned(),
        local,
        keys,
        projection,
        state: IndexState::Active,
        throughput: Throughput::default(),
        on_demand: None,
        warm: None,
    }
}

/// `ranges`: partition `a` (S), sort `b` (N), an index of each kind and projection.
pub fn ranges() -> TableDescriptor {
    let mut table = TableDescriptor::new(TableId(7), "ranges", keys(("a", KeyType::S), Some(("b", KeyType::N))));
    let include = Projection::Include(vec!["v".to_owned()]);
    table.indexes = vec![
        index(11, "local_all", true, keys(("a", KeyType::S), Some(("c", KeyType::S))), Projection::All),
        index(12, "local_keys", true, keys(("a", KeyType::S), Some(("d", KeyType::B))), Projection::KeysOnly),
        index(13, "global_all", false, keys(("c", KeyType::S), None), Projection::All),
        index(14, "global_some", false, keys(("c", KeyType::S), Some(("e", KeyType::N))), include),
    ];
    for (name, kind) in [("c", KeyType::S), ("d", KeyType::B), ("e", KeyType::N)] {
        table.attribute_definitions.push(KeyAttribute { name: name.to_owned(), kind });
    }
    table
}

/// `multi`: partition `pk`, and an index of one partition and four sort attributes.
pub fn multi() -> TableDescriptor {
    let mut table = TableDescriptor::new(TableId(9), "multi", keys(("pk", KeyType::S), None));
    let mut index = index(15, "gsi", false, keys(("h", KeyType::S), None), Projection::All);
    for name in ["a", "b", "c", "d"] {
        index.keys.sort.push(KeyAttribute { name: name.to_owned(), kind: KeyType::S });
    }
    table.attribute_definitions.extend(index.keys.attributes().cloned());
    table.indexes.push(index);
    table
}

/// `hashes`: partition `a` (S) alone.
pub fn hashes() -> TableDescriptor {
    TableDescriptor::new(TableId(8), "hashes", keys(("a", KeyType::S), None))
}

pub fn catalog() -> MemoryCatalog {
    MemoryCatalog::new([ranges(), hashes(), multi()])
}

/// The plan of a request given as JSON, for the tables of this file.
pub fn plan(operation: &str, body: &Value) -> Result<ReadPlan, ApiError> {
    plan_in(&catalog(), operation, body)
}

/// The plan of a request given as JSON.
pub fn plan_in(catalog: &dyn Catalog, operation: &str, body: &Value) -> Result<ReadPlan, ApiError> {
    plan_bytes(catalog, operation, body.to_string().as_bytes())
}

/// The plan of a request given as bytes.
pub fn plan_bytes(catalog: &dyn Catalog, operation: &str, body: &[u8]) -> Result<ReadPlan, ApiError> {
    let planned = match operation {
        "GetItem" => plan::get_item::plan(GetItemInput::from_json(body)?, catalog),
        "BatchGetItem" => plan::batch_get_item::plan(BatchGetItemInput::from_json(body)?, catalog, || {
            BatchGetItemInput::repeats_a_key(body)
        }),
        "Query" => plan::query::plan(QueryInput::from_json(body)?, catalog),
        "Scan" => plan::scan::plan(ScanInput::from_json(body)?, catalog),
        "TransactGetItems" => plan::transact_get_items::plan(TransactGetItemsInput::from_json(body)?, catalog),
        other => panic!("no read operation: {other}"),
    };
    planned.map_err(PlanError::into_api_error)
}

/// An item as the JSON of a reply.
pub fn item_json(item: &Item) -> Value {
    let mut out = Vec::new();
    JsonWriter::new(&mut out).item(item);
    serde_json::from_slice(&out).expect("the writer writes JSON")
}

/// A value as the JSON of a request.
pub fn value_json(value: &AttributeValue) -> Value {
    let mut out = Vec::new();
    JsonWriter::new(&mut out).attribute_value(value);
    serde_json::from_slice(&out).expect("the writer writes JSON")
}
