//! More than the server can take: the answer for "full", and that it passes.

use dynamo_engine::plan::put_item;
use dynamo_protocol::ops::PutItemInput;
use dynamo_server::shard::QUEUE_COMMANDS_MAX;
use serde_json::json;
use tokio::task::JoinSet;

use crate::server;

/// On one thread, so that every proposal is made before the shard's sequencer gets a turn to take one out of its queue.
#[tokio::test(flavor = "current_thread")]
async fn a_full_queue_is_told_as_exceeded_throughput_and_writes_nothing() {
    const BEYOND: usize = 100;
    let (server, mut connection) = server().await;
    let table = json!({
        "TableName": "tbl", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
    });
    assert_eq!(connection.call("CreateTable", table).await.status, 200);
    let node = server.node();
    let mut proposals = JoinSet::new();
    for number in 0..QUEUE_COMMANDS_MAX + BEYOND {
        let body = json!({"TableName": "tbl", "Item": {"k": {"S": number.to_string()}}}).to_string();
        let input = PutItemInput::from_json(body.as_bytes()).expect("well formed");
        let plan = put_item::plan(input, node.catalog().as_ref()).unwrap_or_else(|_| panic!("planned"));
        let write = plan.writes.into_iter().next().expect("one write");
        let (node, deadline) = (node.clone(), node.deadline());
        proposals.spawn(async move {
            let outcome = node.propose(write.token, write.command, deadline).await;
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
