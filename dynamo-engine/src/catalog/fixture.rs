//! A table with one of everything, for tests.

use super::{
    BillingMode, IndexDescriptor, IndexId, IndexState, KeyAttribute, KeySchema, KeyType, OnDemandLimits, Projection,
    SseSettings, StreamSettings, StreamView, TableClass, TableClassSettings, TableDescriptor, TableId, Throughput,
    TtlSettings, WarmThroughput,
};

/// A key attribute.
pub fn attribute(name: &str, kind: KeyType) -> KeyAttribute {
    KeyAttribute { name: name.to_owned(), kind }
}

/// A key of a partition attribute and perhaps a sort attribute.
pub fn keys(partition: (&str, KeyType), sort: Option<(&str, KeyType)>) -> KeySchema {
    KeySchema {
        partition: vec![attribute(partition.0, partition.1)],
        sort: sort.into_iter().map(|(name, kind)| attribute(name, kind)).collect(),
    }
}

/// An active index.
pub fn index(id: u64, name: &str, local: bool, keys: KeySchema, projection: Projection) -> IndexDescriptor {
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

/// Orders of customers, with a local and a global index and every setting set.
pub fn orders() -> TableDescriptor {
    let mut table =
        TableDescriptor::new(TableId(7), "orders", keys(("customer", KeyType::S), Some(("placed", KeyType::N))));
    table.attribute_definitions.push(attribute("state", KeyType::S));
    table.attribute_definitions.push(attribute("digest", KeyType::B));
    table.indexes = vec![
        index(8, "by_digest", true, keys(("customer", KeyType::S), Some(("digest", KeyType::B))), Projection::All),
        index(
            9,
            "by_state",
            false,
            keys(("state", KeyType::S), None),
            Projection::Include(vec!["total".to_owned(), "lines".to_owned()]),
        ),
    ];
    table.schema_version = 3;
    table.uuid = "0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f1".to_owned();
    table.billing_mode = BillingMode::Provisioned;
    table.on_demand_since_ms = Some(1_700_000_000_123);
    table.throughput = Throughput { increased_ms: Some(1_700_000_000_500), ..Throughput::new(5, 6) };
    table.on_demand = Some(OnDemandLimits { read_units_max: Some(-1), write_units_max: None });
    table.warm = Some(WarmThroughput { read_units_per_second: Some(12_000), write_units_per_second: Some(4_000) });
    table.stream =
        Some(StreamSettings { enabled: true, view: StreamView::NewAndOldImages, since_ms: 1_700_000_000_001 });
    table.ttl = Some(TtlSettings { attribute: "expires".to_owned(), enabled: true, changed_ms: None });
    table.tags.insert("team".to_owned(), "sales".to_owned());
    table.deletion_protection = true;
    table.table_class =
        Some(TableClassSettings { class: TableClass::StandardInfrequentAccess, updated_ms: Some(1_700_000_000_002) });
    table.sse = Some(SseSettings { key: Some("alias/orders".to_owned()) });
    table.created_ms = 1_699_999_999_999;
    table
}

/// The bytes of a golden file.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.trim_end().chars().map(|digit| digit.to_digit(16).expect("a hex digit")).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}
