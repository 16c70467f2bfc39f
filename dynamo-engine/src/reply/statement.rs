//! The replies of PartiQL's writes: ExecuteStatement and BatchExecuteStatement.

use std::collections::BTreeMap;

use dynamo_expression::{Update, partiql};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::shapes::{ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure};
use dynamo_protocol::value::Item;

use super::consumed_write::{ConsumedReport, Factor, item, shown, tree, write_list};
use crate::apply::{Outcome, Rejection, WriteOutcome};
use crate::capacity::Consumed;
use crate::catalog::TableDescriptor;
use crate::item::Decoded;
use crate::messages::NESTED_TOO_DEEP;

/// What to say of one statement's write.
#[derive(Clone, Debug)]
pub struct StatementReply {
    /// As in the statement.
    table_name: String,
    /// An INSERT, whose failed condition means that the item exists.
    is_insert: bool,
    /// What of the item is returned.
    returns: ReturnValue,
    /// The update, where only what it touched is returned.
    touched: Option<Update>,
    /// Whether the item is returned where the condition fails.
    shows_item_on_failure: bool,
    /// How the capacity is reported, where that is wanted.
    consumed: Option<ConsumedReport>,
}

/// What to say of a batch of statements that write.
#[derive(Clone, Debug, Default)]
pub struct StatementBatchReply {
    /// In the order of the request: a write, or why there is none.
    slots: Vec<Result<StatementReply, ApiError>>,
}

impl StatementReply {
    pub(crate) fn new(
        table: &TableDescriptor,
        table_name: &str,
        is_insert: bool,
        consumed: Option<ReturnConsumedCapacity>,
        on_failure: Option<ReturnValuesOnConditionCheckFailure>,
    ) -> StatementReply {
        StatementReply {
            table_name: table_name.to_owned(),
            is_insert,
            returns: ReturnValue::None,
            touched: None,
            shows_item_on_failure: on_failure == Some(ReturnValuesOnConditionCheckFailure::AllOld),
            consumed: ConsumedReport::new(table, table_name, consumed),
        }
    }

    /// The RETURNING clause, and the update whose paths `MODIFIED` returns.
    pub(crate) fn returning(mut self, returns: ReturnValue, touched: Option<Update>) -> StatementReply {
        self.returns = returns;
        self.touched = touched;
        self
    }

    /// Whether the reply may show an item, whatever comes of the write.
    pub(super) fn shows_items(&self) -> bool {
        self.shows_item_on_failure || self.returns != ReturnValue::None
    }

    /// The body.
    ///
    /// # Errors
    /// A failed condition, an item that exists already, an invalid update.
    pub fn render(&self, outcome: Outcome) -> Result<Vec<u8>, ApiError> {
        let write = self.written(outcome)?;
        let mut out = Vec::new();
        let mut json = JsonWriter::new(&mut out);
        json.begin_object();
        json.key("Items").begin_array();
        if let Some(item) = self.returned(&write)? {
            json.item(&item);
        }
        json.end_array();
        if let Some(report) = &self.consumed {
            let mut tally = report.tally();
            report.count(&write, Factor::Plain, &mut tally)?;
            json.key("ConsumedCapacity");
            tally.write_json(report.arms, None, &mut json);
        }
        json.end_object();
        Ok(out)
    }

    fn written(&self, outcome: Outcome) -> Result<WriteOutcome, ApiError> {
        match outcome {
            Outcome::Written(write) => Ok(write),
            Outcome::ConditionFailed { .. } if self.is_insert => Err(ApiError::duplicate_item()),
            Outcome::ConditionFailed { item } => {
                let item = if self.shows_item_on_failure { shown(item.as_ref())? } else { None };
                Err(ApiError::conditional_check_failed(item))
            }
            Outcome::Invalid(text) => Err(ApiError::validation(as_statements_say(text))),
            Outcome::Conflict => Err(ApiError::transaction_conflict()),
            Outcome::Rejected(Rejection::Behind) => Err(ApiError::throughput_exceeded()),
            _ => Err(ApiError::internal()),
        }
    }

    /// What the RETURNING clause gives; nothing where that has no attribute.
    fn returned(&self, write: &WriteOutcome) -> Result<Option<Item>, ApiError> {
        let row = match self.returns {
            ReturnValue::None => return Ok(None),
            ReturnValue::AllOld | ReturnValue::UpdatedOld => &write.old,
            ReturnValue::AllNew | ReturnValue::UpdatedNew => &write.new,
        };
        let (Some(row), Some(update)) = (row, &self.touched) else { return tree(row.as_ref()) };
        let touched = update.touched(&Decoded::new(item(row)?));
        Ok((!touched.is_empty()).then_some(touched))
    }
}

impl StatementBatchReply {
    /// Adds a statement that is written.
    pub(crate) fn write(&mut self, reply: StatementReply) {
        self.slots.push(Ok(reply));
    }

    /// Adds a statement that is wrong.
    pub(crate) fn failed(&mut self, error: ApiError) {
        self.slots.push(Err(error));
    }

    /// Whether the reply may show items, whatever comes of the writes.
    pub(super) fn shows_items(&self) -> bool {
        self.slots.iter().flatten().any(StatementReply::shows_items)
    }

    /// The body, from what came of each write.
    ///
    /// # Errors
    /// Only where a reply cannot be made of what was written.
    pub fn render(&self, outcomes: Vec<Result<Outcome, ApiError>>) -> Result<Vec<u8>, ApiError> {
        let mut outcomes = outcomes.into_iter();
        let mut tallies: BTreeMap<&str, Consumed> = BTreeMap::new();
        let mut arms = false;
        let mut out = Vec::new();
        let mut json = JsonWriter::new(&mut out);
        json.begin_object();
        json.key("Responses").begin_array();
        for slot in &self.slots {
            let reply = match slot {
                Ok(reply) => reply,
                Err(error) => {
                    write_failed_statement(error, None, &mut json);
                    continue;
                }
            };
            let outcome = outcomes.next().unwrap_or_else(|| Err(ApiError::internal()));
            let write = match outcome.and_then(|outcome| reply.written(outcome)) {
                Ok(write) => write,
                Err(error) => {
                    write_failed_statement(&error, Some(&reply.table_name), &mut json);
                    continue;
                }
            };
            json.begin_object();
            json.key("TableName").str(&reply.table_name);
            if let Some(item) = reply.returned(&write)? {
                json.key("Item").item(&item);
            }
            json.end_object();
            if let Some(report) = &reply.consumed {
                arms = report.arms;
                report.count(
                    &write,
                    Factor::Plain,
                    tallies.entry(&reply.table_name).or_insert_with(|| report.tally()),
                )?;
            }
        }
        json.end_array();
        if !tallies.is_empty() {
            write_list(&tallies.into_values().collect::<Vec<_>>(), arms, None, &mut json);
        }
        json.end_object();
        Ok(out)
    }
}

/// What is wrong with an update's result, as statements say it: of an item that is nested too deeply they say less.
pub(super) fn as_statements_say(text: String) -> String {
    if text == NESTED_TOO_DEEP { partiql::NESTED_TOO_DEEP.to_owned() } else { text }
}

/// Writes the answer to one statement of a batch that was not carried out. The table is named where the statement was
/// tried.
pub(crate) fn write_failed_statement(error: &ApiError, table_name: Option<&str>, json: &mut JsonWriter<'_>) {
    let code = error.kind().statement_code();
    json.begin_object();
    json.key("Error").begin_object();
    json.key("Code").str(code);
    if let Some(item) = error.item() {
        json.key("Item").raw(|out| out.extend_from_slice(item));
    }
    json.key("Message").str(error.message());
    json.end_object();
    if let Some(name) = table_name {
        json.key("TableName").str(name);
    }
    json.end_object();
}
