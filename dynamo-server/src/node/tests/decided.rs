//! A transaction whose record shard has index entries on their way: the other shards do not wait for them, the client
//! does.

use std::time::Duration;

use dynamo_engine::apply::Outcome;
use dynamo_engine::catalog::Catalog;
use dynamo_engine::command::{Change, Command, ItemWrite, Transaction};
use dynamo_engine::item::ItemBody;
use dynamo_engine::keyspace::{KeyPart, row_key, token_of};
use shard_router::{ShardId, Token};

use super::fixture::proposed;
use super::outbox::{SHARDS, TABLE, by_g, create_table, index_rows, item, start_alone};
use crate::env::Env;
use crate::env::sim::{SimEnv, SimNode, run};
use crate::node::Node;
use crate::shard::QUEUE_BYTES_MAX;

/// For so long the index's shard takes nothing.
const STUCK: Duration = Duration::from_millis(600);

/// Long enough for a transaction, and much shorter than that.
const QUICK: Duration = Duration::from_millis(100);

/// The first of these names whose token lies on this shard.
fn on_shard(node: &Node<SimEnv>, shard: u32, token: impl Fn(u64) -> Token) -> u64 {
    (0..).find(|number| node.router.shard_of(token(*number)).id() == ShardId(shard)).expect("every shard has keys")
}

#[test]
fn locks_elsewhere_are_released_before_index_entries_of_the_record_shard_arrive() {
    run(81, async {
        let machine = SimNode::new(1, SHARDS);
        let node = start_alone(&machine).await;
        machine
            .scope(async {
                create_table(&node, vec![by_g()]).await;
                let table = node.catalog.installed().table(TABLE).expect("it serves");
                let of_item = |number: u64| token_of(table.id.0, &[KeyPart::S(&format!("k{number}"))]);
                let index = table.indexes[0].id.0;
                let of_group = |number: u64| token_of(index, &[KeyPart::S(&format!("g{number}"))]);
                let (first, other) = (on_shard(&node, 0, of_item), on_shard(&node, 1, of_item));
                let group = on_shard(&node, 2, of_group);
                let write = |number: u64, group: Option<u64>| {
                    let id = format!("k{number}");
                    ItemWrite {
                        table: table.id,
                        schema_version: table.schema_version,
                        key: row_key(table.id.0, &[KeyPart::S(&id)], &[]),
                        condition: None,
                        change: Change::Put(ItemBody::encode(&item(&id, group, 1))),
                    }
                };
                let actions = vec![write(first, Some(group)), write(other, None)];
                let transact = Command::Transact(Transaction { client_token: None, actions });

                // Neither new work nor the end of what was begun has room there.
                let stuck = node
                    .router
                    .shard(ShardId(2))
                    .expect("there are four")
                    .sequencer()
                    .faults()
                    .occupy(2 * QUEUE_BYTES_MAX);
                let began_ns = SimEnv::monotonic_ns();
                let released = async {
                    SimEnv::sleep(QUICK).await;
                    let locks: Vec<u64> =
                        node.router.shards.iter().map(|shard| shard.group().published().locks()).collect();
                    let [expected, found] = index_rows(&node);
                    assert_eq!((expected.len(), found.len()), (1, 0), "it is committed, and the entry on its way");
                    assert_eq!(locks, [0; SHARDS as usize], "nobody waits for it");
                    SimEnv::sleep(STUCK - QUICK).await;
                    drop(stuck);
                };
                let answer = proposed(&node, of_item(first), transact);
                let (answer, ()) = futures::join!(answer, released);
                assert!(matches!(answer, Ok(Outcome::Transacted { .. })), "{answer:?}");
                assert!(SimEnv::monotonic_ns() - began_ns >= STUCK.as_nanos() as u64, "the client waits");
                let [expected, found] = index_rows(&node);
                assert_eq!(expected, found, "and finds it in the index");
                assert_eq!(node.counters().index_ahead, 0);
            })
            .await;
    });
}
