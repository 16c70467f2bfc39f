//! What clients do. Each stays with one node, whatever becomes of it, and writes down what it asked and was told.
//!
//! | table | what | judged as |
//! |---|---|---|
//! | `registers` | PutItem; GetItem, BatchGetItem, Query and Scan, all consistent: each item of an answer is a read | registers |
//! | `cells` | PutItem with a condition, UpdateItem ADD, DeleteItem, GetItem | cells, by search |
//! | `lists` | TransactWriteItems that append to up to three lists, some of them asked for twice under one token; TransactGetItems; UpdateItem that reads what was | transactions |
//! | `bank` | TransactWriteItems from one account to another if it has enough; TransactGetItems of all | the sum is kept |
//!
//! Cells and lists are given up for new ones after a while, since what is unknown makes the search longer and longer and
//! lists grow.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use checker::Outcome;
use checker::register::Action;
use checker::search::CellAction;
use checker::serial::{Step, Transaction};
use serde_json::{Value, json};

use super::client::{Client, Reply};
use super::record::Record;
use super::rng::Rng;
use crate::patience::eventually;

/// Registers are `partition/sort key`; equal partitions are on one shard.
const PARTITIONS: u64 = 5;
const SORT_KEYS: u64 = 2;

/// Cells in use at the same time.
const CELLS: u64 = 3;
/// Operations on one cell before a new one takes its place.
const CELL_OPERATIONS: u64 = 60;

/// Lists in use at the same time.
const LISTS: u64 = 5;
/// Transactions before new lists take their place.
const LIST_TRANSACTIONS: u64 = 200;

/// Accounts, and what each begins with.
const ACCOUNTS: u64 = 5;
const BALANCE: i64 = 100;

/// One of so many transactions with a token is asked for again, after less than so many milliseconds: long enough for leaders and
/// clocks to change.
const AGAIN_IN: u64 = 6;
const AGAIN_MS: u64 = 4_000;

/// A client that got nothing waits a little.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);

/// Which parts of the workload clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Registers and cells.
    pub items: bool,
    /// Lists and bank.
    pub transactions: bool,
}

impl Mix {
    /// All of it.
    pub const ALL: Mix = Mix { items: true, transactions: true };
    /// Single items only.
    pub const ITEMS: Mix = Mix { items: true, transactions: false };
}

/// What all clients share.
pub struct Workload {
    /// What they saw.
    pub record: Record,
    mix: Mix,
    /// A client thinks for less than this many milliseconds between two requests.
    think_ms: u64,
    /// How long a client waits for an answer.
    limit: Duration,
    last_value: AtomicU64,
    cell_operations: AtomicU64,
    list_transactions: AtomicU64,
    is_over: AtomicBool,
}

impl Workload {
    /// A workload whose requests are given up after `limit`.
    pub fn new(mix: Mix, think_ms: u64, limit: Duration) -> Arc<Workload> {
        Arc::new(Workload {
            record: Record::default(),
            mix,
            think_ms: think_ms.max(1),
            limit,
            last_value: AtomicU64::new(0),
            cell_operations: AtomicU64::new(0),
            list_transactions: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        })
    }

    /// Ends all clients after their current request.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Creates the tables and fills the accounts, through this node, in good weather.
    pub async fn set_up(&self, address: SocketAddr) {
        let mut client = Client::new(address);
        create_table(&mut client, "registers", true).await;
        for name in ["cells", "lists", "bank"] {
            create_table(&mut client, name, false).await;
        }
        for account in 0..ACCOUNTS {
            let item = json!({"pk": {"S": account_key(account)}, "balance": {"N": BALANCE.to_string()}});
            insist(&mut client, "PutItem", json!({"TableName": "bank", "Item": item})).await;
        }
    }

    fn next_value(&self) -> u64 {
        1 + self.last_value.fetch_add(1, Ordering::Relaxed)
    }
}

fn account_key(account: u64) -> String {
    format!("account-{account}")
}

/// Creates a table with string keys and waits until it serves data.
async fn create_table(client: &mut Client, name: &str, is_sorted: bool) {
    let mut attributes = vec![json!({"AttributeName": "pk", "AttributeType": "S"})];
    let mut schema = vec![json!({"AttributeName": "pk", "KeyType": "HASH"})];
    if is_sorted {
        attributes.push(json!({"AttributeName": "sk", "AttributeType": "S"}));
        schema.push(json!({"AttributeName": "sk", "KeyType": "RANGE"}));
    }
    let body = json!({
        "TableName": name, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes, "KeySchema": schema,
    });
    insist(client, "CreateTable", body).await;
    eventually("the table is active", async || {
        let answer = insist(client, "DescribeTable", json!({"TableName": name})).await;
        (answer["Table"]["TableStatus"] == "ACTIVE").then_some(())
    })
    .await;
}

/// Repeats a request until it is answered; that it was done already counts.
async fn insist(client: &mut Client, operation: &str, body: Value) -> Value {
    for _ in 0..100 {
        match client.call(operation, &body, Duration::from_secs(10)).await {
            Reply::Done(answer) => return answer,
            Reply::Refused { kind, .. } if kind == "ResourceInUseException" => return Value::Null,
            Reply::Refused { kind, message, .. } if kind == "ValidationException" => {
                panic!("{operation}: {kind}: {message}")
            }
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    panic!("{operation} did not succeed in good weather");
}

/// One client of one node.
pub struct Visitor {
    workload: Arc<Workload>,
    home: u64,
    client: Client,
    rng: Rng,
}

impl Visitor {
    /// A client of node `home` at `address`.
    pub fn new(workload: &Arc<Workload>, home: u64, address: SocketAddr, rng: Rng) -> Visitor {
        Visitor { workload: Arc::clone(workload), home, client: Client::new(address), rng }
    }

    /// Does one thing after the other until the workload ends.
    pub async fn run(mut self) {
        while !self.workload.is_over.load(Ordering::Relaxed) {
            if !self.step().await {
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
            let think = self.rng.below(self.workload.think_ms);
            tokio::time::sleep(Duration::from_millis(think)).await;
        }
    }

    /// Whether the request was answered.
    async fn step(&mut self) -> bool {
        let Mix { items, transactions } = self.workload.mix;
        let is_transaction = transactions && (!items || self.rng.below(100) < 35);
        let choice = self.rng.below(100);
        if is_transaction {
            match choice {
                0..30 => self.append().await,
                30..60 => self.look_at_lists().await,
                60..70 => self.append_and_see().await,
                70..85 => self.transfer().await,
                _ => self.add_up().await,
            }
        } else {
            match choice {
                0..28 => self.put().await,
                28..58 => self.get().await,
                58..64 => self.query().await,
                64..68 => self.scan().await,
                68..74 => self.batch_get().await,
                74..80 => self.cell_get().await,
                80..88 => self.cell_add().await,
                88..97 => self.cell_put_if().await,
                _ => self.cell_delete().await,
            }
        }
    }

    /// Sends a request and counts how it ended.
    async fn call(&mut self, operation: &'static str, body: Value) -> Reply {
        let reply = self.client.call(operation, &body, self.workload.limit).await;
        let outcome = match &reply {
            Reply::Done(_) => Outcome::Ok,
            // A condition that does not hold is an answer.
            Reply::Refused { kind, .. } if kind == CONDITION_FAILED => Outcome::Ok,
            Reply::Refused { kind, message, .. } if kind == "ValidationException" => {
                panic!("{operation} {body}: {message}")
            }
            Reply::Refused { .. } | Reply::NotSent => Outcome::Failed,
            Reply::Lost => Outcome::Unknown,
        };
        self.workload.record.count(operation, outcome);
        let is_write = matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems");
        if is_write && outcome == Outcome::Ok {
            self.workload.record.written_through(self.home);
        }
        reply
    }

    fn now(&self) -> u64 {
        self.workload.record.now()
    }

    // Registers.

    async fn put(&mut self) -> bool {
        let (partition, sort) = (self.rng.below(PARTITIONS), self.rng.below(SORT_KEYS));
        let value = self.workload.next_value();
        let mut item = register_key(partition, sort);
        item["v"] = json!({"N": value.to_string()});
        let start = self.now();
        let reply = self.call("PutItem", json!({"TableName": "registers", "Item": item})).await;
        let outcome = written(&reply);
        self.workload.record.register(&register_name(partition, sort), start, Action::Write(value), outcome);
        outcome == Outcome::Ok
    }

    async fn get(&mut self) -> bool {
        let (partition, sort) = (self.rng.below(PARTITIONS), self.rng.below(SORT_KEYS));
        let start = self.now();
        let key = register_key(partition, sort);
        let body = json!({"TableName": "registers", "Key": key, "ConsistentRead": true});
        let Some(answer) = self.call("GetItem", body).await.done() else { return false };
        self.registers_seen(start, [(partition, sort)], std::slice::from_ref(&answer["Item"]));
        true
    }

    async fn query(&mut self) -> bool {
        let partition = self.rng.below(PARTITIONS);
        let start = self.now();
        let body = json!({
            "TableName": "registers", "ConsistentRead": true, "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": {":p": {"S": format!("p{partition}")}},
        });
        let Some(answer) = self.call("Query", body).await.done() else { return false };
        let keys = (0..SORT_KEYS).map(|sort| (partition, sort));
        self.registers_seen(start, keys, answer["Items"].as_array().expect("a list of items"));
        true
    }

    /// A whole scan, page by page; each page's items are read while that page is asked for, and what no page shows was
    /// absent at some time of the whole.
    async fn scan(&mut self) -> bool {
        let began = self.now();
        let mut seen = Vec::new();
        let mut from = Value::Null;
        loop {
            let mut body = json!({"TableName": "registers", "ConsistentRead": true, "Limit": 4});
            if !from.is_null() {
                body["ExclusiveStartKey"] = from;
            }
            let Some(answer) = self.call("Scan", body).await.done() else { return false };
            seen.extend(answer["Items"].as_array().expect("a list of items").iter().cloned());
            from = answer["LastEvaluatedKey"].clone();
            if from.is_null() {
                break;
            }
        }
        let keys = (0..PARTITIONS).flat_map(|partition| (0..SORT_KEYS).map(move |sort| (partition, sort)));
        self.registers_seen(began, keys, &seen);
        true
    }

    async fn batch_get(&mut self) -> bool {
        let count = self.rng.between(2, 4);
        let keys = self.rng.distinct(count, PARTITIONS * SORT_KEYS);
        let keys: Vec<(u64, u64)> = keys.into_iter().map(|key| (key / SORT_KEYS, key % SORT_KEYS)).collect();
        let asked: Vec<Value> = keys.iter().map(|(partition, sort)| register_key(*partition, *sort)).collect();
        let start = self.now();
        let body = json!({"RequestItems": {"registers": {"Keys": asked, "ConsistentRead": true}}});
        let Some(answer) = self.call("BatchGetItem", body).await.done() else { return false };
        if answer["UnprocessedKeys"].as_object().is_some_and(|keys| !keys.is_empty()) {
            return false;
        }
        self.registers_seen(start, keys, answer["Responses"]["registers"].as_array().expect("a list of items"));
        true
    }

    /// Every one of `keys` was read: as in `items`, or absent.
    fn registers_seen(&self, start: u64, keys: impl IntoIterator<Item = (u64, u64)>, items: &[Value]) {
        let mut values = BTreeMap::new();
        for item in items.iter().filter(|item| !item.is_null()) {
            let name = format!("{}/{}", text(&item["pk"]), text(&item["sk"]));
            let value: u64 = number(&item["v"]);
            if values.insert(name.clone(), value).is_some() {
                self.workload.record.wrong(format!("register {name} is twice in one answer"));
            }
        }
        for (partition, sort) in keys {
            let name = register_name(partition, sort);
            let action = Action::Read(values.remove(&name));
            self.workload.record.register(&name, start, action, Outcome::Ok);
        }
        if let Some((name, _)) = values.pop_first() {
            self.workload.record.wrong(format!("register {name} was not asked for"));
        }
    }

    // Cells.

    fn cell(&mut self) -> String {
        let operation = self.workload.cell_operations.fetch_add(1, Ordering::Relaxed);
        let generation = operation / (CELL_OPERATIONS * CELLS);
        format!("cell-{generation}-{}", self.rng.below(CELLS))
    }

    async fn cell_get(&mut self) -> bool {
        let cell = self.cell();
        let start = self.now();
        let body = json!({"TableName": "cells", "Key": {"pk": {"S": cell}}, "ConsistentRead": true});
        let Some(answer) = self.call("GetItem", body).await.done() else { return false };
        let value = answer["Item"].get("v").map(number);
        self.workload.record.cell(&cell, start, CellAction::Read(value), Outcome::Ok);
        true
    }

    async fn cell_add(&mut self) -> bool {
        let cell = self.cell();
        let by = self.rng.between(1, 9) as i64;
        let start = self.now();
        let body = json!({
            "TableName": "cells", "Key": {"pk": {"S": cell}}, "UpdateExpression": "ADD v :by",
            "ExpressionAttributeValues": {":by": {"N": by.to_string()}}, "ReturnValues": "UPDATED_NEW",
        });
        let reply = self.call("UpdateItem", body).await;
        let outcome = written(&reply);
        let sum = reply.done().map_or(0, |answer| number(&answer["Attributes"]["v"]));
        self.workload.record.cell(&cell, start, CellAction::Add { by, sum }, outcome);
        outcome == Outcome::Ok
    }

    /// Reads, then writes on the condition that nothing has changed.
    async fn cell_put_if(&mut self) -> bool {
        let cell = self.cell();
        let start = self.now();
        let key = json!({"pk": {"S": cell}});
        let body = json!({"TableName": "cells", "Key": key, "ConsistentRead": true});
        let Some(answer) = self.call("GetItem", body).await.done() else { return false };
        let expected = answer["Item"].get("v").map(number);
        self.workload.record.cell(&cell, start, CellAction::Read(expected), Outcome::Ok);
        let new = self.workload.next_value() as i64;
        let item = json!({"pk": {"S": cell}, "v": {"N": new.to_string()}});
        let mut body = json!({"TableName": "cells", "Item": item});
        match expected {
            None => body["ConditionExpression"] = json!("attribute_not_exists(pk)"),
            Some(value) => {
                body["ConditionExpression"] = json!("v = :v");
                body["ExpressionAttributeValues"] = json!({":v": {"N": value.to_string()}});
            }
        }
        let start = self.now();
        let reply = self.call("PutItem", body).await;
        let held = !is_refused_with(&reply, CONDITION_FAILED);
        let outcome = if held { written(&reply) } else { Outcome::Ok };
        self.workload.record.cell(&cell, start, CellAction::PutIf { expected, new, held }, outcome);
        outcome == Outcome::Ok
    }

    async fn cell_delete(&mut self) -> bool {
        let cell = self.cell();
        let start = self.now();
        let body = json!({"TableName": "cells", "Key": {"pk": {"S": cell}}});
        let outcome = written(&self.call("DeleteItem", body).await);
        self.workload.record.cell(&cell, start, CellAction::Delete, outcome);
        outcome == Outcome::Ok
    }

    // Transactions over lists.

    /// Up to `most` lists of the current generation, by number.
    fn lists(&mut self, most: u64) -> Vec<u64> {
        let transaction = self.workload.list_transactions.fetch_add(1, Ordering::Relaxed);
        let generation = transaction / LIST_TRANSACTIONS;
        let count = self.rng.between(1, most);
        self.rng.distinct(count, LISTS).into_iter().map(|list| generation * LISTS + list).collect()
    }

    async fn append(&mut self) -> bool {
        let element = self.workload.next_value();
        let lists = self.lists(3);
        let updates: Vec<Value> = lists.iter().map(|key| json!({"Update": append_to(*key, element)})).collect();
        let body = json!({"TransactItems": updates, "ClientRequestToken": format!("append-{element}")});
        let steps: Transaction = lists.into_iter().map(|key| Step::Append { key, element }).collect();
        let start = self.now();
        let first = written(&self.call("TransactWriteItems", body.clone()).await);
        if first == Outcome::Ok {
            self.workload.record.transaction(start, steps.clone(), first);
        }
        let mut outcome = first;
        if self.rng.below(AGAIN_IN) == 0 {
            // Done twice, the element is in a list twice.
            tokio::time::sleep(Duration::from_millis(self.rng.below(AGAIN_MS))).await;
            outcome = either(first, written(&self.call("TransactWriteItems", body).await));
        }
        if first != Outcome::Ok {
            self.workload.record.transaction(start, steps, outcome);
        }
        outcome == Outcome::Ok
    }

    async fn look_at_lists(&mut self) -> bool {
        let lists = self.lists(4);
        let gets: Vec<Value> =
            lists.iter().map(|key| json!({"Get": {"TableName": "lists", "Key": list_key(*key)}})).collect();
        let start = self.now();
        let Some(answer) = self.call("TransactGetItems", json!({"TransactItems": gets})).await.done() else {
            return false;
        };
        let items = answer["Responses"].as_array().expect("a list of answers");
        let read = |(key, item): (&u64, &Value)| Step::Read { key: *key, list: elements(&item["Item"]["l"]) };
        let steps: Transaction = lists.iter().zip(items).map(read).collect();
        self.workload.record.transaction(start, steps, Outcome::Ok);
        true
    }

    /// One item, with what it was before: a transaction that reads and appends.
    async fn append_and_see(&mut self) -> bool {
        let element = self.workload.next_value();
        let key = self.lists(1)[0];
        let mut body = append_to(key, element);
        body["ReturnValues"] = json!("ALL_OLD");
        let start = self.now();
        let reply = self.call("UpdateItem", body).await;
        let outcome = written(&reply);
        let mut steps = vec![Step::Append { key, element }];
        if let Some(answer) = reply.done() {
            steps.insert(0, Step::Read { key, list: elements(&answer["Attributes"]["l"]) });
        }
        self.workload.record.transaction(start, steps, outcome);
        outcome == Outcome::Ok
    }

    // The bank.

    async fn transfer(&mut self) -> bool {
        let parties = self.rng.distinct(2, ACCOUNTS);
        let amount = self.rng.between(1, 40).to_string();
        let change = |account: u64, update: &str, condition: Option<&str>| {
            let mut update = json!({
                "TableName": "bank", "Key": {"pk": {"S": account_key(account)}}, "UpdateExpression": update,
                "ExpressionAttributeValues": {":a": {"N": amount.clone()}},
            });
            if let Some(condition) = condition {
                update["ConditionExpression"] = json!(condition);
            }
            json!({"Update": update})
        };
        let debit = change(parties[0], "SET balance = balance - :a", Some("balance >= :a"));
        let credit = change(parties[1], "SET balance = balance + :a", None);
        let reply = self.call("TransactWriteItems", json!({"TransactItems": [debit, credit]})).await;
        !matches!(reply, Reply::NotSent | Reply::Lost)
    }

    async fn add_up(&mut self) -> bool {
        let get = |account| json!({"Get": {"TableName": "bank", "Key": {"pk": {"S": account_key(account)}}}});
        let gets: Vec<Value> = (0..ACCOUNTS).map(get).collect();
        let Some(answer) = self.call("TransactGetItems", json!({"TransactItems": gets})).await.done() else {
            return false;
        };
        let items = answer["Responses"].as_array().expect("a list of answers");
        let balances: Vec<i64> = items.iter().map(|item| number(&item["Item"]["balance"])).collect();
        let sum: i64 = balances.iter().sum();
        if sum != ACCOUNTS as i64 * BALANCE || balances.iter().any(|balance| *balance < 0) {
            self.workload.record.wrong(format!("the accounts hold {balances:?}, {sum} together"));
        }
        true
    }

    /// Looks at everything once more, when no faults are injected any more: what was acknowledged must be there.
    pub async fn look_back(&mut self) {
        let mix = self.workload.mix;
        if mix.items {
            eventually("a scan is answered", async || self.scan().await.then_some(())).await;
        }
        if mix.transactions {
            eventually("all accounts are read", async || self.add_up().await.then_some(())).await;
            let generation = self.workload.list_transactions.load(Ordering::Relaxed) / LIST_TRANSACTIONS;
            for key in 0..(generation + 1) * LISTS {
                self.look_at_list(key).await;
            }
        }
    }

    async fn look_at_list(&mut self, key: u64) {
        let body = json!({"TableName": "lists", "Key": list_key(key), "ConsistentRead": true});
        let (start, answer) = eventually("a list is read", async || {
            let start = self.now();
            Some((start, self.call("GetItem", body.clone()).await.done()?))
        })
        .await;
        let list = elements(&answer["Item"]["l"]);
        self.workload.record.transaction(start, vec![Step::Read { key, list }], Outcome::Ok);
    }
}

const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

/// How a write ended that was sent with this reply.
fn written(reply: &Reply) -> Outcome {
    match reply {
        Reply::Done(_) => Outcome::Ok,
        Reply::Refused { .. } | Reply::NotSent => Outcome::Failed,
        Reply::Lost => Outcome::Unknown,
    }
}

/// How a transaction ended that was asked for twice under one token.
fn either(first: Outcome, second: Outcome) -> Outcome {
    match (first, second) {
        (Outcome::Ok, _) | (_, Outcome::Ok) => Outcome::Ok,
        (Outcome::Unknown, _) | (_, Outcome::Unknown) => Outcome::Unknown,
        (Outcome::Failed, Outcome::Failed) => Outcome::Failed,
    }
}

fn is_refused_with(reply: &Reply, name: &str) -> bool {
    matches!(reply, Reply::Refused { kind, .. } if kind == name)
}

fn register_key(partition: u64, sort: u64) -> Value {
    json!({"pk": {"S": format!("p{partition}")}, "sk": {"S": format!("s{sort}")}})
}

fn register_name(partition: u64, sort: u64) -> String {
    format!("p{partition}/s{sort}")
}

fn list_key(key: u64) -> Value {
    json!({"pk": {"S": format!("list-{key}")}})
}

fn append_to(key: u64, element: u64) -> Value {
    json!({
        "TableName": "lists", "Key": list_key(key),
        "UpdateExpression": "SET l = list_append(if_not_exists(l, :none), :e)",
        "ExpressionAttributeValues": {":none": {"L": []}, ":e": {"L": [{"N": element.to_string()}]}},
    })
}

fn text(value: &Value) -> &str {
    value["S"].as_str().expect("a string attribute")
}

fn number<T: std::str::FromStr>(value: &Value) -> T {
    value["N"].as_str().and_then(|text| text.parse().ok()).expect("a number attribute")
}

/// The numbers of a list; empty where there is none.
fn elements(list: &Value) -> Vec<u64> {
    list["L"].as_array().map(|list| list.iter().map(number).collect()).unwrap_or_default()
}
