//! What PutItem, UpdateItem and DeleteItem have in common: the condition, and what of the reply is asked for.

use std::sync::Arc;

use dynamo_expression::{Condition, ENVELOPE, ExpressionError, ExpressionKind, Placeholders};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::{DeleteItemInput, PutItemInput, UpdateItemInput};
use dynamo_protocol::parameters::{Joined, Said};
use dynamo_protocol::shapes::{
    ExpectedAttributeValue, ExpressionAttributeNames, ExpressionAttributeValues, ReturnConsumedCapacity,
    ReturnItemCollectionMetrics, ReturnValue, ReturnValuesOnConditionCheckFailure,
};
use dynamo_protocol::value::Item;

use crate::catalog::{Catalog, TableDescriptor};
use crate::reply::SingleReply;

use super::paths::check_scalars;
use super::write::collection_key;
use super::{PlanError, lookup};

/// The parameters that the three share.
pub(super) struct WriteRequest<'r> {
    /// Name or ARN, as the client wrote it.
    table_name: &'r str,
    /// What must be true of the item before.
    condition: Option<Said<'r, Joined<'r, ExpectedAttributeValue>>>,
    /// Placeholders for names.
    names: Option<&'r ExpressionAttributeNames>,
    /// Placeholders for values.
    values: Option<&'r ExpressionAttributeValues>,
    /// What of the item is returned.
    returns: Option<ReturnValue>,
    /// Whether the item is returned where the condition fails.
    on_failure: Option<ReturnValuesOnConditionCheckFailure>,
    /// Whether the consumed capacity is.
    capacity: Option<ReturnConsumedCapacity>,
    /// Whether the item collection's metrics are.
    metrics: Option<ReturnItemCollectionMetrics>,
}

macro_rules! write_requests {
    ($($input:ty),+) => {$(
        impl<'r> From<&'r $input> for WriteRequest<'r> {
            fn from(input: &'r $input) -> WriteRequest<'r> {
                WriteRequest {
                    table_name: &input.table_name,
                    condition: input.condition(),
                    names: input.expression_attribute_names.as_ref(),
                    values: input.expression_attribute_values.as_ref(),
                    returns: input.return_values,
                    on_failure: input.return_values_on_condition_check_failure,
                    capacity: input.return_consumed_capacity,
                    metrics: input.return_item_collection_metrics,
                }
            }
        }
    )+};
}

write_requests!(PutItemInput, UpdateItemInput, DeleteItemInput);

impl<'r> WriteRequest<'r> {
    /// What the expressions may stand for by a placeholder.
    pub fn placeholders(&self) -> Placeholders<'r> {
        Placeholders::new(self.names, self.values).enveloped()
    }

    /// Parses the condition; `None` where there is none.
    ///
    /// # Errors
    /// The client's mistake in it.
    pub fn condition(&self, placeholders: &Placeholders<'_>) -> Result<Option<Condition>, ApiError> {
        match self.condition {
            Some(Said::Expression(text)) => Ok(Some(placeholders.condition(ExpressionKind::Condition, text)?)),
            Some(Said::Legacy(expected)) => Ok(super::legacy::expected(expected).map_err(ExpressionError::enveloped)?),
            None => Ok(None),
        }
    }

    /// As [`WriteRequest::condition`], where nothing else of the request uses its placeholders.
    ///
    /// # Errors
    /// The client's mistake in it, and a placeholder that is not used.
    pub fn condition_alone(&self) -> Result<Option<Condition>, ApiError> {
        let placeholders = self.placeholders();
        let condition = self.condition(&placeholders)?;
        placeholders.finish()?;
        Ok(condition)
    }

    /// The table.
    ///
    /// # Errors
    /// An unknown one.
    pub fn table(&self, catalog: &dyn Catalog) -> Result<Arc<TableDescriptor>, PlanError> {
        lookup::table(catalog, self.table_name)
    }

    /// The reply about the item with these attributes, once the condition fits the table.
    ///
    /// # Errors
    /// A condition that asks a key for what is inside of it.
    pub fn reply(
        &self,
        table: &TableDescriptor,
        condition: Option<&Condition>,
        item: &Item,
    ) -> Result<SingleReply, PlanError> {
        if let Some(condition) = condition {
            check_scalars(condition.paths(), table)?;
        }
        Ok(SingleReply::new(self.table_name)
            .returning(self.returns, self.on_failure)
            .consumed(table, self.capacity)
            .metrics(table, self.metrics, || collection_key(table, item)))
    }

    /// PutItem and DeleteItem have only an old item to give back.
    ///
    /// # Errors
    /// Any other mode.
    pub fn check_old_values_only(&self) -> Result<(), ApiError> {
        match self.returns {
            None | Some(ReturnValue::None | ReturnValue::AllOld) => Ok(()),
            Some(_) => Err(ApiError::validation(format!("{ENVELOPE}ReturnValues can only be ALL_OLD or NONE"))),
        }
    }
}
