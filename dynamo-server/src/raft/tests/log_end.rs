//! The end of a sound log is accepted at every start, whatever elections have done to it.
//!
//! A leader's entries that nobody else had are replaced by the fewer ones of a later term; the machine dies while idle,
//! between any two steps, and starts again.

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::catalog::MemoryCatalog;
use dynamo_engine::outbox::OutboxChannels;
use hlc::Timestamp;
use lease::{Moment, Timing};
use openraft::EntryPayload;
use openraft::storage::{IOFlushed, RaftLogStorage};

use crate::env::FaultSignal;
use crate::env::sim::{SimEnv, SimNode, chance_below, run};
use crate::env::{Env, Storage, StoreOptions};
use crate::raft::lease::LeaseFeed;
use crate::raft::log::{GroupLog, RecoveredLog};
use crate::raft::machine::published::Published;
use crate::raft::types::{CommittedLeaderId, LogEntry, LogId, Vote};
use crate::raft::{Quarantine, Wal};

const GROUP: u32 = 0;
const LIVES: u64 = 8;
const STEPS: u64 = 6;

/// What the log of one group must hold.
#[derive(Default)]
struct Model {
    entries: Vec<LogId>,
    purged: Option<LogId>,
    term: u64,
}

impl Model {
    fn last(&self) -> Option<LogId> {
        self.entries.last().copied().or(self.purged)
    }

    fn next_index(&self) -> u64 {
        self.last().map_or(0, |last| last.index() + 1)
    }

    fn grow(&mut self, count: u64) -> Vec<LogEntry> {
        let entry = |index| LogEntry {
            log_id: LogId::new(CommittedLeaderId::new(self.term), index),
            payload: EntryPayload::Blank,
        };
        let entries: Vec<LogEntry> = (self.next_index()..self.next_index() + count).map(entry).collect();
        self.entries.extend(entries.iter().map(|entry| entry.log_id));
        entries
    }
}

async fn step(log: &mut GroupLog<SimEnv>, model: &mut Model) {
    match chance_below(8) {
        0..4 => {
            let entries = model.grow(1 + chance_below(5));
            log.append(entries, IOFlushed::noop()).await.unwrap();
        }
        // Another leader: its log is shorter.
        4..7 => {
            model.term += 1;
            log.save_vote(&Vote::new_committed(model.term, 1 + model.term % 3)).await.unwrap();
            let kept = model.entries.len() - chance_below(model.entries.len().min(6) as u64 + 1) as usize;
            model.entries.truncate(kept);
            log.truncate_after(model.last()).await.unwrap();
            let entries = model.grow(1 + chance_below(2));
            log.append(entries, IOFlushed::noop()).await.unwrap();
        }
        _ if model.entries.len() > 8 => {
            let upto = model.entries[3];
            model.entries.drain(..=3);
            model.purged = Some(upto);
            log.purge(upto).await.unwrap();
        }
        _ => {}
    }
}

async fn live(machine: &Arc<SimNode>, model: &mut Model) -> Result<(), String> {
    let stores =
        SimEnv::new(machine).open(&Storage::Memory, &StoreOptions::default()).map_err(|error| error.to_string())?;
    let recovered = RecoveredLog::read(&stores.log, GROUP, None).map_err(|error| error.to_string())?;
    if recovered.last() != model.last() {
        return Err(format!("{:?} was recovered of {:?}", recovered.last(), model.last()));
    }
    let timing = Timing::for_election_timeout(Duration::from_secs(1)).unwrap();
    let now = Moment::from_nanos(SimEnv::monotonic_ns());
    let lease = Arc::new(LeaseFeed::start(1, (timing, timing.promise()), Vec::new(), None, now, 0));
    let wal = Wal::start(Arc::clone(&stores.log), FaultSignal::default(), false);
    let mut log = GroupLog::new(GROUP, stores.log, wal.clone(), (lease, published(0)), recovered);
    for _ in 0..1 + chance_below(STEPS) {
        step(&mut log, model).await;
        if chance_below(3) == 0 {
            wal.settle().await;
        }
    }
    // Idle: everything before is durable.
    log.save_vote(&Vote::new(model.term + 1, 1)).await.unwrap();
    model.term += 1;
    Ok(())
}

fn published(applied_next: u64) -> Arc<Published> {
    Arc::new(Published::new(applied_next, MemoryCatalog::default(), Timestamp::ZERO, &OutboxChannels::default()))
}

/// A majority that has forgotten what it acknowledged has another entry where this replica has applied one.
#[test]
fn an_end_that_is_applied_is_not_replaced() {
    run(5, async {
        let machine = SimNode::new(1, 1);
        machine
            .scope(async {
                let stores = SimEnv::new(&machine).open(&Storage::Memory, &StoreOptions::default()).unwrap();
                let recovered = RecoveredLog::read(&stores.log, GROUP, None).unwrap();
                let timing = Timing::for_election_timeout(Duration::from_secs(1)).unwrap();
                let now = Moment::from_nanos(SimEnv::monotonic_ns());
                let lease = Arc::new(LeaseFeed::start(1, (timing, timing.promise()), Vec::new(), None, now, 0));
                let wal = Wal::<SimEnv>::start(Arc::clone(&stores.log), FaultSignal::default(), false);
                let applied = published(4);
                let mut log = GroupLog::new(GROUP, stores.log, wal, (lease, Arc::clone(&applied)), recovered);
                let mut model = Model { term: 1, ..Model::default() };
                log.append(model.grow(6), IOFlushed::noop()).await.unwrap();
                log.truncate_after(Some(model.entries[3])).await.unwrap();
                assert!(applied.quarantine().is_none(), "entries 4 and 5 were not applied");
                assert!(log.truncate_after(Some(model.entries[2])).await.is_err());
                assert_eq!(log.last(), Some(model.entries[3]), "nothing is lost");
                assert_eq!(applied.quarantine().as_deref(), Some(&Quarantine::Replaced { index: 3, applied: 3 }));
            })
            .await;
    });
}

#[test]
fn replaced_ends_are_accepted_at_every_start() {
    for seed in 0..200 {
        run(seed, async {
            let machine = SimNode::new(1, 1);
            let mut model = Model::default();
            for life in 0..LIVES {
                let lived = machine.scope(live(&machine, &mut model)).await;
                lived.unwrap_or_else(|error| panic!("seed {seed}, life {life}: {error}"));
                machine.kill().await;
            }
        });
    }
}
