//! The driver of rollouts: runs where the system group is led, and advances every table that has work left.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::catalog::TableId;
use futures::future::select;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;

use super::step;
use crate::env::Env;
use crate::router::Router;

/// Tables that are worked on at the same time. More wait for their turn; all of them want the same shards.
const TABLES_MAX: usize = 16;

/// How often a driver looks whether its node still leads the system group, where nothing else wakes it.
const INTERVAL: Duration = Duration::from_millis(500);

/// How long a driver rests at first after a piece of work that changed nothing, and at most.
const REST: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Works whenever this node leads the system group.
pub(super) async fn run<E: Env>(router: Arc<Router<E>>) {
    let group = router.system().group();
    let mut changes = group.published().catalog_changes();
    loop {
        group.lease().wait_leading().await;
        lead(&router, &mut changes).await;
    }
}

/// Works on every unfinished table while the leadership lasts. What is under way when it ends is dropped: the next
/// leader finds it.
async fn lead<E: Env>(router: &Router<E>, changes: &mut watch::Receiver<u64>) {
    let group = router.system().group();
    let term = group.lease().leading_term();
    let mut driven = BTreeSet::new();
    let mut drives = FuturesUnordered::new();
    while term.is_some() && group.lease().leading_term() == term {
        // Marked as seen before the look, so that a change in between is not missed.
        changes.borrow_and_update();
        for table in group.published().catalog().unfinished() {
            if driven.len() < TABLES_MAX && driven.insert(table) {
                drives.push(drive(router, table));
            }
        }
        let woken = E::timeout(INTERVAL, changes.changed());
        if drives.is_empty() {
            woken.await;
            continue;
        }
        let woken = std::pin::pin!(woken);
        if let futures::future::Either::Left((Some(finished), _)) = select(drives.next(), woken).await {
            driven.remove(&finished);
        }
    }
}

/// Works on `table` until nothing is left to do about it.
async fn drive<E: Env>(router: &Router<E>, table: TableId) -> TableId {
    let mut rest = REST.0;
    let next_work = || router.system().group().published().catalog().next_work(table);
    let mut work = next_work();
    while let Some(piece) = work {
        if let Err(error) = step::run(router, &piece).await {
            tracing::warn!(table = table.0, %error, "a piece of a table's change has no outcome yet");
        }
        work = next_work();
        if work.as_ref() == Some(&piece) {
            // Nothing came of it: do not fill the log with the same.
            E::sleep(rest).await;
            rest = (rest * 2).min(REST.1);
            work = next_work();
        } else {
            rest = REST.0;
        }
    }
    table
}
