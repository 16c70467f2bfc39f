//! A coordinator that goes no further, at each step of its way: the others finish what it left, all of it or nothing.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dynamo_engine::apply::Outcome;
use dynamo_protocol::error::ErrorKind;

use super::super::fixture::proposed;
use super::{
    SETTLED_AFTER, SHARDS, add_all, command, counter, create_table, left_behind, locks, one_on_each_shard, put_action,
    start, token_on, transact, transaction, values,
};
use crate::env::Env;
use crate::env::sim::{SimEnv, SimNode, run};
use crate::transaction::{Failpoint, set_trap};

/// After this a transaction that nothing happens to has left nothing behind.
const REST: Duration = Duration::from_secs(1);

/// Catches the next coordinator that comes to `step`.
fn catch_at(step: Failpoint) {
    let is_set = Cell::new(true);
    set_trap(Some(Rc::new(move |reached| reached == step && is_set.replace(false))));
}

#[test]
fn whichever_step_was_the_last_the_transaction_happened_or_did_not() {
    for (seed, step) in (111..).zip(Failpoint::ALL) {
        run(seed, async {
            let machine = SimNode::new(1, SHARDS);
            let node = start(&machine).await;
            machine.scope(async { lose_a_coordinator(&node, step, SHARDS).await }).await;
        });
    }
    set_trap(None);
}

/// The client's token lives on the last shard, where no item of the transaction does.
#[test]
fn a_record_shard_without_items_decides_whichever_step_was_the_last() {
    for (seed, step) in (131..).zip(Failpoint::ALL) {
        run(seed, async {
            let machine = SimNode::new(1, SHARDS);
            let node = start(&machine).await;
            machine.scope(async { lose_a_coordinator(&node, step, SHARDS - 1).await }).await;
        });
    }
    set_trap(None);
}

/// Recovering what needs a shard that cannot be reached holds up nothing that does not.
#[test]
fn a_shard_that_cannot_be_reached_holds_up_only_what_needs_it() {
    const STUCK: usize = 1;
    const FREE: usize = 3;
    const OF_EACH: usize = 8;
    run(119, async {
        let machine = SimNode::new(1, SHARDS);
        let node = start(&machine).await;
        machine
            .scope(async {
                create_table(&node).await;
                set_trap(Some(Rc::new(|step| step == Failpoint::BeforeDecide)));
                let mut hung = Vec::new();
                for record_shard in [STUCK, FREE] {
                    for number in 0..OF_EACH {
                        let ids = one_on_each_shard(&node, &format!("{record_shard}-{number}-"));
                        let actions = [put_action(&ids[record_shard], "1"), put_action(&ids[2], "1")];
                        let plan = transaction(&node, &actions, None);
                        let first = plan.writes[0].token;
                        hung.push(proposed(&node, first, command(plan)));
                    }
                }
                assert!(futures::future::join_all(hung).await.iter().all(Result::is_err));
                set_trap(None);
                let prepared =
                    |shard: usize| node.router.shards[shard].group().published().transactions().prepared.len();
                assert_eq!([STUCK, 2, FREE].map(prepared), [OF_EACH, 2 * OF_EACH, OF_EACH]);
                let held = node.router.shards[STUCK].sequencer().faults().hold().await;
                // One time-out each, one after the other, would take forty seconds of this for the stuck shard alone.
                SimEnv::sleep(Duration::from_secs(12)).await;
                assert_eq!([STUCK, 2, FREE].map(prepared), [OF_EACH, OF_EACH, 0]);
                drop(held);
                SimEnv::sleep(SETTLED_AFTER).await;
                assert_eq!(left_behind(&node), (0, 0));
            })
            .await;
    });
    set_trap(None);
}

/// One with items on this many shards.
async fn lose_a_coordinator(node: &crate::node::Node<SimEnv>, step: Failpoint, shards: u32) {
    create_table(node).await;
    let mut ids = one_on_each_shard(node, "a");
    ids.truncate(shards as usize);
    let token = &token_on(node, SHARDS - 1, "tok");
    let old: Vec<String> = ids.iter().map(|id| put_action(id, "old")).collect();
    transact(node, &old, None).await.unwrap().unwrap();
    // The coordinator of that one is not quite done when its client is.
    SimEnv::sleep(REST).await;
    catch_at(step);
    let new: Vec<String> = ids.iter().map(|id| put_action(id, "new")).collect();
    let plan = transaction(node, &new, Some(token));
    let first = plan.writes[0].token;
    let answer = proposed(node, first, command(plan)).await;
    SimEnv::sleep(SETTLED_AFTER).await;

    let is_committed = step >= Failpoint::AfterDecide;
    let expected = Some(if is_committed { "new" } else { "old" }.to_owned());
    assert_eq!(values(node, &ids), vec![expected; ids.len()], "after {step:?}");
    match answer {
        Ok(Outcome::Transacted { .. }) => assert!(is_committed, "{step:?}"),
        Ok(other) => panic!("{other:?}"),
        // Not known to the client.
        Err(_) => assert!(step <= Failpoint::AfterDecide, "{step:?}: a client that was to be told success"),
    }
    assert_eq!(locks(node), 0, "after {step:?}");
    assert_eq!(left_behind(node), (0, 0), "after {step:?}");
    let recovered = match step {
        // Nothing was left, or nothing was left to do.
        Failpoint::BeforePrepare | Failpoint::AfterForget => (0, 0),
        Failpoint::AfterPrepare | Failpoint::BeforeDecide => (0, 1),
        Failpoint::AfterDecide | Failpoint::BeforeResolve | Failpoint::AfterResolve => (1, 0),
    };
    assert_eq!(node.transactions().recoveries(), recovered, "committed and aborted, after {step:?}");
    let again = transact(node, &new, Some(token)).await.unwrap().unwrap();
    assert_eq!(again.contains("ReadCapacityUnits"), is_committed, "recognised if it happened: {step:?} {again}");
    assert_eq!(values(node, &ids), vec![Some("new".to_owned()); ids.len()]);
    let error = transact(node, &old, Some(token)).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IdempotentParameterMismatch);
}

/// The machine dies with its coordinator: what is in its log is finished by the recovery of its next life.
#[test]
fn whichever_step_was_the_last_before_a_crash_the_next_life_finishes_it() {
    for (seed, step) in (121..).zip(Failpoint::ALL) {
        run(seed, async {
            let machine = SimNode::new(1, SHARDS);
            let node = start(&machine).await;
            let ids = machine
                .scope(async {
                    create_table(&node).await;
                    let ids = one_on_each_shard(&node, "a");
                    let old: Vec<String> = ids.iter().map(|id| put_action(id, "old")).collect();
                    transact(&node, &old, None).await.unwrap().unwrap();
                    SimEnv::sleep(REST).await;
                    catch_at(step);
                    let new: Vec<String> = ids.iter().map(|id| put_action(id, "new")).collect();
                    let plan = transaction(&node, &new, None);
                    let token = plan.writes[0].token;
                    drop(proposed(&node, token, command(plan)).await);
                    ids
                })
                .await;
            drop(node);
            machine.kill().await;
            let node = start(&machine).await;
            machine.scope(SimEnv::sleep(SETTLED_AFTER)).await;
            let found = values(&node, &ids);
            let expected = Some(if step >= Failpoint::AfterDecide { "new" } else { "old" }.to_owned());
            assert_eq!(found, vec![expected; 4], "after {step:?}");
            assert_eq!((locks(&node), left_behind(&node)), (0, (0, 0)), "after {step:?}");
        });
    }
    set_trap(None);
}

/// As above, under a token that lives where no item of the transaction does: the next life knows whether it happened.
#[test]
fn whichever_step_was_the_last_before_a_crash_the_next_life_does_it_once() {
    for (seed, step) in (171..).zip(Failpoint::ALL) {
        run(seed, async {
            let machine = SimNode::new(1, SHARDS);
            let node = start(&machine).await;
            let (ids, token) = machine
                .scope(async {
                    create_table(&node).await;
                    let ids = one_on_each_shard(&node, "a")[1..].to_vec();
                    let token = token_on(&node, 0, "tok");
                    catch_at(step);
                    let plan = transaction(&node, &add_all(&ids), Some(&token));
                    let first = plan.writes[0].token;
                    drop(proposed(&node, first, command(plan)).await);
                    (ids, token)
                })
                .await;
            drop(node);
            machine.kill().await;
            let node = start(&machine).await;
            machine
                .scope(async {
                    SimEnv::sleep(SETTLED_AFTER).await;
                    assert_eq!((locks(&node), left_behind(&node)), (0, (0, 0)), "after {step:?}");
                    let again = transact(&node, &add_all(&ids), Some(&token)).await.unwrap().unwrap();
                    let is_replay = again.contains("ReadCapacityUnits");
                    assert_eq!(is_replay, step >= Failpoint::AfterDecide, "after {step:?}: {again}");
                    for id in &ids {
                        assert_eq!(counter(&node, id).await, 1, "after {step:?}");
                    }
                    let error = transact(&node, &add_all(&ids[1..]), Some(&token)).await.unwrap().unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::IdempotentParameterMismatch, "after {step:?}");
                })
                .await;
        });
    }
    set_trap(None);
}
