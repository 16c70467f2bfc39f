//! Writes that reach the leader by way of another node, and what that node knows of them when their time is over.

use futures::future::join_all;

use crate::env::Env;
use crate::env::sim::{SimEnv, run};
use crate::node::tests::cluster::world::{Plan, REQUEST_DEADLINE, World};
use crate::node::tests::fixture::{applied_value, put};
use crate::shard::{ENTRIES_IN_FLIGHT_MAX, ENTRY_BYTES_MAX, ShardError};

/// The leader's disk stands still for longer than a request may take: what waited behind the entries under way was not
/// done, and the node that had asked for it hears so in time.
#[test]
fn writes_withdrawn_at_the_leader_are_not_done() {
    const WAITING: usize = 20;
    run(83, async {
        let world = World::found(Plan::default()).await;
        let leader = world.some_leader().await;
        let other = world.others(leader)[0];
        let asked = world.node(other).expect("it runs");
        world.machine(leader).freeze_disk_after(0);
        let value = "x".repeat(ENTRY_BYTES_MAX);
        let writes = async {
            let keys: Vec<String> = (0..ENTRIES_IN_FLIGHT_MAX + WAITING).map(|number| number.to_string()).collect();
            let results = join_all(keys.iter().map(|key| put(&asked, key, &value))).await;
            let is_refused = |result: &Result<(), ShardError>| *result == Err(ShardError::Overloaded);
            let refused: Vec<&String> =
                keys.iter().zip(&results).filter(|(_, result)| is_refused(result)).map(|(key, _)| key).collect();
            assert_eq!(refused.len(), WAITING, "{results:?}");
            world.machine(leader).thaw_disk();
            SimEnv::sleep(REQUEST_DEADLINE).await;
            put(&asked, "later", "the disk goes on").await.expect("it has passed");
            SimEnv::sleep(REQUEST_DEADLINE).await;
            assert!(applied_value(&asked, "later").is_some());
            for key in refused {
                assert_eq!(applied_value(&asked, key), None, "{key}");
            }
        };
        world.machine(other).scope(writes).await;
    });
}
