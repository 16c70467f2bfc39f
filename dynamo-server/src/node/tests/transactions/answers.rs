//! What clients are told.

use std::rc::Rc;
use std::time::Duration;

use dynamo_engine::apply::Outcome;
use dynamo_protocol::error::ErrorKind;

use super::super::fixture::{get, proposed};
use super::{
    REQUEST_DEADLINE, SHARDS, check_action, command, create_table, left_behind, locks, one_on_each_shard, put,
    put_action, start, transact, transaction, values,
};
use crate::env::Env;
use crate::env::sim::{SimEnv, SimNode, run};
use crate::shard::ShardError;
use crate::transaction::{Failpoint, set_trap};

/// Runs a test on a machine with all shards and the table.
fn on_a_machine<F: Future<Output = ()>>(seed: u64, test: impl FnOnce(std::sync::Arc<crate::node::Node<SimEnv>>) -> F) {
    run(seed, async {
        let machine = SimNode::new(1, SHARDS);
        let node = start(&machine).await;
        machine
            .scope(async {
                create_table(&node).await;
                test(node).await;
            })
            .await;
    });
    set_trap(None);
}

fn some(value: &str) -> Option<String> {
    Some(value.to_owned())
}

#[test]
fn all_shards_write_or_none() {
    on_a_machine(101, async |node| {
        let ids = one_on_each_shard(&node, "a");
        let actions: Vec<String> = ids.iter().map(|id| put_action(id, "1")).collect();
        let body = transact(&node, &actions, None).await.unwrap().unwrap();
        assert!(body.contains(r#""CapacityUnits":8.0"#), "four items, twice each: {body}");
        assert_eq!(values(&node, &ids), vec![some("1"); 4]);
        let mut actions: Vec<String> = ids[1..].iter().map(|id| put_action(id, "2")).collect();
        actions.push(check_action(&ids[0], "other"));
        let error = transact(&node, &actions, None).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TransactionCanceled);
        assert!(error.message().ends_with("[None, None, None, ConditionalCheckFailed]"), "{error:?}");
        assert_eq!(values(&node, &ids), vec![some("1"); 4]);
        assert_eq!(locks(&node), 0, "what was prepared is given up before the client is answered");
        let last = actions.len() - 1;
        actions[last] = check_action(&ids[0], "1");
        transact(&node, &actions, None).await.unwrap().unwrap();
        assert_eq!(values(&node, &ids), [some("1"), some("2"), some("2"), some("2")]);
        SimEnv::sleep(Duration::from_millis(100)).await;
        assert_eq!(left_behind(&node), (0, 0));
    });
}

/// What conditions have met waits for the slowest shard: without room for it nothing is done, and nobody is told of it.
#[test]
fn a_cancellation_without_room_for_what_it_met_is_throttled() {
    on_a_machine(112, async |node| {
        let ids = one_on_each_shard(&node, "a");
        put(&node, &ids[0], &"x".repeat(100_000)).await.unwrap().unwrap();
        let actions = [check_action(&ids[0], "other"), put_action(&ids[1], "1")];
        let all = node.router.memory.take_anyway(usize::MAX - 50_000);
        assert!(matches!(transact(&node, &actions, None).await, Err(ShardError::Overloaded)));
        assert_eq!((values(&node, &ids[1..]), locks(&node)), (vec![None; 3], 0));
        drop(all);
        let error = transact(&node, &actions, None).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TransactionCanceled);
        assert_eq!(node.router.memory.bytes(), 0, "the room is given back with the answer");
    });
}

#[test]
fn a_request_that_comes_again_is_recognised() {
    on_a_machine(102, async |node| {
        let ids = one_on_each_shard(&node, "a");
        let actions: Vec<String> = ids.iter().map(|id| put_action(id, "1")).collect();
        transact(&node, &actions, Some("tok")).await.unwrap().unwrap();
        put(&node, &ids[2], "2").await.unwrap().unwrap();
        let body = transact(&node, &actions, Some("tok")).await.unwrap().unwrap();
        assert!(body.contains(r#""CapacityUnits":8.0"#) && body.contains("ReadCapacityUnits"), "{body}");
        assert_eq!(values(&node, &ids)[2], some("2"), "nothing is done again");
        assert_eq!(locks(&node), 0);
        let others: Vec<String> = ids.iter().map(|id| put_action(id, "3")).collect();
        let error = transact(&node, &others, Some("tok")).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IdempotentParameterMismatch);
        // Also where its first item lies on a shard that never heard of the token, and there is but one item.
        transact(&node, &[put_action(&ids[0], "4")], Some("single")).await.unwrap().unwrap();
        let elsewhere = [put_action(&ids[1], "5")];
        let error = transact(&node, &elsewhere, Some("single")).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IdempotentParameterMismatch);
        transact(&node, &[put_action(&ids[0], "4")], Some("single")).await.unwrap().unwrap();
        assert_eq!(values(&node, &ids), [some("4"), some("1"), some("2"), some("1")]);
    });
}

#[test]
fn writes_conflict_with_a_transaction_and_reads_wait() {
    on_a_machine(103, async |node| {
        let ids = one_on_each_shard(&node, "a");
        let actions: Vec<String> = ids.iter().map(|id| put_action(id, "1")).collect();
        transact(&node, &actions, None).await.unwrap().unwrap();
        let actions: Vec<String> = ids.iter().map(|id| put_action(id, "2")).collect();
        set_trap(Some(Rc::new(|step| step == Failpoint::BeforeDecide)));
        let plan = transaction(&node, &actions, Some("tok"));
        let token = plan.writes[0].token;
        let hung = proposed(&node, token, command(plan));
        let others = async {
            SimEnv::sleep(Duration::from_millis(50)).await;
            set_trap(None);
            let error = put(&node, &ids[0], "3").await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TransactionConflict);
            let free = put_action("free", "1");
            let error = transact(&node, &[free, put_action(&ids[3], "3")], None).await.unwrap().unwrap_err();
            assert!(error.message().ends_with("[None, TransactionConflict]"), "{error:?}");
            let error = transact(&node, &actions, Some("tok")).await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TransactionInProgress);
            let began_ns = SimEnv::monotonic_ns();
            let body = get(&node, &ids[1]).await.unwrap();
            assert!(body.contains(r#""value":{"S":"1"}"#), "it waited, and gave the transaction up: {body}");
            let waited = Duration::from_nanos(SimEnv::monotonic_ns() - began_ns);
            assert!(waited >= Duration::from_millis(700) && waited < REQUEST_DEADLINE, "{waited:?}");
        };
        let (hung, ()) = futures::join!(hung, others);
        assert!(hung.is_err(), "its coordinator goes no further: {hung:?}");
        assert_eq!(values(&node, &ids), vec![some("1"); 4]);
    });
}

#[test]
fn a_read_of_something_else_does_not_wait() {
    on_a_machine(104, async |node| {
        let ids = one_on_each_shard(&node, "a");
        let others = one_on_each_shard(&node, "other");
        put(&node, &others[0], "1").await.unwrap().unwrap();
        let actions: Vec<String> = ids.iter().map(|id| put_action(id, "2")).collect();
        set_trap(Some(Rc::new(|step| step == Failpoint::BeforeDecide)));
        let plan = transaction(&node, &actions, None);
        let token = plan.writes[0].token;
        let hung = proposed(&node, token, command(plan));
        let reader = async {
            SimEnv::sleep(Duration::from_millis(50)).await;
            let began_ns = SimEnv::monotonic_ns();
            get(&node, &others[0]).await.unwrap();
            assert_eq!(SimEnv::monotonic_ns(), began_ns);
        };
        let (_, ()) = futures::join!(hung, reader);
    });
}

#[test]
fn past_the_deadline_a_committed_transaction_is_still_a_success() {
    on_a_machine(105, async |node| {
        let ids = one_on_each_shard(&node, "a");
        let actions: Vec<String> = ids.iter().map(|id| put_action(id, "1")).collect();
        set_trap(Some(Rc::new(|step| step == Failpoint::BeforeResolve)));
        let plan = transaction(&node, &actions, None);
        let token = plan.writes[0].token;
        let outcome = proposed(&node, token, command(plan)).await.unwrap();
        let Outcome::Transacted { actions } = outcome else { panic!("{outcome:?}") };
        assert!(actions.iter().all(|action| action.changed && action.new.is_some()));
        set_trap(None);
        for id in &ids {
            let body = get(&node, id).await.unwrap();
            assert!(body.contains(r#""value":{"S":"1"}"#), "whoever reads it finds it: {body}");
        }
    });
}
