//! A stream's life on one node, over several shards, on virtual time: rolled over, trimmed, over, forgotten.

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::catalog::{Catalog, StreamStatus};
use dynamo_engine::keyspace::{Space, id_prefix};
use dynamo_engine::stream::{
    SequenceNumber, StreamId, StreamPolicy, StreamRequest, StreamResponse, StreamShard, StreamStart,
};
use dynamo_protocol::ops::Operation;
use ordered_kv::{Direction, KeyRange, Reader};

use super::ddl::{named, put, send};
use crate::env::sim::{SimEnv, SimNode, run};
use crate::env::{Env, Storage};
use crate::guard::Handler;
use crate::node::{Node, NodeOptions};

const SHARDS: u32 = 3;
const POLICY: StreamPolicy = StreamPolicy { roll_ms: 10_000, roll_bytes: u64::MAX, retention_ms: 60_000 };

async fn start(machine: &Arc<SimNode>) -> Arc<Node<SimEnv>> {
    let options = NodeOptions { storage: Storage::Memory, shards: SHARDS, streams: POLICY, ..NodeOptions::default() };
    machine.scope(Node::start(options, SimEnv::new(machine))).await.expect("a node starts")
}

/// The table with a stream, and an item put every second for so long.
async fn fill(node: &Arc<Node<SimEnv>>, seconds: u64) -> StreamId {
    let create = r#"{"TableName":"gone","BillingMode":"PAY_PER_REQUEST",
        "AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],
        "KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],
        "StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}}"#;
    send(&**node, Operation::CreateTable, create).await.expect("a table is created");
    for id in 0..seconds {
        let (operation, body) = put("gone", id);
        send(&**node, operation, &body).await.expect("an item is put");
        SimEnv::sleep(Duration::from_secs(1)).await;
    }
    node.catalog.installed().table("gone").and_then(|table| table.stream_id()).expect("the stream is on")
}

/// Numbers of the records that can be read, from the horizon of each shard on.
async fn read_all(node: &Node<SimEnv>, shards: &[StreamShard]) -> usize {
    let mut found = 0;
    for shard in shards {
        let (stream, id, from) = (shard.stream, shard.id, shard.horizon);
        let request = StreamRequest::Records { stream, shard: id, from, limit: 1000, bytes_max: 1 << 20 };
        let response = node.reader.ask_stream(Handler::GetRecords, id.data_shard, request, node.deadline()).await;
        match response.expect("the shard is led here") {
            StreamResponse::Records { records, next } => {
                assert_eq!(next.is_none(), !shard.is_open());
                found += records.len();
            }
            other => panic!("{other:?}"),
        }
    }
    found
}

fn rows(node: &Node<SimEnv>, stream: StreamId) -> usize {
    let reader: &dyn Reader = &*node.stores.state;
    let prefix = id_prefix(Space::Stream, stream.table.0);
    let mut rows = reader.cursor(KeyRange::prefix(&prefix), Direction::Forward).unwrap();
    let mut count = 0;
    while rows.next().unwrap().is_some() {
        count += 1;
    }
    count
}

#[test]
fn shards_roll_over_and_records_go_when_their_time_is_over() {
    let machine = SimNode::new(1, SHARDS);
    run(
        71,
        machine.scope(async {
            let node = start(&machine).await;
            let stream = fill(&node, 45).await;
            let shards = node.reader.stream_shards(stream, node.deadline()).await.unwrap();
            assert!(shards.is_sorted_by(|one, other| one.id < other.id));
            let open: Vec<&StreamShard> = shards.iter().filter(|shard| shard.is_open()).collect();
            assert_eq!(open.len(), SHARDS as usize, "one open shard on each data shard");
            assert!(shards.len() >= 4 * SHARDS as usize, "{} shards", shards.len());
            for shard in &shards {
                let children = shards.iter().filter(|child| child.parent == Some(shard.id)).count();
                assert_eq!(children, usize::from(!shard.is_open()), "a sealed shard has one child");
            }
            assert_eq!(read_all(&node, &shards).await, 45);
            let first = shards.iter().find(|shard| shard.parent.is_none()).expect("a chain begins").clone();
            SimEnv::sleep(Duration::from_secs(20)).await;
            let at = StreamStart::At(first.first);
            let locate = StreamRequest::Locate { stream, shard: first.id, start: at };
            let ask = |request| {
                node.reader.ask_stream(Handler::GetShardIterator, first.id.data_shard, request, node.deadline())
            };
            assert_eq!(ask(locate.clone()).await.unwrap(), StreamResponse::Trimmed);
            let left = node.reader.stream_shards(stream, node.deadline()).await.unwrap();
            let left = read_all(&node, &left).await;
            assert!((40..=42).contains(&left), "{left} records are left");
            assert_eq!(rows(&node, stream), left, "what cannot be read is gone");
            SimEnv::sleep(Duration::from_secs(60)).await;
            assert_eq!(ask(locate).await.unwrap(), StreamResponse::NoShard);
            assert_eq!(rows(&node, stream), 0);
            let shards = node.reader.stream_shards(stream, node.deadline()).await.unwrap();
            assert_eq!(shards.iter().filter(|shard| shard.is_open()).count(), SHARDS as usize);
            node.shutdown().await;
        }),
    );
}

#[test]
fn the_stream_of_a_table_that_is_gone_is_read_until_it_is_forgotten() {
    let machine = SimNode::new(1, SHARDS);
    run(
        72,
        machine.scope(async {
            let node = start(&machine).await;
            let stream = fill(&node, 9).await;
            let (operation, body) = named(Operation::DeleteTable, "gone");
            send(&*node, operation, &body).await.expect("the table is deleted");
            SimEnv::sleep(Duration::from_secs(5)).await;
            assert!(node.catalog.installed().described("gone").is_none());
            let described = node.catalog.installed().stream(stream).expect("it is kept");
            assert_eq!((described.table_name.as_str(), described.status), ("gone", StreamStatus::Disabled));
            let shards = node.reader.stream_shards(stream, node.deadline()).await.unwrap();
            assert!(shards.iter().all(|shard| !shard.is_open() && shard.last > Some(SequenceNumber::MIN)));
            assert_eq!(read_all(&node, &shards).await, 9);
            SimEnv::sleep(Duration::from_secs(70)).await;
            assert_eq!(node.catalog.installed().stream(stream), None);
            assert!(node.reader.stream_shards(stream, node.deadline()).await.unwrap().is_empty());
            assert_eq!((rows(&node, stream), node.counters().stream_bytes), (0, 0));
            node.shutdown().await;
        }),
    );
}
