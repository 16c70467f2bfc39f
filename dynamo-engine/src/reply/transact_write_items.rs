//! The reply of TransactWriteItems.

use std::collections::BTreeMap;

use dynamo_protocol::error::{ApiError, CancellationReason};
use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::limits::TRANSACTION_BYTES_MAX;
use dynamo_protocol::shapes::{ReturnConsumedCapacity, ReturnItemCollectionMetrics};
use dynamo_protocol::value::Item;

use super::batch_write_item::write_collections;
use super::consumed_write::{ConsumedReport, Factor, metrics_wanted, shown, write_list};
use super::statement::as_statements_say;
use crate::apply::{ActionOutcome, Outcome, WriteOutcome};
use crate::capacity::{Consumed, UnitKind};
use crate::catalog::TableDescriptor;

/// What to say of a transaction.
#[derive(Clone, Debug)]
pub struct TransactReply {
    /// `ReturnConsumedCapacity`.
    consumed_mode: Option<ReturnConsumedCapacity>,
    /// `ReturnItemCollectionMetrics`.
    metrics_mode: Option<ReturnItemCollectionMetrics>,
    /// In the order of the request, as outcomes are.
    actions: Vec<ActionReply>,
    /// By the table's name in the request.
    tables: BTreeMap<String, TableReply>,
    /// Whether it is ExecuteTransaction's, which has an empty `Responses` for writes.
    is_statements: bool,
}

#[derive(Clone, Debug)]
struct ActionReply {
    /// As in the request.
    table_name: String,
    /// Whether the item is returned where the condition fails.
    shows_item_on_failure: bool,
    /// PartiQL's INSERT, whose failed condition means that the item exists.
    is_insert: bool,
}

#[derive(Clone, Debug)]
struct TableReply {
    /// How its capacity is reported, where that is wanted.
    consumed: Option<ConsumedReport>,
    /// Keys of the item collections whose metrics are wanted.
    collections: Vec<Item>,
}

impl TransactReply {
    /// A reply about no action yet.
    pub(crate) fn new(
        consumed_mode: Option<ReturnConsumedCapacity>,
        metrics_mode: Option<ReturnItemCollectionMetrics>,
    ) -> TransactReply {
        TransactReply {
            consumed_mode,
            metrics_mode,
            actions: Vec::new(),
            tables: BTreeMap::new(),
            is_statements: false,
        }
    }

    /// The reply of ExecuteTransaction.
    pub(crate) fn for_statements(mut self) -> TransactReply {
        self.is_statements = true;
        self
    }

    /// The action added last is an INSERT.
    pub(crate) fn last_is_insert(&mut self) {
        if let Some(last) = self.actions.last_mut() {
            last.is_insert = true;
        }
    }

    /// Adds an action; `collection_key` is empty for one that writes nothing.
    pub(crate) fn action(
        &mut self,
        table: &TableDescriptor,
        table_name: &str,
        shows_item_on_failure: bool,
        collection_key: Item,
    ) {
        let consumed_mode = self.consumed_mode;
        let entry = self.tables.entry(table_name.to_owned()).or_insert_with(|| TableReply {
            consumed: ConsumedReport::new(table, table_name, consumed_mode),
            collections: Vec::new(),
        });
        let wanted = metrics_wanted(table, self.metrics_mode) && !collection_key.is_empty();
        if wanted && !entry.collections.contains(&collection_key) {
            entry.collections.push(collection_key);
        }
        self.actions.push(ActionReply { table_name: table_name.to_owned(), shows_item_on_failure, is_insert: false });
    }

    /// Whether the reply may show items, whatever comes of the transaction.
    pub(super) fn shows_items(&self) -> bool {
        self.actions.iter().any(|action| action.shows_item_on_failure)
    }

    /// The body.
    ///
    /// # Errors
    /// The cancellation with its reasons, or a token used for another request.
    pub fn render(&self, outcome: Outcome) -> Result<Vec<u8>, ApiError> {
        match outcome {
            Outcome::Transacted { actions } => self.body(&self.tallies(&actions)?, UnitKind::Write),
            Outcome::Replayed { reads } => self.body(&self.replay_tallies(&reads), UnitKind::Read),
            Outcome::Cancelled(verdicts) => Err(self.cancelled(verdicts)?),
            Outcome::TokenMismatch => Err(ApiError::idempotent_parameter_mismatch()),
            Outcome::InProgress => Err(ApiError::transaction_in_progress()),
            _ => Err(ApiError::internal()),
        }
    }

    fn body(&self, tallies: &[Consumed], kind: UnitKind) -> Result<Vec<u8>, ApiError> {
        let mut out = Vec::new();
        let mut json = JsonWriter::new(&mut out);
        json.begin_object();
        if self.is_statements {
            json.key("Responses").begin_array().end_array();
        }
        if !tallies.is_empty() {
            let arms = self.consumed_mode == Some(ReturnConsumedCapacity::Indexes);
            write_list(tallies, arms, Some(kind), &mut json);
        }
        write_collections(self.tables.iter().map(|(name, table)| (name, &table.collections)), &mut json);
        json.end_object();
        Ok(out)
    }

    /// What a replay costs; an action of which nothing is known counts as a small item.
    fn replay_tallies(&self, reads: &[u32]) -> Vec<Consumed> {
        let mut tallies: BTreeMap<&str, Consumed> = BTreeMap::new();
        for (action, units) in self.actions.iter().zip(reads.iter().copied().chain(std::iter::repeat(1))) {
            let Some(report) = self.tables.get(&action.table_name).and_then(|table| table.consumed.as_ref()) else {
                continue;
            };
            report.count_replay(units, tallies.entry(&action.table_name).or_insert_with(|| report.tally()));
        }
        tallies.into_values().collect()
    }

    fn tallies(&self, writes: &[WriteOutcome]) -> Result<Vec<Consumed>, ApiError> {
        let mut tallies: BTreeMap<&str, Consumed> = BTreeMap::new();
        for (action, write) in self.actions.iter().zip(writes) {
            let Some(report) = self.tables.get(&action.table_name).and_then(|table| table.consumed.as_ref()) else {
                continue;
            };
            let tally = tallies.entry(&action.table_name).or_insert_with(|| report.tally());
            report.count(write, Factor::Transaction, tally)?;
        }
        Ok(tallies.into_values().collect())
    }

    fn cancelled(&self, verdicts: Vec<ActionOutcome>) -> Result<ApiError, ApiError> {
        let mut reasons = Vec::with_capacity(verdicts.len());
        let mut room = TRANSACTION_BYTES_MAX;
        for (verdict, action) in verdicts.into_iter().zip(&self.actions) {
            reasons.push(match verdict {
                ActionOutcome::Passed => CancellationReason::none(),
                ActionOutcome::Conflict => CancellationReason::transaction_conflict(),
                ActionOutcome::Invalid(text) if self.is_statements => {
                    CancellationReason::validation(as_statements_say(text))
                }
                ActionOutcome::Invalid(text) => CancellationReason::validation(text),
                ActionOutcome::ConditionFailed { .. } if action.is_insert => CancellationReason::duplicate_item(),
                ActionOutcome::ConditionFailed { item } if action.shows_item_on_failure => {
                    let bytes = item.as_ref().map_or(0, |row| row.len());
                    // The service has no transaction whose items are larger together; here conditions may meet more.
                    let item = if bytes <= room { shown(item.as_ref())? } else { None };
                    room = room.saturating_sub(bytes);
                    CancellationReason::conditional_check_failed(item)
                }
                ActionOutcome::ConditionFailed { .. } => CancellationReason::conditional_check_failed(None),
            });
        }
        Ok(ApiError::transaction_canceled(reasons))
    }
}

/// What a TransactGetItems answers that meets items held by transactions until its time is over: one reason for each
/// item, in the request's order.
pub fn transact_get_conflict(is_held: &[bool]) -> ApiError {
    let reason = |is_held: &bool| {
        if *is_held { CancellationReason::transaction_conflict() } else { CancellationReason::none() }
    };
    ApiError::transaction_canceled(is_held.iter().map(reason).collect())
}
