//! The guard on several nodes: each shard is checked where it is led, whoever was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use shard_router::ShardId;

use super::rig::{Rig, batch_get, call, get, query, scan, transact_get};
use crate::guard::fault::Fault;
use crate::guard::{EventualReads, Handler};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_node_answers_what_others_lead() {
    let rig = Rig::cluster(4).await;
    let keys: Vec<String> = (0..4).flat_map(|shard| rig.keys_of(shard, 2)).collect();
    for (number, key) in keys.iter().enumerate() {
        rig.put(number % 3, key, key).await;
    }
    for at in 0..3 {
        for key in &keys {
            assert_eq!(rig.value(at, key).await.as_ref(), Some(key), "node {at}");
            assert_eq!(rig.done(at, "Query", query(key)).await["Count"], 1);
        }
        let batch = rig.done(at, "BatchGetItem", batch_get(&keys)).await;
        assert_eq!(batch["Responses"]["things"].as_array().map(Vec::len), Some(keys.len()));
        let cut = rig.done(at, "TransactGetItems", transact_get(&keys)).await;
        let values: Vec<_> = cut["Responses"].as_array().unwrap().iter().map(|item| &item["Item"]["v"]["S"]).collect();
        assert_eq!(values, keys.iter().collect::<Vec<_>>());
    }
    let pages: Vec<_> = {
        let mut pages = Vec::new();
        for at in 0..3 {
            pages.push(rig.done(at, "Scan", scan()).await);
        }
        pages
    };
    assert_eq!(pages[0]["Count"], keys.len());
    assert!(pages.iter().all(|page| *page == pages[0]), "the same page whoever is asked");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_is_checked_where_it_is_led() {
    let rig = Rig::cluster(2).await;
    let shard = ShardId(1);
    let key = &rig.keys_of(shard.0, 1)[0];
    rig.put(0, key, "1").await;
    let leader = rig.leader_of(shard).await;
    let before = rig.checks(shard, Handler::GetItem);
    let asked = (leader + 1) % 3;
    assert_eq!(rig.value(asked, key).await.as_deref(), Some("1"));
    let checks = rig.checks(shard, Handler::GetItem);
    assert_eq!(checks.hits + checks.misses, before.hits + before.misses + 1, "once, by the leader alone");
    let of = |at: usize| rig.nodes[at].guard().counters().of(shard, Handler::GetItem);
    assert_eq!(of(asked).hits + of(asked).misses, 0);

    rig.break_data(shard, Fault::Refuses);
    for at in 0..3 {
        for (operation, request) in [("GetItem", get(key)), ("Query", query(key)), ("Scan", scan())] {
            let answer = rig.call(at, operation, request).await;
            assert!(answer.is_internal(), "{operation} at node {at}: {answer:?}");
        }
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_of_another_node_is_known_at_once() {
    let rig = Rig::cluster(4).await;
    for number in 0..3 {
        let name = format!("new-{number}");
        rig.create_table(number, &name).await;
        for at in 0..3 {
            let key = format!("key-{at}");
            let item = json!({ "TableName": name, "Item": { "k": { "S": key }, "v": { "S": "1" } } });
            rig.done(at, "PutItem", item).await;
            let get = json!({ "TableName": name, "Key": { "k": { "S": key } } });
            let other = (at + 1) % 3;
            assert_eq!(rig.done(other, "GetItem", get.clone()).await["Item"]["v"]["S"], "1", "{name} at node {other}");
            rig.done(other, "TransactGetItems", json!({ "TransactItems": [{ "Get": get }] })).await;
        }
        for at in 0..3 {
            assert_eq!(rig.done(at, "Scan", json!({ "TableName": name })).await["Count"], 3);
        }
    }
    rig.stop().await;
}

/// `eventual_reads = any_replica`: a replica that hears its leader answers by itself; nothing else is answered by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_answers_what_may_be_old() {
    let rig = Rig::cluster_with(2, EventualReads::AnyReplica).await;
    let keys: Vec<String> = (0..2).flat_map(|shard| rig.keys_of(shard, 1)).collect();
    for key in &keys {
        rig.put(0, key, "1").await;
    }
    rig.ring().into_iter().for_each(|shard| rig.break_data(shard, Fault::Refuses));
    let consistent = |mut request: serde_json::Value| {
        request["ConsistentRead"] = json!(true);
        request
    };
    for at in 0..3 {
        let began = Instant::now();
        while rig.value(at, &keys[0]).await.is_none() {
            assert!(began.elapsed() < Duration::from_secs(20), "node {at} hears of every write");
        }
        for request in [get(&keys[0]), query(&keys[1]), scan()] {
            let operation = if request.get("Key").is_some() {
                "GetItem"
            } else if request.get("KeyConditionExpression").is_some() {
                "Query"
            } else {
                "Scan"
            };
            assert_eq!(rig.call(at, operation, request.clone()).await.status, 200, "{operation} at node {at}");
            let answer = rig.call(at, operation, consistent(request)).await;
            assert!(answer.is_internal(), "{operation} at node {at}: {answer:?}");
        }
        rig.done(at, "BatchGetItem", batch_get(&keys)).await;
        let answer = rig.call(at, "TransactGetItems", transact_get(&keys)).await;
        assert!(answer.is_internal(), "a cut is always of now: {answer:?}");
    }
    rig.stop().await;
}

/// Two items of different shards, the second always written after the first. Whoever sees both of one moment never sees
/// the second ahead of the first, and at most one write between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_of_several_shards_are_of_one_cut() {
    let rig = Arc::new(Rig::cluster(2).await);
    let keys: Vec<String> = (0..2).flat_map(|shard| rig.keys_of(shard, 1)).collect();
    for key in &keys {
        rig.put(0, key, "0").await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let writer = {
        let (rig, keys, stop) = (Arc::clone(&rig), keys.clone(), Arc::clone(&stop));
        let written = Arc::clone(&written);
        tokio::spawn(async move {
            let mut number: usize = 0;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                for key in &keys {
                    rig.put(number % 3, key, &number.to_string()).await;
                }
                written.store(number as u64, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        })
    };
    let (mut seen, mut refused, mut round) = (0, 0, 0);
    let began = Instant::now();
    while (seen < 60 || written.load(Ordering::Relaxed) < 6) && began.elapsed() < Duration::from_secs(30) {
        round += 1;
        let answer = call(rig.address(round % 3), "TransactGetItems", &transact_get(&keys)).await;
        if answer.status == 400 {
            assert_eq!(answer.error(), "TransactionCanceledException");
            assert!(answer.body.to_string().contains("TransactionConflict"), "{answer:?}");
            refused += 1;
            continue;
        }
        assert_eq!(answer.status, 200, "{answer:?}");
        let value = |at: usize| -> i64 {
            answer.body["Responses"][at]["Item"]["v"]["S"].as_str().and_then(|text| text.parse().ok()).unwrap()
        };
        let (first, second) = (value(0), value(1));
        assert!(first == second || first == second + 1, "{first} and {second} were never there together");
        seen += 1;
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    let written = written.load(Ordering::Relaxed);
    assert!(seen > 10 && written > 5, "{seen} cuts, {refused} conflicts, {written} writes");
    Arc::into_inner(rig).expect("the writer has ended").stop().await;
}
