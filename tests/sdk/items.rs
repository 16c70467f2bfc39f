//! Single items.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity, ReturnValue};
use tests::sdk::{create_table, failure, n, s};

use crate::start;

#[tokio::test]
async fn every_type_comes_back_as_it_was_put() {
    let (_server, client) = start().await;
    create_table(&client, "tbl", false).await;
    let item = HashMap::from([
        ("pk".to_owned(), s("ü")),
        ("number".to_owned(), n("-1.50")),
        ("large".to_owned(), n("99999999999999999999999999999999999999")),
        ("binary".to_owned(), AttributeValue::B(Blob::new(vec![0, 255, 1]))),
        ("yes".to_owned(), AttributeValue::Bool(true)),
        ("nothing".to_owned(), AttributeValue::Null(true)),
        ("empty".to_owned(), s("")),
        ("strings".to_owned(), AttributeValue::Ss(vec!["a".into(), "b".into()])),
        ("numbers".to_owned(), AttributeValue::Ns(vec!["1".into(), "2".into()])),
        ("binaries".to_owned(), AttributeValue::Bs(vec![Blob::new(vec![1]), Blob::new(vec![2])])),
        ("list".to_owned(), AttributeValue::L(vec![s("x"), AttributeValue::L(vec![]), n(1)])),
        ("map".to_owned(), AttributeValue::M(HashMap::from([("inner".to_owned(), s("y"))]))),
    ]);
    client.put_item().table_name("tbl").set_item(Some(item.clone())).send().await.expect("put");
    let got = client.get_item().table_name("tbl").key("pk", s("ü")).consistent_read(true).send().await.expect("got");
    let mut expected = item;
    expected.insert("number".to_owned(), n("-1.5"));
    assert_eq!(got.item(), Some(&expected));
    let absent = client.get_item().table_name("tbl").key("pk", s("other")).send().await.expect("got");
    assert_eq!(absent.item(), None);
}

#[tokio::test]
async fn conditions_hold_back_writes() {
    let (_server, client) = start().await;
    create_table(&client, "tbl", false).await;
    let put = || client.put_item().table_name("tbl").item("pk", s("a")).item("v", n(1));
    put().condition_expression("attribute_not_exists(pk)").send().await.expect("the first one");
    let again = put().condition_expression("attribute_not_exists(pk)").send().await;
    assert_eq!(failure(again), ("ConditionalCheckFailedException".into(), "The conditional request failed".into()));
    let deleted = client
        .delete_item()
        .table_name("tbl")
        .key("pk", s("a"))
        .condition_expression("v = :one")
        .expression_attribute_values(":one", n(1))
        .return_values(ReturnValue::AllOld)
        .send()
        .await
        .expect("deleted");
    assert_eq!(deleted.attributes().unwrap()["v"], n(1));
}

#[tokio::test]
async fn updates_compute_and_tell_what_changed() {
    let (_server, client) = start().await;
    create_table(&client, "tbl", false).await;
    let update = |expression: &str| {
        client
            .update_item()
            .table_name("tbl")
            .key("pk", s("counter"))
            .update_expression(expression)
            .expression_attribute_values(":one", n(1))
            .return_values(ReturnValue::UpdatedNew)
    };
    for expected in 1..=3 {
        let updated = update("ADD hits :one").send().await.expect("updated");
        assert_eq!(updated.attributes(), Some(&HashMap::from([("hits".to_owned(), n(expected))])));
    }
    let updated = update("SET hits = hits - :one, twin = if_not_exists(twin, :one)").send().await.expect("updated");
    assert_eq!(updated.attributes().unwrap()["hits"], n(2));
    assert_eq!(updated.attributes().unwrap()["twin"], n(1));
    let wrong = client
        .update_item()
        .table_name("tbl")
        .key("pk", s("counter"))
        .update_expression("SET grand_total = absent_part + :one")
        .expression_attribute_values(":one", n(1))
        .send()
        .await;
    assert_eq!(failure(wrong).1, "The provided expression refers to an attribute that does not exist in the item");
}

#[tokio::test]
async fn concurrent_counters_lose_nothing() {
    let (_server, client) = start().await;
    create_table(&client, "tbl", false).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    client
                        .update_item()
                        .table_name("tbl")
                        .key("pk", s("counter"))
                        .update_expression("ADD hits :one")
                        .expression_attribute_values(":one", n(1))
                        .send()
                        .await
                        .expect("updated");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("done");
    }
    let got = client.get_item().table_name("tbl").key("pk", s("counter")).send().await.expect("got");
    assert_eq!(got.item().unwrap()["hits"], n(200));
}

#[tokio::test]
async fn capacity_is_reported_to_the_half_unit() {
    let (_server, client) = start().await;
    create_table(&client, "tbl", false).await;
    let put = client
        .put_item()
        .table_name("tbl")
        .item("pk", s("a"))
        .item("filling", s("x".repeat(1500)))
        .return_consumed_capacity(ReturnConsumedCapacity::Total)
        .send()
        .await
        .expect("put");
    assert_eq!(put.consumed_capacity().unwrap().capacity_units(), Some(2.0));
    for (consistent, units) in [(false, 0.5), (true, 1.0)] {
        let got = client
            .get_item()
            .table_name("tbl")
            .key("pk", s("a"))
            .consistent_read(consistent)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .expect("got");
        assert_eq!(got.consumed_capacity().unwrap().capacity_units(), Some(units));
    }
}
