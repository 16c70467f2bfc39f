//! How often each read touches the store: the same on every machine, so it is asserted (design §7).

use dynamo_engine::read::Run;
use serde_json::{Value, json};

use crate::fixture::{item, n, plan, ranges, s};
use crate::model::Model;
use crate::store::{CountingReader, filled};

/// Ten items in one partition, with index attributes.
fn ten() -> Model {
    let mut model = Model::new(ranges());
    for number in 0..10 {
        let d = dynamo_protocol::value::AttributeValue::B(vec![number as u8]);
        model.put(item([("a", s("p")), ("b", n(number)), ("c", s("x")), ("d", d), ("v", n(number))]));
    }
    model
}

/// Point reads, cursors and cursor steps of one request.
fn counts(operation: &str, request: Value) -> (usize, usize, usize) {
    let reader = CountingReader::new(&filled(&ten()));
    let plan = plan(operation, &request).unwrap();
    assert_eq!(reader.counts(), (0, 0, 0), "a plan has read nothing");
    reader.run(&plan).unwrap();
    reader.counts()
}

fn key(number: i64) -> Value {
    json!({ "a": { "S": "p" }, "b": { "N": number.to_string() } })
}

#[test]
fn point_reads() {
    assert_eq!(counts("GetItem", json!({ "TableName": "ranges", "Key": key(1) })), (1, 0, 0));
    assert_eq!(counts("GetItem", json!({ "TableName": "ranges", "Key": key(99) })), (1, 0, 0), "an absent item, too");
    let keys: Vec<Value> = (5..15).map(key).collect();
    assert_eq!(counts("BatchGetItem", json!({ "RequestItems": { "ranges": { "Keys": keys } } })), (10, 0, 0));
    let gets: Vec<Value> =
        (0..4).map(|number| json!({ "Get": { "TableName": "ranges", "Key": key(number) } })).collect();
    assert_eq!(counts("TransactGetItems", json!({ "TransactItems": gets })), (4, 0, 0));
}

#[test]
fn pages() {
    let query = |more: Value| {
        let mut request = json!({
            "TableName": "ranges",
            "KeyConditionExpression": "a = :a",
            "ExpressionAttributeValues": { ":a": { "S": "p" } },
        });
        for (name, value) in more.as_object().unwrap() {
            request[name] = value.clone();
        }
        request
    };
    assert_eq!(counts("Query", query(json!({}))), (0, 1, 11), "ten rows and the end");
    assert_eq!(counts("Query", query(json!({ "Limit": 3 }))), (0, 1, 3), "no row behind a full page is looked at");
    assert_eq!(counts("Query", query(json!({ "Limit": 3, "ScanIndexForward": false }))), (0, 1, 3));
    assert_eq!(counts("Query", query(json!({ "IndexName": "local_all", "Select": "ALL_ATTRIBUTES" }))), (0, 1, 11));
    assert_eq!(
        counts("Query", query(json!({ "IndexName": "local_keys", "Select": "ALL_ATTRIBUTES" }))),
        (10, 1, 11),
        "one read of the table for each row that holds less"
    );
    assert_eq!(counts("Query", query(json!({ "IndexName": "local_keys", "Select": "COUNT" }))), (0, 1, 11));
    assert_eq!(counts("Scan", json!({ "TableName": "ranges" })), (0, 1, 11));
    assert_eq!(counts("Scan", json!({ "TableName": "hashes" })), (0, 1, 1), "other tables' rows are not met");
}

#[test]
fn long_pages_leave_the_calling_thread() {
    let mut model = ten();
    let query = json!({
        "TableName": "ranges",
        "KeyConditionExpression": "a = :a",
        "ExpressionAttributeValues": { ":a": { "S": "p" } },
    });
    let query = plan("Query", &query).unwrap();
    let inline = |model: &Model| {
        let reader = CountingReader::new(&filled(model));
        let reader: &dyn ordered_kv::Reader = &reader;
        query.execute(&reader, &mut Vec::new(), Run::INLINE)
    };
    assert!(inline(&model).is_ok());
    for number in 0..3 {
        model.put(item([("a", s("p")), ("b", n(number)), ("text", s("z".repeat(40_000)))]));
    }
    assert!(inline(&model).unwrap_err().is_not_cached());
    let mut read = dynamo_engine::read::Execution::new(query);
    let reader = CountingReader::new(&filled(&model));
    assert!(read.advance(&(&reader as &dyn ordered_kv::Reader), Run::INLINE).is_err());
    assert!(read.reply_bytes() < 1_000, "{} bytes are held while it waits for a place", read.reply_bytes());
    read.advance(&(&reader as &dyn ordered_kv::Reader), Run::WHOLE).unwrap();
    assert!(read.into_body().len() > 120_000);
}

/// A page takes its room by what its rows come to, not by doubling: little more than it needs, in few moves.
#[test]
fn a_page_takes_little_more_room_than_it_fills() {
    let mut model = ten();
    for number in 0..2_000 {
        let text = s("t".repeat(500 + number as usize % 7 * 20));
        model.put(item([("a", s("p")), ("b", n(number)), ("text", text), ("x", n(number))]));
    }
    let reader = CountingReader::new(&filled(&model));
    let room = |request: Value| {
        let mut body = Vec::new();
        plan("Scan", &request).unwrap().execute(&(&reader as &dyn ordered_kv::Reader), &mut body, Run::WHOLE).unwrap();
        (body.len(), body.capacity())
    };
    let (filled, room_of_all) = room(json!({ "TableName": "ranges" }));
    assert!(filled > 1_000_000, "a whole page: {filled}");
    assert!(room_of_all < filled + filled / 8, "{room_of_all} bytes of room for {filled}");
    let (filled, room_of_some) = room(json!({ "TableName": "ranges", "Limit": 40 }));
    assert!(filled > 20_000 && room_of_some < filled + filled / 4, "{room_of_some} bytes of room for {filled}");
    let filter = json!({ ":x": { "N": "1000" } });
    let (filled, room_of_few) =
        room(json!({ "TableName": "ranges", "FilterExpression": "x = :x", "ExpressionAttributeValues": filter }));
    assert!(filled < 2_000 && room_of_few <= 8_192, "{room_of_few} bytes of room for {filled}");
}

#[test]
fn read_sets_and_views() {
    let get = plan("GetItem", &json!({ "TableName": "ranges", "Key": key(1) })).unwrap();
    assert!(!get.needs_view() && get.is_short());
    let query = plan(
        "Query",
        &json!({
            "TableName": "ranges",
            "KeyConditionExpression": "a = :a",
            "ExpressionAttributeValues": { ":a": { "S": "p" } },
        }),
    )
    .unwrap();
    assert_eq!(query.read_set(), get.read_set(), "an item collection has one token");
    assert!(!query.needs_view() && query.is_short(), "one cursor shows one moment");
    let fetching = json!({
        "TableName": "ranges",
        "IndexName": "local_keys",
        "KeyConditionExpression": "a = :a",
        "ExpressionAttributeValues": { ":a": { "S": "p" } },
        "Select": "ALL_ATTRIBUTES",
    });
    assert!(plan("Query", &fetching).unwrap().needs_view(), "index rows and items come from one moment");
    assert!(!plan("Scan", &json!({ "TableName": "ranges" })).unwrap().is_short());
    let keys: Vec<Value> = (0..4).map(key).collect();
    let batch = plan("BatchGetItem", &json!({ "RequestItems": { "ranges": { "Keys": keys } } })).unwrap();
    assert_eq!(batch.read_set(), get.read_set(), "keys are deduplicated to tokens");
    let scan = plan("Scan", &json!({ "TableName": "ranges", "ExclusiveStartKey": key(1) })).unwrap();
    let dynamo_engine::read::ReadSet::Ranges(ranges) = scan.read_set() else {
        panic!("a scan reads ranges");
    };
    let dynamo_engine::read::ReadSet::Keys(tokens) = get.read_set() else {
        panic!("a point read reads its key");
    };
    assert_eq!(ranges.len(), 1);
    assert_eq!(ranges[0].first(), tokens[0], "what lies before the start key is not read");
}
