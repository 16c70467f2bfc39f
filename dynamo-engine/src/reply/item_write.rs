//! The reply of PutItem, UpdateItem and DeleteItem, which differ only in what they can be asked to return.

use dynamo_expression::Update;
use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::shapes::{
    ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnValue, ReturnValuesOnConditionCheckFailure,
};
use dynamo_protocol::value::Item;
use ordered_kv::Value;

use super::consumed_write::{ConsumedReport, Factor, item, metrics_wanted, shown, write_metrics};
use crate::apply::{Outcome, WriteOutcome};
use crate::catalog::TableDescriptor;
use crate::item::Decoded;

/// What to say of one item's write.
#[derive(Clone, Debug)]
pub struct SingleReply {
    /// What of the item is returned.
    returns: ReturnValue,
    /// Whether the item is returned where the condition fails.
    shows_item_on_failure: bool,
    /// The update, where only what it touched is returned.
    update: Option<Update>,
    /// How the capacity is reported, where that is wanted.
    consumed: Option<ConsumedReport>,
    /// The item collection's key, where its metrics are wanted.
    collection: Option<Item>,
    /// As in the request.
    table_name: String,
}

impl SingleReply {
    /// A reply that says nothing; the methods below add what the request asks for.
    pub(crate) fn new(table_name: &str) -> SingleReply {
        SingleReply {
            returns: ReturnValue::None,
            shows_item_on_failure: false,
            update: None,
            consumed: None,
            collection: None,
            table_name: table_name.to_owned(),
        }
    }

    /// `ReturnValues` and `ReturnValuesOnConditionCheckFailure`.
    pub(crate) fn returning(
        mut self,
        returns: Option<ReturnValue>,
        on_failure: Option<ReturnValuesOnConditionCheckFailure>,
    ) -> SingleReply {
        self.returns = returns.unwrap_or(ReturnValue::None);
        self.shows_item_on_failure = on_failure == Some(ReturnValuesOnConditionCheckFailure::AllOld);
        self
    }

    /// The update whose paths `UPDATED_OLD` and `UPDATED_NEW` return.
    pub(crate) fn touching(mut self, update: Option<Update>) -> SingleReply {
        self.update = update;
        self
    }

    /// `ReturnConsumedCapacity`.
    pub(crate) fn consumed(mut self, table: &TableDescriptor, mode: Option<ReturnConsumedCapacity>) -> SingleReply {
        self.consumed = ConsumedReport::new(table, &self.table_name, mode);
        self
    }

    /// `ReturnItemCollectionMetrics`.
    pub(crate) fn metrics(
        mut self,
        table: &TableDescriptor,
        mode: Option<ReturnItemCollectionMetrics>,
        collection_key: impl FnOnce() -> Item,
    ) -> SingleReply {
        self.collection = metrics_wanted(table, mode).then(collection_key);
        self
    }

    /// Whether the reply may show an item, whatever comes of the write.
    pub(super) fn shows_items(&self) -> bool {
        self.shows_item_on_failure || self.returns != ReturnValue::None
    }

    /// The body.
    ///
    /// # Errors
    /// A failed condition, an invalid update.
    pub fn render(&self, outcome: Outcome) -> Result<Vec<u8>, ApiError> {
        let write = match outcome {
            Outcome::Written(write) => write,
            Outcome::ConditionFailed { item } => {
                let item = if self.shows_item_on_failure { shown(item.as_ref())? } else { None };
                return Err(ApiError::conditional_check_failed(item));
            }
            Outcome::Invalid(text) => return Err(ApiError::validation(text)),
            Outcome::Conflict => return Err(ApiError::transaction_conflict()),
            _ => return Err(ApiError::internal()),
        };
        let mut out = Vec::new();
        let mut json = JsonWriter::new(&mut out);
        json.begin_object();
        self.attributes(&write, &mut json)?;
        if let Some(report) = &self.consumed {
            let mut tally = report.tally();
            report.count(&write, Factor::Plain, &mut tally)?;
            json.key("ConsumedCapacity");
            tally.write_json(report.arms, None, &mut json);
        }
        if let Some(collection_key) = &self.collection {
            json.key("ItemCollectionMetrics");
            write_metrics(collection_key, &mut json);
        }
        json.end_object();
        Ok(out)
    }

    fn attributes(&self, write: &WriteOutcome, json: &mut JsonWriter<'_>) -> Result<(), ApiError> {
        let (row, whole) = match self.returns {
            ReturnValue::None => return Ok(()),
            ReturnValue::AllOld => (&write.old, true),
            ReturnValue::AllNew => (&write.new, true),
            ReturnValue::UpdatedOld => (&write.old, false),
            ReturnValue::UpdatedNew => (&write.new, false),
        };
        match row {
            None => Ok(()),
            Some(row) if whole => {
                json.key("Attributes");
                item(row)?.write_json(json).map_err(|_| ApiError::internal())
            }
            Some(row) => self.touched(row, json),
        }
    }

    /// Only the leaves that the update names; nothing at all where there are none.
    fn touched(&self, row: &Value, json: &mut JsonWriter<'_>) -> Result<(), ApiError> {
        let Some(update) = &self.update else { return Ok(()) };
        let touched = update.touched(&Decoded::new(item(row)?));
        if !touched.is_empty() {
            json.key("Attributes").item(&touched);
        }
        Ok(())
    }
}
