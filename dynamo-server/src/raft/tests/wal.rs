//! The write-ahead log: shared syncs, order, cuts, failures.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openraft::storage::IOFlushed;
use raft_log::Log;

use crate::env::FaultSignal;
use crate::env::sim::{SimEnv, SimNode, run};
use crate::env::{Env, Storage, StoreOptions};
use crate::raft::Wal;
use crate::raft::log::durable::Durable;
use crate::raft::log::wal::NewEntry;
use crate::raft::types::{CommittedLeaderId, LogId, Vote};

/// A disk that is quick enough for appends in place.
const QUICK_SYNC_US_MAX: u64 = 200;

fn at(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1), index)
}

fn entries(indexes: impl Iterator<Item = u64>) -> Vec<NewEntry> {
    let entry =
        |index| NewEntry { log_id: at(index), bytes: Bytes::from(format!("entry {index}")), is_membership: false };
    indexes.map(entry).collect()
}

/// What the log holds of an entry.
fn stored(log: &Log, group: u32, index: u64) -> Option<Bytes> {
    log.read(group, index, index + 1, usize::MAX).unwrap().pop().map(|entry| entry.body)
}

/// A WAL on a simulated disk; runs `story` with it.
fn with_wal<F: Future<Output = ()>>(
    seed: u64,
    story: impl FnOnce(Arc<SimNode>, Wal<SimEnv>, Arc<Log>, FaultSignal) -> F,
) {
    with_wal_of(false, seed, story);
}

/// The same for a node that may write in place.
fn with_wal_of<F: Future<Output = ()>>(
    in_place: bool,
    seed: u64,
    story: impl FnOnce(Arc<SimNode>, Wal<SimEnv>, Arc<Log>, FaultSignal) -> F,
) {
    run(seed, async move {
        let machine = SimNode::new(1, 1);
        let scope = Arc::clone(&machine);
        scope
            .scope(async move {
                let stores = SimEnv::new(&machine).open(&Storage::Memory, &StoreOptions::default()).unwrap();
                let fault = FaultSignal::default();
                let wal = Wal::start(Arc::clone(&stores.log), fault.clone(), in_place);
                story(machine, wal, stores.log, fault).await;
            })
            .await;
    });
}

async fn append(wal: &Wal<SimEnv>, group: u32, indexes: impl Iterator<Item = u64>) -> Arc<Durable> {
    let flushed = Arc::new(Durable::new(0));
    wal.append(group, entries(indexes), None, Arc::clone(&flushed), IOFlushed::noop()).await.unwrap();
    flushed
}

#[test]
fn requests_during_a_sync_share_the_next_one() {
    with_wal(41, async |machine, wal, _, _| {
        wal.save_vote(0, Vote::new(1, 1)).await.unwrap();
        let syncs = machine.log().syncs();
        machine.freeze_disk_after(0);
        let mut flushed = Vec::new();
        for group in 0..4 {
            for entry in 0..25 {
                flushed.push(append(&wal, group, entry..=entry).await);
            }
        }
        SimEnv::sleep(Duration::from_millis(10)).await;
        assert!(flushed.iter().all(|flushed| flushed.next() == 0), "nothing is durable yet");
        machine.thaw_disk();
        SimEnv::sleep(Duration::from_millis(50)).await;
        assert!(flushed.iter().all(|flushed| flushed.next() > 0));
        assert!(machine.log().syncs() - syncs <= 2, "a hundred appends of four groups");
    });
}

#[test]
fn a_cut_end_is_gone_and_what_replaces_it_stays() {
    with_wal(42, async |machine, wal, log, _| {
        append(&wal, 0, 0..=9).await;
        append(&wal, 1, 0..=3).await;
        wal.save_vote(0, Vote::new(1, 1)).await.unwrap();
        wal.truncate(0, Some(at(4))).await.unwrap();
        append(&wal, 0, 5..=6).await;
        wal.save_vote(0, Vote::new(2, 1)).await.unwrap();
        for log in [&*log, &machine.peek_log().unwrap()] {
            assert_eq!((log.last(0), log.last(1)), (Some(6), Some(3)));
            assert_eq!(stored(log, 0, 6), Some(Bytes::from_static(b"entry 6")));
        }
        wal.close().await;
        assert!(wal.save_vote(0, Vote::new(3, 1)).await.is_err(), "closed");
    });
}

#[test]
fn after_a_failed_write_nothing_is_ever_acknowledged() {
    with_wal(43, async |machine, wal, _, fault| {
        machine.log().fail_writes(Some(std::io::Error::other("gone")));
        assert!(wal.save_vote(0, Vote::new(1, 1)).await.is_err());
        assert!(fault.reason().is_some());
        machine.log().fail_writes(None);
        let flushed = append(&wal, 0, 0..=0).await;
        assert!(wal.save_vote(0, Vote::new(1, 1)).await.is_err(), "what is on the disk is not known any more");
        assert_eq!(flushed.next(), 0);
    });
}

/// A cut waits for nobody, so that it may still be with the thread when what replaces the end is appended.
#[test]
fn an_append_in_place_does_not_overtake_a_cut() {
    for seed in 0..20 {
        with_wal_of(true, seed, async |machine, wal, log, _| {
            machine.let_tasks_block();
            machine.slow_disk(Some(QUICK_SYNC_US_MAX));
            append(&wal, 0, 0..=6).await;
            for round in 1..30 {
                append(&wal, 0, 7..=9).await;
                wal.truncate(0, Some(at(4))).await.unwrap();
                append(&wal, 0, 5..=6).await;
                wal.save_vote(0, Vote::new(round, 1)).await.unwrap();
                assert!(log.last(0) >= Some(6), "seed {seed}: the new end was cut off, too");
                assert_eq!(log.last(0), Some(6), "seed {seed}: the old end is still there");
            }
            assert!(wal.written_in_place() > 0, "seed {seed}");
        });
    }
}

/// Groups that append in the same turn share a sync in place; where requests would wait for the thread nothing is written there.
#[test]
fn groups_share_a_sync_in_place_on_a_thread_that_serves_nobody() {
    for may_wait in [true, false] {
        with_wal_of(may_wait, 45, async |machine, wal, _, _| {
            machine.let_tasks_block();
            machine.slow_disk(Some(QUICK_SYNC_US_MAX));
            // Until the disk is known to be quick.
            for index in 0..50 {
                append(&wal, 0, index..=index).await;
                SimEnv::sleep(Duration::from_millis(1)).await;
            }
            let (syncs, in_place) = (machine.log().syncs(), wal.written_in_place());
            for index in 0..50 {
                for group in 1..5 {
                    append(&wal, group, index..=index).await;
                }
                SimEnv::sleep(Duration::from_millis(1)).await;
            }
            assert!(machine.log().syncs() - syncs <= 2 * 50, "200 appends");
            let in_place = wal.written_in_place() - in_place;
            assert_eq!(in_place > 0, may_wait, "{in_place} of 200 in place");
        });
    }
}

/// Whether the disk is quick is known from its syncs, wherever they were made.
#[test]
fn a_slow_disk_is_left_to_the_worker() {
    with_wal_of(true, 44, async |machine, wal, _, _| {
        machine.let_tasks_block();
        machine.slow_disk(Some(QUICK_SYNC_US_MAX));
        for index in 0..50 {
            append(&wal, 0, index..=index).await;
            SimEnv::sleep(Duration::from_millis(1)).await;
        }
        let quick = wal.written_in_place();
        assert!(quick > 0);
        machine.slow_disk(Some(100_000));
        for index in 50..150 {
            append(&wal, 0, index..=index).await;
            SimEnv::sleep(Duration::from_millis(200)).await;
        }
        let slow = wal.written_in_place() - quick;
        assert!(slow <= 3, "{slow} of 100 slow syncs were made in place");
    });
}
