//! A coordinator that goes no further, at each step of its way: the others finish what it left, all of it or nothing.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use dynamo_engine::apply::Outcome;

use super::{
    SETTLED_AFTER, SHARDS, command, create_table, left_behind, locks, one_on_each_shard, put_action, start, transact,
    transaction, values,
};
use crate::env::Env;
use crate::env::sim::{SimEnv, SimNode, run};
use crate::node::transaction::{Step, set_trap};

/// After this a transaction that nothing happens to has left nothing behind.
const REST: Duration = Duration::from_secs(1);

/// Catches the next coordinator that comes to `step`.
fn catch_at(step: Step) {
    let is_set = Cell::new(true);
    set_trap(Some(Rc::new(move |reached| reached == step && is_set.replace(false))));
}

#[test]
fn whichever_step_was_the_last_the_transaction_happened_or_did_not() {
    for (seed, step) in (111..).zip(Step::ALL) {
        run(seed, async {
            let machine = SimNode::new(1, SHARDS);
            let node = start(&machine).await;
            machine.scope(async { lose_a_coordinator(&node, step).await }).await;
        });
    }
    set_trap(None);
}

async fn lose_a_coordinator(node: &crate::node::Node<SimEnv>, step: Step) {
    create_table(node).await;
    let ids = one_on_each_shard(node, "a");
    let old: Vec<String> = ids.iter().map(|id| put_action(id, "old")).collect();
    transact(node, &old, None).await.unwrap().unwrap();
    // The coordinator of that one is not quite done when its client is.
    SimEnv::sleep(REST).await;
    catch_at(step);
    let new: Vec<String> = ids.iter().map(|id| put_action(id, "new")).collect();
    let plan = transaction(node, &new, Some("tok"));
    let token = plan.writes[0].token;
    let answer = node.propose(token, command(plan), node.deadline()).await;
    SimEnv::sleep(SETTLED_AFTER).await;

    let is_committed = step >= Step::AfterDecide;
    let expected = Some(if is_committed { "new" } else { "old" }.to_owned());
    assert_eq!(values(node, &ids), vec![expected; 4], "after {step:?}");
    match answer {
        Ok(Outcome::Transacted { .. }) => assert!(is_committed, "{step:?}"),
        Ok(other) => panic!("{other:?}"),
        // Not known to the client.
        Err(_) => assert!(step <= Step::AfterDecide, "{step:?}: a client that was to be told success"),
    }
    assert_eq!(locks(node), 0, "after {step:?}");
    assert_eq!(left_behind(node), (0, 0), "after {step:?}");
    let recovered = match step {
        // Nothing was left, or nothing was left to do.
        Step::BeforePrepare | Step::AfterForget => (0, 0),
        Step::AfterPrepare | Step::BeforeDecide => (0, 1),
        Step::AfterDecide | Step::BeforeResolve | Step::AfterResolve => (1, 0),
    };
    assert_eq!(node.transactions().recoveries(), recovered, "committed and aborted, after {step:?}");
    let again = transact(node, &new, Some("tok")).await.unwrap().unwrap();
    assert_eq!(again.contains("ReadCapacityUnits"), is_committed, "recognised if it happened: {step:?} {again}");
    assert_eq!(values(node, &ids), vec![Some("new".to_owned()); 4]);
}

/// The machine dies with its coordinator: what is in its log is finished by the keeper of its next life.
#[test]
fn whichever_step_was_the_last_before_a_crash_the_next_life_finishes_it() {
    for (seed, step) in (121..).zip(Step::ALL) {
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
                    drop(node.propose(token, command(plan), node.deadline()).await);
                    ids
                })
                .await;
            drop(node);
            machine.kill().await;
            let node = start(&machine).await;
            machine.scope(SimEnv::sleep(SETTLED_AFTER)).await;
            let found = values(&node, &ids);
            let expected = Some(if step >= Step::AfterDecide { "new" } else { "old" }.to_owned());
            assert_eq!(found, vec![expected; 4], "after {step:?}");
            assert_eq!((locks(&node), left_behind(&node)), (0, (0, 0)), "after {step:?}");
        });
    }
    set_trap(None);
}
