//! Shapes of the data plane: conditions, updates, batches, transactions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::json::{Reader, Refused};
use crate::limits::{ATTRIBUTE_NAME_BYTES_MAX, BATCH_GET_KEYS_MAX};
use crate::parameters::Said;
use crate::stored::ItemBody;
use crate::value::{AttributeValue, Item};

use super::enums::{AttributeAction, ComparisonOperator, ReturnValuesOnConditionCheckFailure};
use crate::shapes::checks::Checks;
use crate::shapes::declare::structure;
use crate::shapes::echo::Echo;
use crate::shapes::path::Path;
use crate::shapes::rules;
use crate::shapes::wire::{Place, Wire};

/// Placeholders for names: `#name` to attribute name.
pub type ExpressionAttributeNames = BTreeMap<String, String>;
/// Placeholders for values: `:value` to value.
pub type ExpressionAttributeValues = BTreeMap<String, AttributeValue>;

/// A map by attribute name: an item, or legacy conditions or updates. Names have 1 to 65,535 bytes.
pub(crate) fn attribute_names<T>(map: &BTreeMap<String, T>, path: &Path<'_>, checks: &mut Checks) {
    if map.contains_key("") {
        checks.empty_name(path, true);
    }
    check_lengths(map.keys(), path, checks);
}

impl Wire for ItemBody {
    fn java() -> Cow<'static, str> {
        Item::java()
    }

    fn read(reader: &mut Reader<'_>, place: Place, path: &Path<'_>, checks: &mut Checks) -> Result<Self, Refused> {
        let mut ahead = reader.clone();
        if let Ok(body) = ItemBody::read(&mut ahead) {
            *reader = ahead;
            return Ok(body);
        }
        let item = Item::read(reader, place, path, checks)?;
        attribute_names(&item, path, checks);
        Ok(ItemBody::encode(&item))
    }

    fn echo(&self, out: &mut Echo) {
        if let Ok(item) = self.view().to_item() {
            item.echo(out);
        }
    }
}

/// What placeholders stand for.
pub(crate) fn placeholder_names(map: &ExpressionAttributeNames, path: &Path<'_>, checks: &mut Checks) {
    check_lengths(map.values(), path, checks);
}

/// The attributes of a legacy projection.
pub(crate) fn projected_names(list: &Vec<String>, path: &Path<'_>, checks: &mut Checks) {
    rules::not_empty(list, path, checks);
    check_lengths(list.iter(), path, checks);
}

fn check_lengths<'n>(mut names: impl Iterator<Item = &'n String>, path: &Path<'_>, checks: &mut Checks) {
    if names.any(|name| name.len() > ATTRIBUTE_NAME_BYTES_MAX) {
        checks.long_name(path);
    }
}

/// The keys of a batch: at most a hundred.
pub(crate) fn batch_keys(keys: &Vec<Item>, path: &Path<'_>, checks: &mut Checks) {
    rules::elements::<1, BATCH_GET_KEYS_MAX, Item>(keys, path, checks);
    for (position, key) in keys.iter().enumerate() {
        attribute_names(key, &path.element(position as u32), checks);
    }
}

structure! {
    /// A legacy condition on one attribute of the item that is written.
    pub struct ExpectedAttributeValue {
        /// The value to compare with.
        optional value: AttributeValue = "Value";
        /// Whether the attribute must exist.
        optional exists: bool = "Exists";
        /// How to compare.
        optional comparison_operator: ComparisonOperator = "ComparisonOperator";
        /// The values to compare with.
        optional attribute_value_list: Vec<AttributeValue> = "AttributeValueList";
    }
}

structure! {
    /// A legacy condition on one attribute of the items that are read.
    pub struct Condition {
        /// How to compare.
        required comparison_operator: ComparisonOperator = "ComparisonOperator";
        /// The values to compare with.
        optional attribute_value_list: Vec<AttributeValue> = "AttributeValueList";
    }
}

structure! {
    /// A legacy update of one attribute.
    pub struct AttributeValueUpdate {
        /// The value.
        optional value: AttributeValue = "Value";
        /// What to do with it; PUT if absent.
        optional action: AttributeAction = "Action";
    }
}

structure! {
    /// Keys to read from one table.
    pub struct KeysAndAttributes {
        /// The keys.
        required keys: Vec<Item> = "Keys" => batch_keys;
        /// Legacy projection.
        optional attributes_to_get: Vec<String> = "AttributesToGet" => projected_names;
        /// Strongly consistent.
        optional consistent_read: bool = "ConsistentRead";
        /// Projection.
        optional projection_expression: String = "ProjectionExpression";
        /// Placeholders for names.
        optional expression_attribute_names: ExpressionAttributeNames = "ExpressionAttributeNames" => placeholder_names;
    }
}

impl KeysAndAttributes {
    /// What is returned of each item; `None` for all of it.
    pub fn projection(&self) -> Option<Said<'_, &[String]>> {
        Said::of(self.attributes_to_get.as_deref(), &self.projection_expression)
    }
}

structure! {
    /// One write of a batch: exactly one of two.
    pub struct WriteRequest {
        /// An item to put.
        optional put_request: PutRequest = "PutRequest";
        /// A key to delete.
        optional delete_request: DeleteRequest = "DeleteRequest";
    }
}

structure! {
    /// An item to put.
    pub struct PutRequest {
        /// The item.
        required item: ItemBody = "Item";
    }
}

structure! {
    /// A key to delete.
    pub struct DeleteRequest {
        /// The key.
        required key: Item = "Key" => attribute_names;
    }
}

structure! {
    /// One read of a transaction.
    pub struct TransactGetItem {
        /// The read.
        required get: Get = "Get";
    }
}

structure! {
    /// A read in a transaction.
    pub struct Get {
        /// The key.
        required key: Item = "Key" => attribute_names;
        /// Table name or ARN.
        required table_name: String = "TableName" => rules::table_name;
        /// Projection.
        optional projection_expression: String = "ProjectionExpression";
        /// Placeholders for names.
        optional expression_attribute_names: ExpressionAttributeNames = "ExpressionAttributeNames" => placeholder_names;
    }
}

structure! {
    /// One action of a transaction: exactly one of four.
    pub struct TransactWriteItem {
        /// Checks a condition.
        optional condition_check: ConditionCheck = "ConditionCheck";
        /// Puts an item.
        optional put: Put = "Put";
        /// Deletes an item.
        optional delete: Delete = "Delete";
        /// Updates an item.
        optional update: Update = "Update";
    }
}

structure! {
    /// A condition in a transaction.
    pub struct ConditionCheck {
        /// The key.
        required key: Item = "Key" => attribute_names;
        /// Table name or ARN.
        required table_name: String = "TableName" => rules::table_name;
        /// The condition.
        required condition_expression: String = "ConditionExpression";
        /// Placeholders for names.
        optional expression_attribute_names: ExpressionAttributeNames = "ExpressionAttributeNames" => placeholder_names;
        /// Placeholders for values.
        optional expression_attribute_values: ExpressionAttributeValues = "ExpressionAttributeValues";
        /// Whether a failure gives the item back.
        optional return_values_on_condition_check_failure: ReturnValuesOnConditionCheckFailure = "ReturnValuesOnConditionCheckFailure";
    }
}

structure! {
    /// A put in a transaction.
    pub struct Put {
        /// The item.
        required item: ItemBody = "Item";
        /// Table name or ARN.
        required table_name: String = "TableName" => rules::table_name;
        /// Condition.
        optional condition_expression: String = "ConditionExpression";
        /// Placeholders for names.
        optional expression_attribute_names: ExpressionAttributeNames = "ExpressionAttributeNames" => placeholder_names;
        /// Placeholders for values.
        optional expression_attribute_values: ExpressionAttributeValues = "ExpressionAttributeValues";
        /// Whether a failure gives the item back.
        optional return_values_on_condition_check_failure: ReturnValuesOnConditionCheckFailure = "ReturnValuesOnConditionCheckFailure";
    }
}

structure! {
    /// A deletion in a transaction.
    pub struct Delete {
        /// The key.
        required key: Item = "Key" => attribute_names;
        /// Table name or ARN.
        required table_name: String = "TableName" => rules::table_name;
        /// Condition.
        optional condition_expression: String = "ConditionExpression";
        /// Placeholders for names.
        optional expression_attribute_names: ExpressionAttributeNames = "ExpressionAttributeNames" => placeholder_names;
        /// Placeholders for values.
        optional expression_attribute_values: ExpressionAttributeValues = "ExpressionAttributeValues";
        /// Whether a failure gives the item back.
        optional return_values_on_condition_check_failure: ReturnValuesOnConditionCheckFailure = "ReturnValuesOnConditionCheckFailure";
    }
}

structure! {
    /// An update in a transaction.
    pub struct Update {
        /// The key.
        required key: Item = "Key" => attribute_names;
        /// The update.
        required update_expression: String = "UpdateExpression";
        /// Table name or ARN.
        required table_name: String = "TableName" => rules::table_name;
        /// Condition.
        optional condition_expression: String = "ConditionExpression";
        /// Placeholders for names.
        optional expression_attribute_names: ExpressionAttributeNames = "ExpressionAttributeNames" => placeholder_names;
        /// Placeholders for values.
        optional expression_attribute_values: ExpressionAttributeValues = "ExpressionAttributeValues";
        /// Whether a failure gives the item back.
        optional return_values_on_condition_check_failure: ReturnValuesOnConditionCheckFailure = "ReturnValuesOnConditionCheckFailure";
    }
}
