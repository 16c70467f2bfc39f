//! BatchGetItem and BatchWriteItem.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest};
use tests::sdk::{create_table, failure, s};

use crate::start;

fn put(pk: usize) -> WriteRequest {
    let put = PutRequest::builder().item("pk", s(format!("{pk}"))).item("filling", s("x")).build().unwrap();
    WriteRequest::builder().put_request(put).build()
}

fn delete(pk: usize) -> WriteRequest {
    WriteRequest::builder()
        .delete_request(DeleteRequest::builder().key("pk", s(format!("{pk}"))).build().unwrap())
        .build()
}

#[tokio::test]
async fn batches_write_and_read_over_several_tables() {
    let (_server, client) = start().await;
    create_table(&client, "one", false).await;
    create_table(&client, "two", false).await;
    let written = client
        .batch_write_item()
        .request_items("one", (0..20).map(put).collect())
        .request_items("two", (0..5).map(put).collect())
        .send()
        .await
        .expect("written");
    assert!(written.unprocessed_items().is_some_and(HashMap::is_empty));
    client.batch_write_item().request_items("one", (0..10).map(delete).collect()).send().await.expect("deleted");
    let keys = |count: usize| {
        let keys = (0..count).map(|pk| HashMap::from([("pk".to_owned(), s(format!("{pk}")))])).collect();
        KeysAndAttributes::builder().set_keys(Some(keys)).projection_expression("pk").build().unwrap()
    };
    let got = client.batch_get_item().request_items("one", keys(20)).request_items("two", keys(20)).send().await;
    let got = got.expect("got");
    assert_eq!((got.responses().unwrap()["one"].len(), got.responses().unwrap()["two"].len()), (10, 5));
    assert!(got.unprocessed_keys().is_some_and(HashMap::is_empty));
    let twice = client.batch_write_item().request_items("one", vec![put(1), delete(1)]).send().await;
    assert_eq!(failure(twice).1, "Provided list of item keys contains duplicates");
}
