//! What clients are told: their own mistakes always, InternalServerError where nobody confirms, and never half an answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shard_router::ShardId;

use super::rig::{DATA, DEADLINE, Rig, batch_get, get, query, scan, transact_get};
use crate::guard::fault::Fault;
use crate::guard::{Checks, Handler};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_handler_answers_500_where_a_shard_is_ill() {
    let rig = Rig::alone(4).await;
    let keys: Vec<String> = (0..4).flat_map(|shard| rig.keys_of(shard, 2)).collect();
    for key in &keys {
        rig.put(0, key, "1").await;
    }
    rig.break_data(ShardId(2), Fault::Refuses);
    let ill = &rig.keys_of(2, 1)[0];
    for (operation, request) in [
        ("GetItem", get(ill)),
        ("Query", query(ill)),
        ("BatchGetItem", batch_get(&keys)),
        ("TransactGetItems", transact_get(&keys)),
        ("Scan", scan()),
    ] {
        let answer = rig.call(0, operation, request.clone()).await;
        assert!(answer.is_internal(), "{operation}: {answer:?}");
        assert_eq!(answer.body.as_object().map(|body| body.len()), Some(2), "nothing but the error: {answer:?}");
    }
    rig.heal();
    assert_eq!(rig.done(0, "Scan", scan()).await["Count"], keys.len());
    rig.stop().await;
}

/// Requests that are wrong in some way, and what DynamoDB calls it.
fn mistakes(key: &str) -> Vec<(&'static str, Value, &'static str)> {
    let with = |request: Value, extra: Value| {
        let mut request = request;
        for (name, value) in extra.as_object().expect("members") {
            request[name] = value.clone();
        }
        request
    };
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let other_key = json!({ "TableName": "things", "Key": { "x": { "S": key } } });
    let empty = json!({ "TableName": "things", "Key": { "k": { "S": "" } } });
    let missing = json!({ "TableName": "absent", "Key": { "k": { "S": key } } });
    let mixed = json!({ "RequestItems": { "things": { "Keys": [
        { "k": { "S": key } }, { "x": { "N": "1" } }, { "k": { "S": key } },
    ] } } });
    let mixed_gets = json!({ "TransactItems": [
        { "Get": get(key) }, { "Get": other_key }, { "Get": get(key) },
    ] });
    let start_key = json!({ "ExclusiveStartKey": { "x": { "S": key } } });
    vec![
        ("GetItem", other_key.clone(), "ValidationException"),
        ("GetItem", empty, "ValidationException"),
        ("GetItem", missing, "ResourceNotFoundException"),
        ("GetItem", with(get(key), json!({ "ProjectionExpression": "a..b" })), "ValidationException"),
        ("Query", with(query(key), json!({ "IndexName": "absent" })), "ValidationException"),
        ("Query", with(query(key), json!({ "KeyConditionExpression": "v = :k" })), "ValidationException"),
        ("Query", with(query(key), start_key.clone()), "ValidationException"),
        ("Query", with(query(key), json!({ "TableName": "absent" })), "ResourceNotFoundException"),
        ("Scan", with(scan(), start_key), "ValidationException"),
        ("Scan", with(scan(), json!({ "Segment": 3, "TotalSegments": 2 })), "ValidationException"),
        ("Scan", with(scan(), json!({ "FilterExpression": "v <> <" })), "ValidationException"),
        ("BatchGetItem", batch_get(&keys(&[key, key])), "ValidationException"),
        ("BatchGetItem", batch_get(&[]), "ValidationException"),
        ("BatchGetItem", mixed, "ValidationException"),
        ("TransactGetItems", transact_get(&keys(&[key, key])), "ValidationException"),
        ("TransactGetItems", mixed_gets, "TransactionCanceledException"),
    ]
}

/// Design §3.2: parse, then plan, then guard. A mistake is told whatever state the shards are in, and costs no check; also
/// where valid items, malformed ones and duplicates stand in one request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistake_is_told_while_every_lease_fails() {
    let rig = Rig::alone(4).await;
    let key = &rig.keys_of(1, 1)[0];
    let healthy: Vec<_> = {
        let mut answers = Vec::new();
        for (operation, request, _) in mistakes(key) {
            answers.push(rig.call(0, operation, request).await.body);
        }
        answers
    };
    for shard in rig.ring() {
        rig.break_data(shard, Fault::Refuses);
    }
    for ((operation, request, expected), healthy) in mistakes(key).into_iter().zip(healthy) {
        let answer = rig.call(0, operation, request.clone()).await;
        assert_eq!((answer.status, answer.error()), (400, expected), "{operation} {request}: {answer:?}");
        assert_eq!(answer.body, healthy, "{operation} {request}: the same text as ever");
    }
    for shard in rig.ring() {
        assert!(DATA.iter().all(|handler| rig.checks(shard, *handler) == Checks::default()));
    }
    rig.stop().await;
}

/// That a table does not exist is an answer, too: only a confirmed catalog gives it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unresolved_tables_are_confirmed_or_fail_closed() {
    let rig = Rig::alone(4).await;
    let key = &rig.keys_of(1, 1)[0];
    rig.put(0, key, "1").await;
    let absent = json!({ "TableName": "absent", "Key": { "k": { "S": key } } });
    let all_absent = json!({ "TransactItems": [{ "Get": absent }, { "Get": absent }] });
    let one_absent = json!({ "TransactItems": [{ "Get": get(key) }, { "Get": absent }] });
    let batch = json!({ "RequestItems": {
        "things": { "Keys": [{ "k": { "S": key } }] }, "absent": { "Keys": [{ "k": { "S": key } }] },
    } });
    let requests = [
        ("TransactGetItems", all_absent),
        ("TransactGetItems", one_absent),
        ("BatchGetItem", batch),
        ("GetItem", absent.clone()),
    ];
    for (operation, request) in &requests {
        let answer = rig.call(0, operation, request.clone()).await;
        assert_eq!((answer.status, answer.error()), (400, "ResourceNotFoundException"), "{operation} {request}");
    }
    rig.break_for(ShardId(0), Handler::Catalog, Fault::Refuses);
    for (operation, request) in &requests {
        let answer = rig.call(0, operation, request.clone()).await;
        assert!(answer.is_internal(), "{operation} {request}: {answer:?}");
    }
    for shard in rig.ring() {
        assert!(DATA.iter().all(|handler| rig.checks(shard, *handler) == Checks::default()), "nothing was read");
    }
    assert_eq!(rig.value(0, key).await.as_deref(), Some("1"), "known tables need no system group");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sick_shard_fails_only_what_reads_it() {
    let rig = Rig::alone(4).await;
    let ring = rig.ring();
    for shard in &ring {
        for key in rig.keys_of(shard.0, 3) {
            rig.put(0, &key, "1").await;
        }
    }
    let sick = ring[2];
    for fault in [Fault::Refuses, Fault::Hangs] {
        rig.break_data(sick, fault);
        for shard in ring.iter().filter(|shard| **shard != sick) {
            let key = &rig.keys_of(shard.0, 1)[0];
            assert_eq!(rig.done(0, "Query", query(key)).await["Count"], 1, "shard {shard}");
        }
        let began = Instant::now();
        for limit in 1..=6 {
            let mut request = scan();
            request["Limit"] = json!(limit);
            assert_eq!(rig.done(0, "Scan", request).await["Count"], limit, "six rows lie in front of the sick shard");
        }
        assert!(began.elapsed() < DEADLINE, "nobody waited for the sick shard");
        let mut behind = scan();
        behind["Segment"] = json!(3);
        behind["TotalSegments"] = json!(4);
        assert_eq!(rig.done(0, "Scan", behind).await["Count"], 3, "a segment that lies behind it");
        let mut past = scan();
        past["Limit"] = json!(7);
        for request in [past, scan()] {
            let answer = rig.call(0, "Scan", request).await;
            assert!(answer.is_internal(), "{fault:?}: {answer:?}");
        }
        rig.heal();
    }
    assert_eq!(rig.done(0, "Scan", scan()).await["Count"], 12);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_deadline_covers_the_catalog_and_the_shards() {
    let rig = Rig::alone(4).await;
    let key = &rig.keys_of(1, 1)[0];
    let absent = json!({ "TableName": "absent", "Key": { "k": { "S": key } } });
    let took = async |request: Value| {
        let began = Instant::now();
        let answer = rig.call(0, "GetItem", request).await;
        assert!(answer.is_internal(), "{answer:?}");
        began.elapsed()
    };
    let within = |took: Duration| took >= DEADLINE * 9 / 10 && took < DEADLINE * 3 / 2;
    rig.break_for(ShardId(0), Handler::Catalog, Fault::Slow(2 * DEADLINE));
    let slow_catalog = took(absent).await;
    assert!(within(slow_catalog), "{slow_catalog:?}");
    rig.heal();
    rig.break_for(rig.shard_of(key), Handler::GetItem, Fault::Hangs);
    let silent_shard = took(get(key)).await;
    assert!(within(silent_shard), "{silent_shard:?}");
    rig.stop().await;
}
