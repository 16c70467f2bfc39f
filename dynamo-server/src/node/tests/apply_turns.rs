//! How long applying keeps its thread, counted in bytes of rows: ticks and heartbeats of the group wait for no more.

use dynamo_engine::command::Command;
use dynamo_protocol::ops::UpdateItemInput;
use futures::future::join_all;

use super::fixture::{TABLE, put, start_alone};
use crate::env::sim::run;
use crate::raft::WORK_PER_TURN_MAX;
use crate::shard::ENTRY_EFFECT_BYTES_MAX;

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
                    let plan = dynamo_engine::plan::update_item::plan(input, &*node.catalog()).unwrap();
                    let write = plan.writes.into_iter().next().unwrap();
                    assert!(matches!(write.command, Command::Write(_)));
                    updates.push(node.propose(write.token, write.command, node.deadline()));
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
