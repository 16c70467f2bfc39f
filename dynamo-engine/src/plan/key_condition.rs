//! A query's key condition as a range of row keys.
//!
//! A condition that fits the key schema has an equality for every attribute of the partition key, equalities for a
//! leading part of the sort key's attributes, and perhaps another comparison of the one that follows. That makes the
//! rows one range of keys:
//!
//! ```text
//! partition prefix · parts of the equal sort attributes · [lower part … upper part]
//! ```

use dynamo_expression::{KeyColumn, KeyCondition, KeyMatch, KeyTest};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::value::{AttributeValue, Item};
use ordered_kv::Direction;

use crate::catalog::KeyAttribute;
use crate::keyspace::{KeyPart, partition_prefix, push_part_prefix, successor, token_of};
use crate::read::{PartitionSpan, just_behind};

use super::PlanError;
use super::item_key::{KEY_MISMATCH, check_not_empty};
use super::start_key::StartKey;
use crate::read::Source;

/// A key condition that fits the key of a source.
pub(crate) struct KeyBounds<'a> {
    /// The table or index.
    source: &'a Source,
    /// Values for all attributes of its partition key, and what its sort key must satisfy.
    matched: KeyMatch,
}

impl<'a> KeyBounds<'a> {
    /// Fits `condition` to the key of `source`.
    ///
    /// # Errors
    /// DynamoDB's messages for conditions that no range of keys can answer.
    pub fn new(source: &'a Source, condition: &KeyCondition) -> Result<KeyBounds<'a>, PlanError> {
        let keys = source.keys();
        let matched = condition.plan(&columns(&keys.partition), &columns(&keys.sort))?;
        Ok(KeyBounds { source, matched })
    }

    /// The rows that it selects.
    ///
    /// # Errors
    /// Where a value cannot be in a key because it is empty.
    pub fn span(&self) -> Result<PartitionSpan, ApiError> {
        let keys = self.source.keys();
        let partition = keys.partition.iter().zip(&self.matched.partition);
        let partition: Vec<KeyPart<'_>> =
            partition.map(|(attribute, value)| part(attribute, value)).collect::<Result<_, _>>()?;
        let token = token_of(self.source.token_id(), &partition);
        let mut prefix = partition_prefix(self.source.space(), self.source.id(), token, &partition);
        for (attribute, value) in keys.sort.iter().zip(&self.matched.sort) {
            part(attribute, value)?.encode(&mut prefix);
        }
        let ranged = keys.sort.get(self.matched.sort.len()).zip(self.matched.range.as_ref());
        let (start, end) = match ranged {
            Some((attribute, test)) => range_of(attribute, test, prefix)?,
            None => {
                let end = successor(&prefix);
                (prefix, end)
            }
        };
        Ok(PartitionSpan { token, start, end })
    }

    /// Whether a start key can have come from this query.
    ///
    /// # Errors
    /// DynamoDB's messages for a start key outside of the conditions.
    pub fn check_start(&self, key: &Item) -> Result<(), ApiError> {
        if !self.accepts_sort(key) {
            return Err(ApiError::validation("The provided starting key does not match the range key predicate"));
        }
        let keys = self.source.keys();
        let mut partition = keys.partition.iter().zip(&self.matched.partition);
        if partition.all(|(attribute, value)| key.get(&attribute.name) == Some(value)) {
            return if self.source.is_one_item_each() { Err(cannot_restart(key)) } else { Ok(()) };
        }
        let has_sort = !self.matched.sort.is_empty() || self.matched.range.is_some();
        Err(ApiError::validation(if has_sort {
            "The query can return at most one row and cannot be restarted"
        } else {
            "The provided starting key is outside query boundaries based on provided conditions"
        }))
    }

    fn accepts_sort(&self, key: &Item) -> bool {
        let sort = &self.source.keys().sort;
        let equal = sort.iter().zip(&self.matched.sort);
        let ranged = sort.get(self.matched.sort.len()).zip(self.matched.range.as_ref());
        equal.into_iter().all(|(attribute, value)| key.get(&attribute.name) == Some(value))
            && ranged.is_none_or(|(attribute, test)| key.get(&attribute.name).is_some_and(|value| test.accepts(value)))
    }
}

impl PartitionSpan {
    /// Leaves only what a page that begins behind `start` may read.
    pub fn cut(&mut self, start: &StartKey, direction: Direction) {
        match direction {
            Direction::Forward => {
                let behind = just_behind(&start.row);
                if behind > self.start {
                    self.start = behind;
                }
            }
            Direction::Backward => {
                if self.end.is_empty() || start.row < self.end {
                    self.end.clone_from(&start.row);
                }
            }
        }
    }
}

/// Behind the only item there can be nothing, so the service has no use for a start key there.
///
/// Source: the service's text as noted in ScyllaDB's Alternator suite, 2025.
fn cannot_restart(key: &Item) -> ApiError {
    let shown = key.iter().map(|(name, value)| {
        let content = match value {
            AttributeValue::S(text) => text.clone(),
            AttributeValue::N(number) => number.to_string(),
            AttributeValue::B(bytes) => format!("java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]", bytes.len()),
            _ => String::new(),
        };
        format!("{name}=AttributeValue: {{{}:{content}}}", value.type_name())
    });
    let shown: Vec<String> = shown.collect();
    ApiError::validation(format!(
        "The provided exclusive start key is invalid: ExclusiveStartKey: {{{}}}",
        shown.join(", ")
    ))
}

/// The range of keys under `prefix` that a test selects.
fn range_of(attribute: &KeyAttribute, test: &KeyTest, prefix: Vec<u8>) -> Result<(Vec<u8>, Vec<u8>), ApiError> {
    let at = |value: &AttributeValue| -> Result<Vec<u8>, ApiError> {
        let mut key = prefix.clone();
        part(attribute, value)?.encode(&mut key);
        Ok(key)
    };
    let behind = |value: &AttributeValue| at(value).map(|key| successor(&key));
    Ok(match test {
        KeyTest::Equal(value) => (at(value)?, behind(value)?),
        KeyTest::Less(value) => (prefix.clone(), at(value)?),
        KeyTest::LessOrEqual(value) => (prefix.clone(), behind(value)?),
        KeyTest::Greater(value) => (behind(value)?, successor(&prefix)),
        KeyTest::GreaterOrEqual(value) => (at(value)?, successor(&prefix)),
        KeyTest::Between(lower, upper) => (at(lower)?, behind(upper)?),
        KeyTest::BeginsWith(value) => {
            let mut key = prefix.clone();
            push_part_prefix(&part(attribute, value)?, &mut key);
            let end = successor(&key);
            (key, end)
        }
        // Fitting the condition to the key has refused it; nothing is the answer that cannot be wrong.
        KeyTest::NotIndexable => (prefix.clone(), prefix.clone()),
    })
}

/// A value of a condition as a part of a key; its type was checked when the condition was fitted to the key.
fn part<'v>(attribute: &KeyAttribute, value: &'v AttributeValue) -> Result<KeyPart<'v>, ApiError> {
    let part = KeyPart::of(value).ok_or_else(|| ApiError::validation(KEY_MISMATCH))?;
    check_not_empty(&attribute.name, &part)?;
    Ok(part)
}

fn columns(attributes: &[KeyAttribute]) -> Vec<KeyColumn<'_>> {
    attributes.iter().map(|attribute| KeyColumn { name: &attribute.name, kind: attribute.kind.name() }).collect()
}
