//! BatchGetItem: reads items of several tables.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::ApiError;
use crate::json::{JsonWriter, Kind, Reader, Refused};
use crate::limits::BATCH_GET_KEYS_MAX;
use crate::parameters::check_generations;
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
    /// for bad attribute values, then for parameters that exclude each other.
    pub fn from_json(body: &[u8]) -> Result<Self, ApiError> {
        let (input, mut checks) = decode::<Self>(body)?;
        checks.constraints(Layer::Current)?;
        checks.contents(Wording::Bare)?;
        let any = |has: fn(&KeysAndAttributes) -> bool| input.request_items.values().any(has);
        check_generations(
            &[("AttributesToGet", any(|table| table.attributes_to_get.is_some()))],
            &[("ProjectionExpression", any(|table| table.projection_expression.is_some()))],
        )?;
        Ok(input)
    }

    /// Whether `body`, a request that could be read, asks a table for the same key twice, spelled alike. That is what the
    /// service refuses: `1` and `1.0` are the same item, which then comes once. Reads the body once more, so it is for
    /// requests that have a key twice however it is spelled, or another mistake.
    pub fn repeats_a_key(body: &[u8]) -> bool {
        let mut repeats = false;
        let tables = |reader: &mut Reader<'_>| {
            reader.object(|reader, _table| {
                let mut seen = BTreeSet::new();
                each_member(reader, "Keys", |reader| {
                    reader.array(|reader| {
                        repeats |= !seen.insert(spelled_key(reader)?);
                        Ok(())
                    })
                })
            })
        };
        // What cannot be read was refused when the request was read.
        Reader::new(body).and_then(|mut reader| each_member(&mut reader, "RequestItems", tables)).is_ok() && repeats
    }
}

/// Gives the member `name` of the object that follows to `read`.
fn each_member<'a>(
    reader: &mut Reader<'a>,
    name: &str,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<(), Refused>,
) -> Result<(), Refused> {
    reader.object(|reader, member| if member == name { read(reader) } else { reader.skip() })
}

/// A key's attributes with their types and texts, as sent. The values of keys are single texts.
fn spelled_key(reader: &mut Reader<'_>) -> Result<BTreeMap<String, (String, String)>, Refused> {
    let mut key = BTreeMap::new();
    reader.object(|reader, attribute| {
        reader.object(|reader, kind| {
            if reader.kind()? != Kind::Text {
                return reader.skip();
            }
            let text = reader.string()?.into_owned();
            key.insert(attribute.clone().into_owned(), (kind.into_owned(), text));
            Ok(())
        })
    })?;
    Ok(key)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_repeated_to_the_letter() {
        let body = |keys: &str| format!(r#"{{"RequestItems":{{"t":{{"ConsistentRead":true,"Keys":[{keys}]}}}}}}"#);
        for (keys, expected) in [
            (r#"{"k":{"N":"1"}},{"k":{"N":"1.0"}}"#, false),
            (r#"{"k":{"N":"1"}},{"k":{"N":"2"}},{ "k" : {"N":"1"} }"#, true),
            (r#"{"k":{"S":"1"}},{"k":{"B":"1"}}"#, false),
            (r#"{"a":{"S":"x"},"b":{"S":"y"}},{"b":{"S":"y"},"a":{"S":"x"}}"#, true),
            (r#"{"k":{"S":"x"}},{"k":{"S":"\u0078"}}"#, true),
        ] {
            assert_eq!(BatchGetItemInput::repeats_a_key(body(keys).as_bytes()), expected, "{keys}");
        }
        let twice = r#"{"RequestItems":{"t":{"Keys":[{"k":{"S":"x"}}]},"u":{"Keys":[{"k":{"S":"x"}}]}}}"#;
        assert!(!BatchGetItemInput::repeats_a_key(twice.as_bytes()));
    }
}
