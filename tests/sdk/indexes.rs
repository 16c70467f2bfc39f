//! Global indexes on a server with several shards: the entry of an item lies on another shard than the item, as a rule.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, BillingMode, CreateGlobalSecondaryIndexAction, DeleteGlobalSecondaryIndexAction,
    GlobalSecondaryIndex, GlobalSecondaryIndexUpdate, IndexStatus, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TableStatus,
};
use dynamo_server::{Config, Server};
use tests::sdk::{attribute, key, n, s};

/// How long a table or an index may take to become active, or to go.
const CHANGE_MAX: Duration = Duration::from_secs(60);

async fn start_with_shards() -> (Server, Client) {
    let config = Config { port: 0, data_dir: None, shards: Some(4), ..Config::default() };
    let server = Server::start(config).await.expect("it starts");
    let client = tests::sdk::client(&server.endpoint_url());
    (server, client)
}

fn projection() -> Projection {
    Projection::builder().projection_type(ProjectionType::All).build()
}

/// A table by `pk`, with an index by `group` if asked.
async fn create(client: &Client, indexed: bool) {
    let mut request = client
        .create_table()
        .table_name("tbl")
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .key_schema(key("pk", KeyType::Hash));
    if indexed {
        let index = GlobalSecondaryIndex::builder()
            .index_name("by_group")
            .key_schema(key("group", KeyType::Hash))
            .projection(projection())
            .build()
            .expect("complete");
        request =
            request.attribute_definitions(attribute("group", ScalarAttributeType::S)).global_secondary_indexes(index);
    }
    request.send().await.expect("created");
    wait_for(client, |table, _| table == &TableStatus::Active).await;
}

/// Waits until the table and its index (`None`: it has none) are as asked.
async fn wait_for(client: &Client, is_there: impl Fn(&TableStatus, Option<&IndexStatus>) -> bool) {
    let looking = async {
        loop {
            let described = client.describe_table().table_name("tbl").send().await.expect("described");
            let table = described.table().expect("there");
            let index = table.global_secondary_indexes().first().and_then(|index| index.index_status());
            if is_there(table.table_status().expect("there"), index) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(CHANGE_MAX, looking).await.expect("the change ends in time");
}

async fn put(client: &Client, name: &str, group: &str, number: usize) {
    let put = client.put_item().table_name("tbl").item("pk", s(name)).item("group", s(group)).item("number", n(number));
    put.send().await.expect("put");
}

/// The names and numbers that the index has for a group.
async fn query(client: &Client, group: &str) -> BTreeSet<(String, String)> {
    let answer = client
        .query()
        .table_name("tbl")
        .index_name("by_group")
        .key_condition_expression("#g = :g")
        .expression_attribute_names("#g", "group")
        .expression_attribute_values(":g", s(group))
        .send()
        .await
        .expect("queried");
    answer.items().iter().map(name_and_number).collect()
}

async fn scan(client: &Client, index: Option<&str>) -> BTreeSet<(String, String)> {
    let scan = client.scan().table_name("tbl").set_index_name(index.map(str::to_owned));
    let items = scan.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.expect("scanned");
    items.iter().map(name_and_number).collect()
}

fn name_and_number(item: &std::collections::HashMap<String, AttributeValue>) -> (String, String) {
    (item["pk"].as_s().unwrap().clone(), item["number"].as_n().unwrap().clone())
}

#[tokio::test]
async fn a_query_of_the_index_right_after_a_write_sees_it() {
    let (_server, client) = start_with_shards().await;
    create(&client, true).await;
    for number in 0..40 {
        let (name, group) = (format!("item-{}", number % 8), format!("group-{}", number % 5));
        put(&client, &name, &group, number).await;
        let entry = (name.clone(), number.to_string());
        assert!(query(&client, &group).await.contains(&entry), "put {number} is not in its index");
        if number % 3 == 0 {
            client.delete_item().table_name("tbl").key("pk", s(&name)).send().await.expect("deleted");
            assert!(!query(&client, &group).await.contains(&entry), "delete {number} is still in its index");
        }
    }
    assert_eq!(scan(&client, None).await, scan(&client, Some("by_group")).await);
}

#[tokio::test]
async fn an_index_is_added_to_a_table_on_several_shards_while_it_is_written_and_dropped_again() {
    let (_server, client) = start_with_shards().await;
    create(&client, false).await;
    for number in 0..100 {
        put(&client, &format!("item-{number}"), &format!("group-{}", number % 7), number).await;
    }
    let add = CreateGlobalSecondaryIndexAction::builder()
        .index_name("by_group")
        .key_schema(key("group", KeyType::Hash))
        .projection(projection())
        .build()
        .expect("complete");
    client
        .update_table()
        .table_name("tbl")
        .attribute_definitions(attribute("group", ScalarAttributeType::S))
        .global_secondary_index_updates(GlobalSecondaryIndexUpdate::builder().create(add).build())
        .send()
        .await
        .expect("updated");
    let writes = async {
        for number in 0..100 {
            let name = format!("item-{}", number * 7 % 110);
            match number % 4 {
                0 => drop(client.delete_item().table_name("tbl").key("pk", s(&name)).send().await.expect("deleted")),
                _ => put(&client, &name, &format!("group-{}", number % 5), 1_000 + number).await,
            }
        }
    };
    let active = wait_for(&client, |table, index| table == &TableStatus::Active && index == Some(&IndexStatus::Active));
    tokio::join!(writes, active);
    assert_eq!(scan(&client, None).await, scan(&client, Some("by_group")).await);

    let drop = DeleteGlobalSecondaryIndexAction::builder().index_name("by_group").build().expect("complete");
    let update = GlobalSecondaryIndexUpdate::builder().delete(drop).build();
    client.update_table().table_name("tbl").global_secondary_index_updates(update).send().await.expect("updated");
    wait_for(&client, |table, index| table == &TableStatus::Active && index.is_none()).await;
    put(&client, "afterwards", "group-1", 1).await;
}
