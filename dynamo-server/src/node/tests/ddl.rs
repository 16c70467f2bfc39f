//! Tables over several shards of one node: created, changed, deleted and created again, under writes and power cuts.

use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dynamo_engine::catalog::Catalog;
use dynamo_engine::context::RequestContext;
use dynamo_engine::keyspace::{RowKey, Space};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::Operation;
use ordered_kv::{Direction, KeyRange};

use crate::env::sim::{SimEnv, SimNode, chance_below, run};
use crate::env::{Env, Storage};
use crate::node::{Node, NodeOptions};
use crate::ops::{Call, dispatch};

const SHARDS: u32 = 4;

/// How long what is left to do may take, on virtual time.
const SETTLE_MAX: Duration = Duration::from_secs(30);

async fn start(machine: &Arc<SimNode>) -> Arc<Node<SimEnv>> {
    let options = NodeOptions { storage: Storage::Memory, shards: SHARDS, ..NodeOptions::default() };
    machine.scope(Node::start(options, SimEnv::new(machine))).await.expect("a node starts")
}

/// A request as the front makes it.
pub async fn send<E: Env>(node: &Node<E>, operation: Operation, body: &str) -> Result<String, ApiError> {
    let context = RequestContext::default();
    let deadline = node.deadline();
    let body = Bytes::copy_from_slice(body.as_bytes());
    let call =
        Call { node, operation, context: &context, host: "localhost", body: &body, deadline, room: Mutex::default() };
    dispatch(&call).await.map(|body| String::from_utf8(body).expect("a reply is text"))
}

pub fn create(table: &str) -> (Operation, String) {
    let body = format!(
        r#"{{"TableName":"{table}","BillingMode":"PAY_PER_REQUEST",
            "AttributeDefinitions":[{{"AttributeName":"id","AttributeType":"S"}}],
            "KeySchema":[{{"AttributeName":"id","KeyType":"HASH"}}]}}"#
    );
    (Operation::CreateTable, body)
}

pub fn put(table: &str, id: u64) -> (Operation, String) {
    let body = format!(r#"{{"TableName":"{table}","Item":{{"id":{{"S":"{id}"}},"owner":{{"S":"{}"}}}}}}"#, id % 3);
    (Operation::PutItem, body)
}

fn get(table: &str, id: u64) -> (Operation, String) {
    (Operation::GetItem, format!(r#"{{"TableName":"{table}","Key":{{"id":{{"S":"{id}"}}}}}}"#))
}

pub fn named(operation: Operation, table: &str) -> (Operation, String) {
    (operation, format!(r#"{{"TableName":"{table}"}}"#))
}

pub fn add_index(table: &str) -> (Operation, String) {
    let body = format!(
        r#"{{"TableName":"{table}","AttributeDefinitions":[{{"AttributeName":"owner","AttributeType":"S"}}],
            "GlobalSecondaryIndexUpdates":[{{"Create":{{"IndexName":"by_owner",
                "KeySchema":[{{"AttributeName":"owner","KeyType":"HASH"}}],
                "Projection":{{"ProjectionType":"ALL"}}}}}}]}}"#
    );
    (Operation::UpdateTable, body)
}

fn drop_index(table: &str) -> (Operation, String) {
    let body =
        format!(r#"{{"TableName":"{table}","GlobalSecondaryIndexUpdates":[{{"Delete":{{"IndexName":"by_owner"}}}}]}}"#);
    (Operation::UpdateTable, body)
}

fn protect(table: &str, on: bool) -> (Operation, String) {
    (Operation::UpdateTable, format!(r#"{{"TableName":"{table}","DeletionProtectionEnabled":{on}}}"#))
}

async fn ask(node: &Node<SimEnv>, (operation, body): (Operation, String)) -> Result<String, ApiError> {
    send(node, operation, &body).await
}

/// Waits until nothing is left to do about any table.
async fn settled(node: &Node<SimEnv>) {
    let waited = tokio::time::timeout(SETTLE_MAX, async {
        while !node.catalog.installed().unfinished().is_empty() {
            SimEnv::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never done: {:?}", node.catalog.installed()));
}

/// What is wrong with what the shards have: each must have exactly the system group's tables, and no row may belong to
/// anything else.
pub fn faults<E: Env>(node: &Node<E>) -> Vec<String> {
    let mut faults = Vec::new();
    let catalog = node.catalog.installed();
    let tables: Vec<_> = catalog.tables().cloned().collect();
    for shard in &node.router.shards {
        let installed: Vec<_> = shard.group().published().catalog().tables().cloned().collect();
        if installed != tables {
            faults.push(format!("shard {} has {installed:?}, not {tables:?}", shard.id().0));
        }
    }
    let ids: BTreeSet<u64> = tables
        .iter()
        .flat_map(|table| std::iter::once(table.id.0).chain(table.indexes.iter().map(|index| index.id.0)))
        .collect();
    let rows = KeyRange::between(&[Space::Rows as u8], &[0xff]);
    let mut cursor = node.stores.state.cursor(rows, Direction::Forward).unwrap();
    while let Some((key, _)) = cursor.next().unwrap() {
        let row = RowKey::parse(key).expect("a row's key");
        if !ids.contains(&row.id()) {
            faults.push(format!("a row in space {:#x} of {}, which is gone", row.space(), row.id()));
        }
    }
    faults
}

fn status(described: &str) -> &str {
    let (_, rest) = described.split_once(r#""TableStatus":""#).expect("a description has a status");
    rest.split('"').next().expect("a text ends")
}

#[test]
fn a_table_is_active_when_its_creation_is_answered_and_gone_when_its_deletion_is() {
    run(1, async {
        let machine = SimNode::new(1, SHARDS);
        let node = start(&machine).await;
        let check = async {
            let created = ask(&node, create("things")).await.unwrap();
            assert_eq!(status(&created), "CREATING");
            let described = ask(&node, named(Operation::DescribeTable, "things")).await.unwrap();
            assert_eq!(status(&described), "ACTIVE");
            assert_eq!(faults(&node), [""; 0]);
            for id in 0..40 {
                ask(&node, put("things", id)).await.unwrap();
            }
            let busy = node.router.shards.iter().filter(|shard| shard.group().published().applied_next() > 4).count();
            assert_eq!(busy, SHARDS as usize, "a table is on all shards");
            let described = ask(&node, named(Operation::DescribeTable, "things")).await.unwrap();
            assert!(described.contains(r#""ItemCount":40"#), "{described}");

            let again = ask(&node, create("things")).await.unwrap_err();
            assert_eq!(again.message(), "Table already exists: things");
            let deleted = ask(&node, named(Operation::DeleteTable, "things")).await.unwrap();
            assert_eq!(status(&deleted), "DELETING");
            let missing = ask(&node, named(Operation::DescribeTable, "things")).await.unwrap_err();
            assert_eq!(missing.message(), "Requested resource not found: Table: things not found");
            assert_eq!(faults(&node), [""; 0]);

            ask(&node, create("things")).await.unwrap();
            for id in 0..40 {
                assert_eq!(ask(&node, get("things", id)).await.unwrap(), "{}", "a new table has no old rows");
            }
        };
        machine.scope(check).await;
    });
}

/// The shards' groups cannot answer while their disk hangs; what was decided waits for them.
#[test]
fn a_table_that_not_every_shard_has_is_being_created_or_deleted() {
    run(2, async {
        let machine = SimNode::new(1, SHARDS);
        let node = start(&machine).await;
        let check = async {
            // The decision is synced; what is told to the shards is not.
            machine.freeze_disk_after(1);
            let created = ask(&node, create("things")).await.unwrap();
            assert_eq!(status(&created), "CREATING");
            let described = ask(&node, named(Operation::DescribeTable, "things")).await.unwrap();
            assert_eq!(status(&described), "CREATING");
            let refused = ask(&node, put("things", 1)).await.unwrap_err();
            assert_eq!(refused.message(), "Requested resource not found");
            let refused = ask(&node, named(Operation::DeleteTable, "things")).await.unwrap_err();
            let in_use = "Attempt to change a resource which is still in use: Table is being created: things";
            assert_eq!(refused.message(), in_use);
            let listed = send(&node, Operation::ListTables, "{}").await.unwrap();
            assert_eq!(listed, r#"{"TableNames":["things"]}"#);
            machine.thaw_disk();
            settled(&node).await;
            let described = ask(&node, named(Operation::DescribeTable, "things")).await.unwrap();
            assert_eq!(status(&described), "ACTIVE");
            ask(&node, put("things", 1)).await.unwrap();

            machine.freeze_disk_after(1);
            ask(&node, named(Operation::DeleteTable, "things")).await.unwrap();
            let described = ask(&node, named(Operation::DescribeTable, "things")).await.unwrap();
            assert_eq!(status(&described), "DELETING");
            let refused = ask(&node, get("things", 1)).await.unwrap_err();
            assert_eq!(refused.message(), "Requested resource not found");
            machine.thaw_disk();
            settled(&node).await;
            assert!(ask(&node, named(Operation::DescribeTable, "things")).await.is_err());
            assert_eq!(faults(&node), [""; 0]);
        };
        machine.scope(check).await;
    });
}

/// A client's way through the life of two tables. Each step is answered, or the machine is off.
fn script() -> Vec<(Operation, String)> {
    let mut steps = vec![create("aaa")];
    steps.extend((0..12).map(|id| put("aaa", id)));
    steps.extend([create("bbb"), add_index("aaa"), put("bbb", 1), protect("aaa", true), put("aaa", 13)]);
    steps.extend([named(Operation::DeleteTable, "bbb"), create("bbb"), put("bbb", 2), protect("aaa", false)]);
    steps
}

/// Each durable step of the work is the last one once.
#[test]
fn a_power_cut_at_any_step_leaves_work_that_is_finished_afterwards() {
    let mut unfinished = 0;
    for syncs in 0..70 {
        unfinished += u64::from(cut_after(syncs));
    }
    assert!(unfinished >= 10, "only {unfinished} cuts left anything to do");
}

/// Whether something was left to do when the power came back.
fn cut_after(syncs: u64) -> bool {
    run(syncs, async move {
        let machine = SimNode::new(1, SHARDS);
        let node = start(&machine).await;
        machine.freeze_disk_after(syncs);
        let answered = Arc::new(AtomicU64::new(0));
        let client = {
            let (node, answered) = (Arc::clone(&node), Arc::clone(&answered));
            machine.spawn(async move {
                for step in script() {
                    // While the disk hangs a table may be in the making, or there is no answer at all.
                    if ask(&node, step).await.is_err() {
                        return;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        tokio::time::sleep(Duration::from_secs(3)).await;
        client.abort();
        drop(node);
        machine.kill().await;
        machine.thaw_disk();

        let node = start(&machine).await;
        let answered = answered.load(Ordering::Relaxed) as usize;
        let check = async {
            let was_unfinished = !node.catalog.installed().unfinished().is_empty();
            settled(&node).await;
            assert_eq!(faults(&node), [""; 0], "after {syncs} syncs");
            let steps = script();
            // What was answered is there, unless the step under way may have taken it away.
            for id in 0..12 {
                let is_written = steps[..answered].contains(&put("aaa", id));
                let found = ask(&node, get("aaa", id)).await;
                assert!(!is_written || found.is_ok_and(|found| found.contains("Item")), "{id} after {syncs} syncs");
            }
            let old = ask(&node, get("bbb", 1)).await;
            let is_deleted = steps[..answered].contains(&named(Operation::DeleteTable, "bbb"));
            assert!(!is_deleted || !old.is_ok_and(|found| found.contains("Item")), "a row of the old table is back");
            // Everything can go on from here.
            for table in ["aaa", "bbb"] {
                drop(ask(&node, protect(table, false)).await);
                drop(ask(&node, named(Operation::DeleteTable, table)).await);
                settled(&node).await;
                ask(&node, create(table)).await.unwrap();
                assert_eq!(ask(&node, get(table, 1)).await.unwrap(), "{}");
            }
            assert_eq!(faults(&node), [""; 0], "after {syncs} syncs");
            was_unfinished
        };
        machine.scope(check).await
    })
}

/// Writers never stop; the table under them is created, changed, deleted and created again.
#[test]
fn writes_go_on_while_a_table_comes_and_goes() {
    for seed in 0..6 {
        run(seed, async move {
            let machine = SimNode::new(1, SHARDS);
            let node = start(&machine).await;
            let (stopped, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
            let mut writers = Vec::new();
            for writer in 0..6 {
                let (node, stopped, written) = (Arc::clone(&node), Arc::clone(&stopped), Arc::clone(&written));
                writers.push(machine.spawn(async move {
                    let mut id = writer;
                    while !stopped.load(Ordering::Relaxed) {
                        id += 6;
                        match ask(&node, put("things", id)).await {
                            Ok(_) => drop(written.fetch_add(1, Ordering::Relaxed)),
                            Err(error) => assert_eq!(error.message(), "Requested resource not found"),
                        }
                        SimEnv::sleep(Duration::from_micros(chance_below(2_000))).await;
                    }
                }));
            }
            let changes = async {
                for _ in 0..4 {
                    ask(&node, create("things")).await.unwrap();
                    let before = written.load(Ordering::Relaxed);
                    for on in [true, false, true, false] {
                        ask(&node, protect("things", on)).await.unwrap();
                        SimEnv::sleep(Duration::from_millis(chance_below(10))).await;
                    }
                    assert!(written.load(Ordering::Relaxed) > before, "writers get on while a table changes");
                    ask(&node, named(Operation::DeleteTable, "things")).await.unwrap();
                    assert_eq!(faults(&node), [""; 0], "seed {seed}: gone is gone");
                }
            };
            machine.scope(changes).await;
            stopped.store(true, Ordering::Relaxed);
            for writer in writers {
                writer.await.expect("every refusal is DynamoDB's");
            }
            assert_eq!(faults(&node), [""; 0], "seed {seed}");
            assert!(node.catalog.installed().table("things").is_none());
        });
    }
}

/// An index is built over rows of all shards, taken through its states and away again.
#[test]
fn an_index_is_built_and_dropped_on_all_shards() {
    run(7, async {
        let machine = SimNode::new(1, SHARDS);
        let node = start(&machine).await;
        let check = async {
            ask(&node, create("things")).await.unwrap();
            for id in 0..60 {
                ask(&node, put("things", id)).await.unwrap();
            }
            ask(&node, add_index("things")).await.unwrap();
            settled(&node).await;
            let described = ask(&node, named(Operation::DescribeTable, "things")).await.unwrap();
            assert!(described.contains(r#""IndexStatus":"ACTIVE""#), "{described}");
            assert_eq!(faults(&node), [""; 0]);
            ask(&node, drop_index("things")).await.unwrap();
            settled(&node).await;
            let described = ask(&node, named(Operation::DescribeTable, "things")).await.unwrap();
            assert!(!described.contains("by_owner"), "{described}");
            assert_eq!(faults(&node), [""; 0], "its rows went with it");
        };
        machine.scope(check).await;
    });
}
