//! What the tests of a node have in common: one table, and short words for writing and reading it.

use std::collections::BTreeMap;
use std::sync::Arc;

use dynamo_engine::apply::Outcome;
use dynamo_engine::apply::ddl::DdlOutcome;
use dynamo_engine::catalog::{Catalog, DdlCommand, KeyAttribute, KeySchema, KeyType, TableDescriptor, TableId};
use dynamo_engine::command::{Change, Command, ItemWrite};
use dynamo_engine::item::{ItemBody, ItemRef};
use dynamo_engine::keyspace::{KeyPart, row_key, token_of};
use dynamo_engine::plan::PlannedCommand;
use dynamo_engine::read::ReadPlan;
use dynamo_protocol::value::{AttributeValue, Item};
use shard_router::Token;

use crate::env::sim::{SimEnv, SimNode};
use crate::env::{Env, Storage};
use crate::node::{Node, NodeOptions};
use crate::shard::{Deadline, ShardError};
use crate::transaction::OnConflict;

pub const TABLE: &str = "things";

/// A simulated machine with a node that is alone and has the table.
pub async fn start_alone() -> (Arc<SimNode>, Arc<Node<SimEnv>>) {
    let machine = SimNode::new(1, 1);
    let options = NodeOptions { storage: Storage::Memory, ..NodeOptions::default() };
    let node = machine.scope(Node::start(options, SimEnv::new(&machine))).await.unwrap();
    machine.scope(create_table(&node)).await;
    (machine, node)
}

/// Creates the table of the tests and gives it.
pub async fn create_table<E: Env>(node: &Node<E>) -> Arc<TableDescriptor> {
    let key = KeyAttribute { name: "id".to_owned(), kind: KeyType::S };
    let table = TableDescriptor::new(TableId(0), TABLE, KeySchema { partition: vec![key], sort: Vec::new() });
    match node.catalog.change(DdlCommand::CreateTable(Box::new(table)), node.deadline()).await {
        Ok(DdlOutcome::Created(table)) => table,
        other => panic!("no table: {other:?}"),
    }
}

/// The table of the tests as it is installed.
pub fn table<E: Env>(node: &Node<E>) -> Arc<TableDescriptor> {
    node.catalog.installed().table(TABLE).expect("the table was created")
}

/// An item of the table.
pub fn item(id: &str, value: &str) -> Item {
    BTreeMap::from([
        ("id".to_owned(), AttributeValue::S(id.to_owned())),
        ("value".to_owned(), AttributeValue::S(value.to_owned())),
    ])
}

/// What comes of a command, as a client is told.
pub async fn proposed<E: Env>(node: &Node<E>, token: Token, command: Command) -> Result<Outcome, ShardError> {
    node.transactions.propose(PlannedCommand { token, command }, OnConflict::Answer, node.deadline()).await
}

/// Puts an item; `Ok` means acknowledged.
pub async fn put<E: Env>(node: &Node<E>, id: &str, value: &str) -> Result<(), ShardError> {
    put_within(node, id, value, node.deadline()).await
}

/// As [`put`], by a request that has so much time.
pub async fn put_within<E: Env>(node: &Node<E>, id: &str, value: &str, deadline: Deadline) -> Result<(), ShardError> {
    let table = table(node);
    let parts = [KeyPart::S(id)];
    let write = ItemWrite {
        table: table.id,
        schema_version: table.schema_version,
        key: row_key(table.id.0, &parts, &[]),
        condition: None,
        change: Change::Put(ItemBody::encode(&item(id, value))),
    };
    let command = PlannedCommand { token: token_of(table.id.0, &parts), command: Command::Write(write) };
    match node.transactions.propose(command, OnConflict::Answer, deadline).await? {
        Outcome::Written(_) => Ok(()),
        other => panic!("not written: {other:?}"),
    }
}

/// The value of an item in the newest applied state, past the guard.
pub fn applied_value<E: Env>(node: &Node<E>, id: &str) -> Option<String> {
    let table = table(node);
    let row = node.stores.state.get(&row_key(table.id.0, &[KeyPart::S(id)], &[])).unwrap()?;
    match ItemRef::parse(&row).unwrap().to_item().unwrap().remove("value") {
        Some(AttributeValue::S(value)) => Some(value),
        other => panic!("not a value: {other:?}"),
    }
}

/// A GetItem through the guard: the body of the reply.
pub async fn get<E: Env>(node: &Node<E>, id: &str) -> Result<String, crate::guard::ReadFailure> {
    let read = node.reader.execute(get_plan(node, id), node.deadline()).await?;
    Ok(String::from_utf8(read.into_body()).unwrap())
}

fn get_plan<E: Env>(node: &Node<E>, id: &str) -> ReadPlan {
    let request = format!(r#"{{"TableName":"{TABLE}","Key":{{"id":{{"S":"{id}"}}}}}}"#);
    let input = dynamo_protocol::ops::GetItemInput::from_json(request.as_bytes()).unwrap();
    dynamo_engine::plan::get_item::plan(input, &*node.catalog.installed()).unwrap()
}
