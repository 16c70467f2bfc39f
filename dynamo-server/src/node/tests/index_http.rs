//! Global indexes through the front of three nodes with four shards: after the reply, on whichever node, the index has it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::guard::tests::rig::Rig;

const TABLE: &str = "indexed";

/// How long a change of a table may take.
const CHANGE_MAX: Duration = Duration::from_secs(60);

fn index(attribute: &str) -> Value {
    json!({
        "IndexName": format!("by_{attribute}"),
        "KeySchema": [{ "AttributeName": attribute, "KeyType": "HASH" }],
        "Projection": { "ProjectionType": "ALL" },
    })
}

async fn create(rig: &Rig) {
    let table = json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            { "AttributeName": "k", "AttributeType": "S" }, { "AttributeName": "g", "AttributeType": "S" },
        ],
        "KeySchema": [{ "AttributeName": "k", "KeyType": "HASH" }],
        "GlobalSecondaryIndexes": [index("g")],
    });
    rig.done(0, "CreateTable", table).await;
    wait_for(rig, |table| table["TableStatus"] == "ACTIVE").await;
}

/// Waits until every node describes the table so.
async fn wait_for(rig: &Rig, is_there: impl Fn(&Value) -> bool) {
    let looking = async {
        for at in 0..rig.nodes.len() {
            while !is_there(&rig.done(at, "DescribeTable", json!({ "TableName": TABLE })).await["Table"]) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    tokio::time::timeout(CHANGE_MAX, looking).await.expect("the change ends in time");
}

fn item(name: &str, group: &str, number: usize) -> Value {
    json!({ "k": { "S": name }, "g": { "S": group }, "w": { "S": format!("w{}", number % 3) }, "n": { "N": number.to_string() } })
}

/// Names and numbers in an answer.
fn entries(answer: &Value) -> BTreeSet<(String, String)> {
    let items = answer["Items"].as_array().expect("items").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    items.map(|item| (text(&item["k"]["S"]), text(&item["n"]["N"]))).collect()
}

async fn query(rig: &Rig, at: usize, group: &str) -> BTreeSet<(String, String)> {
    let query = json!({
        "TableName": TABLE, "IndexName": "by_g", "KeyConditionExpression": "g = :g",
        "ExpressionAttributeValues": { ":g": { "S": group } },
    });
    entries(&rig.done(at, "Query", query).await)
}

async fn scan(rig: &Rig, at: usize, index: Option<&str>) -> BTreeSet<(String, String)> {
    let mut scan = json!({ "TableName": TABLE });
    if let Some(index) = index {
        scan["IndexName"] = json!(index);
    } else {
        scan["ConsistentRead"] = json!(true);
    }
    entries(&rig.done(at, "Scan", scan).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_finds_in_the_index_what_was_acknowledged() {
    let rig = Rig::cluster(4).await;
    create(&rig).await;
    for number in 0..30 {
        let (name, group) = (format!("item-{}", number % 8), format!("group-{}", number % 5));
        let (here, there) = (number % 3, (number + 1) % 3);
        let put = json!({ "TableName": TABLE, "Item": item(&name, &group, number) });
        rig.done(here, "PutItem", put).await;
        let entry = (name.clone(), number.to_string());
        assert!(query(&rig, there, &group).await.contains(&entry), "put {number} is not in its index");
        if number % 3 == 0 {
            rig.done(here, "DeleteItem", json!({ "TableName": TABLE, "Key": { "k": { "S": name } } })).await;
            assert!(!query(&rig, there, &group).await.contains(&entry), "delete {number} is still in its index");
        }
    }

    let put = |number: usize| json!({ "Put": { "TableName": TABLE, "Item": item(&format!("t{number}"), "together", number) } });
    let transaction = json!({ "TransactItems": (0..6).map(put).collect::<Vec<_>>() });
    rig.done(1, "TransactWriteItems", transaction).await;
    assert_eq!(query(&rig, 2, "together").await.len(), 6, "a transaction is in the index, too");

    let put = |number: usize| json!({ "PutRequest": { "Item": item(&format!("b{number}"), "batch", number) } });
    let batch = json!({ "RequestItems": { TABLE: (0..10).map(put).collect::<Vec<_>>() } });
    rig.done(2, "BatchWriteItem", batch).await;
    assert_eq!(query(&rig, 0, "batch").await.len(), 10, "and so is a batch");

    assert_eq!(scan(&rig, 0, None).await, scan(&rig, 1, Some("by_g")).await);
    assert_eq!(rig.nodes.iter().map(|node| node.counters().index_ahead).sum::<u64>(), 0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_is_added_under_writes_and_dropped_again() {
    let rig = Rig::cluster(4).await;
    create(&rig).await;
    for number in 0..60 {
        let put = json!({ "TableName": TABLE, "Item": item(&format!("old-{number}"), "g", number) });
        rig.done(number % 3, "PutItem", put).await;
    }
    let add = json!({
        "TableName": TABLE,
        "AttributeDefinitions": [{ "AttributeName": "w", "AttributeType": "S" }],
        "GlobalSecondaryIndexUpdates": [{ "Create": index("w") }],
    });
    rig.done(1, "UpdateTable", add).await;
    let writes = async {
        for number in 0..60 {
            let name = format!("old-{}", number * 7 % 70);
            let key = json!({ "TableName": TABLE, "Key": { "k": { "S": name } } });
            match number % 4 {
                0 => rig.done(number % 3, "DeleteItem", key).await,
                _ => {
                    let put = json!({ "TableName": TABLE, "Item": item(&name, "g", 1_000 + number) });
                    rig.done(number % 3, "PutItem", put).await
                }
            };
        }
    };
    let is_active = |table: &Value| {
        let indexes = table["GlobalSecondaryIndexes"].as_array().expect("indexes");
        table["TableStatus"] == "ACTIVE"
            && indexes.len() == 2
            && indexes.iter().all(|index| index["IndexStatus"] == "ACTIVE")
    };
    tokio::join!(writes, wait_for(&rig, is_active));
    let items = scan(&rig, 0, None).await;
    assert_eq!(items, scan(&rig, 1, Some("by_w")).await);
    assert_eq!(items, scan(&rig, 2, Some("by_g")).await);

    let remove = json!({ "TableName": TABLE, "GlobalSecondaryIndexUpdates": [{ "Delete": { "IndexName": "by_w" } }] });
    rig.done(2, "UpdateTable", remove).await;
    let is_gone = |table: &Value| {
        table["TableStatus"] == "ACTIVE" && table["GlobalSecondaryIndexes"].as_array().is_some_and(|all| all.len() == 1)
    };
    wait_for(&rig, is_gone).await;
    rig.done(0, "PutItem", json!({ "TableName": TABLE, "Item": item("afterwards", "g", 1) })).await;
    assert_eq!(scan(&rig, 0, None).await, scan(&rig, 1, Some("by_g")).await);
    rig.stop().await;
}
