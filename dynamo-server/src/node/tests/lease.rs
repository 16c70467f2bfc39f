//! The lease from the reader's side: what a guard lets through while a leader is new, and when it is no leader any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::command::Command;
use shard_router::{ShardId, ShardMap};
use tokio::sync::Semaphore;

use crate::env::Env;
use crate::env::sim::{SimEnv, SimNode, run};
use crate::env::{Storage, StoreOptions, Stores};
use crate::guard::{Handler, LeaseGuard, ReadMode};
use crate::node::{FaultSignal, REQUEST_DEADLINE};
use crate::raft::snapshot::SNAPSHOT_CHUNK_BYTES;
use crate::raft::types::Member;
use crate::raft::{Group, GroupContext, Pace, RecoveredGroup, Wal, WallClocks};
use crate::shard::{Deadline, Shard, ShardError};

/// A shard of a sole voter that stands for election but does not wait for the result.
async fn standing(machine: &Arc<SimNode>) -> Arc<Shard<SimEnv>> {
    let env = SimEnv::new(machine);
    let stores: Stores = env.open(&Storage::Memory, &StoreOptions::default()).unwrap();
    let fault = FaultSignal::default();
    let recovered =
        RecoveredGroup::read(ShardId(0), &Arc::new(ShardMap::whole()), &stores.log, &*stores.state).unwrap();
    let context = GroupContext {
        env,
        node: 1,
        pace: Pace::default(),
        longest_promise: Duration::ZERO,
        wall_clocks: Arc::new(WallClocks::new(1)),
        tail_bytes_max: usize::MAX,
        large_entries: Arc::new(Semaphore::new(1)),
        snapshot_chunk_bytes: SNAPSHOT_CHUNK_BYTES,
        log: Arc::clone(&stores.log),
        state: stores.state,
        wal: Wal::start(stores.log, fault.clone(), false),
        fault,
    };
    let group = Group::start(&context, recovered).await.unwrap();
    group.initialize(BTreeMap::from([(1, Member::default())])).await.unwrap();
    group.stand().await.unwrap();
    Arc::new(Shard::new(group, Arc::default(), Arc::new(WallClocks::new(1)), REQUEST_DEADLINE))
}

/// Design §3.1, rule 3. A new leader's blank entry is in its third synced write, after its first membership and vote and
/// its committed vote; the disk hangs before it. Elected as it is, the node serves no read, and a client is told
/// InternalServerError.
#[test]
fn a_leader_that_has_not_applied_its_own_entry_serves_nothing() {
    run(21, async {
        let machine = SimNode::new(1, 1);
        machine.freeze_disk_after(2);
        machine
            .scope(async {
                let shard = standing(&machine).await;
                let guard = LeaseGuard::new(ReadMode::Lease, 1);
                let shards = [Arc::clone(&shard)];
                SimEnv::sleep(Duration::from_secs(1)).await;
                assert_eq!(shard.group().leader(), Some(1), "elected by the vote that it gave itself");

                let refused =
                    guard.pass(Handler::Catalog, &shards, Deadline::after::<SimEnv>(Duration::from_secs(2))).await;
                let error = refused.expect_err("no entry of the own term is applied").into_api_error();
                assert_eq!(error.http_status(), 500);
                let deadline = Deadline::after::<SimEnv>(Duration::from_secs(1));
                let unstamped = shard.sequencer().propose::<SimEnv>(Command::Noop, deadline).await;
                assert_eq!(unstamped, Err(ShardError::NotLeader { leader: None }), "nor issues a timestamp");

                machine.thaw_disk();
                shard.group().lease().wait_leading().await;
                let hits = guard.counters().total().hits;
                guard.pass(Handler::Catalog, &shards, Deadline::after::<SimEnv>(Duration::from_secs(2))).await.unwrap();
                assert_eq!(guard.counters().total().hits, hits + 1);
                shard.stop().await;
                assert!(!shard.has_lease(), "the lease ends with the node");
            })
            .await;
    });
}
