//! More than the server can take: the answer for "full", and that it passes.

use dynamo_engine::plan::put_item;
use dynamo_protocol::ops::PutItemInput;
use dynamo_server::Server;
use dynamo_server::config::Config;
use dynamo_server::shard::QUEUE_COMMANDS_MAX;
use dynamo_server::transaction::OnConflict;
use serde_json::json;
use tests::patience::eventually;
use tests::raw::Connection;
use tokio::task::JoinSet;

use crate::{create_table, server};

/// On one thread, so that every proposal is made before the shard's sequencer gets a turn to take one out of its queue.
#[tokio::test(flavor = "current_thread")]
async fn a_full_queue_is_told_as_exceeded_throughput_and_writes_nothing() {
    const BEYOND: usize = 100;
    let (server, mut connection) = server().await;
    create_table(&mut connection).await;
    let node = server.node();
    let mut proposals = JoinSet::new();
    for number in 0..QUEUE_COMMANDS_MAX + BEYOND {
        let body = json!({"TableName": "tbl", "Item": {"k": {"S": number.to_string()}}}).to_string();
        let input = PutItemInput::from_json(body.as_bytes()).expect("well formed");
        let plan = put_item::plan(input, node.catalog.installed().as_ref()).unwrap_or_else(|_| panic!("planned"));
        let write = plan.writes.into_iter().next().expect("one write");
        let (node, deadline) = (node.clone(), node.deadline());
        proposals.spawn(async move {
            let outcome = node.transactions.propose(write, OnConflict::Answer, deadline).await;
            outcome.map(|_| ()).map_err(dynamo_server::shard::ShardError::into_api_error)
        });
    }
    let mut refused = 0;
    while let Some(outcome) = proposals.join_next().await {
        if let Err(error) = outcome.expect("no panic") {
            assert!(error.type_name().ends_with("#ProvisionedThroughputExceededException"), "{}", error.type_name());
            assert_eq!(error.http_status(), 400);
            refused += 1;
        }
    }
    assert!((1..=BEYOND).contains(&refused), "{refused} refused");
    let mut found = 0;
    let mut start = serde_json::Value::Null;
    loop {
        let mut scan = json!({"TableName": "tbl", "Select": "COUNT"});
        if !start.is_null() {
            scan["ExclusiveStartKey"] = start.clone();
        }
        let page = connection.call("Scan", scan).await.json();
        found += page["Count"].as_u64().expect("a count") as usize;
        start = page["LastEvaluatedKey"].clone();
        if start.is_null() {
            break;
        }
    }
    assert_eq!(found, QUEUE_COMMANDS_MAX + BEYOND - refused, "what was refused was not written, all else was");
    let put = json!({"TableName": "tbl", "Item": {"k": {"S": "later"}}});
    assert_eq!(connection.call("PutItem", put).await.status, 200, "it has passed");
}

/// A number on the server's page of metrics.
pub async fn metric(connection: &mut Connection, name: &str) -> usize {
    connection.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let page = String::from_utf8(connection.answer().await.body).expect("text");
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect("the metric is there");
    line.trim().parse().expect("a number")
}

#[tokio::test]
async fn a_body_without_room_beside_the_others_is_throttled_and_its_connection_goes_on() {
    const ROOM: usize = 1 << 20;
    // A body that is moved to twice its room has both places; too little for one that comes meanwhile.
    const MOVED: usize = ROOM / 2;
    let config = Config { port: 0, data_dir: None, body_memory: ROOM + MOVED, ..Config::default() };
    let server = Server::start(config).await.expect("it starts");
    let [mut slow, mut client, mut watch] = [
        Connection::open(server.address()).await,
        Connection::open(server.address()).await,
        Connection::open(server.address()).await,
    ];
    create_table(&mut client).await;

    // A body of the size of the room, of which the last byte does not come yet.
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: DynamoDB_20120810.PutItem\r\nAuthorization: none\r\nContent-Length: {ROOM}\r\n\r\n"
    );
    slow.send(head.as_bytes()).await;
    slow.send(&vec![b' '; ROOM - 1]).await;
    eventually("the body has its room", async || {
        assert_eq!(metric(&mut watch, "dynamo_bodies_refused_total").await, 0);
        (metric(&mut watch, "dynamo_body_bytes").await >= ROOM).then_some(())
    })
    .await;

    let put = json!({"TableName": "tbl", "Item": {"k": {"S": "x"}, "v": {"S": "y".repeat(390 << 10)}}});
    let refused = client.call("PutItem", put.clone()).await;
    assert_eq!((refused.status, refused.error().0), (400, "ProvisionedThroughputExceededException".to_owned()));
    let get = json!({"TableName": "tbl", "Key": {"k": {"S": "x"}}});
    assert_eq!(client.call("GetItem", get).await.json(), json!({}), "not done; and small requests are served");
    assert_eq!(metric(&mut watch, "dynamo_bodies_refused_total").await, 1);

    slow.send(b" ").await;
    assert_eq!(slow.answer().await.status, 400, "blanks are no request");
    assert_eq!(client.call("PutItem", put).await.status, 200, "there is room again");
    assert_eq!(metric(&mut watch, "dynamo_body_bytes").await, 0);
    server.stop().await;
}

/// An error with the items that it names is as large as a page, and as many clients may fail to read it.
#[tokio::test]
async fn what_changed_nothing_is_throttled_where_its_answer_has_no_room() {
    let (server, mut connection) = server().await;
    create_table(&mut connection).await;
    let put = json!({"TableName": "tbl", "Item": {"k": {"S": "x"}, "v": {"S": "y".repeat(300 << 10)}}});
    assert_eq!(connection.call("PutItem", put).await.status, 200);
    let check = json!({
        "TableName": "tbl", "Key": {"k": {"S": "x"}}, "ConditionExpression": "attribute_not_exists(k)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD"
    });
    let cancelled = json!({"TransactItems": [{"ConditionCheck": check}]});

    let memory = std::sync::Arc::clone(server.node().memory());
    let all = memory.take_anyway(1 << 40);
    let refused = connection.call("TransactWriteItems", cancelled.clone()).await;
    assert_eq!((refused.status, refused.error().0), (400, "ProvisionedThroughputExceededException".to_owned()));
    assert_eq!(metric(&mut connection, "dynamo_answers_refused_total").await, 1);
    drop(all);
    let told = connection.call("TransactWriteItems", cancelled).await;
    assert_eq!(told.error().0, "TransactionCanceledException");
    assert!(told.body.len() > 300 << 10, "with its item");

    let put = json!({"TableName": "tbl", "Item": {"k": {"S": "small"}}});
    assert_eq!(connection.call("PutItem", put).await.status, 200);
    let delete = |key: &str| json!({"TableName": "tbl", "Key": {"k": {"S": key}}, "ReturnValues": "ALL_OLD"});
    let all = memory.take_anyway(1 << 40);
    let refused = connection.call("DeleteItem", delete("x")).await;
    assert_eq!((refused.status, refused.error().0), (400, "ProvisionedThroughputExceededException".to_owned()));
    assert_eq!(metric(&mut connection, "dynamo_answers_refused_total").await, 2);
    let shown = connection.call("DeleteItem", delete("small")).await;
    assert_eq!((shown.status, shown.json()), (200, json!({"Attributes": {"k": {"S": "small"}}})));
    let deleted = connection.call("DeleteItem", json!({"TableName": "tbl", "Key": {"k": {"S": "none"}}})).await;
    assert_eq!(deleted.status, 200, "what shows nothing looks for no room");
    drop(all);
    let done = connection.call("DeleteItem", delete("x")).await;
    assert!(done.status == 200 && done.body.len() > 300 << 10, "it was not done before");
    assert_eq!(memory.bytes(), 0, "what was taken is given back");
}
