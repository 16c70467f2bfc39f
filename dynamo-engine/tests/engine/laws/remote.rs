//! Laws of reading over several shards, some of them on other nodes:
//!
//! 1. The same data on one shard and on many gives the same bytes: for Query, Scan (whole, in segments, of an index),
//!    BatchGetItem and TransactGetItems, with every limit, filter, direction and start key.
//! 2. Requests and responses go through their bytes, as they do between nodes.
//! 3. A page asks no shard behind the one in which it is full, when it asks one after the other.

use std::collections::BTreeSet;

use dynamo_engine::catalog::MemoryCatalog;
use dynamo_engine::read::remote::{FetchRequest, FetchResponse, Fetched};
use dynamo_engine::read::{Execution, ReadPlan, ReadSet, Run, ShardViews, Step};
use dynamo_protocol::value::{AttributeValue, Item};
use ordered_kv::memory::MemoryState;
use ordered_kv::{Reader, Value};
use proptest::prelude::*;
use serde_json::json;
use shard_router::{ShardId, TokenRange};

use crate::fixture::{catalog, item, item_json, n, plan, ranges, s};
use crate::model::Model;
use crate::store::{CountingReader, Shards, filled};

/// Which shards the executing node leads itself, and how many it asks at once when a page goes on.
#[derive(Clone, Debug)]
struct Layout {
    bounds: BTreeSet<u64>,
    is_local: Vec<bool>,
    at_once: usize,
}

fn layouts() -> impl Strategy<Value = Layout> {
    // Few bounds split the ring between the partitions of the tests; many leave most shards empty.
    let bounds =
        prop_oneof![proptest::collection::btree_set(1_u64.., 1..4), proptest::collection::btree_set(1_u64.., 8..12),];
    (bounds, proptest::collection::vec(any::<bool>(), 13), 1_usize..5).prop_map(|(bounds, is_local, at_once)| Layout {
        bounds,
        is_local,
        at_once,
    })
}

/// A cluster as the node sees it that executes plans.
struct Cluster<'a> {
    shards: &'a Shards,
    layout: &'a Layout,
    catalog: MemoryCatalog,
}

/// What came of a plan, and which shards were looked at.
struct Executed {
    body: Vec<u8>,
    asked: Vec<usize>,
}

impl Cluster<'_> {
    fn execute(&self, plan: &ReadPlan) -> Executed {
        let parts = self.shards.parts();
        let mut execution = Execution::new(plan.clone());
        let mut asked = Vec::new();
        loop {
            let next: Vec<usize> = match execution.rest() {
                ReadSet::Keys(tokens) => (0..parts.len())
                    .filter(|shard| tokens.iter().any(|token| parts[*shard].0.contains(*token)))
                    .collect(),
                ReadSet::Ranges(spans) => (0..parts.len())
                    .filter(|shard| spans.iter().any(|span| parts[*shard].0.intersection(span).is_some()))
                    .take(self.layout.at_once)
                    .collect(),
                ReadSet::All => panic!("no plan reads everything"),
            };
            let span = match execution.rest() {
                ReadSet::Ranges(spans) => spans[0],
                _ => TokenRange::FULL,
            };
            asked.extend(&next);
            let responses: Vec<(TokenRange, Option<Fetched>, &MemoryState)> = next
                .into_iter()
                .map(|shard| {
                    let range = parts[shard].0.intersection(&span).expect("it has a part of what is left");
                    let fetched = (!self.layout.is_local[shard]).then(|| {
                        let request = execution.fetch_request(&[range]);
                        let response = self.ask(shard, &request);
                        Fetched::new(request, response).expect("the response fits")
                    });
                    (range, fetched, parts[shard].1)
                })
                .collect();
            let mut views = ShardViews::new();
            for (range, fetched, store) in &responses {
                let reader: &dyn Reader = match fetched {
                    Some(fetched) => fetched,
                    None => *store,
                };
                views.insert(*range, reader);
            }
            if execution.advance(&views, Run::WHOLE).expect("memory can be read") == Step::Done {
                return Executed { body: execution.into_body(), asked };
            }
        }
    }

    /// Law 2.
    fn ask(&self, shard: usize, request: &FetchRequest) -> FetchResponse {
        let (mut question, mut answer) = (Vec::new(), Vec::new());
        request.encode(&mut question);
        let request = FetchRequest::decode(&question).expect("a request can be read");
        let response = request.serve(ShardId(shard as u32), self.shards.parts()[shard].1, &self.catalog, Run::WHOLE);
        response.expect("memory can be read").encode(&mut answer);
        FetchResponse::decode(&Value::from(answer)).expect("a response can be read")
    }
}

/// Law 1 for one request, and for all that follow from its LastEvaluatedKey.
fn same_on_shards(items: Vec<Item>, layout: &Layout, operation: &str, mut request: serde_json::Value) {
    let mut model = Model::new(ranges());
    for item in items {
        model.put(item);
    }
    let whole = filled(&model);
    let shards = Shards::split(&whole, layout.bounds.iter().copied().collect());
    let cluster = Cluster { shards: &shards, layout, catalog: catalog() };
    for _ in 0..500 {
        let plan = plan(operation, &request).unwrap_or_else(|error| panic!("{request}: {error}"));
        let expected = CountingReader::new(&whole).run(&plan).expect("memory can be read");
        let executed = cluster.execute(&plan);
        let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
        assert_eq!(text(&executed.body), text(&expected), "law 1 for {operation} {request}");
        let page: serde_json::Value = serde_json::from_slice(&expected).expect("a reply is JSON");
        match page.get("LastEvaluatedKey") {
            Some(key) => request["ExclusiveStartKey"] = key.clone(),
            None => return,
        }
    }
    panic!("{request} does not end");
}

fn key() -> impl Strategy<Value = (String, i64)> {
    ("[pqrtuv]", -3_i64..4)
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let text = proptest::option::of(prop_oneof![Just("x"), Just("xy"), Just("y")]);
    let byte = proptest::option::of(0_u8..3);
    let one = (key(), text, byte, proptest::option::of(-3_i64..4), 0_i64..10).prop_map(|((a, b), c, d, e, v)| {
        let mut one = item([("a", s(a)), ("b", n(b)), ("v", n(v)), ("w", s(format!("w{v}")))]);
        let c = c.map(|text| ("c", s(text)));
        let d = d.map(|byte| ("d", AttributeValue::B(vec![byte])));
        let e = e.map(|number| ("e", n(number)));
        one.extend([c, d, e].into_iter().flatten().map(|(name, value)| (name.to_owned(), value)));
        one
    });
    proptest::collection::vec(one, 0..40)
}

fn key_json((a, b): &(String, i64)) -> serde_json::Value {
    item_json(&item([("a", s(a)), ("b", n(*b))]))
}

/// Adds what any page may have.
fn dress(request: &mut serde_json::Value, limit: Option<u64>, bound: Option<i64>, capacity: bool) {
    if let Some(limit) = limit {
        request["Limit"] = json!(limit);
    }
    if let Some(bound) = bound {
        request["FilterExpression"] = json!("v < :bound");
        request["ExpressionAttributeValues"][":bound"] = json!({ "N": bound.to_string() });
    }
    if capacity {
        request["ReturnConsumedCapacity"] = json!("INDEXES");
    }
}

fn index() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![
        Just(None),
        Just(Some("local_all")),
        Just(Some("local_keys")),
        Just(Some("global_all")),
        Just(Some("global_some")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn scans(
        items in items(),
        layout in layouts(),
        index in index(),
        limit in proptest::option::of(1_u64..9),
        bound in proptest::option::of(0_i64..10),
        segment in proptest::option::of((0_u64..3, 3_u64..5)),
        count in any::<bool>(),
        capacity in any::<bool>(),
    ) {
        let mut request = json!({ "TableName": "ranges" });
        if let Some(index) = index {
            request["IndexName"] = json!(index);
        }
        if let Some((segment, segments)) = segment {
            request["Segment"] = json!(segment);
            request["TotalSegments"] = json!(segments);
        }
        if count {
            request["Select"] = json!("COUNT");
        }
        dress(&mut request, limit, bound.filter(|_| index != Some("local_keys")), capacity);
        same_on_shards(items, &layout, "Scan", request);
    }

    #[test]
    fn queries(
        items in items(),
        layout in layouts(),
        (local, fetch) in prop_oneof![Just((None, false)), any::<bool>().prop_map(|fetch| (Some("local_keys"), fetch))],
        partition in "[pqrt]",
        limit in proptest::option::of(1_u64..5),
        bound in proptest::option::of(0_i64..10),
        backward in any::<bool>(),
        capacity in any::<bool>(),
    ) {
        let mut request = json!({
            "TableName": "ranges", "KeyConditionExpression": "a = :a",
            "ExpressionAttributeValues": { ":a": { "S": partition } }, "ScanIndexForward": !backward,
        });
        if let Some(index) = local {
            request["IndexName"] = json!(index);
            if fetch {
                request["Select"] = json!("ALL_ATTRIBUTES");
            }
        }
        dress(&mut request, limit, bound.filter(|_| local.is_none()), capacity);
        same_on_shards(items, &layout, "Query", request);
    }

    #[test]
    fn queries_of_a_global_index(
        items in items(),
        layout in layouts(),
        partition in prop_oneof![Just("x"), Just("xy")],
        limit in proptest::option::of(1_u64..5),
        backward in any::<bool>(),
    ) {
        let mut request = json!({
            "TableName": "ranges", "IndexName": "global_some", "KeyConditionExpression": "c = :c",
            "ExpressionAttributeValues": { ":c": { "S": partition } }, "ScanIndexForward": !backward,
        });
        dress(&mut request, limit, None, true);
        same_on_shards(items, &layout, "Query", request);
    }

    #[test]
    fn batches_and_transactions(
        items in items(),
        layout in layouts(),
        keys in proptest::collection::btree_set(key(), 1..12),
        project in any::<bool>(),
    ) {
        let keys: Vec<_> = keys.iter().map(key_json).collect();
        let mut batch = json!({ "Keys": keys, "ConsistentRead": true });
        if project {
            batch["ProjectionExpression"] = json!("a, v");
        }
        let batch = json!({ "RequestItems": { "ranges": batch }, "ReturnConsumedCapacity": "TOTAL" });
        same_on_shards(items.clone(), &layout, "BatchGetItem", batch);
        let gets: Vec<_> = keys.iter().map(|key| json!({ "Get": { "TableName": "ranges", "Key": key } })).collect();
        let transaction = json!({ "TransactItems": gets, "ReturnConsumedCapacity": "TOTAL" });
        same_on_shards(items.clone(), &layout, "TransactGetItems", transaction);
        let get = json!({ "TableName": "ranges", "Key": keys[0], "ReturnConsumedCapacity": "TOTAL" });
        same_on_shards(items, &layout, "GetItem", get);
    }
}

/// Items that meet the bounds in bytes: pages of 1 MB, transactions of 4 MB, batches of 16 MB.
fn large_items(count: i64, bytes: usize) -> Vec<Item> {
    let partitions = ["p", "q", "r", "t", "u", "v"];
    let fill = "x".repeat(bytes);
    (0..count)
        .map(|number| {
            let partition = partitions[number as usize % partitions.len()];
            item([
                ("a", s(partition)),
                ("b", n(number)),
                ("d", AttributeValue::B(vec![number as u8 + 1])),
                ("w", s(fill.clone())),
            ])
        })
        .collect()
}

fn thirds(at_once: usize) -> Layout {
    let third = u64::MAX / 3;
    let is_local = [false, true, false].repeat(5);
    Layout { bounds: BTreeSet::from([third / 2, third, 2 * third, 2 * third + third / 2]), is_local, at_once }
}

#[test]
fn large_pages_end_where_they_end_on_one_shard() {
    for bytes in [70_000, 250_000, 390_000] {
        let items = large_items(36, bytes);
        for at_once in [1, 4] {
            let layout = thirds(at_once);
            same_on_shards(items.clone(), &layout, "Scan", json!({ "TableName": "ranges" }));
            same_on_shards(items.clone(), &layout, "Scan", json!({ "TableName": "ranges", "IndexName": "local_all" }));
            let fetching = json!({
                "TableName": "ranges", "IndexName": "local_keys", "KeyConditionExpression": "a = :a",
                "ExpressionAttributeValues": { ":a": { "S": "q" } }, "Select": "ALL_ATTRIBUTES",
                "ReturnConsumedCapacity": "INDEXES",
            });
            same_on_shards(items.clone(), &layout, "Query", fetching);
        }
    }
}

#[test]
fn large_batches_leave_the_same_keys_unprocessed() {
    let items = large_items(100, 390_000);
    let keys: Vec<_> =
        items.iter().map(|row| item_json(&item([("a", row["a"].clone()), ("b", row["b"].clone())]))).collect();
    let request = json!({ "RequestItems": { "ranges": { "Keys": keys } }, "ReturnConsumedCapacity": "TOTAL" });
    let layout = thirds(1);
    same_on_shards(items, &layout, "BatchGetItem", request);
}

/// Law 3, with every row in its own place: the shards asked are those with the rows that the page evaluates.
#[test]
fn a_page_asks_no_shard_behind_its_end() {
    let mut model = Model::new(ranges());
    for number in 0..60 {
        model.put(item([("a", s(format!("p{number}"))), ("b", n(number)), ("v", n(number))]));
    }
    let whole = filled(&model);
    let shards = Shards::split(&whole, (1..8).map(|shard| shard * (u64::MAX / 8)).collect());
    let layout = Layout { bounds: BTreeSet::new(), is_local: vec![false; 8], at_once: 1 };
    let cluster = Cluster { shards: &shards, layout: &layout, catalog: catalog() };

    let everything = plan("Scan", &json!({ "TableName": "ranges" })).unwrap();
    let mut rows = 0;
    let mut needed = Vec::new();
    for (shard, (_, store)) in shards.parts().into_iter().enumerate() {
        if rows < 20 {
            needed.push(shard);
        }
        let page = CountingReader::new(store).run(&everything).expect("memory can be read");
        rows += serde_json::from_slice::<serde_json::Value>(&page).unwrap()["Count"].as_u64().unwrap();
    }
    assert!((2..6).contains(&needed.len()), "the page ends in the middle of the ring");

    let page = plan("Scan", &json!({ "TableName": "ranges", "Limit": 20 })).unwrap();
    assert_eq!(cluster.execute(&page).asked, needed);
}
