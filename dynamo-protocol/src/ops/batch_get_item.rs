//! BatchGetItem: reads items of several tables.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::json::JsonWriter;
use crate::limits::BATCH_GET_KEYS_MAX;
use crate::shapes::checks::{Checks, Layer, Wording};
use crate::shapes::declare::structure;
use crate::shapes::echo::{ECHO_BYTES_MAX, cut};
use crate::shapes::path::Path;
use crate::shapes::rules::table_keys;
use crate::shapes::{KeysAndAttributes, ReturnConsumedCapacity};

use super::decode;

structure! {
    /// Request of BatchGetItem.
    pub struct BatchGetItemInput {
        /// Table name or ARN, as the client wrote it, to what is read there.
        required request_items: BTreeMap<String, KeysAndAttributes> = "RequestItems" => check_tables;
        /// How much of the consumed capacity to tell.
        optional return_consumed_capacity: ReturnConsumedCapacity = "ReturnConsumedCapacity";
    }
}

impl BatchGetItemInput {
    /// Reads a request body.
    ///
    /// # Errors
    /// SerializationException where the body cannot be read; ValidationException for broken model constraints, then
    /// for bad attribute values.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.constraints(Layer::Current)?;
        checks.contents(Wording::Bare)?;
        Ok(input)
    }
}

fn check_tables(items: &BTreeMap<String, KeysAndAttributes>, path: &Path<'_>, checks: &mut Checks) {
    if items.is_empty() {
        checks.out_of_bounds(path, "{}", "Member must have length greater than or equal to 1");
    }
    if items.len() > BATCH_GET_KEYS_MAX {
        let constraint = format!("Member must have length less than or equal to {BATCH_GET_KEYS_MAX}");
        checks.out_of_bounds(path, &echo(items), &constraint);
    }
    table_keys(items, path, checks, || echo(items));
}

/// The map as this operation's messages show it: as JSON.
fn echo(items: &BTreeMap<String, KeysAndAttributes>) -> String {
    let mut out = Vec::new();
    let mut json = JsonWriter::new(&mut out);
    json.begin_object();
    for (table, request) in items {
        if json.len() > ECHO_BYTES_MAX {
            break;
        }
        json.key(table).begin_object().key("Keys").begin_array();
        for key in &request.keys {
            if json.len() > ECHO_BYTES_MAX {
                break;
            }
            json.item(key);
        }
        json.end_array();
        if let Some(names) = &request.attributes_to_get {
            json.key("AttributesToGet").begin_array();
            names.iter().for_each(|name| {
                json.str(name);
            });
            json.end_array();
        }
        if let Some(consistent) = request.consistent_read {
            json.key("ConsistentRead").bool(consistent);
        }
        if let Some(expression) = &request.projection_expression {
            json.key("ProjectionExpression").str(expression);
        }
        if let Some(names) = &request.expression_attribute_names {
            json.key("ExpressionAttributeNames").begin_object();
            names.iter().for_each(|(placeholder, name)| {
                json.key(placeholder).str(name);
            });
            json.end_object();
        }
        json.end_object();
    }
    json.end_object();
    cut(&String::from_utf8(out).expect("JSON written from texts is UTF-8"))
}
