//! Sizes: items, pages, batches, depth, bodies.

use std::time::Duration;

use dynamo_server::Server;
use dynamo_server::config::Config;
use serde_json::{Value, json};
use tests::raw::Connection;

use crate::server;

/// What an item may weigh, names and values.
const ITEM_BYTES_MAX: usize = 400 * 1024;

async fn create_table(connection: &mut Connection) {
    let table = json!({
        "TableName": "tbl", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "p", "AttributeType": "S"}, {"AttributeName": "s", "AttributeType": "N"}],
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
    });
    assert_eq!(connection.call("CreateTable", table).await.status, 200);
}

/// An item whose only other attribute makes it `bytes` large: two letters of key names, one of key, two of number.
fn item(number: usize, bytes: usize) -> Value {
    let other = 1 + 1 + 1 + 2 + 1;
    json!({"p": {"S": "x"}, "s": {"N": number.to_string()}, "v": {"S": "y".repeat(bytes - other)}})
}

#[tokio::test]
async fn an_item_may_weigh_four_hundred_kilobytes_and_no_byte_more() {
    let (_server, mut connection) = server().await;
    create_table(&mut connection).await;
    let fits = connection.call("PutItem", json!({"TableName": "tbl", "Item": item(1, ITEM_BYTES_MAX)})).await;
    assert_eq!(fits.status, 200, "{}", String::from_utf8_lossy(&fits.body));
    let too_large = connection.call("PutItem", json!({"TableName": "tbl", "Item": item(2, ITEM_BYTES_MAX + 1)})).await;
    assert_eq!(
        (too_large.status, too_large.error()),
        (400, ("ValidationException".into(), "Item size has exceeded the maximum allowed size".into()))
    );
    let grown = connection
        .call(
            "UpdateItem",
            json!({
                "TableName": "tbl", "Key": {"p": {"S": "x"}, "s": {"N": "1"}}, "UpdateExpression": "SET w = :w",
                "ExpressionAttributeValues": {":w": {"S": ""}},
            }),
        )
        .await;
    assert_eq!(
        (grown.status, grown.error()),
        (400, ("ValidationException".into(), "Item size to update has exceeded the maximum allowed size".into()))
    );
}

#[tokio::test]
async fn a_page_ends_after_a_megabyte_and_the_next_one_goes_on() {
    const ITEMS: usize = 8;
    let (_server, mut connection) = server().await;
    create_table(&mut connection).await;
    for number in 1..=ITEMS {
        let put = json!({"TableName": "tbl", "Item": item(number, 300 * 1024)});
        assert_eq!(connection.call("PutItem", put).await.status, 200);
    }
    for (operation, request) in [
        (
            "Query",
            json!({
                "TableName": "tbl", "KeyConditionExpression": "p = :p",
                "ExpressionAttributeValues": {":p": {"S": "x"}},
            }),
        ),
        ("Scan", json!({"TableName": "tbl"})),
        ("Scan", json!({"TableName": "tbl", "ProjectionExpression": "s"})),
    ] {
        let mut request = request;
        let mut seen = Vec::new();
        let mut pages = Vec::new();
        loop {
            let answer = connection.call(operation, request.clone()).await;
            assert_eq!(answer.status, 200);
            let page = answer.json();
            pages.push(page["ScannedCount"].as_u64().expect("a count"));
            let items = page["Items"].as_array().expect("items");
            seen.extend(items.iter().map(|item| item["s"]["N"].as_str().expect("a number").to_owned()));
            match page.get("LastEvaluatedKey") {
                Some(key) => request["ExclusiveStartKey"] = key.clone(),
                None => break,
            }
        }
        // The item that passes the megabyte still belongs to its page.
        assert_eq!(pages, [4, 4, 0][..pages.len()], "{operation}");
        assert_eq!(seen, (1..=ITEMS).map(|number| number.to_string()).collect::<Vec<_>>(), "{operation}");
    }
}

#[tokio::test]
async fn a_batch_of_more_than_sixteen_megabytes_gives_the_rest_back() {
    const ITEMS: usize = 50;
    // Large answers are made in threads that stand back, on a machine that does something else for longer than five seconds.
    let config = Config { port: 0, data_dir: None, request_deadline: Duration::from_secs(60), ..Config::default() };
    let server = Server::start(config).await.expect("it starts");
    let mut connection = Connection::open(server.address()).await;
    create_table(&mut connection).await;
    for number in 10..10 + ITEMS {
        let put = json!({"TableName": "tbl", "Item": item(number, ITEM_BYTES_MAX)});
        assert_eq!(connection.call("PutItem", put).await.status, 200);
    }
    let keys: Vec<Value> =
        (10..10 + ITEMS).map(|number| json!({"p": {"S": "x"}, "s": {"N": number.to_string()}})).collect();
    let mut request = json!({"tbl": {"Keys": keys, "ProjectionExpression": "s, v", "ConsistentRead": true}});
    let mut rounds = Vec::new();
    while request.get("tbl").is_some() {
        let answer = connection.call("BatchGetItem", json!({"RequestItems": request})).await;
        assert_eq!(answer.status, 200);
        let answer = answer.json();
        rounds.push(answer["Responses"]["tbl"].as_array().expect("items").len());
        request = answer["UnprocessedKeys"].clone();
        if let Some(rest) = request.get("tbl") {
            assert_eq!(rest["ProjectionExpression"], "s, v", "what is left can be sent again as it is");
            assert_eq!(rest["ConsistentRead"], true);
        }
    }
    assert_eq!(rounds.iter().sum::<usize>(), ITEMS);
    assert!(rounds.len() == 2 && (39..=41).contains(&rounds[0]), "16 MB are 40 items of 400 KB: {rounds:?}");
}

fn nested(levels: usize) -> String {
    format!("{}{{\"S\":\"x\"}}{}", "{\"L\":[".repeat(levels), "]}".repeat(levels))
}

#[tokio::test]
async fn depth_is_bounded_and_never_fatal() {
    let (_server, mut connection) = server().await;
    create_table(&mut connection).await;
    for (levels, status) in [(0, 200), (31, 200), (33, 400), (1000, 400), (100_000, 400)] {
        let body = format!(
            "{{\"TableName\":\"tbl\",\"Item\":{{\"p\":{{\"S\":\"x\"}},\"s\":{{\"N\":\"1\"}},\"v\":{}}}}}",
            nested(levels)
        );
        connection.post("PutItem", &[], body.as_bytes()).await;
        assert_eq!(connection.answer().await.status, status, "{levels} levels");
    }
    for (condition, status) in [
        (format!("{}v = :v", "NOT ".repeat(10)), 200),
        (format!("{}v = :v", "NOT ".repeat(1000)), 400),
        (format!("{}v = :v{}", "(".repeat(1000), ")".repeat(1000)), 400),
        (format!("{}v = :v", "(".repeat(4000)), 400),
        (format!("{}v = :v", "NOT ".repeat(100_000)), 400),
    ] {
        let scan = json!({
            "TableName": "tbl", "FilterExpression": condition, "ExpressionAttributeValues": {":v": {"S": "x"}},
        });
        assert_eq!(connection.call("Scan", scan).await.status, status, "{condition:.40}");
    }
    assert_eq!(connection.call("ListTables", json!({})).await.status, 200, "the connection goes on");
}

#[tokio::test]
async fn garbage_gets_an_error_and_nothing_else() {
    let (server, mut connection) = server().await;
    create_table(&mut connection).await;
    let bodies: [&[u8]; 14] = [
        b"null",
        b"true",
        b"1e999999",
        b"\"text\"",
        b"{\"TableName\":\"tbl\"",
        b"{\"TableName\":\"tbl\",}",
        b"{\"TableName\":\"tbl\"}{}",
        b"{'TableName':'tbl'}",
        b"{\"TableName\":\"\\ud800\"}",
        b"{\"TableName\":\"\x00\"}",
        b"{\"TableName\":{\"TableName\":[]}}",
        b"{\"Item\":{\"p\":{\"N\":\"1e99999999999999999999\"}},\"TableName\":\"tbl\"}",
        b"{\"Item\":{\"p\":{\"B\":\"====\"}},\"TableName\":\"tbl\"}",
        b"\xf0\x28\x8c\x28",
    ];
    for operation in
        ["PutItem", "GetItem", "UpdateItem", "Query", "BatchWriteItem", "TransactWriteItems", "CreateTable"]
    {
        for body in bodies {
            connection.post(operation, &[], body).await;
            let answer = connection.answer().await;
            assert_eq!(answer.status, 400, "{operation} {}", String::from_utf8_lossy(body));
            let (kind, _) = answer.error();
            assert!(kind == "SerializationException" || kind == "ValidationException", "{operation}: {kind}");
        }
    }
    assert_eq!(connection.call("Scan", json!({"TableName": "tbl"})).await.json()["Count"], 0, "nothing was written");
    drop(server);
}
