//! TransactWriteItems and TransactGetItems.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Get, Put, TransactGetItem, TransactWriteItem, Update};
use tests::sdk::{create_table, failure, n, s};

use crate::start;

fn put(pk: &str, value: i64) -> TransactWriteItem {
    let put = Put::builder().table_name("tbl").item("pk", s(pk)).item("value", n(value)).build().unwrap();
    TransactWriteItem::builder().put(put).build()
}

fn add(pk: &str, value: i64) -> TransactWriteItem {
    let update = Update::builder()
        .table_name("tbl")
        .key("pk", s(pk))
        .update_expression("ADD #v :v")
        .expression_attribute_names("#v", "value")
        .expression_attribute_values(":v", n(value))
        .build()
        .unwrap();
    TransactWriteItem::builder().update(update).build()
}

fn check(pk: &str, condition: &str) -> TransactWriteItem {
    let check = ConditionCheck::builder().table_name("tbl").key("pk", s(pk)).condition_expression(condition).build();
    TransactWriteItem::builder().condition_check(check.unwrap()).build()
}

fn get(pk: &str) -> TransactGetItem {
    TransactGetItem::builder().get(Get::builder().table_name("tbl").key("pk", s(pk)).build().unwrap()).build()
}

#[tokio::test]
async fn a_transaction_happens_whole_or_not_at_all() {
    let (_server, client) = start().await;
    create_table(&client, "tbl", false).await;
    client
        .transact_write_items()
        .transact_items(put("a", 1))
        .transact_items(put("b", 2))
        .transact_items(check("c", "attribute_not_exists(pk)"))
        .send()
        .await
        .expect("committed");
    let failed = client
        .transact_write_items()
        .transact_items(add("a", 10))
        .transact_items(check("c", "attribute_exists(pk)"))
        .transact_items(put("d", 4))
        .send()
        .await
        .expect_err("cancelled");
    let SdkError::ServiceError(context) = failed else { panic!("{failed:?}") };
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = context.err() else {
        panic!("{:?}", context.err())
    };
    let codes: Vec<_> = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed", "None"]);
    assert_eq!(
        cancelled.message(),
        Some(
            "Transaction cancelled, please refer cancellation reasons for specific reasons \
             [None, ConditionalCheckFailed, None]"
        )
    );
    let read = client.transact_get_items();
    let read =
        read.transact_items(get("a")).transact_items(get("d")).transact_items(get("b")).send().await.expect("read");
    let values: Vec<_> = read.responses().iter().map(|r| r.item().map(|item| item["value"].clone())).collect();
    assert_eq!(values, [Some(n(1)), None, Some(n(2))]);
    let delete = Delete::builder().table_name("tbl").key("pk", s("a")).build().unwrap();
    let delete = TransactWriteItem::builder().delete(delete).build();
    client.transact_write_items().transact_items(delete).send().await.expect("committed");
}

#[tokio::test]
async fn a_token_makes_a_repeated_transaction_happen_once() {
    let (_server, client) = start().await;
    create_table(&client, "tbl", false).await;
    let write = |value| client.transact_write_items().transact_items(add("a", value)).client_request_token("token-1");
    write(5).send().await.expect("committed");
    write(5).send().await.expect("recognised");
    let got = client.get_item().table_name("tbl").key("pk", s("a")).send().await.expect("got");
    assert_eq!(got.item().unwrap()["value"], n(5));
    assert_eq!(failure(write(6).send().await).0, "IdempotentParameterMismatchException");
}

#[tokio::test]
async fn money_is_neither_made_nor_lost() {
    let (_server, client) = start().await;
    create_table(&client, "tbl", false).await;
    for account in 0..4 {
        client.transact_write_items().transact_items(put(&format!("{account}"), 100)).send().await.expect("committed");
    }
    let tasks: Vec<_> = (0..4)
        .map(|worker| {
            let client = client.clone();
            tokio::spawn(async move {
                for step in 0..20 {
                    let (from, to) = ((worker + step) % 4, (worker + step + 1) % 4);
                    let _ = client
                        .transact_write_items()
                        .transact_items(add(&format!("{from}"), -1))
                        .transact_items(add(&format!("{to}"), 1))
                        .send()
                        .await;
                }
            })
        })
        .collect();
    for _ in 0..20 {
        let read =
            (0..4).fold(client.transact_get_items(), |read, account| read.transact_items(get(&format!("{account}"))));
        let read = read.send().await.expect("read");
        let total: i64 =
            read.responses().iter().map(|r| r.item().unwrap()["value"].as_n().unwrap().parse::<i64>().unwrap()).sum();
        assert_eq!(total, 400);
    }
    for task in tasks {
        task.await.expect("done");
    }
}
