//! Query and Scan.

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use tests::sdk::{create_table, failure, n, s};

use crate::start;

async fn filled(client: &aws_sdk_dynamodb::Client) {
    create_table(client, "tbl", true).await;
    for partition in ["a", "b"] {
        for number in 0..30 {
            client
                .put_item()
                .table_name("tbl")
                .item("pk", s(partition))
                .item("sk", s(format!("{number:03}")))
                .item("even", AttributeValue::Bool(number % 2 == 0))
                .item("number", n(number))
                .send()
                .await
                .expect("put");
        }
    }
}

fn numbers(items: &[std::collections::HashMap<String, AttributeValue>]) -> Vec<i64> {
    items.iter().map(|item| item["number"].as_n().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn a_query_reads_a_range_in_order_both_ways_and_page_by_page() {
    let (_server, client) = start().await;
    filled(&client).await;
    let query = || {
        client
            .query()
            .table_name("tbl")
            .key_condition_expression("pk = :p AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":p", s("a"))
            .expression_attribute_values(":from", s("005"))
            .expression_attribute_values(":to", s("014"))
    };
    assert_eq!(numbers(query().send().await.expect("queried").items()), (5..15).collect::<Vec<_>>());
    let backwards = query().scan_index_forward(false).send().await.expect("queried");
    assert_eq!(numbers(backwards.items()), (5..15).rev().collect::<Vec<_>>());
    let pages: Vec<_> =
        query().limit(3).into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.expect("queried");
    assert_eq!(numbers(&pages), (5..15).collect::<Vec<_>>());
    let filtered = query().filter_expression("even = :e").expression_attribute_values(":e", AttributeValue::Bool(true));
    let filtered = filtered.select(Select::Count).send().await.expect("queried");
    assert_eq!((filtered.count(), filtered.scanned_count()), (5, 10));
    let wrong = client
        .query()
        .table_name("tbl")
        .key_condition_expression("sk = :p")
        .expression_attribute_values(":p", s("a"))
        .send()
        .await;
    assert_eq!(failure(wrong).1, "Query condition missed key schema element: pk");
}

#[tokio::test]
async fn a_scan_sees_every_item_once_also_in_segments() {
    let (_server, client) = start().await;
    filled(&client).await;
    let all = client.scan().table_name("tbl").limit(7).into_paginator().items().send();
    assert_eq!(all.collect::<Result<Vec<_>, _>>().await.expect("scanned").len(), 60);
    let mut found = 0;
    for segment in 0..4 {
        let part = client.scan().table_name("tbl").segment(segment).total_segments(4).send().await.expect("scanned");
        found += part.count();
    }
    assert_eq!(found, 60);
}
