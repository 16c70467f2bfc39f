//! openraft's suite for log stores and state machines, run over ours on the simulated disk.

use std::sync::Arc;

use lease::{Moment, Timing};
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use shard_router::{ShardId, ShardMap};
use tokio::sync::Semaphore;

use crate::env::FaultSignal;
use crate::env::sim::{SimEnv, SimNode, run};
use crate::env::{Env, Storage, StoreOptions};
use crate::raft::Wal;
use crate::raft::lease::LeaseFeed;
use crate::raft::log::{GroupLog, RecoveredLog};
use crate::raft::machine::Machine;
use crate::raft::machine::recovered::RecoveredState;
use crate::raft::types::Types;

const SHARD: ShardId = ShardId(0);

/// Makes an empty log and machine, each time on a disk of their own.
struct Fresh;

impl StoreBuilder<Types<SimEnv>, GroupLog<SimEnv>, Machine<SimEnv>, ()> for Fresh {
    async fn build(&self) -> Result<((), GroupLog<SimEnv>, Machine<SimEnv>), StorageError<Types<SimEnv>>> {
        let stores = SimEnv::new(&SimNode::new(0, 1)).open(&Storage::Memory, &StoreOptions::default()).unwrap();
        let fault = FaultSignal::default();
        let timing = Timing::for_election_timeout(std::time::Duration::from_secs(1)).unwrap();
        let now = Moment::from_nanos(SimEnv::monotonic_ns());
        let lease = Arc::new(LeaseFeed::start(0, (timing, timing.promise()), Vec::new(), None, now, 0));
        let recovered = RecoveredLog::read(&stores.log, SHARD.0, None).unwrap();
        let wal = Wal::start(Arc::clone(&stores.log), fault.clone(), false);
        let state = RecoveredState::read(&*stores.state, SHARD, Arc::new(ShardMap::whole())).unwrap();
        let published = Arc::new(state.publish());
        let told = (Arc::clone(&lease), Arc::clone(&published));
        let log = GroupLog::new(SHARD.0, stores.log, wal, told, recovered);
        let machine =
            Machine::new(stores.state, log.clone(), state, (lease, published), Arc::new(Semaphore::new(1)), fault);
        Ok(((), log, machine))
    }
}

#[test]
fn the_log_and_the_machine_pass_openrafts_suite() {
    run(31, async { Suite::test_all(Fresh).await.unwrap() });
}
