//! A database of one shard in memory: requests as JSON go through plan, log entry, apply and reply.

use std::sync::Arc;

use dynamo_engine::apply::{Outcome, ShardState, apply_entry};
use dynamo_engine::catalog::TableDescriptor;
use dynamo_engine::command::{Command, Entry, Stamped, TOKEN_AGE_STEP_MS_MAX};
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
}

impl Writer {
    pub fn new() -> Writer {
        let mut shard = ShardState::new(ShardId(0), Arc::new(ShardMap::whole()));
        for table in [ranges(), hashes()] {
            let table: Arc<TableDescriptor> = Arc::new(table);
            shard.tables.insert(table.id, table);
        }
        Writer { store: MemoryState::new(), shard, clock: 0 }
    }

    /// The reply's body, or the error as the client sees it.
    pub fn send(&mut self, operation: &str, request: Value) -> Result<Value, ApiError> {
        let plan = plan_write(operation, &request)?;
        let outcomes = self.apply(plan.writes.into_iter().map(|write| write.command));
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

    /// Lets as much time pass as a ClientRequestToken is remembered for.
    pub fn outlive_tokens(&mut self) {
        self.apply((0..42).map(|_| Command::AgeTokens(TOKEN_AGE_STEP_MS_MAX)));
    }

    fn apply(&mut self, commands: impl IntoIterator<Item = Command>) -> Vec<Outcome> {
        let stamped = commands.into_iter().map(|command| {
            self.clock += 1;
            Stamped { ts: Timestamp(self.clock), command }
        });
        let commands = stamped.collect();
        let entry = Entry { stamped_ms: 1_000_000, ceiling: Timestamp(self.clock + 1), commands };
        let mut batch = WriteBatch::new();
        let outcomes = apply_entry(&mut self.shard, &self.store, &mut batch, &entry).unwrap();
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
