//! Transactions through the front of real servers, by hand: one node with four shards, and three nodes, of which whoever
//! is asked does not lead most of what it is asked for. Every request but those to one item has items on all shards.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::env::TokioEnv;
use crate::guard::tests::rig::{Answer, DEADLINE, Rig, TABLE, get, send, transact_get};
use crate::node::Node;
use crate::transaction::{Failpoint, set_trap};

const SHARDS: u32 = 4;

/// How long something may take that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The `nth` key of every shard, in the order of the shards.
fn keys(rig: &Rig, nth: usize) -> Vec<String> {
    (0..SHARDS).map(|shard| rig.keys_of(shard, nth + 1).pop().expect("every shard has keys")).collect()
}

fn put(key: &str, value: &str) -> Value {
    json!({ "Put": { "TableName": TABLE, "Item": { "k": { "S": key }, "v": { "S": value } } } })
}

fn put_all(keys: &[String], value: &str) -> Vec<Value> {
    keys.iter().map(|key| put(key, value)).collect()
}

/// That the item has this value; if not, the item is shown.
fn check(key: &str, value: &str) -> Value {
    let mut check = get(key);
    check["ConditionExpression"] = json!("v = :v");
    check["ExpressionAttributeValues"] = json!({ ":v": { "S": value } });
    check["ReturnValuesOnConditionCheckFailure"] = json!("ALL_OLD");
    json!({ "ConditionCheck": check })
}

fn request(actions: &[Value], token: Option<&str>) -> Value {
    let mut request = json!({ "TransactItems": actions });
    if let Some(token) = token {
        request["ClientRequestToken"] = json!(token);
    }
    request
}

/// One request. A 500 says that its outcome is not known. That is right where a leader was lost or moved while it was
/// under way, or its time was over, either of which takes a machine that stands still; then it is asked again, as
/// everything here may be. Any other 500 is a fault.
async fn ask(rig: &Rig, at: usize, operation: &str, body: Value) -> Answer {
    let asking = async {
        loop {
            let (led, began) = (leading_terms(rig), Instant::now());
            let answer = rig.call(at, operation, body.clone()).await;
            if answer.status != 500 {
                return answer;
            }
            let is_explained = began.elapsed() >= DEADLINE || leading_terms(rig) != led;
            assert!(is_explained, "nothing was lost, and yet {operation} was answered {answer:?}");
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("somebody knows at last")
}

/// The term in which each node leads each shard.
fn leading_terms(rig: &Rig) -> Vec<Vec<Option<u64>>> {
    let terms = |node: &Arc<Node<TokioEnv>>| node.health().shards.iter().map(|shard| shard.leading_term).collect();
    rig.nodes.iter().map(terms).collect()
}

async fn transact(rig: &Rig, at: usize, actions: &[Value], token: Option<&str>) -> Answer {
    ask(rig, at, "TransactWriteItems", request(actions, token)).await
}

/// The values of these items in one TransactGetItems.
async fn values(rig: &Rig, at: usize, keys: &[String]) -> Vec<Option<String>> {
    let cut = ask(rig, at, "TransactGetItems", transact_get(keys)).await;
    assert_eq!(cut.status, 200, "{cut:?}");
    let responses = cut.body["Responses"].as_array().expect("a list");
    responses.iter().map(|response| response["Item"]["v"]["S"].as_str().map(str::to_owned)).collect()
}

fn all(value: &str) -> Vec<Option<String>> {
    vec![Some(value.to_owned()); SHARDS as usize]
}

/// The codes of a cancellation, in their order, which the message repeats.
fn reasons(answer: &Answer) -> Vec<String> {
    assert_eq!((answer.status, answer.error()), (400, "TransactionCanceledException"), "{answer:?}");
    let reasons = answer.body["CancellationReasons"].as_array().expect("reasons");
    let codes: Vec<String> = reasons.iter().map(|reason| reason["Code"].as_str().expect("a code").to_owned()).collect();
    let message = answer.body["Message"].as_str().expect("a message");
    assert!(message.ends_with(&format!("[{}]", codes.join(", "))), "{message}");
    codes
}

fn is_refused_as(answer: &Answer, error: &str) {
    assert_eq!((answer.status, answer.error()), (400, error), "{answer:?}");
}

/// All is written or nothing is, with the reasons in the order of the request.
async fn all_or_nothing(rig: &Rig, at: usize, elsewhere: usize) {
    let keys = keys(rig, 3 * at);
    assert_eq!(values(rig, at, &keys).await, vec![None; SHARDS as usize], "an absent item is an empty answer");
    let done = transact(rig, at, &put_all(&keys, "1"), None).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(values(rig, elsewhere, &keys).await, all("1"));
    // Which action fails is not the order of the shards, nor is that of the request.
    for place in 0..keys.len() {
        let order: Vec<&String> = keys.iter().rev().collect();
        let mut actions: Vec<Value> = order.iter().map(|key| put(key, "2")).collect();
        actions[place] = check(order[place], "another");
        let cancelled = transact(rig, at, &actions, None).await;
        let mut expected = vec!["None"; keys.len()];
        expected[place] = "ConditionalCheckFailed";
        assert_eq!(reasons(&cancelled), expected);
        let shown = &cancelled.body["CancellationReasons"][place]["Item"];
        assert_eq!(shown, &json!({ "k": { "S": order[place] }, "v": { "S": "1" } }));
        assert_eq!(values(rig, elsewhere, &keys).await, all("1"), "nothing of it was done");
    }
    let mut actions = put_all(&keys, "2");
    actions[0] = check(&keys[0], "1");
    assert_eq!(transact(rig, at, &actions, None).await.status, 200, "the condition holds");
    let mut expected = all("2");
    expected[0] = Some("1".to_owned());
    assert_eq!(values(rig, elsewhere, &keys).await, expected);
}

/// A request that comes again is recognised by its token, whoever is asked; another one under the same token is not it.
async fn tokens(rig: &Rig, at: usize, elsewhere: usize) {
    let keys = keys(rig, 3 * at + 1);
    let token = format!("token-{at}");
    let first = put_all(&keys, "1");
    assert_eq!(transact(rig, at, &first, Some(&token)).await.status, 200);
    rig.put(elsewhere, &keys[2], "2").await;
    assert_eq!(transact(rig, elsewhere, &first, Some(&token)).await.status, 200, "as if it were done now");
    let mut expected = all("1");
    expected[2] = Some("2".to_owned());
    assert_eq!(values(rig, at, &keys).await, expected, "nothing is done again");
    let other = put_all(&keys, "3");
    // Neither of its items lies where the first request's first one does.
    let elsewhere_only = [put(&keys[1], "3"), put(&keys[3], "3")];
    for asked in [at, elsewhere] {
        for actions in [&other[..], &elsewhere_only] {
            let answer = transact(rig, asked, actions, Some(&token)).await;
            is_refused_as(&answer, "IdempotentParameterMismatchException");
        }
    }
    assert_eq!(values(rig, at, &keys).await, expected);
}

/// A client whose coordinator goes no further than to the decision, so that all its items are held.
async fn hang(rig: &Rig, at: usize, actions: &[Value], token: &str) -> TcpStream {
    let is_reached = Rc::new(Cell::new(false));
    let reached = Rc::clone(&is_reached);
    set_trap(Some(Rc::new(move |step| step == Failpoint::BeforeDecide && !reached.replace(true))));
    let hanging = async {
        loop {
            let client = send(rig.address(at), "TransactWriteItems", &request(actions, Some(token))).await;
            // It does not get that far where a leader is lost; then it is answered.
            while !is_reached.get() {
                let answered = tokio::time::timeout(Duration::from_millis(1), client.readable());
                if answered.await.is_ok() {
                    break;
                }
            }
            if is_reached.get() {
                return client;
            }
        }
    };
    let client = tokio::time::timeout(PATIENCE, hanging).await.expect("it gets that far");
    set_trap(None);
    client
}

/// What meets a transaction under way is told so; a read waits for it or gives it up, and finds nothing half done.
async fn conflicts(rig: &Rig, at: usize, elsewhere: usize) {
    let held = keys(rig, 3 * at + 2);
    assert_eq!(transact(rig, at, &put_all(&held, "1"), None).await.status, 200);
    let token = format!("hung-{at}");
    let actions = put_all(&held, "2");
    let client = hang(rig, at, &actions, &token).await;

    let free = &keys(rig, 3 * at)[0];
    let met = transact(rig, elsewhere, &[put(free, "2"), put(&held[3], "3"), put(&held[1], "3")], None).await;
    assert_eq!(reasons(&met), ["None", "TransactionConflict", "TransactionConflict"]);
    let item = json!({ "k": { "S": held[0] }, "v": { "S": "3" } });
    let met = ask(rig, elsewhere, "PutItem", json!({ "TableName": TABLE, "Item": item })).await;
    is_refused_as(&met, "TransactionConflictException");
    let again = transact(rig, elsewhere, &actions, Some(&token)).await;
    is_refused_as(&again, "TransactionInProgressException");
    let prepared: u64 = rig.nodes.iter().map(|node| node.counters().transaction_parts_prepared).sum();
    // A shard that has just lost its leader is counted by nobody.
    let counted = if rig.nodes.len() == 1 { u64::from(SHARDS)..=u64::from(SHARDS) } else { 1..=u64::from(SHARDS) };
    assert!(counted.contains(&prepared), "each part is counted where its shard is led: {prepared}");

    assert_eq!(values(rig, elsewhere, &held).await, all("1"));
    drop(client);
    assert_eq!(transact(rig, at, &put_all(&held, "4"), None).await.status, 200, "the items are free again");
    assert_eq!(values(rig, elsewhere, &held).await, all("4"));
}

/// A client's mistake is told before anything is done, whatever shards it concerns.
async fn mistakes(rig: &Rig, at: usize) {
    let keys = keys(rig, 3 * at);
    let before = values(rig, at, &keys).await;
    let wrong_key = json!({ "Put": { "TableName": TABLE, "Item": { "k": { "N": "1" } } } });
    let unknown = json!({ "Put": { "TableName": "nowhere", "Item": { "k": { "S": "a" } } } });
    let two_in_one = json!({ "Put": put(&keys[0], "9")["Put"], "Delete": get(&keys[1]) });
    let with = |more: Value| [put_all(&keys, "9"), vec![more]].concat();
    let many: Vec<Value> = (0..101).map(|number| put(&format!("many-{number}"), "9")).collect();
    for (actions, error, said) in [
        (vec![], "ValidationException", "failed to satisfy constraint"),
        (many, "ValidationException", "failed to satisfy constraint"),
        (with(put(&keys[2], "8")), "ValidationException", "cannot include multiple operations on one item"),
        (with(two_in_one), "ValidationException", "can only contain one of Check, Put, Update or Delete"),
        (with(unknown), "ResourceNotFoundException", "not found"),
    ] {
        let answer = transact(rig, at, &actions, None).await;
        is_refused_as(&answer, error);
        let text = answer.body["message"].as_str().or(answer.body["Message"].as_str()).unwrap_or_default();
        assert!(text.contains(said), "{text}");
    }
    let cancelled = transact(rig, at, &with(wrong_key), None).await;
    assert_eq!(reasons(&cancelled), ["None", "None", "None", "None", "ValidationError"]);

    let twice = transact_get(&[keys[0].clone(), keys[1].clone(), keys[0].clone()]);
    is_refused_as(&ask(rig, at, "TransactGetItems", twice).await, "ValidationException");
    let mut wrong_key = transact_get(&keys);
    wrong_key["TransactItems"][2]["Get"]["Key"] = json!({ "k": { "N": "1" } });
    let answer = ask(rig, at, "TransactGetItems", wrong_key).await;
    assert_eq!(reasons(&answer), ["None", "None", "ValidationError", "None"]);
    assert_eq!(values(rig, at, &keys).await, before, "nothing was written");
}

async fn everything(rig: &Rig, at: usize, elsewhere: usize) {
    all_or_nothing(rig, at, elsewhere).await;
    tokens(rig, at, elsewhere).await;
    conflicts(rig, at, elsewhere).await;
    mistakes(rig, at).await;
}

// Traps are of one thread, so these run on one.

#[tokio::test]
async fn one_node_with_four_shards_and_what_its_metrics_say() {
    let rig = Rig::alone(SHARDS).await;
    everything(&rig, 0, 0).await;
    let alone = transact(&rig, 0, &[put("alone", "1")], None).await;
    assert_eq!(alone.status, 200);
    let page = rig.page(0, "/metrics").await;
    for line in [
        "# TYPE dynamo_transactions_total counter",
        r#"dynamo_transactions_total{shards="one",outcome="committed"} 1"#,
        r#"dynamo_transactions_total{shards="several",outcome="committed"} 5"#,
        r#"dynamo_transactions_total{shards="several",outcome="replayed"} 1"#,
        r#"dynamo_transactions_total{shards="several",outcome="cancelled"} 4"#,
        // One whose items were held, and one whose token was.
        r#"dynamo_transactions_total{shards="several",outcome="conflict"} 2"#,
        r#"dynamo_transactions_total{shards="several",outcome="refused"} 4"#,
        "# TYPE dynamo_transaction_parts_prepared gauge",
        "dynamo_transaction_parts_prepared 0",
        r#"dynamo_transactions_recovered_total{decision="committed"} 0"#,
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in:\n{page}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn three_nodes_whoever_is_asked() {
    let rig = Rig::cluster(SHARDS).await;
    rig.spread().await;
    for at in 0..3 {
        everything(&rig, at, (at + 1) % 3).await;
    }
    rig.stop().await;
}
