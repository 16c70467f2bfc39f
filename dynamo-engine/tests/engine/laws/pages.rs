//! Laws of Query and Scan, for random items, conditions, limits, directions and indexes, against the model:
//!
//! 1. The pages one after the other are the whole answer, in order.
//! 2. A page evaluates at most `Limit` rows, and has a LastEvaluatedKey when it evaluated that many.
//! 3. ScannedCount adds up to the rows before the filter, Count to the rows after it.
//! 4. The segments of a parallel scan together are the scan.

use dynamo_engine::read::Run;
use dynamo_protocol::value::{AttributeValue, Item};
use ordered_kv::memory::MemoryState;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{item, item_json, n, plan, ranges, s, value_json};
use crate::model::{Model, SortTest};
use crate::store::{CountingReader, Shards, filled};

/// A page cannot take more pages than this to end, or paging does not terminate.
const PAGES_MAX: usize = 500;

/// What all pages of a request gave.
#[derive(Debug, Default, PartialEq)]
struct Whole {
    items: Vec<Value>,
    count: u64,
    scanned: u64,
    pages: usize,
}

/// Sends the request again and again, each time behind the last page.
fn all_pages(store: &MemoryState, operation: &str, request: &Value) -> Whole {
    let reader = CountingReader::new(store);
    let limit = request.get("Limit").and_then(Value::as_u64);
    let mut request = request.clone();
    let mut whole = Whole::default();
    loop {
        let plan = plan(operation, &request).unwrap_or_else(|error| panic!("{request}: {error}"));
        let reply = reader.run(&plan).expect("memory can be read");
        let reply: Value = serde_json::from_slice(&reply).expect("a reply is JSON");
        let scanned = reply["ScannedCount"].as_u64().expect("every page has it");
        let count = reply["Count"].as_u64().expect("every page has it");
        whole.items.extend(reply["Items"].as_array().cloned().unwrap_or_default());
        whole.count += count;
        whole.scanned += scanned;
        whole.pages += 1;
        assert!(limit.is_none_or(|limit| scanned <= limit), "law 2 in {request}");
        assert_eq!(limit == Some(scanned), !reply["LastEvaluatedKey"].is_null(), "law 2 in {request}: {reply}");
        assert!(whole.pages < PAGES_MAX, "{request} does not end");
        match reply.get("LastEvaluatedKey") {
            Some(key) => request["ExclusiveStartKey"] = key.clone(),
            None => return whole,
        }
    }
}

/// Items over few keys, so that partitions and index keys are shared; index attributes are sometimes missing or of
/// another type.
fn items() -> impl Strategy<Value = Vec<Item>> {
    let text = prop_oneof![Just("x"), Just("xy"), Just("y"), Just("x\u{0}"), Just("z")];
    let sometimes_text = prop_oneof![
        4 => text.prop_map(|text| Some(s(text))),
        1 => Just(Some(n(5))),
        1 => Just(None),
    ];
    let bytes = prop_oneof![
        4 => proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(255)], 1..3)
            .prop_map(|bytes| Some(AttributeValue::B(bytes))),
        1 => Just(Some(AttributeValue::Null)),
        1 => Just(None),
    ];
    let number = prop_oneof![3 => (-3_i64..4).prop_map(|number| Some(n(number))), 1 => Just(None)];
    let one = (prop_oneof![Just("p"), Just("q"), Just("r")], -5_i64..6, sometimes_text, bytes, number, 0_i64..10);
    let one = one.prop_map(|(partition, sort, c, d, e, v)| {
        let mut one = item([("a", s(partition)), ("b", n(sort)), ("v", n(v)), ("w", s(format!("w{v}")))]);
        for (name, value) in [("c", c), ("d", d), ("e", e)] {
            if let Some(value) = value {
                one.insert(name.to_owned(), value);
            }
        }
        one
    });
    proptest::collection::vec(one, 0..40)
}

fn model(items: Vec<Item>) -> Model {
    let mut model = Model::new(ranges());
    for item in items {
        model.put(item);
    }
    model
}

/// An index, a value of its partition key, and a strategy's choice of a test of its sort key.
fn conditions() -> impl Strategy<Value = (Option<&'static str>, AttributeValue, Option<SortTest>)> {
    let partition = prop_oneof![Just("p"), Just("q")].prop_map(s);
    let text = prop_oneof![Just("x"), Just("xy"), Just("y")];
    let number = (-6_i64..7).prop_map(n).boxed();
    let binary = proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(255)], 1..3)
        .prop_map(AttributeValue::B)
        .boxed();
    let on_table = (partition.clone(), test(number.clone(), false)).prop_map(|(p, test)| (None, p, test));
    let on_all = (partition.clone(), test(text.clone().prop_map(s).boxed(), true));
    let on_keys = (partition, test(binary, true));
    let on_global = text.clone().prop_map(|text| (Some("global_all"), s(text), None));
    let on_some = (text, test(number, false)).prop_map(|(text, test)| (Some("global_some"), s(text), test));
    prop_oneof![
        on_table,
        on_all.prop_map(|(p, test)| (Some("local_all"), p, test)),
        on_keys.prop_map(|(p, test)| (Some("local_keys"), p, test)),
        on_global,
        on_some,
    ]
}

fn test(value: BoxedStrategy<AttributeValue>, has_prefixes: bool) -> BoxedStrategy<Option<SortTest>> {
    let one = move |make: fn(AttributeValue) -> SortTest| value.clone().prop_map(move |value| Some(make(value)));
    let between = one(SortTest::Equal).prop_flat_map({
        let one = one.clone();
        move |low| one(SortTest::Equal).prop_map(move |high| between(low.clone(), high))
    });
    let simple = prop_oneof![
        Just(None),
        one(SortTest::Equal),
        one(SortTest::Less),
        one(SortTest::LessOrEqual),
        one(SortTest::Greater),
        one(SortTest::GreaterOrEqual),
        between,
    ];
    if has_prefixes { prop_oneof![6 => simple, 1 => one(SortTest::BeginsWith)].boxed() } else { simple.boxed() }
}

/// Both bounds in the order that the service asks for.
fn between(one: Option<SortTest>, other: Option<SortTest>) -> Option<SortTest> {
    let (Some(SortTest::Equal(one)), Some(SortTest::Equal(other))) = (one, other) else {
        return None;
    };
    let ascending = match (&one, &other) {
        (AttributeValue::S(one), AttributeValue::S(other)) => one <= other,
        (AttributeValue::N(one), AttributeValue::N(other)) => one <= other,
        (AttributeValue::B(one), AttributeValue::B(other)) => one <= other,
        _ => false,
    };
    Some(if ascending { SortTest::Between(one, other) } else { SortTest::Between(other, one) })
}

/// The request for a condition.
fn query(index: Option<&str>, partition: &AttributeValue, test: Option<&SortTest>) -> Value {
    let table = ranges();
    let keys = index.map_or(&table.keys, |name| &table.index(name).unwrap().keys);
    let mut expression = "#p = :p".to_owned();
    let mut request = json!({
        "TableName": "ranges",
        "ExpressionAttributeNames": { "#p": keys.partition[0].name },
        "ExpressionAttributeValues": { ":p": value_json(partition) },
    });
    if let Some(test) = test {
        request["ExpressionAttributeNames"]["#s"] = json!(keys.sort[0].name);
        let (text, values) = match test {
            SortTest::Equal(value) => ("#s = :x", vec![value]),
            SortTest::Less(value) => ("#s < :x", vec![value]),
            SortTest::LessOrEqual(value) => ("#s <= :x", vec![value]),
            SortTest::Greater(value) => (":x < #s", vec![value]),
            SortTest::GreaterOrEqual(value) => ("#s >= :x", vec![value]),
            SortTest::Between(low, high) => ("#s BETWEEN :x AND :y", vec![low, high]),
            SortTest::BeginsWith(value) => ("begins_with(#s, :x)", vec![value]),
        };
        expression = format!("{expression} AND {text}");
        for (name, value) in [":x", ":y"].into_iter().zip(values) {
            request["ExpressionAttributeValues"][name] = value_json(value);
        }
    }
    request["KeyConditionExpression"] = json!(expression);
    if let Some(index) = index {
        request["IndexName"] = json!(index);
    }
    request
}

/// Adds `v < bound` to a request, and says which rows pass.
fn filter(request: &mut Value, bound: Option<i64>) -> impl Fn(&Item) -> bool + use<> {
    if let Some(bound) = bound {
        request["FilterExpression"] = json!("v < :bound");
        request["ExpressionAttributeValues"][":bound"] = value_json(&n(bound));
    }
    move |row: &Item| bound.is_none_or(|bound| matches!(row.get("v"), Some(AttributeValue::N(v)) if *v < number(bound)))
}

fn number(number: i64) -> dynamo_protocol::number::Number {
    dynamo_protocol::number::Number::from_i64(number)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn queries_page_like_the_model(
        items in items(),
        (index, partition, test) in conditions(),
        backward in any::<bool>(),
        limit in proptest::option::of(1_u64..6),
        bound in proptest::option::of(0_i64..10),
    ) {
        let model = model(items);
        let store = filled(&model);
        let mut request = query(index, &partition, test.as_ref());
        request["ScanIndexForward"] = json!(!backward);
        if let Some(limit) = limit {
            request["Limit"] = json!(limit);
        }
        // The index of keys only cannot be filtered by `v`.
        let passes = filter(&mut request, bound.filter(|_| index != Some("local_keys")));
        let mut rows = model.query(index, &partition, test.as_ref());
        if backward {
            rows.reverse();
        }
        let whole = all_pages(&store, "Query", &request);
        let expected: Vec<Value> = rows.iter().filter(|row| passes(row)).map(item_json).collect();
        prop_assert_eq!(whole.scanned, rows.len() as u64);
        prop_assert_eq!(whole.count, expected.len() as u64);
        prop_assert_eq!(whole.items, expected);
    }

    #[test]
    fn scans_page_like_the_model(
        items in items(),
        index in proptest::option::of(prop_oneof![
            Just("local_all"), Just("local_keys"), Just("global_all"), Just("global_some"),
        ]),
        limit in proptest::option::of(1_u64..6),
        bound in proptest::option::of(0_i64..10),
    ) {
        let model = model(items);
        let store = filled(&model);
        let mut request = json!({ "TableName": "ranges" });
        if let Some(index) = index {
            request["IndexName"] = json!(index);
        }
        if let Some(limit) = limit {
            request["Limit"] = json!(limit);
        }
        let rows = model.scan(index);
        let passes = filter(&mut request, bound);
        let whole = all_pages(&store, "Scan", &request);
        let expected: Vec<Value> = rows.iter().filter(|row| passes(row)).map(item_json).collect();
        prop_assert_eq!(whole.scanned, rows.len() as u64);
        prop_assert_eq!(whole.items, expected);
    }

    #[test]
    fn a_scan_goes_on_from_shard_to_shard(
        items in items(),
        index in proptest::option::of(prop_oneof![Just("local_keys"), Just("global_all")]),
        bounds in proptest::collection::btree_set(1_u64.., 0..4),
        limit in proptest::option::of(1_u64..6),
    ) {
        let model = model(items);
        let whole = filled(&model);
        let shards = Shards::split(&whole, bounds.into_iter().collect());
        let mut request = json!({ "TableName": "ranges" });
        if let Some(index) = index {
            request["IndexName"] = json!(index);
        }
        if let Some(limit) = limit {
            request["Limit"] = json!(limit);
        }
        let plan = plan("Scan", &request).unwrap();
        let mut page = Vec::new();
        plan.execute(&shards, &mut page, Run::WHOLE).unwrap();
        prop_assert_eq!(page, CountingReader::new(&whole).run(&plan).unwrap());
    }

    #[test]
    fn segments_are_the_scan(items in items(), segments in 1_u64..9, limit in proptest::option::of(1_u64..4)) {
        let model = model(items);
        let store = filled(&model);
        let mut together = Vec::new();
        for segment in 0..segments {
            let mut request = json!({ "TableName": "ranges", "Segment": segment, "TotalSegments": segments });
            if let Some(limit) = limit {
                request["Limit"] = json!(limit);
            }
            together.extend(all_pages(&store, "Scan", &request).items);
        }
        let expected: Vec<Value> = model.scan(None).iter().map(item_json).collect();
        prop_assert_eq!(together, expected);
    }

    #[test]
    fn a_local_index_fetches_what_it_does_not_hold(items in items(), (index, partition, test) in conditions()) {
        let model = model(items);
        let store = filled(&model);
        let index = if index.is_some_and(|name| name.starts_with("local")) { index } else { None };
        let test = test.filter(|_| index.is_some());
        let mut request = query(index, &partition, test.as_ref());
        request["Select"] = json!("ALL_ATTRIBUTES");
        let whole = all_pages(&store, "Query", &request);
        let rows = model.query(index, &partition, test.as_ref());
        let expected: Vec<Value> = rows.iter().map(|row| item_json(model.item_of(row))).collect();
        prop_assert_eq!(whole.items, expected);
    }
}
