//! A database of one shard in memory: requests as JSON go through plan, log entry, apply and reply.

use std::sync::Arc;

use dynamo_engine::apply::{Outcome, ShardState, apply_entry};
use dynamo_engine::catalog::TableDescriptor;
use dynamo_engine::command::{Entry, Stamped};
use dynamo_engine::plan::{self, PlanError, WritePlan};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::{
    BatchWriteItemInput, DeleteItemInput, PutItemInput, TransactWriteItemsInput, UpdateItemInput,
};
use hlc::Timestamp;
use ordered_kv::memory::MemoryState;
use ordered_kv::{StateStore, WriteBatch};
use serde_json::{Value, json};
use shard_router::{ShardId, ShardMap};

use crate::fixture::{catalog, hashes, ranges};

pub struct Writer {
    store: MemoryState,
    shard: ShardState,
    clock: u64,
    pub wall_ms: u64,
}

impl Writer {
    pub fn new() -> Writer {
        let mut shard = ShardState::new(ShardId(0), Arc::new(ShardMap::whole()));
        for table in [ranges(), hashes()] {
            let table: Arc<TableDescriptor> = Arc::new(table);
            shard.tables.insert(table.id, table);
        }
        Writer { store: MemoryState::new(), shard, clock: 0, wall_ms: 1_000_000 }
    }

    /// The reply's body, or the error as the client sees it.
    pub fn send(&mut self, operation: &str, request: Value) -> Result<Value, ApiError> {
        let plan = plan_write(operation, &request)?;
        let commands: Vec<Stamped> = plan
            .writes
            .into_iter()
            .map(|write| {
                self.clock += 1;
                Stamped { ts: Timestamp(self.clock), command: write.command }
            })
            .collect();
        let entry = Entry { stamped_ms: self.wall_ms, ceiling: Timestamp(self.clock + 1), commands };
        let outcomes = self.apply(&entry);
        let body = plan.reply.render(outcomes.into_iter().map(Ok).collect())?;
        Ok(serde_json::from_slice(&body).expect("a reply is JSON"))
    }

    /// The error's kind, text and further members.
    pub fn refused(&mut self, operation: &str, request: Value) -> Value {
        let error = self.send(operation, request).expect_err("refused");
        serde_json::from_slice(&error.to_json()).expect("an error is JSON")
    }

    /// The text of a ValidationException.
    pub fn invalid(&mut self, operation: &str, request: Value) -> String {
        let error = self.send(operation, request).expect_err("refused");
        assert!(error.type_name().ends_with("#ValidationException"), "{error:?}");
        error.message().to_owned()
    }

    fn apply(&mut self, entry: &Entry) -> Vec<Outcome> {
        let mut batch = WriteBatch::new();
        let outcomes = apply_entry(&mut self.shard, &self.store, &mut batch, entry).unwrap();
        self.store.write(&batch).unwrap();
        outcomes
    }
}

pub fn plan_write(operation: &str, request: &Value) -> Result<WritePlan, ApiError> {
    let body = request.to_string().into_bytes();
    let catalog = catalog();
    let planned = match operation {
        "PutItem" => plan::put_item::plan(PutItemInput::from_json(&body)?, &catalog),
        "UpdateItem" => plan::update_item::plan(UpdateItemInput::from_json(&body)?, &catalog),
        "DeleteItem" => plan::delete_item::plan(DeleteItemInput::from_json(&body)?, &catalog),
        "BatchWriteItem" => plan::batch_write_item::plan(BatchWriteItemInput::from_json(&body)?, &catalog),
        "TransactWriteItems" => plan::transact_write_items::plan(TransactWriteItemsInput::from_json(&body)?, &catalog),
        other => panic!("no write operation: {other}"),
    };
    planned.map_err(PlanError::into_api_error)
}

/// `base` with the members of `more` added.
pub fn with(mut base: Value, more: Value) -> Value {
    let members = more.as_object().expect("an object").clone();
    base.as_object_mut().expect("an object").extend(members);
    base
}

/// A request on one item of `hashes`.
pub fn hash(name: &str, more: Value) -> Value {
    with(json!({ "TableName": "hashes", "Key": { "a": { "S": name } } }), more)
}

/// A put into `hashes`.
pub fn put(item: Value, more: Value) -> Value {
    with(json!({ "TableName": "hashes", "Item": item }), more)
}
