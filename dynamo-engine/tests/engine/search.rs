//! A search for requests that cost more than is accounted for.
//!
//! What a request may cost is bounded by what is counted: bytes of the request, of the answer and of the rows, and steps of
//! expressions (`docs/limits.md`). So the question is how much work there is for each unit of these. The search changes
//! requests of every operation, keeps those that take a new way through the code or cost more per unit than any before, and
//! goes on from them; it ends with the most expensive one of each operation, by each measure, and fails where that is above the
//! bound.
//!
//! Work is measured as memory taken, in bytes and in pieces. `scripts/cost.sh` builds the crates below this one so that they
//! count every edge of the program that is passed, which is all the work there is, and tells the search which ways are new.
//! `COST_SECONDS` says how long it searches, `COST_KEEP=1` writes what it found into `corpus.tsv`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use dynamo_protocol::ops::Operation;
use dynamo_protocol::work;
use serde_json::{Map, Value, json};

use crate::attacks::kept;
use crate::cost::pieces_and_bytes;
use crate::node::Node;

/// Requests are no longer: what is worst in a short one is worst in a long one, and is found sooner.
const REQUEST_BYTES_MAX: usize = 4096;

/// Requests that are tried where nobody says how long to search.
const TRIES: usize = 4_000;

/// Bytes that a world's rows have, and that any request may read several times over; and what is paid for being asked at all.
const WORLD_BYTES: usize = 4_096;

/// Requests after which the world is made anew, since some of them change it.
const WORLD_REQUESTS: usize = 200;

/// What is measured, and the most of it for each unit that is accounted for.
const MEASURES: [(&str, f64); 3] = [("bytes", 40.0), ("pieces", 0.4), ("edges", 40.0)];

/// A generator of its own, so that a search is the same everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

const TABLE: &str = "searched";

fn key(at: usize) -> Value {
    json!({ "pk": { "S": format!("p{}", at % 4) }, "sk": { "N": at.to_string() } })
}

fn item(at: usize) -> Value {
    let mut item = key(at);
    for (name, value) in [
        ("l", json!({ "S": format!("l{at}") })),
        ("g", json!({ "S": format!("g{}", at % 3) })),
        ("n", json!({ "N": format!("{at}.5") })),
        ("ss", json!({ "SS": ["a", "b", "c"] })),
        ("ns", json!({ "NS": ["1", "2.5"] })),
        ("list", json!({ "L": [{ "S": "x" }, { "N": "1" }, { "NULL": true }] })),
        ("map", json!({ "M": { "a": { "S": "y" }, "b": { "BOOL": true } } })),
        ("b", json!({ "B": "YWJjZGVm" })),
    ] {
        item[name] = value;
    }
    item
}

/// A table with indexes of both kinds and a stream, and some items.
fn world() -> Node {
    let mut node = Node::new();
    let index = |name: &str, keys: Value| json!({ "IndexName": name, "KeySchema": keys, "Projection": { "ProjectionType": "ALL" } });
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let definition = |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
    let table = json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [definition("pk", "S"), definition("sk", "N"), definition("l", "S"), definition("g", "S")],
        "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        "LocalSecondaryIndexes": [index("local", json!([key("pk", "HASH"), key("l", "RANGE")]))],
        "GlobalSecondaryIndexes": [index("global", json!([key("g", "HASH")]))],
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" },
    });
    node.send("CreateTable", &table).expect("the table is right");
    for at in 0..16 {
        node.send("PutItem", &json!({ "TableName": TABLE, "Item": item(at) })).expect("the item is right");
    }
    node
}

const ARN: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/searched";

/// Where the search begins: a request of each operation, with most of what it can have.
fn seeds() -> Vec<(&'static str, Value)> {
    let values =
        json!({ ":a": { "S": "x" }, ":n": { "N": "1" }, ":l": { "L": [{ "S": "x" }] }, ":e": { "SS": ["d"] } });
    let names = json!({ "#m": "map", "#l": "list" });
    let on_failure = "ReturnValuesOnConditionCheckFailure";
    let statement = |text: &str, parameters: Value| json!({ "Statement": text, "Parameters": parameters });
    vec![
        (
            "BatchExecuteStatement",
            json!({ "Statements": [
            statement("SELECT * FROM searched WHERE pk = 'p0' AND sk = 0", json!([{ "S": "x" }])),
            statement("SELECT n, map.a FROM searched WHERE pk = ? AND sk = ? AND contains(list, 'x')", json!([{ "S": "p1" }, { "N": "1" }])),
        ] }),
        ),
        (
            "BatchGetItem",
            json!({ "RequestItems": { TABLE: { "Keys": [key(0), key(1)], "ProjectionExpression": "#m.a, #l[0], n",
            "ExpressionAttributeNames": names, "ConsistentRead": true } }, "ReturnConsumedCapacity": "INDEXES" }),
        ),
        (
            "BatchWriteItem",
            json!({ "RequestItems": { TABLE: [{ "PutRequest": { "Item": item(1) } }, { "DeleteRequest": { "Key": key(2) } }] },
            "ReturnConsumedCapacity": "INDEXES", "ReturnItemCollectionMetrics": "SIZE" }),
        ),
        (
            "CreateTable",
            json!({ "TableName": "other", "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [
                { "AttributeName": "a", "AttributeType": "S" }, { "AttributeName": "b", "AttributeType": "N" } ],
            "KeySchema": [{ "AttributeName": "a", "KeyType": "HASH" }], "GlobalSecondaryIndexes": [{ "IndexName": "global",
                "KeySchema": [{ "AttributeName": "b", "KeyType": "HASH" }],
                "Projection": { "ProjectionType": "INCLUDE", "NonKeyAttributes": ["c", "d"] } }],
            "Tags": [{ "Key": "k", "Value": "v" }] }),
        ),
        (
            "DeleteItem",
            json!({ "TableName": TABLE, "Key": key(3), "ConditionExpression": "attribute_exists(#m.a) AND n <> :n",
            "ExpressionAttributeNames": { "#m": "map" }, "ExpressionAttributeValues": { ":n": { "N": "1" } },
            "ReturnValues": "ALL_OLD", "ReturnConsumedCapacity": "INDEXES" }),
        ),
        ("DeleteTable", json!({ "TableName": "nothing" })),
        ("DescribeContinuousBackups", json!({ "TableName": TABLE })),
        ("DescribeEndpoints", json!({})),
        ("DescribeLimits", json!({})),
        ("DescribeStream", json!({ "StreamArn": format!("{ARN}/stream/1970-01-01T00:00:00.000"), "Limit": 10 })),
        ("DescribeTable", json!({ "TableName": TABLE })),
        ("DescribeTimeToLive", json!({ "TableName": ARN })),
        (
            "ExecuteStatement",
            statement(
                "UPDATE searched SET n = n + 1 SET list = list_append(list, ?) WHERE pk = 'p0' AND sk = 4 RETURNING ALL NEW *",
                json!([{ "L": [{ "S": "x" }] }]),
            ),
        ),
        (
            "ExecuteStatement",
            statement(
                "SELECT * FROM searched WHERE contains(list, ?) OR n IN [1, 2, 3] OR begins_with(l, 'l') ORDER BY sk DESC",
                json!([{ "S": "x" }]),
            ),
        ),
        (
            "ExecuteStatement",
            statement(
                "INSERT INTO searched VALUE {'pk': 'p9', 'sk': 9, 'list': [1, 2, <<3>>], 'm': {'a': ?}}",
                json!([{ "S": "x" }]),
            ),
        ),
        (
            "ExecuteTransaction",
            json!({ "TransactStatements": [
            statement("UPDATE searched SET n = ? WHERE pk = 'p0' AND sk = 0", json!([{ "N": "1" }])),
            statement("DELETE FROM searched WHERE pk = 'p1' AND sk = 1", json!([])) ] }),
        ),
        (
            "GetItem",
            json!({ "TableName": TABLE, "Key": key(5), "ProjectionExpression": "#m.a, #l[0], #l[2], n, ss",
            "ExpressionAttributeNames": names, "ConsistentRead": true, "ReturnConsumedCapacity": "TOTAL" }),
        ),
        ("GetRecords", json!({ "ShardIterator": format!("{ARN}/stream/1970-01-01T00:00:00.000|1|AAAA"), "Limit": 10 })),
        (
            "GetShardIterator",
            json!({ "StreamArn": format!("{ARN}/stream/1970-01-01T00:00:00.000"),
            "ShardId": "shardId-00000000000000000000-00000000", "ShardIteratorType": "TRIM_HORIZON" }),
        ),
        ("ListStreams", json!({ "TableName": TABLE, "Limit": 10 })),
        ("ListTables", json!({ "ExclusiveStartTableName": "abc", "Limit": 10 })),
        ("ListTagsOfResource", json!({ "ResourceArn": ARN, "NextToken": "x" })),
        (
            "PutItem",
            json!({ "TableName": TABLE, "Item": item(6), "ConditionExpression": "#m.a = :a OR contains(#l, :a) OR size(ss) BETWEEN :n AND :n",
            "ExpressionAttributeNames": names, "ExpressionAttributeValues": { ":a": { "S": "x" }, ":n": { "N": "3" } },
            "ReturnValues": "ALL_OLD", on_failure: "ALL_OLD" }),
        ),
        (
            "PutItem",
            json!({ "TableName": TABLE, "Item": item(6), "Expected": { "n": { "ComparisonOperator": "IN",
            "AttributeValueList": [{ "N": "1" }, { "N": "2" }] }, "l": { "Exists": false } }, "ConditionalOperator": "OR" }),
        ),
        (
            "Query",
            json!({ "TableName": TABLE, "KeyConditionExpression": "pk = :a AND sk BETWEEN :n AND :m",
            "FilterExpression": "contains(#l, :x) OR NOT #m.b = :x", "ProjectionExpression": "#m.a, #l[0]",
            "ExpressionAttributeNames": names, "ExpressionAttributeValues": { ":a": { "S": "p1" }, ":n": { "N": "0" },
                ":m": { "N": "99" }, ":x": { "S": "x" } }, "ScanIndexForward": false, "ReturnConsumedCapacity": "INDEXES" }),
        ),
        (
            "Query",
            json!({ "TableName": TABLE, "IndexName": "global", "KeyConditions": { "g": { "ComparisonOperator": "EQ",
            "AttributeValueList": [{ "S": "g1" }] } }, "QueryFilter": { "n": { "ComparisonOperator": "BETWEEN",
            "AttributeValueList": [{ "N": "0" }, { "N": "9" }] } }, "AttributesToGet": ["n", "map"] }),
        ),
        (
            "Scan",
            json!({ "TableName": TABLE, "FilterExpression": "attribute_type(#l, :t) AND (begins_with(l, :l) OR #m.a IN (:l, :t))",
            "ExpressionAttributeNames": names, "ExpressionAttributeValues": { ":t": { "S": "L" }, ":l": { "S": "l" } },
            "Segment": 0, "TotalSegments": 1, "Limit": 100, "ExclusiveStartKey": key(2) }),
        ),
        (
            "TagResource",
            json!({ "ResourceArn": ARN, "Tags": [{ "Key": "a", "Value": "b" }, { "Key": "c", "Value": "d" }] }),
        ),
        (
            "TransactGetItems",
            json!({ "TransactItems": [{ "Get": { "TableName": TABLE, "Key": key(7), "ProjectionExpression": "#m, n",
            "ExpressionAttributeNames": { "#m": "map" } } }, { "Get": { "TableName": TABLE, "Key": key(8) } }],
            "ReturnConsumedCapacity": "INDEXES" }),
        ),
        (
            "TransactWriteItems",
            json!({ "TransactItems": [
            { "ConditionCheck": { "TableName": TABLE, "Key": key(9), "ConditionExpression": "attribute_exists(n)", on_failure: "ALL_OLD" } },
            { "Update": { "TableName": TABLE, "Key": key(10), "UpdateExpression": "SET n = n + :n", "ExpressionAttributeValues": { ":n": { "N": "1" } } } },
            { "Put": { "TableName": TABLE, "Item": item(11) } }, { "Delete": { "TableName": TABLE, "Key": key(12) } } ],
            "ReturnConsumedCapacity": "INDEXES", "ReturnItemCollectionMetrics": "SIZE" }),
        ),
        ("UntagResource", json!({ "ResourceArn": ARN, "TagKeys": ["a", "b"] })),
        (
            "UpdateItem",
            json!({ "TableName": TABLE, "Key": key(13),
            "UpdateExpression": "SET #l[1] = :a, #m.c = if_not_exists(#m.d, :a), q = list_append(#l, :l), n = n - :n REMOVE b ADD ss :e",
            "ConditionExpression": "n > :n", "ExpressionAttributeNames": names, "ExpressionAttributeValues": values,
            "ReturnValues": "UPDATED_NEW", on_failure: "ALL_OLD" }),
        ),
        (
            "UpdateItem",
            json!({ "TableName": TABLE, "Key": key(14), "AttributeUpdates": { "n": { "Action": "ADD", "Value": { "N": "1" } },
            "b": { "Action": "DELETE" }, "ss": { "Action": "DELETE", "Value": { "SS": ["a"] } } } }),
        ),
        (
            "UpdateTable",
            json!({ "TableName": TABLE, "AttributeDefinitions": [{ "AttributeName": "n", "AttributeType": "N" }],
            "GlobalSecondaryIndexUpdates": [{ "Create": { "IndexName": "late", "KeySchema": [{ "AttributeName": "n", "KeyType": "HASH" }],
            "Projection": { "ProjectionType": "KEYS_ONLY" } } }] }),
        ),
        (
            "UpdateTimeToLive",
            json!({ "TableName": TABLE, "TimeToLiveSpecification": { "Enabled": true, "AttributeName": "ttl" } }),
        ),
    ]
}

/// Pieces of texts that mean something somewhere.
const WORDS: &[&str] = &[
    " AND ",
    " OR ",
    "NOT ",
    "(",
    ")",
    ",",
    ".a",
    "[0]",
    "#m",
    "#l",
    ":a",
    ":n",
    ":l",
    ":e",
    "n",
    "list",
    "map",
    "ss",
    "pk",
    "sk",
    " = ",
    " <> ",
    " < ",
    " IN ",
    " BETWEEN ",
    "contains(list, :a)",
    "size(map)",
    "attribute_exists(n)",
    "begins_with(l, :a)",
    "SET ",
    "REMOVE ",
    "ADD ",
    "DELETE ",
    " + ",
    " - ",
    "list_append(list, list)",
    "if_not_exists(n, :n)",
    "q = :a, ",
    "?",
    "'x'",
    "<<1>>",
    "[1]",
    "{'a': 1}",
    "SELECT * FROM searched WHERE ",
    "RETURNING ALL OLD *",
    "é",
    "\u{1}",
    "\"",
    "0",
    "1e125",
    "\\",
];

/// How many values there are below one, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(elements) => elements.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// One of them, by its number.
fn nth(value: &mut Value, at: usize) -> &mut Value {
    if at == 0 {
        return value;
    }
    let mut left = at - 1;
    let below: Vec<&mut Value> = match value {
        Value::Array(elements) => elements.iter_mut().collect(),
        Value::Object(members) => members.values_mut().collect(),
        _ => Vec::new(),
    };
    for child in below {
        let there = count(child);
        if left < there {
            return nth(child, left);
        }
        left -= there;
    }
    unreachable!("a number below the count")
}

/// Another request like this one.
fn change(chance: &mut Chance, request: &mut Value, other: &Value) {
    let at = chance.below(count(request));
    let from = chance.below(count(other));
    let times = *chance.one(&[1, 1, 2, 8, 32]);
    let target = nth(request, at);
    if chance.below(16) == 0 {
        *target = nth(&mut other.clone(), from).clone();
        return;
    }
    match target {
        Value::Array(elements) if !elements.is_empty() => {
            let one = chance.below(elements.len());
            match chance.below(4) {
                0 => drop(elements.remove(one)),
                _ => elements.extend(vec![elements[one].clone(); times]),
            }
        }
        Value::Object(members) if !members.is_empty() => {
            let names: Vec<String> = members.keys().cloned().collect();
            let name = chance.one(&names);
            let value = members[name].clone();
            match chance.below(4) {
                0 => drop(members.remove(name)),
                1 => drop(members.insert(chance.one(WORDS).trim().to_owned(), value)),
                _ => {
                    let more = (0..times).map(|number| (format!("{name}{}", members.len() + number), value.clone()));
                    let more: Map<String, Value> = more.collect();
                    members.extend(more);
                }
            }
        }
        Value::String(text) => match chance.below(6) {
            0 => *text = text.repeat(1 + times),
            1 => {
                let mut end = text.len() / 2;
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                text.truncate(end);
            }
            2 => *text = (*chance.one(WORDS)).to_owned(),
            3 => *text = format!("{text}{}{text}", chance.one(&[" AND ", " OR ", ", ", " "])),
            _ => text.push_str(chance.one::<&str>(WORDS)),
        },
        Value::Number(_) => *target = json!(*chance.one(&[0, 1, -1, 1000, i64::MAX])),
        Value::Bool(is) => *is = !*is,
        _ => *target = json!({}),
    }
}

/// What a request took of each measure, by unit that is accounted for.
fn cost(node: &mut Node, operation: &str, body: &[u8]) -> [f64; 3] {
    let noted = work::noted();
    edges::begin();
    let (answer, pieces, bytes) = pieces_and_bytes(|| node.send_bytes(operation, body));
    let edges = edges::passed();
    let answered = answer.map_or_else(|error| error.to_json().len(), |body| body.len());
    let units = (body.len() + answered + WORLD_BYTES) as f64 + (work::noted() - noted) as f64;
    [bytes as f64 / units, pieces as f64 / units, edges as f64 / units]
}

/// The most expensive request of an operation by a measure.
struct Worst {
    cost: f64,
    body: Value,
}

#[test]
fn search_for_the_most_expensive_request() {
    let seconds = std::env::var("COST_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut chance = Chance(11);
    let mut pool = seeds();
    for request in kept() {
        pool.push((request.operation, serde_json::from_str(&request.body).expect("what was kept is JSON")));
    }
    let mut worst: BTreeMap<(&str, usize), Worst> = BTreeMap::new();
    let (mut node, mut tries) = (world(), 0);
    let mut untried = pool.clone();
    loop {
        let is_over = end.map_or(tries >= TRIES, |end| Instant::now() >= end);
        if is_over && untried.is_empty() {
            break;
        }
        tries += 1;
        if tries % WORLD_REQUESTS == 0 {
            node = world();
        }
        let (operation, body) = untried.pop().unwrap_or_else(|| {
            let (operation, mut body) = pool[chance.below(pool.len())].clone();
            let other = pool[chance.below(pool.len())].1.clone();
            for _ in 0..=chance.below(3) {
                change(&mut chance, &mut body, &other);
            }
            (operation, body)
        });
        let bytes = body.to_string().into_bytes();
        if bytes.len() > REQUEST_BYTES_MAX {
            continue;
        }
        let costs = cost(&mut node, operation, &bytes);
        let mut is_new = edges::are_new();
        for (measure, cost) in costs.into_iter().enumerate() {
            let before = worst.get(&(operation, measure)).map_or(0.0, |worst| worst.cost);
            // A world that others have changed may make it dearer: so it is asked of a fresh one.
            if cost > before * 1.02 && self::cost(&mut world(), operation, &bytes)[measure] > before * 1.02 {
                let cost = self::cost(&mut world(), operation, &bytes)[measure];
                worst.insert((operation, measure), Worst { cost, body: body.clone() });
                is_new = true;
            }
        }
        if is_new {
            pool.push((operation, body));
        }
    }
    println!("{tries} requests, {} kept to go on from, {} edges seen", pool.len(), edges::seen());
    let mut kept = String::new();
    let mut beyond = Vec::new();
    for ((operation, measure), Worst { cost, body }) in &worst {
        let ((name, most), body) = (MEASURES[*measure], body.to_string());
        if *cost > 0.0 {
            println!("{cost:8.3} {name} a unit: {operation}, {} bytes: {}", body.len(), clip(&body));
            let _ = writeln!(kept, "{operation}\tmost {name} by unit\t{body}");
        }
        if *cost > most {
            beyond.push(format!("{cost:.2} {name} a unit: {operation} {body}"));
        }
    }
    if std::env::var("COST_KEEP").is_ok() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/corpus.tsv");
        std::fs::write(path, kept).expect("the corpus can be written");
    }
    let operations: BTreeSet<&str> = worst.keys().map(|(operation, _)| *operation).collect();
    let known = |name: &&str| Operation::ALL.iter().any(|operation| operation.name() == *name);
    assert!(operations.len() == 30 && operations.iter().all(known), "every operation was searched: {operations:?}");
    assert!(beyond.is_empty(), "more than is accounted for:\n{}", beyond.join("\n"));
}

fn clip(text: &str) -> String {
    text.chars().take(160).collect()
}

/// Edges of the program, where it was built to count them (`scripts/count-edges.sh`).
mod edges {
    #[cfg(counts_edges)]
    mod counted {
        const EDGES_MAX: usize = 1 << 18;

        // Only the thread that searches runs, and what is called for each edge must call nothing: not even a function of an
        // atomic number, which may be an instance that counts edges itself.
        static mut COUNT: u32 = 0;
        static mut PASSED: u64 = 0;
        static mut OF_REQUEST: [u8; EDGES_MAX] = [0; EDGES_MAX];
        /// The most often, in powers of two, that each edge was passed by one request.
        static mut SEEN: [u8; EDGES_MAX] = [0; EDGES_MAX];

        #[unsafe(no_mangle)]
        extern "C" fn __sanitizer_cov_trace_pc_guard_init(start: *mut u32, stop: *mut u32) {
            let mut guard = start;
            while guard < stop {
                // SAFETY: the compiler hands over an array of such numbers, once for each module, before there are threads.
                unsafe {
                    if *guard == 0 {
                        COUNT += 1;
                        *guard = COUNT;
                    }
                    guard = guard.add(1);
                }
            }
        }

        #[unsafe(no_mangle)]
        extern "C" fn __sanitizer_cov_trace_pc_guard(guard: *mut u32) {
            // SAFETY: one of the numbers above; no other thread passes edges.
            unsafe {
                PASSED += 1;
                let edge = *guard as usize;
                if edge < EDGES_MAX && OF_REQUEST[edge] < u8::MAX {
                    OF_REQUEST[edge] += 1;
                }
            }
        }

        /// Edges that there are, at most as many as are told apart.
        fn count() -> usize {
            // SAFETY: written before there were threads.
            EDGES_MAX.min(unsafe { COUNT } as usize + 1)
        }

        pub fn begin() {
            for edge in 0..count() {
                // SAFETY: no other thread passes edges.
                unsafe { OF_REQUEST[edge] = 0 }
            }
            // SAFETY: as above.
            unsafe { PASSED = 0 }
        }

        pub fn passed() -> u64 {
            // SAFETY: no other thread passes edges.
            unsafe { PASSED }
        }

        pub fn are_new() -> bool {
            let mut is_new = false;
            for edge in 0..count() {
                // SAFETY: no other thread passes edges.
                unsafe {
                    let power = 8 - OF_REQUEST[edge].leading_zeros() as u8;
                    if power > SEEN[edge] {
                        SEEN[edge] = power;
                        is_new = true;
                    }
                }
            }
            is_new
        }

        pub fn seen() -> usize {
            // SAFETY: no other thread passes edges.
            (0..count()).filter(|edge| unsafe { SEEN[*edge] } > 0).count()
        }
    }

    #[cfg(counts_edges)]
    pub use counted::{are_new, begin, passed, seen};

    #[cfg(not(counts_edges))]
    mod not_counted {
        pub fn begin() {}

        pub fn passed() -> u64 {
            0
        }

        pub fn are_new() -> bool {
            false
        }

        pub fn seen() -> usize {
            0
        }
    }

    #[cfg(not(counts_edges))]
    pub use not_counted::{are_new, begin, passed, seen};
}
