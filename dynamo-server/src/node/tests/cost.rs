//! Where the work of a request is done.

use parking_lot::Mutex;
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use dynamo_engine::catalog::{
    DdlCommand, KeyAttribute, KeySchema, KeyType, StreamSettings, StreamView, TableDescriptor, TableId,
};
use dynamo_engine::context::RequestContext;
use dynamo_protocol::error::ErrorKind;
use dynamo_protocol::ops::Operation;

use super::ddl::{create, send};
use super::fixture::{self, TABLE};
use crate::env::sim::{SimEnv, SimNode, run};
use crate::env::{Storage, TokioEnv};
use crate::memory::Budget;
use crate::node::{INLINE_BYTES_MAX, Node, NodeOptions};
use crate::ops::Call;

fn put_item<'a>(node: &'a Arc<Node<TokioEnv>>, context: &'a RequestContext, body: &'a Bytes) -> Call<'a, TokioEnv> {
    Call {
        node,
        operation: Operation::PutItem,
        context,
        host: "localhost",
        body,
        deadline: node.deadline(),
        room: Mutex::default(),
    }
}

/// What a large body may become in memory counts while it is read, and where there is no room for it the request is throttled.
#[tokio::test]
async fn plans_of_large_bodies_count_while_they_run() {
    let memory = Budget::new(40 * INLINE_BYTES_MAX);
    let options = NodeOptions { storage: Storage::Memory, memory: Arc::clone(&memory), ..NodeOptions::default() };
    let node: Arc<Node<TokioEnv>> = Node::start(options, TokioEnv::new()).await.unwrap();
    let context = RequestContext::default();
    for (bytes, counted) in [(INLINE_BYTES_MAX, 0), (INLINE_BYTES_MAX + 1, 20 * INLINE_BYTES_MAX)] {
        let body = Bytes::from(vec![b' '; bytes]);
        let call = put_item(&node, &context, &body);
        let seen = Arc::clone(&memory);
        assert_eq!(call.decode(move |_| Ok(seen.bytes())).await.unwrap(), counted, "a body of {bytes} bytes");
        assert_eq!(memory.bytes(), 0, "it is given back");
        let others = memory.take(30 * INLINE_BYTES_MAX).unwrap();
        let refused = call.decode(|_| Ok(())).await.err();
        drop(others);
        assert_eq!(
            refused.map(|error| error.kind()),
            (counted > 0).then_some(ErrorKind::ProvisionedThroughputExceeded)
        );
    }
    node.shutdown().await;
}

/// On a runtime of one thread, as an event loop is.
#[tokio::test]
async fn plans_of_large_bodies_do_not_block_an_event_loop() {
    let options = NodeOptions { storage: Storage::Memory, ..NodeOptions::default() };
    let node: Arc<Node<TokioEnv>> = Node::start(options, TokioEnv::new()).await.unwrap();
    let context = RequestContext::default();
    for (bytes, is_here) in [(0, true), (INLINE_BYTES_MAX, true), (INLINE_BYTES_MAX + 1, false)] {
        let body = Bytes::from(vec![b' '; bytes]);
        let call = put_item(&node, &context, &body);
        let made = call.decode(|body| Ok((thread::current().id(), body.len()))).await.unwrap();
        assert_eq!(made.1, bytes);
        assert_eq!(made.0 == thread::current().id(), is_here, "a body of {bytes} bytes");
    }

    let (operation, body) = create("items");
    send(&node, operation, &body).await.unwrap();
    let long = "x".repeat(2 * INLINE_BYTES_MAX);
    let body = format!(r#"{{"TableName":"items","Item":{{"id":{{"S":"1"}},"long":{{"S":"{long}"}}}}}}"#);
    assert_eq!(send(&node, Operation::PutItem, &body).await.unwrap(), "{}");
    let body = r#"{"TableName":"items","Key":{"id":{"S":"1"}}}"#;
    assert!(send(&node, Operation::GetItem, body).await.unwrap().contains(&long));
    let body = format!(r#"{{"TableName":"missing","Item":{{"id":{{"S":"1"}},"long":{{"S":"{long}"}}}}}}"#);
    let error = send(&node, Operation::PutItem, &body).await.unwrap_err();
    assert_eq!(error.message(), "Requested resource not found");
    node.shutdown().await;
}

/// Proposals, commands and syncs of some puts; records that they leave.
async fn puts(view: Option<StreamView>) -> ([u64; 3], u64) {
    let machine = SimNode::new(1, 1);
    let options = NodeOptions { storage: Storage::Memory, ..NodeOptions::default() };
    let node = machine.scope(Node::start(options, SimEnv::new(&machine))).await.expect("a node starts");
    let keys =
        KeySchema { partition: vec![KeyAttribute { name: "id".to_owned(), kind: KeyType::S }], sort: Vec::new() };
    let mut table = TableDescriptor::new(TableId(0), TABLE, keys);
    table.stream = view.map(|view| StreamSettings { enabled: true, view, since_ms: 0 });
    let create = DdlCommand::CreateTable(Box::new(table));
    machine.scope(node.catalog.change(create, node.deadline())).await.expect("a table is created");
    let before = node.counters();
    for value in ["1", "2", "2", "3"] {
        machine.scope(fixture::put(&node, "key", value)).await.expect("an item is put");
    }
    let after = node.counters();
    let counts =
        [after.proposals - before.proposals, after.commands - before.commands, after.log_syncs - before.log_syncs];
    (counts, after.stream_records)
}

/// A stream's records come in the batch of the write: nothing is proposed or synced for them.
#[test]
fn a_stream_costs_no_proposal_and_no_sync() {
    let (without, none) = run(61, puts(None));
    assert_eq!((without, none), ([4, 4, without[2]], 0));
    for view in [StreamView::KeysOnly, StreamView::NewAndOldImages] {
        assert_eq!(run(61, puts(Some(view))), (without, 3), "{view:?}");
    }
}
