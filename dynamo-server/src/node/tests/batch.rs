//! A batch of writes of which one shard refuses its part: the client gets that part back, and nothing else.

use serde_json::{Value, json};
use shard_router::ShardId;

use crate::guard::tests::rig::Rig;
use crate::shard::QUEUE_BYTES_MAX;

const TABLE: &str = "things";

fn put(key: &str, value: &str) -> Value {
    json!({ "PutRequest": { "Item": { "k": { "S": key }, "v": { "S": value }, "n": { "N": "1.50" } } } })
}

fn delete(key: &str) -> Value {
    json!({ "DeleteRequest": { "Key": { "k": { "S": key } } } })
}

fn batch(requests: &[Value]) -> Value {
    json!({ "RequestItems": { TABLE: requests }, "ReturnConsumedCapacity": "TOTAL" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_refused_by_a_full_shard_are_unprocessed() {
    let rig = Rig::alone(2).await;
    let (open, full) = (rig.keys_of(0, 2), rig.keys_of(1, 2));
    rig.put(0, &full[0], "before").await;
    rig.put(0, &full[1], "before").await;
    let queue =
        rig.nodes[0].router.shard(ShardId(1)).expect("there are two").sequencer().faults().occupy(QUEUE_BYTES_MAX);

    let requests = [put(&open[0], "1"), put(&full[0], "1"), put(&open[1], "1"), delete(&full[1])];
    let answer = rig.done(0, "BatchWriteItem", batch(&requests)).await;
    let mut refused = put(&full[0], "1");
    refused["PutRequest"]["Item"]["n"]["N"] = json!("1.5");
    assert_eq!(answer["UnprocessedItems"], json!({ TABLE: [refused, delete(&full[1])] }));
    assert_eq!(answer["ConsumedCapacity"][0]["CapacityUnits"], json!(2.0), "for what was done");
    for key in &open {
        assert_eq!(rig.value(0, key).await.as_deref(), Some("1"));
    }
    for key in &full {
        assert_eq!(rig.value(0, key).await.as_deref(), Some("before"), "what is unprocessed was not done");
    }

    let answer = rig.call(0, "BatchWriteItem", batch(&requests[1..2])).await;
    assert_eq!((answer.status, answer.error()), (400, "ProvisionedThroughputExceededException"), "{answer:?}");
    let single = json!({ "TableName": TABLE, "Item": { "k": { "S": full[0] } } });
    let answer = rig.call(0, "PutItem", single).await;
    assert_eq!((answer.status, answer.error()), (400, "ProvisionedThroughputExceededException"), "{answer:?}");
    assert_eq!(rig.nodes[0].counters().writes_refused, 4);

    drop(queue);
    let rest = rig.done(0, "BatchWriteItem", batch(&[put(&full[0], "1"), delete(&full[1])])).await;
    assert_eq!(rest["UnprocessedItems"], json!({}));
    assert_eq!(rig.value(0, &full[0]).await.as_deref(), Some("1"));
    assert_eq!(rig.value(0, &full[1]).await, None);
    rig.stop().await;
}
