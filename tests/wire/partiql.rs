//! What a PartiQL statement costs: which plan was taken, and how often the shards it reads are checked.

use dynamo_server::Server;
use dynamo_server::config::Config;
use serde_json::{Value, json};
use tests::raw::Connection;

use crate::overload::metric;

const PARTITIONS: usize = 30;

async fn select(connection: &mut Connection, statement: &str, more: &[(&str, Value)]) -> Value {
    let mut request = json!({ "Statement": statement });
    for (name, value) in more {
        request[*name] = value.clone();
    }
    let answer = connection.call("ExecuteStatement", request).await;
    assert_eq!(answer.status, 200, "{statement}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// A server with `shards`, and a table whose partitions lie on all of them.
async fn filled(shards: u32) -> (Server, Connection) {
    let config = Config { port: 0, data_dir: None, shards: Some(shards), ..Config::default() };
    let server = Server::start(config).await.expect("it starts");
    let mut connection = Connection::open(server.address()).await;
    let table = json!({
        "TableName": "tbl", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            { "AttributeName": "pk", "AttributeType": "S" }, { "AttributeName": "sk", "AttributeType": "N" },
        ],
        "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }, { "AttributeName": "sk", "KeyType": "RANGE" }],
    });
    assert_eq!(connection.call("CreateTable", table).await.status, 200);
    for number in 0..PARTITIONS {
        for sort in 1..=3 {
            let item = json!({ "pk": { "S": format!("p{number:02}") }, "sk": { "N": sort.to_string() } });
            assert_eq!(connection.call("PutItem", json!({ "TableName": "tbl", "Item": item })).await.status, 200);
        }
    }
    (server, connection)
}

fn of_all_partitions(rest: &str) -> String {
    let keys: Vec<String> = (0..PARTITIONS).map(|number| format!("'p{number:02}'")).collect();
    format!("SELECT pk, sk FROM tbl WHERE pk IN [{}]{rest}", keys.join(", "))
}

#[tokio::test]
async fn each_shard_is_checked_once_whatever_a_statement_names_in_it() {
    for shards in [1, 4] {
        let (_server, mut connection) = filled(shards).await;
        let statement = of_all_partitions(" AND sk >= 2 AND sk <> 7");
        // Leases may be renewed meanwhile: a check that asks a quorum counts as well.
        let mut checks = 0;
        for _ in 0..2 {
            let before = checked(&mut connection).await;
            let answer = select(&mut connection, &statement, &[("ConsistentRead", json!(true))]).await;
            checks = checked(&mut connection).await - before;
            let rows: Vec<String> = answer["Items"].as_array().unwrap().iter().map(Value::to_string).collect();
            assert_eq!(rows.len(), 2 * PARTITIONS);
            assert!(rows.is_sorted(), "in the order of the keys");
        }
        assert_eq!(checks, shards as usize, "{shards} shards");
    }
}

async fn checked(connection: &mut Connection) -> usize {
    let hits = metric(connection, "dynamo_lease_hits_total").await;
    hits + metric(connection, "dynamo_lease_misses_total").await
}

/// Pages go on in the middle of a partition, between two of them, and in either direction; each partition is billed as a
/// query of its own.
#[tokio::test]
async fn pages_go_through_many_partitions() {
    let (_server, mut connection) = filled(4).await;
    for (order, limit) in [("", 4), ("", 3), (" ORDER BY pk DESC, sk DESC", 5)] {
        let statement = of_all_partitions(order);
        let mut rows = Vec::new();
        let mut token = Value::Null;
        loop {
            let more = [("Limit", json!(limit)), ("NextToken", token.clone())];
            let answer = select(&mut connection, &statement, &more[..if token.is_null() { 1 } else { 2 }]).await;
            let page = answer["Items"].as_array().unwrap();
            assert!(page.len() <= limit);
            rows.extend(page.iter().map(|row| row.to_string()));
            token = answer["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(rows.len(), 3 * PARTITIONS, "{order} {limit}");
        let mut sorted = rows.clone();
        sorted.sort();
        if !order.is_empty() {
            sorted.reverse();
        }
        assert_eq!(rows, sorted, "{order} {limit}");
    }
    let capacity = [("ReturnConsumedCapacity", json!("TOTAL"))];
    let answer = select(&mut connection, &of_all_partitions(""), &capacity).await;
    assert_eq!(answer["ConsumedCapacity"]["CapacityUnits"], json!(0.5 * PARTITIONS as f64));
}

#[tokio::test]
async fn statements_that_scan_are_counted() {
    let (_server, mut connection) = filled(1).await;
    for (statement, scans) in [
        ("SELECT * FROM tbl WHERE pk = 'p01' AND sk = 1", 0),
        ("SELECT * FROM tbl WHERE pk = 'p01'", 0),
        ("SELECT * FROM tbl WHERE pk IN ['p01', 'p02'] AND sk > 1", 0),
        ("SELECT * FROM tbl WHERE pk = 'p01' AND pk = 'p02'", 0),
        ("SELECT * FROM tbl", 1),
        ("SELECT * FROM tbl WHERE pk = 'p01' OR sk = 1", 1),
        ("SELECT * FROM tbl WHERE sk = 1", 1),
    ] {
        let before = metric(&mut connection, "dynamo_partiql_scans_total").await;
        select(&mut connection, statement, &[]).await;
        assert_eq!(metric(&mut connection, "dynamo_partiql_scans_total").await - before, scans, "{statement}");
    }
}
