//! How long applying keeps its thread, counted in bytes of rows and steps of expressions: ticks and heartbeats of the group,
//! and on small machines connections, wait for no more.

use std::collections::BTreeSet;

use dynamo_engine::command::Command;
use dynamo_protocol::ops::{Operation, UpdateItemInput};
use futures::future::join_all;

use super::ddl::send;
use super::fixture::{TABLE, proposed, put, start_alone};
use crate::attacks;
use crate::env::sim::{SimEnv, SimNode, run};
use crate::node::{Node, NodeOptions};
use crate::raft::WORK_PER_TURN_MAX;
use crate::shard::ENTRY_EFFECT_BYTES_MAX;
use dynamo_protocol::limits::ITEM_BYTES_MAX;

/// Large enough that a few updates are a turn, small enough for all of them to be made quickly.
const ITEM_BYTES: usize = 300 << 10;
const ITEMS: usize = 64;

#[test]
fn small_updates_of_large_items_let_others_run_in_between() {
    run(77, async {
        let (machine, node) = start_alone().await;
        machine
            .scope(async {
                for number in 0..ITEMS {
                    put(&node, &format!("item-{number}"), &"x".repeat(ITEM_BYTES)).await.unwrap();
                }
                let before = node.counters();
                let mut updates = Vec::new();
                for number in 0..ITEMS {
                    let request = format!(
                        r#"{{"TableName":"{TABLE}","Key":{{"id":{{"S":"item-{number}"}}}},"UpdateExpression":"ADD n :n","ExpressionAttributeValues":{{":n":{{"N":"1"}}}}}}"#
                    );
                    let input = UpdateItemInput::from_json(request.as_bytes()).unwrap();
                    let plan = dynamo_engine::plan::update_item::plan(input, &*node.catalog.installed()).unwrap();
                    let write = plan.writes.into_iter().next().unwrap();
                    assert!(matches!(write.command, Command::Write(_)));
                    updates.push(proposed(&node, write.token, write.command));
                }
                assert!(join_all(updates).await.iter().all(Result::is_ok));
                let after = node.counters();
                // One command more than fits may be in a turn.
                let bound = (WORK_PER_TURN_MAX + 3 * ITEM_BYTES) as u64;
                let largest = after.apply_turn_bytes_max;
                assert!(largest >= WORK_PER_TURN_MAX as u64 && largest <= bound, "{largest} bytes in one turn");
                // By what the puts have touched, several entries are needed; and they are shared.
                let entries = (after.proposals - before.proposals) as usize;
                let by_effect = ITEMS * ITEM_BYTES / ENTRY_EFFECT_BYTES_MAX;
                assert!(entries >= by_effect && entries < ITEMS, "{entries} entries");
            })
            .await;
    });
}

/// A turn may end with a command that was begun when it was all but over, and with the row that this one stumbled over.
const TURN_MAX: u64 = (2 * WORK_PER_TURN_MAX + ITEM_BYTES_MAX) as u64;

/// Sends the worst requests of these operations, those that are wrong included; the operations that were sent.
async fn attack(node: &Node<SimEnv>) -> BTreeSet<&'static str> {
    for (name, body) in attacks::preparations() {
        send(node, operation(name), &body).await.expect("what is prepared is right");
    }
    let mut sent = BTreeSet::new();
    for attack in attacks::corpus() {
        // What it is answered is tested elsewhere.
        let _ = send(node, operation(attack.operation), &attack.body).await;
        sent.insert(attack.operation);
        let largest = node.counters().apply_turn_bytes_max;
        assert!(largest <= TURN_MAX, "{}, {}: {largest} bytes and steps in one turn", attack.operation, attack.name);
    }
    sent
}

fn operation(name: &str) -> Operation {
    Operation::ALL.iter().copied().find(|operation| operation.name() == name).expect("an operation")
}

/// A condition that looks through 400 KB again and again: 60 million steps, some 60 ms.
fn long_condition() -> String {
    let condition = vec!["contains(s, :v)"; 147].join(" OR ");
    format!(
        r#"{{"TableName":"attacked","Key":{{"pk":{{"S":"text"}}}},"ConditionExpression":"{condition}",
            "ExpressionAttributeValues":{{":v":{{"S":"b"}}}}}}"#
    )
}

/// A transaction of puts of 30 items of 100 KB.
fn large_transaction() -> String {
    let put = |number: usize| {
        let value = "y".repeat(100_000);
        format!(r#"{{"Put":{{"TableName":"attacked","Item":{{"pk":{{"S":"t{number}"}},"v":{{"S":"{value}"}}}}}}}}"#)
    };
    format!(r#"{{"TransactItems":[{}]}}"#, (0..30).map(put).collect::<Vec<_>>().join(","))
}

#[test]
fn no_request_holds_its_thread_up_while_it_is_applied() {
    run(78, async {
        let machine = SimNode::new(1, 1);
        let options = NodeOptions::default();
        let node = machine.scope(Node::start(options, SimEnv::new(&machine))).await.unwrap();
        machine
            .scope(async {
                let sent = attack(&node).await;
                assert!(sent.len() > 20, "{sent:?}");
                let ordinary = node.counters();
                assert!(ordinary.long_commands < 40, "{} commands went to another thread", ordinary.long_commands);
                for (operation, body) in
                    [(Operation::DeleteItem, long_condition()), (Operation::TransactWriteItems, large_transaction())]
                {
                    let before = node.counters().long_commands;
                    let answer = send(&node, operation, &body).await;
                    assert_eq!(node.counters().long_commands, before + 1, "{operation:?}: {answer:?}");
                    assert!(node.counters().apply_turn_bytes_max <= TURN_MAX);
                }
                let condition_failed = send(&node, Operation::DeleteItem, &long_condition()).await.unwrap_err();
                assert!(condition_failed.to_string().contains("conditional request failed"), "{condition_failed}");
            })
            .await;
    });
}
