//! The whole engine without a server: requests in, replies out, one shard, a log in memory.
//!
//! A write goes the whole way: JSON, plan, command, log bytes, apply, batch, outcome, reply. A crash takes away what
//! the store has not flushed, and opening again replays the log behind the applied index that it finds there, as the
//! server does.

use std::sync::Arc;

use dynamo_engine::apply::{Applier, Fault, Outcome, ShardState, UNLIMITED, apply_entry};
use dynamo_engine::catalog::{Catalog, DdlWork, MemoryCatalog, TableDescriptor, TableStats, next_ddl_step};
use dynamo_engine::command::{BackfillStep, Command, Entry, Stamped};
use dynamo_engine::context::RequestContext;
use dynamo_engine::keyspace::local;
use dynamo_engine::plan::batch_execute_statement::Batch;
use dynamo_engine::plan::execute_statement;
use dynamo_engine::plan::execute_transaction::StatementTransaction;
use dynamo_engine::plan::{self, PlanError, WritePlan};
use dynamo_engine::read::{Execution, ReadError, ReadPlan, Run, Step};
use dynamo_engine::reply;
use dynamo_engine::stream::{StreamRequest, StreamResponse};
use dynamo_expression::partiql::{Select, Statement};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::{
    BatchExecuteStatementInput, BatchWriteItemInput, CreateTableInput, DeleteItemInput, DeleteTableInput,
    DescribeContinuousBackupsInput, DescribeEndpointsInput, DescribeLimitsInput, DescribeStreamInput,
    DescribeTableInput, DescribeTimeToLiveInput, ExecuteStatementInput, ExecuteTransactionInput, GetRecordsInput,
    GetShardIteratorInput, ListStreamsInput, ListTablesInput, ListTagsOfResourceInput, Operation, PutItemInput,
    TagResourceInput, TransactWriteItemsInput, UntagResourceInput, UpdateItemInput, UpdateTableInput,
    UpdateTimeToLiveInput,
};
use hlc::Timestamp;
use ordered_kv::memory::MemoryState;
use ordered_kv::{Reader, StateStore, WriteBatch};
use serde_json::Value;
use shard_router::{ShardId, ShardMap};

use crate::fixture;

const SHARD: ShardId = ShardId(0);

/// One shard with its log.
pub struct Node {
    store: MemoryState,
    shard: ShardState,
    catalog: MemoryCatalog,
    /// Every entry, as bytes.
    log: Vec<Vec<u8>>,
    clock: u64,
    /// Whether commands are tried without any work first, and then applied as if on another thread.
    applies_apart: bool,
    /// Whether an update of a table is driven to its end before the next request, as it is but for milliseconds.
    pub drives: bool,
}

impl Node {
    pub fn new() -> Node {
        Node {
            store: MemoryState::with_crashes(),
            shard: ShardState::new(SHARD, Arc::new(ShardMap::whole())),
            catalog: MemoryCatalog::default(),
            log: Vec::new(),
            clock: 1 << 40,
            applies_apart: false,
            drives: true,
        }
    }

    /// The reply to a request, or the error that the client gets.
    pub fn send(&mut self, operation: &str, request: &Value) -> Result<Value, ApiError> {
        let reply = self.send_bytes(operation, request.to_string().as_bytes())?;
        Ok(if reply.is_empty() { Value::Null } else { serde_json::from_slice(&reply).expect("a reply is JSON") })
    }

    /// The same with request and reply as they travel.
    pub fn send_bytes(&mut self, operation: &str, body: &[u8]) -> Result<Vec<u8>, ApiError> {
        if let Some(reply) = self.control(operation, body) {
            return reply;
        }
        match operation {
            "PutItem" => self.write(plan::put_item::plan(PutItemInput::from_json(body)?, &self.catalog)),
            "UpdateItem" => self.write(plan::update_item::plan(UpdateItemInput::from_json(body)?, &self.catalog)),
            "DeleteItem" => self.write(plan::delete_item::plan(DeleteItemInput::from_json(body)?, &self.catalog)),
            "BatchWriteItem" => {
                self.write(plan::batch_write_item::plan(BatchWriteItemInput::from_json(body)?, &self.catalog))
            }
            "TransactWriteItems" => {
                self.write(plan::transact_write_items::plan(TransactWriteItemsInput::from_json(body)?, &self.catalog))
            }
            "ExecuteStatement" => {
                let input = ExecuteStatementInput::from_json(body)?;
                match plan::execute_statement::parse(&input)? {
                    Statement::Select(select) => self.select(&input, &select),
                    statement => self.write(plan::execute_statement::write(&input, &statement, &self.catalog)),
                }
            }
            "BatchExecuteStatement" => {
                let batch = Batch::parse(BatchExecuteStatementInput::from_json(body)?)?;
                match batch.is_write() {
                    true => self.write(batch.write(true, &self.catalog)),
                    false => self.read(&batch.read(true, &self.catalog).map_err(PlanError::into_api_error)?),
                }
            }
            "ExecuteTransaction" => {
                let transaction = StatementTransaction::parse(ExecuteTransactionInput::from_json(body)?)?;
                match transaction.is_write() {
                    true => self.write(transaction.write(true, &self.catalog)),
                    false => self.read(&transaction.read(true, &self.catalog).map_err(PlanError::into_api_error)?),
                }
            }
            read => {
                let plan = fixture::plan_bytes(&self.catalog, read, body)?;
                self.read(&plan)
            }
        }
    }

    fn read(&self, plan: &ReadPlan) -> Result<Vec<u8>, ApiError> {
        let mut out = Vec::new();
        let reader: &dyn Reader = &self.store;
        match plan.execute(&reader, &mut out, Run::WHOLE) {
            Ok(()) => Ok(out),
            Err(ReadError::Client(error)) => Err(error),
            Err(error) => panic!("memory can be read: {error}"),
        }
    }

    /// A page of a SELECT.
    fn select(&self, input: &ExecuteStatementInput, select: &Select) -> Result<Vec<u8>, ApiError> {
        let mut plan = execute_statement::select(input, select, &self.catalog).map_err(PlanError::into_api_error)?;
        let read = plan.read.take().map(|read| {
            let mut execution = Execution::new(read);
            let reader: &dyn Reader = &self.store;
            match execution.advance(&reader, Run::WHOLE) {
                Ok(Step::Done) => Ok(execution),
                Err(ReadError::Client(error)) => Err(error),
                other => panic!("memory can be read: {other:?}"),
            }
        });
        plan.into_body(read.transpose()?)
    }

    /// What the plan reads from.
    pub fn reader(&self) -> &dyn Reader {
        &self.store
    }

    /// Bytes of the log so far.
    pub fn log_bytes(&self) -> usize {
        self.log.iter().map(Vec::len).sum()
    }

    /// The reply to an operation on tables; `None` for other operations.
    fn control(&mut self, operation: &str, body: &[u8]) -> Option<Result<Vec<u8>, ApiError>> {
        let operation = Operation::ALL.iter().copied().find(|known| known.name() == operation)?;
        let reply = match operation {
            Operation::CreateTable => self.create_table(body),
            Operation::UpdateTable => self.update_table(body),
            Operation::DeleteTable => self.delete_table(body),
            Operation::TagResource | Operation::UntagResource | Operation::UpdateTimeToLive => {
                self.change_settings(operation, body)
            }
            Operation::ListTables => ListTablesInput::from_json(body)
                .map(|input| reply::list_tables(&plan::list_tables::plan(input, &self.catalog)))
                .map_err(PlanError::Client),
            Operation::DescribeTable => self.describe_table(body),
            Operation::DescribeTimeToLive => DescribeTimeToLiveInput::from_json(body)
                .map_err(PlanError::Client)
                .and_then(|input| plan::describe_table::plan_time_to_live(input, &self.catalog))
                .map(|table| reply::describe_time_to_live(&table)),
            Operation::ListTagsOfResource => ListTagsOfResourceInput::from_json(body)
                .map_err(PlanError::Client)
                .and_then(|input| plan::tag_resource::plan_list(input, &self.catalog))
                .map(|table| reply::list_tags_of_resource(&table)),
            Operation::DescribeContinuousBackups => DescribeContinuousBackupsInput::from_json(body)
                .map_err(PlanError::Client)
                .and_then(|input| plan::describe_table::plan_continuous_backups(input, &self.catalog))
                .map(|_| reply::describe_continuous_backups()),
            Operation::DescribeLimits => {
                DescribeLimitsInput::from_json(body).map(|_| reply::describe_limits()).map_err(PlanError::Client)
            }
            Operation::DescribeEndpoints => DescribeEndpointsInput::from_json(body)
                .map(|_| reply::describe_endpoints("localhost"))
                .map_err(PlanError::Client),
            Operation::ListStreams
            | Operation::DescribeStream
            | Operation::GetShardIterator
            | Operation::GetRecords => self.streams(operation, body),
            _ => return None,
        };
        Some(reply.map_err(PlanError::into_api_error))
    }

    fn streams(&self, operation: Operation, body: &[u8]) -> Result<Vec<u8>, PlanError> {
        let (context, now_ms) = (RequestContext::default(), self.clock >> 16);
        let ask = |request: &StreamRequest| request.serve(SHARD, &self.store, usize::MAX).expect("memory can be read");
        match operation {
            Operation::ListStreams => {
                let page = plan::list_streams::plan(ListStreamsInput::from_json(body)?, &self.catalog)?;
                Ok(reply::list_streams(&page, &context))
            }
            Operation::DescribeStream => {
                let asked = plan::describe_stream::plan(DescribeStreamInput::from_json(body)?, &self.catalog)?;
                let StreamResponse::Shards(shards) = ask(&StreamRequest::Shards { stream: asked.stream.id }) else {
                    panic!("shards were asked for");
                };
                Ok(reply::describe_stream(&asked.stream, &asked.page(shards), &context))
            }
            Operation::GetShardIterator => {
                let input = GetShardIteratorInput::from_json(body)?;
                let asked = plan::get_shard_iterator::plan(input, now_ms, &self.catalog)?;
                Ok(reply::get_shard_iterator(&asked.iterator(&ask(&asked.request))?))
            }
            _ => {
                let asked = plan::get_records::plan(GetRecordsInput::from_json(body)?, now_ms)?;
                Ok(reply::get_records(&asked.iterator, &ask(&asked.request), now_ms, &context, None)?)
            }
        }
    }

    fn create_table(&mut self, body: &[u8]) -> Result<Vec<u8>, PlanError> {
        let command = plan::create_table::plan(CreateTableInput::from_json(body)?)?;
        Ok(reply::create_table(&self.ddl(Command::Ddl(command)), &RequestContext::default())?)
    }

    fn update_table(&mut self, body: &[u8]) -> Result<Vec<u8>, PlanError> {
        let command = plan::update_table::plan(UpdateTableInput::from_json(body)?, &self.catalog)?;
        let outcome = self.ddl(Command::Ddl(command));
        let reply = reply::update_table(&outcome, &TableStats::default(), &RequestContext::default());
        if self.drives {
            self.drive();
        }
        Ok(reply?)
    }

    fn delete_table(&mut self, body: &[u8]) -> Result<Vec<u8>, PlanError> {
        let command = plan::delete_table::plan(DeleteTableInput::from_json(body)?, &self.catalog)?;
        Ok(reply::delete_table(&self.ddl(Command::Ddl(command)), &RequestContext::default())?)
    }

    fn change_settings(&mut self, operation: Operation, body: &[u8]) -> Result<Vec<u8>, PlanError> {
        let command = match operation {
            Operation::TagResource => plan::tag_resource::plan(TagResourceInput::from_json(body)?, &self.catalog),
            Operation::UntagResource => {
                plan::tag_resource::plan_untag(UntagResourceInput::from_json(body)?, &self.catalog)
            }
            _ => plan::update_time_to_live::plan(UpdateTimeToLiveInput::from_json(body)?, &self.catalog, None),
        };
        let outcome = self.ddl(Command::Ddl(command?));
        Ok(match operation {
            Operation::UpdateTimeToLive => reply::update_time_to_live(&outcome)?,
            _ => reply::tag_resource(&outcome)?,
        })
    }

    fn describe_table(&self, body: &[u8]) -> Result<Vec<u8>, PlanError> {
        let (table, phase) = plan::describe_table::plan(DescribeTableInput::from_json(body)?, &self.catalog)?;
        let stats = TableStats::read(&self.store, SHARD, &table).expect("memory can be read");
        Ok(reply::describe_table(&table, phase, &stats, &RequestContext::default()))
    }

    /// Makes everything written so far durable.
    pub fn flush(&self) {
        self.store.flush().expect("memory can be flushed");
    }

    /// Loses what was not flushed, or a part of it, and starts again.
    pub fn crash(&mut self, seed: u64) {
        self.store.crash(seed);
        self.shard =
            ShardState::load(&self.store, SHARD, Arc::new(ShardMap::whole())).expect("the shard's rows are whole");
        let applied = self.store.get(&local::applied(SHARD)).expect("memory can be read");
        let applied = applied.map_or(0, |bytes| u64::from_be_bytes(bytes[..].try_into().expect("eight bytes")));
        for index in applied as usize..self.log.len() {
            let entry = self.log[index].clone();
            self.apply(index as u64 + 1, &entry);
        }
        self.catalog = self.shard.catalog();
    }

    pub fn table(&self, name: &str) -> TableDescriptor {
        TableDescriptor::clone(&*self.catalog.table(name).expect("the table is there"))
    }

    /// Every row of the store, to compare two nodes.
    pub fn rows(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut cursor = self.store.cursor(ordered_kv::KeyRange::all(), ordered_kv::Direction::Forward).unwrap();
        let mut rows = Vec::new();
        while let Some((key, value)) = cursor.next().unwrap() {
            rows.push((key.to_vec(), value.to_vec()));
        }
        rows
    }

    /// What a fresh replica makes of the same log, which applies each command that does anything away from the others.
    pub fn replica(&self) -> Node {
        let mut replica = Node::new();
        replica.applies_apart = true;
        for entry in &self.log {
            replica.log.push(entry.clone());
            replica.apply(replica.log.len() as u64, entry);
        }
        replica
    }

    fn write(&mut self, plan: Result<WritePlan, PlanError>) -> Result<Vec<u8>, ApiError> {
        let plan = plan.map_err(PlanError::into_api_error)?;
        let outcomes = self.propose(plan.writes.into_iter().map(|write| write.command).collect());
        plan.reply.render(outcomes.into_iter().map(Ok).collect())
    }

    fn ddl(&mut self, command: Command) -> dynamo_engine::apply::ddl::DdlOutcome {
        let Some(Outcome::Ddl(outcome)) = self.propose(vec![command]).pop() else {
            panic!("a catalog command has a catalog outcome");
        };
        outcome
    }

    /// Does what remains to be done about every table, as the server's driver.
    pub fn drive(&mut self) {
        loop {
            let tables: Vec<_> = self.catalog.tables().cloned().collect();
            let Some(work) = tables.iter().find_map(|table| next_ddl_step(table)) else {
                return;
            };
            match work {
                DdlWork::Install { .. } | DdlWork::Uninstall { .. } => panic!("there are no other shards"),
                DdlWork::Propose(command) => {
                    self.ddl(Command::Ddl(command));
                }
                DdlWork::Backfill { table, schema_version, index, then } => {
                    let step = BackfillStep { table, schema_version, index, rows: 3 };
                    let outcome = self.propose(vec![Command::BackfillStep(step)]).pop();
                    if let Some(Outcome::Backfilled { done: true }) = outcome {
                        self.ddl(Command::Ddl(then));
                    }
                }
            }
        }
    }

    /// The tables as they are installed.
    pub fn catalog(&self) -> &MemoryCatalog {
        &self.catalog
    }

    /// Applies commands as one entry.
    pub fn propose(&mut self, commands: Vec<Command>) -> Vec<Outcome> {
        let stamp = |command| {
            self.clock += 7;
            Stamped { ts: Timestamp(self.clock), command }
        };
        let commands = commands.into_iter().map(stamp).collect();
        let entry = Entry { stamped_ms: self.clock >> 16, ceiling: Timestamp(self.clock + 1), commands };
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        self.log.push(bytes.clone());
        self.apply(self.log.len() as u64, &bytes)
    }

    fn apply(&mut self, index: u64, entry: &[u8]) -> Vec<Outcome> {
        let entry = Entry::decode(entry).expect("what was encoded is decoded");
        let mut batch = WriteBatch::new();
        let apply = if self.applies_apart { apply_apart } else { apply_entry };
        let outcomes = apply(&mut self.shard, &self.store, &mut batch, &entry).expect("the rows are whole");
        batch.put(&local::applied(SHARD), &index.to_be_bytes());
        self.store.write(&batch).expect("memory takes writes");
        self.catalog = self.shard.catalog();
        outcomes
    }
}

/// As [`apply_entry`], with each command tried without any work, let go of where that does not do, and gone on with.
fn apply_apart(
    shard: &mut ShardState,
    reader: &dyn Reader,
    batch: &mut WriteBatch,
    entry: &Entry,
) -> Result<Vec<Outcome>, Fault> {
    let mut applier = Applier::new(&mut *shard, reader, entry);
    let mut outcomes = Vec::new();
    for stamped in &entry.commands {
        let outcome = match applier.apply(stamped, 0) {
            Err(Fault::TooLong) => {
                applier = applier.suspend().resume(shard, reader);
                applier.apply(stamped, UNLIMITED)?
            }
            applied => applied?,
        };
        outcomes.push(outcome);
    }
    applier.finish(batch);
    Ok(outcomes)
}
