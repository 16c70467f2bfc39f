//! More writes than a slow disk can take, for as long as one likes; and loads that only look like it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::join_all;

use super::fixture::{applied_value, put, start_alone};
use crate::env::Env;
use crate::env::sim::{SimEnv, run};
use crate::node::{Node, REQUEST_DEADLINE};
use crate::shard::{ENTRIES_IN_FLIGHT_MAX, ENTRY_BYTES_MAX, QUEUE_BYTES_MAX, QUEUE_PART_OF_DEADLINE, ShardError};

/// A synced write takes half of this on average.
const SYNC_US_MAX: u64 = 600_000;

/// How long a client rests after a refusal, as an SDK does.
const BACK_OFF: Duration = Duration::from_millis(500);

/// What a client has seen.
#[derive(Default)]
struct Seen {
    acknowledged: Cell<u64>,
    refused: Cell<u64>,
    /// Answers that leave open what happened.
    unknown: Cell<u64>,
    slowest_ns: Cell<u64>,
}

impl Seen {
    fn add(count: &Cell<u64>) {
        count.set(count.get() + 1);
    }
}

/// Clients that write to a key of their own one time after the other, each in a text of so many bytes that begins with its
/// number; until the end of the time. What they leave is what was acknowledged last.
async fn write_until(node: &Node<SimEnv>, clients: u64, bytes: usize, end_ns: u64, seen: &Rc<Seen>) {
    let client = async |number: u64| {
        let (key, filler) = (format!("client-{number}"), "x".repeat(bytes));
        let mut last = applied_value(node, &key);
        let mut is_known = true;
        for attempt in 0.. {
            let began_ns = SimEnv::monotonic_ns();
            if began_ns >= end_ns {
                break;
            }
            let value = format!("{began_ns}.{attempt} {filler}");
            match put(node, &key, &value).await {
                Ok(()) => {
                    Seen::add(&seen.acknowledged);
                    seen.slowest_ns.set(seen.slowest_ns.get().max(SimEnv::monotonic_ns() - began_ns));
                    (last, is_known) = (Some(value), true);
                }
                Err(ShardError::Overloaded) => {
                    Seen::add(&seen.refused);
                    SimEnv::sleep(BACK_OFF).await;
                }
                Err(ShardError::DeadlinePassed) => {
                    Seen::add(&seen.unknown);
                    is_known = false;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(
            !is_known || applied_value(node, &key) == last,
            "a refused write was done, or an acknowledged one was not"
        );
    };
    join_all((0..clients).map(client)).await;
}

#[test]
fn a_lasting_overload_is_refused_at_once_and_passes() {
    run(71, async {
        let (machine, node) = start_alone().await;
        machine.slow_disk(Some(SYNC_US_MAX));
        // Some 50 such items a second, at most, and 200 clients. In the first ten seconds it is found out that this is no
        // burst, and what came in before is worked off.
        let seen = Rc::new(Seen::default());
        let (begin_ns, end_ns) = (SimEnv::monotonic_ns() + 10_000_000_000, SimEnv::monotonic_ns() + 40_000_000_000);
        let (fullest_at_first, fullest) = (Cell::new(0), Cell::new(0));
        let watch = async {
            while SimEnv::monotonic_ns() < end_ns {
                let is_first = SimEnv::monotonic_ns() < begin_ns;
                if is_first {
                    for count in [&seen.acknowledged, &seen.refused, &seen.unknown, &seen.slowest_ns] {
                        count.set(0);
                    }
                }
                let fullest = if is_first { &fullest_at_first } else { &fullest };
                fullest.set(fullest.get().max(node.counters().queued_bytes as usize));
                SimEnv::sleep(Duration::from_millis(10)).await;
            }
        };
        futures::join!(machine.scope(write_until(&node, 200, 200 << 10, end_ns, &seen)), watch);
        println!(
            "{} acknowledged, {} refused, {} unknown; slowest {} ms; {} bytes waited at first, then {}",
            seen.acknowledged.get(),
            seen.refused.get(),
            seen.unknown.get(),
            seen.slowest_ns.get() / 1_000_000,
            fullest_at_first.get(),
            fullest.get(),
        );
        assert!(fullest_at_first.get() <= QUEUE_BYTES_MAX);
        assert!(fullest.get() < QUEUE_BYTES_MAX / 2, "what waits does not grow");
        assert!(seen.acknowledged.get() > 600, "the disk goes on being used");
        assert!(seen.refused.get() > 600);
        assert_eq!(seen.unknown.get(), 0, "whoever is let in gets an answer");
        assert!(u128::from(seen.slowest_ns.get()) < (REQUEST_DEADLINE * 3 / 4).as_nanos(), "before the time is over");
        assert!(node.counters().writes_refused >= seen.refused.get());

        machine.slow_disk(None);
        let refused = node.counters().writes_refused;
        let seen = Rc::new(Seen::default());
        machine.scope(write_until(&node, 200, 20 << 10, SimEnv::monotonic_ns() + 1_000_000_000, &seen)).await;
        assert_eq!((seen.refused.get(), seen.unknown.get()), (0, 0), "it has passed");
        assert_eq!(node.counters().writes_refused, refused);
        machine.scope(node.shutdown()).await;
    });
}

/// A disk that needs seconds for each sync, and as many clients as an entry has room for: they wait for each other, and
/// nobody is refused.
#[test]
fn clients_that_share_an_entry_are_never_refused() {
    run(72, async {
        let (machine, node) = start_alone().await;
        machine.slow_disk(Some(2_000_000));
        let seen = Rc::new(Seen::default());
        machine.scope(write_until(&node, 256, 100, SimEnv::monotonic_ns() + 30_000_000_000, &seen)).await;
        assert_eq!((seen.refused.get(), seen.unknown.get()), (0, 0));
        assert!(seen.acknowledged.get() > 256);
        machine.scope(node.shutdown()).await;
    });
}

/// One sync that takes nearly as long as a request may, in the middle of a load that is no trouble for the disk.
#[test]
fn one_slow_sync_refuses_nobody() {
    run(73, async {
        let (machine, node) = start_alone().await;
        machine.slow_disk(Some(60_000));
        let stall = REQUEST_DEADLINE - REQUEST_DEADLINE / QUEUE_PART_OF_DEADLINE;
        let slow = async {
            SimEnv::sleep(Duration::from_millis(100)).await;
            machine.freeze_disk_after(0);
            SimEnv::sleep(stall).await;
            machine.thaw_disk();
        };
        let seen = Rc::new(Seen::default());
        let end_ns = SimEnv::monotonic_ns() + 8_000_000_000;
        // More than the entries in flight hold, so that there is a queue to work off.
        let (bytes, clients) = (100 << 10, (4 * ENTRIES_IN_FLIGHT_MAX * ENTRY_BYTES_MAX / (100 << 10)) as u64);
        let writes = machine.scope(write_until(&node, clients, bytes, end_ns, &seen));
        futures::join!(writes, slow);
        assert_eq!((seen.refused.get(), seen.unknown.get()), (0, 0));
        machine.scope(node.shutdown()).await;
    });
}
