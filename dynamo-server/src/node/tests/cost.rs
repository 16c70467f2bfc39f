//! Where the work of a request is done.

use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use dynamo_engine::context::RequestContext;
use dynamo_protocol::ops::Operation;

use super::ddl::{create, send};
use crate::env::{Storage, TokioEnv};
use crate::node::{INLINE_BYTES_MAX, Node, NodeOptions};
use crate::ops::Call;

/// On a runtime of one thread, as an event loop is.
#[tokio::test]
async fn what_is_made_of_a_large_body_holds_no_loop_up() {
    let options = NodeOptions { storage: Storage::Memory, ..NodeOptions::default() };
    let node: Arc<Node<TokioEnv>> = Node::start(options, TokioEnv::new()).await.unwrap();
    let context = RequestContext::default();
    for (bytes, is_here) in [(0, true), (INLINE_BYTES_MAX, true), (INLINE_BYTES_MAX + 1, false)] {
        let body = Bytes::from(vec![b' '; bytes]);
        let (operation, deadline) = (Operation::PutItem, node.deadline());
        let call = Call { node: &node, operation, context: &context, host: "localhost", body: &body, deadline };
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
