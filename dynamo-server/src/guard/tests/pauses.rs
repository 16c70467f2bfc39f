//! A pause between lease, lock table and view makes what is read newer, never older.

use std::time::Duration;

use super::rig::{Rig, batch_get, call, get, query, scan, transact_get};
use crate::guard::fault::Point;

const PAUSE: Duration = Duration::from_millis(700);

/// A write that is acknowledged while a read is held up: the read, which has passed its lease, must show it.
async fn newest_after_pauses(rig: &Rig, reader: usize, writer: usize) {
    let keys: Vec<String> = (0..2).flat_map(|shard| rig.keys_of(shard, 1)).collect();
    let mut round = 0;
    for point in [Point::BehindLease, Point::BehindLocks] {
        for (operation, request) in [
            ("GetItem", get(&keys[0])),
            ("Query", query(&keys[0])),
            ("BatchGetItem", batch_get(&keys)),
            ("TransactGetItems", transact_get(&keys)),
            ("Scan", scan()),
        ] {
            round += 1;
            let (old, new) = (format!("old-{round}"), format!("new-{round}"));
            for key in &keys {
                rig.put(writer, key, &old).await;
            }
            rig.faults().for_each(|faults| faults.pause_at(point, PAUSE));
            let address = rig.address(reader);
            let read = tokio::spawn(async move { call(address, operation, &request).await });
            tokio::time::sleep(PAUSE / 3).await;
            rig.put(writer, &keys[0], &new).await;
            let answer = read.await.unwrap();
            rig.heal();
            assert_eq!(answer.status, 200, "{operation} held up {point:?}: {answer:?}");
            let text = answer.body.to_string();
            assert!(text.contains(&new), "{operation} held up {point:?} shows what is older than its view: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_shard() {
    let rig = Rig::alone(1).await;
    let key = rig.keys_of(0, 1).remove(0);
    for point in [Point::BehindLease, Point::BehindLocks] {
        rig.put(0, &key, "old").await;
        rig.faults().for_each(|faults| faults.pause_at(point, PAUSE));
        let (address, request) = (rig.address(0), get(&key));
        let read = tokio::spawn(async move { call(address, "GetItem", &request).await });
        tokio::time::sleep(PAUSE / 3).await;
        rig.put(0, &key, "new").await;
        assert_eq!(read.await.unwrap().body["Item"]["v"]["S"], "new", "{point:?}");
        rig.heal();
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_several_shards() {
    let rig = Rig::alone(2).await;
    newest_after_pauses(&rig, 0, 0).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_shards_that_other_nodes_lead() {
    let rig = Rig::cluster(2).await;
    let leader = rig.leader_of(shard_router::ShardId(0)).await;
    newest_after_pauses(&rig, (leader + 1) % 3, (leader + 2) % 3).await;
    rig.stop().await;
}
