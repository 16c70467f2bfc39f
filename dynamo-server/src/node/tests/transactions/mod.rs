//! Transactions whose items lie on several shards.
//!
//! | file | what |
//! |---|---|
//! | `answers` | what clients are told, with nothing going wrong |
//! | `lost` | a coordinator that goes no further, at each step of its way |
//! | `cluster` | the same with three machines, of which the coordinator's dies |
//! | `tokens` | requests under one client token, whatever node they come to and whatever died between them |
//! | `cost` | how many commands a transaction takes |
//! | `http` | what clients of real servers are told, over raw HTTP, also by nodes that lead nothing of it |
//! | `serial` | many at once, with coordinators lost among them: one serial order explains what all clients saw |

mod answers;
mod cluster;
mod cost;
mod http;
mod lost;
mod serial;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use dynamo_engine::apply::Outcome;
use dynamo_engine::apply::ddl::DdlOutcome;
use dynamo_engine::catalog::{Catalog, DdlCommand, KeyAttribute, KeySchema, KeyType, TableDescriptor, TableId};
use dynamo_engine::command::Command;
use dynamo_engine::keyspace::{KeyPart, token_of, token_of_client_token};
use dynamo_engine::plan::WritePlan;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::{PutItemInput, TransactWriteItemsInput};

use super::fixture::TABLE;
use crate::env::sim::{SimEnv, SimNode};
use crate::env::{Env, Storage};
use crate::node::{Node, NodeOptions};
use crate::shard::ShardError;
use crate::transaction::OnConflict;

const SHARDS: u32 = 4;

/// Shorter than in production, so that a coordinator that goes no further is noticed soon.
const REQUEST_DEADLINE: Duration = Duration::from_millis(1_500);

/// How long recovery may take to finish what was left behind, records that wait for their deadline included.
const SETTLED_AFTER: Duration = Duration::from_secs(40);

/// A machine of its own with all shards, and the table of the tests on each.
async fn start(machine: &Arc<SimNode>) -> Arc<Node<SimEnv>> {
    let options = NodeOptions {
        storage: Storage::Memory,
        shards: SHARDS,
        request_deadline: REQUEST_DEADLINE,
        ..NodeOptions::default()
    };
    machine.scope(Node::start(options, SimEnv::new(machine))).await.expect("a node starts")
}

/// The command that creates the table of the tests.
fn create_command() -> DdlCommand {
    let key = KeyAttribute { name: "id".to_owned(), kind: KeyType::S };
    let table = TableDescriptor::new(TableId(0), TABLE, KeySchema { partition: vec![key], sort: Vec::new() });
    DdlCommand::CreateTable(Box::new(table))
}

/// Creates the table of the tests on every shard.
async fn create_table<E: Env>(node: &Node<E>) {
    match node.catalog.change(create_command(), node.deadline()).await {
        Ok(DdlOutcome::Created(_)) => {}
        other => panic!("no table: {other:?}"),
    }
    while node.catalog.installed().table(TABLE).is_none() {
        E::sleep(Duration::from_millis(5)).await;
    }
}

/// An item on each shard, in the order of the shards: `name` and a number.
fn one_on_each_shard<E: Env>(node: &Node<E>, name: &str) -> Vec<String> {
    let table = node.catalog.installed().table(TABLE).expect("the table was created");
    let shard = |id: &str| node.router.shard_of(token_of(table.id.0, &[KeyPart::S(id)])).id().0;
    let found = |wanted| (0..).map(|number| format!("{name}{number}")).find(|id| shard(id) == wanted);
    (0..SHARDS).map(|wanted| found(wanted).expect("every shard has keys")).collect()
}

/// A client token that lives on this shard: `name` and a number.
fn token_on<E: Env>(node: &Node<E>, shard: u32, name: &str) -> String {
    let mut tokens = (0..).map(|number| format!("{name}{number}"));
    let is_there = |token: &String| node.router.shard_of(token_of_client_token(token)).id().0 == shard;
    tokens.find(is_there).expect("every shard has tokens")
}

async fn propose<E: Env>(node: &Node<E>, plan: WritePlan) -> Result<Result<Vec<u8>, ApiError>, ShardError> {
    let mut outcomes: Vec<Result<Outcome, ApiError>> = Vec::new();
    for write in plan.writes {
        outcomes.push(Ok(node.transactions.propose(write, OnConflict::Answer, node.deadline()).await?));
    }
    Ok(plan.reply.render(outcomes))
}

/// The plan of a TransactWriteItems with these actions.
fn transaction<E: Env>(node: &Node<E>, actions: &[String], token: Option<&str>) -> WritePlan {
    let token = token.map_or(String::new(), |token| format!(r#","ClientRequestToken":"{token}""#));
    let request = format!(r#"{{"TransactItems":[{}]{token},"ReturnConsumedCapacity":"TOTAL"}}"#, actions.join(","));
    let input = TransactWriteItemsInput::from_json(request.as_bytes()).unwrap();
    dynamo_engine::plan::transact_write_items::plan(input, &*node.catalog.installed()).unwrap()
}

/// The one command of a transaction.
fn command(plan: WritePlan) -> Command {
    plan.writes.into_iter().next().expect("a transaction is one command").command
}

async fn transact<E: Env>(
    node: &Node<E>,
    actions: &[String],
    token: Option<&str>,
) -> Result<Result<String, ApiError>, ShardError> {
    let answer = propose(node, transaction(node, actions, token)).await?;
    Ok(answer.map(|body| String::from_utf8(body).unwrap()))
}

fn put_action(id: &str, value: &str) -> String {
    format!(r#"{{"Put":{{"TableName":"{TABLE}","Item":{{"id":{{"S":"{id}"}},"value":{{"S":"{value}"}}}}}}}}"#)
}

/// Adds one to the item's counter.
fn add_action(id: &str) -> String {
    format!(
        r#"{{"Update":{{"TableName":"{TABLE}","Key":{{"id":{{"S":"{id}"}}}},"UpdateExpression":"ADD n :n","ExpressionAttributeValues":{{":n":{{"N":"1"}}}}}}}}"#
    )
}

/// Adds one to each item's counter.
fn add_all(ids: &[String]) -> Vec<String> {
    ids.iter().map(|id| add_action(id)).collect()
}

/// How often one was added to the item's counter.
async fn counter<E: Env>(node: &Node<E>, id: &str) -> u64 {
    loop {
        // Nobody may lead the shard yet.
        if let Ok(body) = super::fixture::get(node, id).await {
            let number = body.split(r#""n":{"N":""#).nth(1).and_then(|rest| rest.split('"').next());
            return number.map_or(0, |number| number.parse().expect("a whole number"));
        }
        E::sleep(Duration::from_millis(5)).await;
    }
}

fn check_action(id: &str, value: &str) -> String {
    format!(
        r##"{{"ConditionCheck":{{"TableName":"{TABLE}","Key":{{"id":{{"S":"{id}"}}}},"ConditionExpression":"#v = :v","ExpressionAttributeNames":{{"#v":"value"}},"ExpressionAttributeValues":{{":v":{{"S":"{value}"}}}}}}}}"##
    )
}

/// A PutItem: what the client is told.
async fn put<E: Env>(node: &Node<E>, id: &str, value: &str) -> Result<Result<Vec<u8>, ApiError>, ShardError> {
    let request = format!(r#"{{"TableName":"{TABLE}","Item":{{"id":{{"S":"{id}"}},"value":{{"S":"{value}"}}}}}}"#);
    let input = PutItemInput::from_json(request.as_bytes()).unwrap();
    propose(node, dynamo_engine::plan::put_item::plan(input, &*node.catalog.installed()).unwrap()).await
}

/// The values of these items as they are applied, past the guard.
fn values<E: Env>(node: &Node<E>, ids: &[String]) -> Vec<Option<String>> {
    ids.iter().map(|id| super::fixture::applied_value(node, id)).collect()
}

/// What is left of transactions on all shards: prepares and records.
fn left_behind<E: Env>(node: &Node<E>) -> (usize, usize) {
    let mut left = (0, 0);
    for shard in &node.router.shards {
        let open = shard.group().published().transactions();
        left.0 += open.prepared.len();
        left.1 += open.decisions.len();
    }
    left
}

fn locks<E: Env>(node: &Node<E>) -> u64 {
    node.router.shards.iter().map(|shard| shard.group().published().locks()).sum()
}
