//! How many commands a transaction takes: the work is counted, not timed.

use std::sync::Arc;
use std::time::Duration;

use super::{
    REQUEST_DEADLINE, SHARDS, add_all, create_table, left_behind, one_on_each_shard, start, token_on, transact,
};
use crate::env::sim::{SimEnv, SimNode, run};
use crate::env::{Env, Storage};
use crate::node::{Node, NodeOptions};

/// After this nothing of a transaction is left to do.
const REST: Duration = Duration::from_millis(100);

/// The commands that one transaction adds to the logs, and whether it was recognised.
async fn cost(node: &Node<SimEnv>, ids: &[String], token: Option<&str>) -> (u64, bool) {
    let before = node.counters().commands;
    let body = transact(node, &add_all(ids), token).await.unwrap().unwrap();
    SimEnv::sleep(REST).await;
    assert_eq!(left_behind(node), (0, 0));
    (node.counters().commands - before, body.contains("ReadCapacityUnits"))
}

fn on(shards: &[usize], ids: &[String]) -> Vec<String> {
    shards.iter().map(|shard| ids[*shard].clone()).collect()
}

#[test]
fn on_one_shard_it_is_one_command_with_or_without_a_token() {
    run(181, async {
        let machine = SimNode::new(1, 1);
        let options = NodeOptions {
            storage: Storage::Memory,
            shards: 1,
            request_deadline: REQUEST_DEADLINE,
            ..NodeOptions::default()
        };
        let node: Arc<Node<SimEnv>> =
            machine.scope(Node::start(options, SimEnv::new(&machine))).await.expect("a node starts");
        machine
            .scope(async {
                create_table(&node).await;
                let ids = ["a", "b", "c", "d"].map(str::to_owned);
                SimEnv::sleep(REST).await;
                assert_eq!(cost(&node, &ids, None).await, (1, false));
                for number in 0..8 {
                    let token = format!("token-{number}");
                    assert_eq!(cost(&node, &ids, Some(&token)).await, (1, false));
                    assert_eq!(cost(&node, &ids, Some(&token)).await, (1, true));
                }
            })
            .await;
    });
}

/// `n` shards take part, the token's among them: a prepare each, one decision, a resolve each but on the record shard,
/// one forget.
#[test]
fn on_several_shards_the_token_counts_as_one_more_item() {
    run(182, async {
        let machine = SimNode::new(1, SHARDS);
        let node = start(&machine).await;
        machine
            .scope(async {
                create_table(&node).await;
                let ids = one_on_each_shard(&node, "a");
                SimEnv::sleep(REST).await;
                let across = |shards: u64| 2 * shards + 1;
                for (items, token_at, expected) in [
                    (&[2][..], None, 1),
                    (&[2], Some(2), 1),
                    (&[2], Some(1), across(2)),
                    (&[1, 2], None, across(2)),
                    (&[1, 2], Some(2), across(2)),
                    (&[1, 2], Some(0), across(3)),
                    (&[0, 1, 2, 3], None, across(4)),
                    (&[0, 1, 2, 3], Some(3), across(4)),
                ] {
                    let token = token_at.map(|shard| token_on(&node, shard, &format!("{items:?}-")));
                    let found = cost(&node, &on(items, &ids), token.as_deref()).await;
                    assert_eq!(found, (expected, false), "items on {items:?}, the token on {token_at:?}");
                }
                // Recognised: prepares, and each item's shard lets go. What the replay costs stands beside the token.
                let token = token_on(&node, 1, "[2]-");
                assert_eq!(cost(&node, &on(&[2], &ids), Some(&token)).await, (2 + 1, true));
                let token = token_on(&node, 2, "[2]-");
                assert_eq!(cost(&node, &on(&[2], &ids), Some(&token)).await, (1, true));
            })
            .await;
    });
}
