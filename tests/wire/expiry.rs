//! Time to live that deletes, by a server that looks often. What must go is waited for; what must stay is looked for after
//! another look has certainly been: an item that came later is gone as well.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dynamo_server::Server;
use dynamo_server::config::Config;
use serde_json::{Value, json};
use tests::raw::{Answer, Connection};

/// How long anything is waited for: far longer than it takes.
const WAIT_MAX: Duration = Duration::from_secs(60);

async fn sweeping(shards: u32) -> (Server, Connection) {
    start(Config { shards: Some(shards), ..Config::default() }).await
}

async fn start(config: Config) -> (Server, Connection) {
    let ttl_interval = config.ttl_interval.map(|_| Duration::from_millis(50));
    let config = Config { port: 0, data_dir: None, ttl_interval, ..config };
    let server = Server::start(config).await.expect("it starts");
    let connection = Connection::open(server.address()).await;
    (server, connection)
}

fn now_s() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_secs()).expect("not so late")
}

/// On the heap, with its buffer: a test makes many calls, and without optimization its stack has room for each.
async fn call(connection: &mut Connection, operation: &str, body: Value) -> Answer {
    Box::pin(connection.call(operation, body)).await
}

async fn ok(connection: &mut Connection, operation: &str, body: Value) -> Value {
    let answer = call(connection, operation, body.clone()).await;
    assert_eq!(answer.status, 200, "{operation} {body}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// Creates `tbl` with the key `p`, and by `g` and `s` a global and, where it has a sort key `r`, a local index.
async fn create(connection: &mut Connection, key: &[(&str, &str)], indexes: bool) {
    let schema = |names: &[&str]| -> Value {
        names
            .iter()
            .zip(["HASH", "RANGE"])
            .map(|(name, kind)| json!({"AttributeName": name, "KeyType": kind}))
            .collect()
    };
    let mut attributes: Vec<(&str, &str)> = key.to_vec();
    let mut table = json!({"TableName": "tbl", "BillingMode": "PAY_PER_REQUEST"});
    if indexes {
        attributes.extend([("g", "S"), ("s", "S")]);
        let all = json!({"ProjectionType": "ALL"});
        let global = json!([{"IndexName": "by_g", "KeySchema": schema(&["g"]), "Projection": all}]);
        let local = json!([{"IndexName": "by_s", "KeySchema": schema(&["p", "s"]), "Projection": all}]);
        (table["GlobalSecondaryIndexes"], table["LocalSecondaryIndexes"]) = (global, local);
    }
    let names: Vec<&str> = key.iter().map(|(name, _)| *name).collect();
    table["KeySchema"] = schema(&names);
    let definitions = attributes.iter().map(|(name, kind)| json!({"AttributeName": name, "AttributeType": kind}));
    table["AttributeDefinitions"] = definitions.collect();
    ok(connection, "CreateTable", table).await;
}

async fn set_ttl(connection: &mut Connection, attribute: &str, enabled: bool) {
    let specification = json!({"AttributeName": attribute, "Enabled": enabled});
    ok(connection, "UpdateTimeToLive", json!({"TableName": "tbl", "TimeToLiveSpecification": specification})).await;
}

/// Puts an item with this key and these other attributes.
async fn put(connection: &mut Connection, p: &str, more: Value) {
    let mut item = json!({"p": {"S": p}});
    for (name, value) in more.as_object().expect("attributes") {
        item[name] = value.clone();
    }
    ok(connection, "PutItem", json!({"TableName": "tbl", "Item": item})).await;
}

fn n(value: impl ToString) -> Value {
    json!({"N": value.to_string()})
}

/// The partition keys of all items, in order.
async fn left(connection: &mut Connection) -> Vec<String> {
    let page = ok(connection, "Scan", json!({"TableName": "tbl", "ProjectionExpression": "p"})).await;
    let items = page["Items"].as_array().expect("items");
    let mut keys: Vec<String> = items.iter().map(|item| item["p"]["S"].as_str().expect("a key").to_owned()).collect();
    keys.sort();
    keys
}

/// Waits until just these items are left; then until another look has been made, and they are left still.
async fn settles(connection: &mut Connection, attribute: &str, expected: &[&str]) {
    for marker in ["", "marker"] {
        if !marker.is_empty() {
            put(connection, marker, json!({attribute: n(now_s() - 60)})).await;
        }
        let waited = tokio::time::timeout(WAIT_MAX, async {
            while left(connection).await.iter().any(|key| !expected.contains(&key.as_str())) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let is_over = waited.await.is_err();
        assert!(!is_over && left(connection).await == expected, "{:?}, not {expected:?}", left(connection).await);
    }
}

/// What an item with some value of the attribute `ttl` must do: key, value, whether it stays.
fn cases() -> Vec<(&'static str, Value, bool)> {
    let (now, year) = (now_s(), 365 * 86_400);
    vec![
        ("a number that is past", n(now - 60), false),
        ("a fraction", n(format!("{}.5", now - 61)), false),
        ("an exponent", n(format!("{}e1", now / 10 - 60)), false),
        ("four years past", n(now - 4 * year), false),
        ("six years past", n(now - 6 * year), true),
        ("to come", n(now + 3_600), true),
        ("zero", n(0), true),
        ("negative", n(-1), true),
        ("the year 1975", n(162_777_600), true),
        ("milliseconds", n((now - 60) * 1_000), true),
        ("absurd", n("9.9e125"), true),
        ("absurdly small", n("-9.9e125"), true),
        ("a string of digits", json!({"S": (now - 60).to_string()}), true),
        ("binary", json!({"B": "MTc="}), true),
        ("a list", json!({"L": [n(now - 60)]}), true),
        ("a map", json!({"M": {"ttl": n(now - 60)}}), true),
        ("a set", json!({"NS": [(now - 60).to_string()]}), true),
        ("a truth", json!({"BOOL": true}), true),
        ("null", json!({"NULL": true}), true),
    ]
}

#[tokio::test]
async fn expired_items_are_deleted_and_others_stay() {
    for shards in [1, 4] {
        // Before time to live is enabled, and after it.
        for is_first in [false, true] {
            let (_server, mut connection) = sweeping(shards).await;
            create(&mut connection, &[("p", "S")], false).await;
            if is_first {
                set_ttl(&mut connection, "ttl", true).await;
            }
            put(&mut connection, "without", json!({"m.ttl": n(now_s() - 60)})).await;
            let mut stay = vec!["without"];
            for (key, value, stays) in cases() {
                put(&mut connection, key, json!({"ttl": value})).await;
                stay.extend(stays.then_some(key));
            }
            stay.sort_unstable();
            if !is_first {
                set_ttl(&mut connection, "ttl", true).await;
            }
            settles(&mut connection, "ttl", &stay).await;
            let metrics = metric(&mut connection, "dynamo_ttl_deleted_total").await;
            assert_eq!(metrics, 5, "four of the cases and the marker");
        }
    }
}

async fn metric(connection: &mut Connection, name: &str) -> u64 {
    connection.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let page = String::from_utf8(Box::pin(connection.answer()).await.body).expect("text");
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in\n{page}"))
}

#[tokio::test]
async fn a_dotted_name_is_one_attribute_and_a_key_may_expire() {
    let (_server, mut connection) = sweeping(2).await;
    create(&mut connection, &[("p", "S"), ("r", "N")], false).await;
    set_ttl(&mut connection, "m.ttl", true).await;
    put(&mut connection, "nested", json!({"r": n(1), "m": {"M": {"ttl": n(now_s() - 60)}}})).await;
    put(&mut connection, "plain", json!({"r": n(1), "m.ttl": n(now_s() - 60)})).await;
    put(&mut connection, "sorted", json!({"r": n(now_s() - 60)})).await;
    put(&mut connection, "later", json!({"r": n(now_s() + 3_600)})).await;
    let waited = tokio::time::timeout(WAIT_MAX, async { while left(&mut connection).await.len() > 3 {} });
    waited.await.expect("the plain one goes");
    assert_eq!(left(&mut connection).await, ["later", "nested", "sorted"]);
    // Now by the sort key, for items that were there: the queue of the other attribute is gone.
    let soon = now_s() + 3;
    put(&mut connection, "kept", json!({"r": n(2), "m.ttl": n(soon)})).await;
    set_ttl(&mut connection, "m.ttl", false).await;
    set_ttl(&mut connection, "r", true).await;
    while now_s() <= soon {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    settles(&mut connection, "r", &["kept", "later", "nested"]).await;
    // And by a string key, by which nothing ever expires.
    set_ttl(&mut connection, "r", false).await;
    set_ttl(&mut connection, "p", true).await;
    put(&mut connection, &(now_s() - 60).to_string(), json!({"r": n(now_s() - 60)})).await;
    assert_eq!(left(&mut connection).await.len(), 4);
}

#[tokio::test]
async fn indexes_counts_and_conditions_follow() {
    for shards in [1, 4] {
        let (_server, mut connection) = sweeping(shards).await;
        create(&mut connection, &[("p", "S"), ("r", "N")], true).await;
        for number in 0..20 {
            let (g, s) = (json!({"S": format!("g{number}")}), json!({"S": "s"}));
            let seconds = if number % 2 == 0 { now_s() - 60 } else { now_s() + 3_600 };
            put(&mut connection, "all", json!({"r": n(number), "g": g, "s": s, "ttl": n(seconds)})).await;
        }
        // What is past and not deleted is an item like any other.
        let again = json!({"TableName": "tbl", "Item": {"p": {"S": "all"}, "r": n(0)},
                           "ConditionExpression": "attribute_not_exists(p)"});
        assert_eq!(call(&mut connection, "PutItem", again).await.error().0, "ConditionalCheckFailedException");
        let filtered = json!({"TableName": "tbl", "KeyConditionExpression": "p = :p", "FilterExpression": "#t > :now",
            "ExpressionAttributeNames": {"#t": "ttl"},
            "ExpressionAttributeValues": {":p": {"S": "all"}, ":now": n(now_s())}});
        let page = ok(&mut connection, "Query", filtered).await;
        assert_eq!((page["Count"].as_u64(), page["ScannedCount"].as_u64()), (Some(10), Some(20)));
        set_ttl(&mut connection, "ttl", true).await;
        let count = json!({"TableName": "tbl", "Select": "COUNT"});
        let waited = tokio::time::timeout(WAIT_MAX, async {
            while ok(&mut connection, "Scan", count.clone()).await["Count"] != 10 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        waited.await.expect("half of them go");
        let by_s = json!({"TableName": "tbl", "IndexName": "by_s", "KeyConditionExpression": "p = :p AND s = :s",
            "ExpressionAttributeValues": {":p": {"S": "all"}, ":s": {"S": "s"}}, "ConsistentRead": true});
        assert_eq!(ok(&mut connection, "Query", by_s).await["Count"], 10);
        // Entries on other shards arrive a moment later.
        let by_g = json!({"TableName": "tbl", "IndexName": "by_g", "Select": "COUNT"});
        let waited = tokio::time::timeout(WAIT_MAX, async {
            while ok(&mut connection, "Scan", by_g.clone()).await["Count"] != 10 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        waited.await.expect("their index entries, too");
        let described = ok(&mut connection, "DescribeTable", json!({"TableName": "tbl"})).await;
        assert_eq!(described["Table"]["ItemCount"], 10, "{described}");
    }
}

/// A hundred items come due at the same moment, and half of them are renewed while they are swept.
#[tokio::test]
async fn items_renewed_during_a_sweep_stay() {
    for shards in [1, 4] {
        let (server, mut connection) = sweeping(shards).await;
        create_with_stream(&mut connection, "KEYS_ONLY").await;
        set_ttl(&mut connection, "ttl", true).await;
        let due = now_s() + 2;
        for number in 0..100 {
            put(&mut connection, &format!("{number:02}"), json!({"ttl": n(due)})).await;
        }
        let mut renewed = Vec::new();
        let mut other = Connection::open(server.address()).await;
        // Until some are gone, and then as fast as it goes.
        let waited = tokio::time::timeout(WAIT_MAX, async { while left(&mut other).await.len() == 100 {} });
        waited.await.expect("the sweep begins");
        for number in (0..100).step_by(2) {
            let key = format!("{number:02}");
            let renewal = json!({"TableName": "tbl", "Key": {"p": {"S": key}}, "UpdateExpression": "SET #t = :later",
                "ConditionExpression": "attribute_exists(p)", "ExpressionAttributeNames": {"#t": "ttl"},
                "ExpressionAttributeValues": {":later": n(due + 3_600)}});
            let answer = call(&mut connection, "UpdateItem", renewal).await;
            if answer.status == 200 {
                renewed.push(key);
            } else {
                assert_eq!(answer.error().0, "ConditionalCheckFailedException");
            }
        }
        let expected: Vec<&str> = renewed.iter().map(String::as_str).collect();
        settles(&mut connection, "ttl", &expected).await;
        let mut removed: Vec<String> = records(&mut connection)
            .await
            .into_iter()
            .filter(|record| record.0 == "REMOVE")
            .map(|record| record.1)
            .collect();
        removed.sort();
        let mut gone: Vec<String> = (0..100).map(|number| format!("{number:02}")).collect();
        gone.retain(|key| !renewed.contains(key));
        gone.push("marker".to_owned());
        assert_eq!(removed, gone, "one record for each, and for no other");
    }
}

#[tokio::test]
async fn renewed_removed_or_disabled_in_time_means_kept() {
    let (_server, mut connection) = sweeping(1).await;
    create(&mut connection, &[("p", "S")], false).await;
    set_ttl(&mut connection, "ttl", true).await;
    let soon = now_s() + 3;
    for key in ["renewed", "removed", "retyped", "due"] {
        put(&mut connection, key, json!({"ttl": n(soon)})).await;
    }
    for (key, change, values) in [
        ("renewed", "SET #t = :v", json!({":v": n(soon + 3_600)})),
        ("removed", "REMOVE #t", Value::Null),
        ("retyped", "SET #t = :v", json!({":v": {"S": soon.to_string()}})),
    ] {
        let mut update = json!({"TableName": "tbl", "Key": {"p": {"S": key}}, "UpdateExpression": change,
            "ExpressionAttributeNames": {"#t": "ttl"}});
        if !values.is_null() {
            update["ExpressionAttributeValues"] = values;
        }
        ok(&mut connection, "UpdateItem", update).await;
    }
    settles(&mut connection, "ttl", &["removed", "renewed", "retyped"]).await;
    set_ttl(&mut connection, "ttl", false).await;
    put(&mut connection, "due after it was disabled", json!({"ttl": n(now_s() - 60)})).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(left(&mut connection).await.len(), 4);
}

/// Records of a stream since its beginning, of all of its shards: event, key, whether it was the service's own, old image.
async fn records(connection: &mut Connection) -> Vec<(String, String, Value, Value)> {
    let described = ok(connection, "DescribeTable", json!({"TableName": "tbl"})).await;
    let arn = described["Table"]["LatestStreamArn"].clone();
    let stream = ok(connection, "DescribeStream", json!({"StreamArn": arn})).await;
    let mut records = Vec::new();
    for shard in stream["StreamDescription"]["Shards"].as_array().expect("shards") {
        let request = json!({"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"});
        let iterator = ok(connection, "GetShardIterator", request).await["ShardIterator"].clone();
        let page = ok(connection, "GetRecords", json!({"ShardIterator": iterator})).await;
        for record in page["Records"].as_array().expect("records") {
            let (event, change) = (record["eventName"].as_str().expect("an event"), &record["dynamodb"]);
            let key = change["Keys"]["p"]["S"].as_str().expect("a key");
            assert!(event != "REMOVE" || change.get("NewImage").is_none());
            records.push((
                event.to_owned(),
                key.to_owned(),
                record["userIdentity"].clone(),
                change["OldImage"].clone(),
            ));
        }
    }
    records
}

async fn create_with_stream(connection: &mut Connection, view: &str) {
    let table = json!({"TableName": "tbl", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": view}});
    ok(connection, "CreateTable", table).await;
}

#[tokio::test]
async fn streams_say_what_has_expired() {
    for view in ["NEW_AND_OLD_IMAGES", "KEYS_ONLY"] {
        let (_server, mut connection) = sweeping(4).await;
        create_with_stream(&mut connection, view).await;
        set_ttl(&mut connection, "ttl", true).await;
        let past = now_s() - 60;
        put(&mut connection, "expired", json!({"ttl": n(past)})).await;
        put(&mut connection, "deleted", json!({"ttl": n(now_s() + 3_600)})).await;
        ok(&mut connection, "DeleteItem", json!({"TableName": "tbl", "Key": {"p": {"S": "deleted"}}})).await;
        settles(&mut connection, "ttl", &[]).await;
        let mut removals = records(&mut connection).await;
        removals.retain(|(event, key, ..)| event == "REMOVE" && key != "marker");
        removals.sort_by(|left, right| left.1.cmp(&right.1));
        let old = |key: &str, ttl: i64| match view {
            "KEYS_ONLY" => Value::Null,
            _ => json!({"p": {"S": key}, "ttl": n(ttl)}),
        };
        let by_service = json!({"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"});
        let [deleted, expired] = &removals[..] else { panic!("{removals:?}") };
        assert_eq!((&*deleted.1, &deleted.2), ("deleted", &Value::Null));
        assert_eq!((&*expired.1, &expired.2), ("expired", &by_service));
        assert_eq!(expired.3, old("expired", past));
    }
}

/// The window of the service, where it is asked for: a refusal does not prolong it, and what is wrong with a change is said
/// first.
#[tokio::test]
async fn a_second_change_within_the_window_is_refused() {
    let config = Config { ttl_update_window: Duration::from_secs(3_600), ttl_interval: None, ..Config::default() };
    let (_server, mut connection) = start(config).await;
    create(&mut connection, &[("p", "S")], false).await;
    set_ttl(&mut connection, "ttl", true).await;
    let mut refusal = async |attribute: &str, enabled: bool| {
        let specification = json!({"AttributeName": attribute, "Enabled": enabled});
        let body = json!({"TableName": "tbl", "TimeToLiveSpecification": specification});
        call(&mut connection, "UpdateTimeToLive", body).await.error()
    };
    let validation = |text: &str| ("ValidationException".to_owned(), text.to_owned());
    let too_soon = validation("Time to live has been modified multiple times within a fixed interval");
    assert_eq!(refusal("ttl", false).await, too_soon);
    assert_eq!(refusal("ttl", true).await, validation("TimeToLive is already enabled"));
    let different = "TimeToLive is active on a different AttributeName: current AttributeName is ttl";
    assert_eq!(refusal("other", true).await, validation(different));
    ok(&mut connection, "DeleteTable", json!({"TableName": "tbl"})).await;
    create(&mut connection, &[("p", "S")], false).await;
    set_ttl(&mut connection, "other", true).await;
}
