//! What a WHERE clause says about a key.
//!
//! A condition that binds the partition key in every branch of its ORs is a query of those partitions; one that binds
//! every key attribute by an equality names one item. Whatever else it says is left as a condition on the rows.
//!
//! ```text
//! pk IN ['a', 'b'] AND sk > '5' AND x = 1     partitions a and b, rows behind '5', of these x = 1
//! (pk = 'a' AND sk = '1') OR pk = 'b'         partition a, row '1'; partition b, all; the whole condition on the rows
//! pk = 'a' OR x = 1                           no partitions: a scan
//! ```

use std::sync::Arc;

use dynamo_protocol::value::{AttributeValue, Item};

use crate::compare::order;
use crate::condition::{Comparator, Condition, Operand};
use crate::error::ExpressionError;
use crate::key_condition::KeyTest;

/// The partitions that a condition can be true in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitions {
    /// Each value once, in ascending order where they have one.
    pub partitions: Vec<Partition>,
    /// What is left to be checked of each row; `None` where the partitions and their tests say all.
    pub residual: Option<Condition>,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The partition key's value.
    pub value: AttributeValue,
    /// What rows must fulfil at least; `None` for all of them.
    pub sort: Option<KeyTest>,
}

/// One item's key, and the rest of the condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryKey {
    /// Exactly the key attributes.
    pub key: Item,
    /// What else must hold.
    pub residual: Option<Condition>,
}

/// The item that `condition` names: an equality for every attribute of `names`, joined by AND.
pub fn primary_key(condition: Option<&Condition>, names: &[&str]) -> Option<PrimaryKey> {
    let mut rest = conjuncts(condition?);
    let mut key = Item::new();
    for name in names {
        let at = rest.iter().position(|condition| equal_value(condition, name).is_some())?;
        let value = equal_value(rest.remove(at), name)?;
        key.insert((*name).to_owned(), AttributeValue::clone(value));
    }
    Some(PrimaryKey { key, residual: all(rest) })
}

/// The partitions that `condition` is about, or nothing where it may be true in any.
///
/// # Errors
/// Two branches of an OR that read the same partition and both limit its sort key.
pub fn partitions(
    condition: &Condition,
    partition: &str,
    sort: Option<&str>,
) -> Result<Option<Partitions>, ExpressionError> {
    let branches = match condition {
        Condition::Or(branches) => branches.iter().collect(),
        other => vec![other],
    };
    let mut found: Vec<Partition> = Vec::new();
    let mut is_exact = branches.len() == 1;
    for branch in &branches {
        let conjuncts = conjuncts(branch);
        let Some(values) = conjuncts.iter().filter_map(|one| bound_values(one, partition)).reduce(intersection) else {
            return Ok(None);
        };
        let tests: Vec<KeyTest> = conjuncts.iter().filter_map(|one| sort_test(one, sort?)).collect();
        is_exact &= tests.len() <= 1;
        let test = narrowest(tests);
        for value in values {
            match found.iter_mut().find(|known| known.value == *value) {
                None => found.push(Partition { value: Arc::unwrap_or_clone(value), sort: test.clone() }),
                Some(known) if known.sort.is_some() && test.is_some() => {
                    return Err(ExpressionError::bare(
                        "Overlapping conditions with range keys are not supported in where clause",
                    ));
                }
                Some(known) => known.sort = None,
            }
        }
    }
    found.sort_by(|one, two| order(&one.value, &two.value).unwrap_or(std::cmp::Ordering::Equal));
    let residual = if is_exact {
        let is_said =
            |one: &&Condition| binds(one, partition) || sort.is_some_and(|sort| sort_test(one, sort).is_some());
        all(conjuncts(condition).into_iter().filter(|one| !is_said(one)).collect())
    } else {
        Some(condition.clone())
    };
    Ok(Some(Partitions { partitions: found, residual }))
}

/// The operands of nested ANDs, in the order of the text.
fn conjuncts(condition: &Condition) -> Vec<&Condition> {
    match condition {
        Condition::And(operands) => operands.iter().flat_map(conjuncts).collect(),
        other => vec![other],
    }
}

fn all(conditions: Vec<&Condition>) -> Option<Condition> {
    match &conditions[..] {
        [] => None,
        [only] => Some((*only).clone()),
        _ => Some(Condition::And(conditions.into_iter().cloned().collect())),
    }
}

fn is_attribute(operand: &Operand, name: &str) -> bool {
    matches!(operand, Operand::Path(path) if !path.is_nested() && path.root() == name)
}

/// A comparison of the attribute with a value, as if the attribute stood on its left.
fn comparison<'c>(condition: &'c Condition, name: &str) -> Option<(Comparator, &'c Arc<AttributeValue>)> {
    match condition {
        Condition::Compare { operator, left, right: Operand::Value(value) } if is_attribute(left, name) => {
            Some((*operator, value))
        }
        Condition::Compare { operator, left: Operand::Value(value), right } if is_attribute(right, name) => {
            Some((operator.mirrored(), value))
        }
        _ => None,
    }
}

fn equal_value<'c>(condition: &'c Condition, name: &str) -> Option<&'c Arc<AttributeValue>> {
    match comparison(condition, name)? {
        (Comparator::Equal, value) => Some(value),
        _ => None,
    }
}

/// Whether the condition is an equality or IN on the attribute and nothing else.
fn binds(condition: &Condition, name: &str) -> bool {
    match condition {
        Condition::In { value, candidates } => {
            is_attribute(value, name) && candidates.iter().all(|candidate| matches!(candidate, Operand::Value(_)))
        }
        Condition::Or(operands) => operands.iter().all(|operand| binds(operand, name)),
        other => equal_value(other, name).is_some(),
    }
}

/// The values that the attribute must have one of for the condition to hold; `None` where any may do.
fn bound_values(condition: &Condition, name: &str) -> Option<Vec<Arc<AttributeValue>>> {
    match condition {
        Condition::In { value, candidates } if is_attribute(value, name) => {
            let value = |candidate: &Operand| match candidate {
                Operand::Value(value) => Some(value.clone()),
                _ => None,
            };
            candidates.iter().map(value).collect::<Option<Vec<_>>>().map(distinct)
        }
        Condition::And(operands) => {
            operands.iter().filter_map(|operand| bound_values(operand, name)).reduce(intersection)
        }
        Condition::Or(operands) => {
            let values = operands.iter().map(|operand| bound_values(operand, name)).collect::<Option<Vec<_>>>()?;
            Some(distinct(values.concat()))
        }
        other => equal_value(other, name).map(|value| vec![value.clone()]),
    }
}

fn distinct(values: Vec<Arc<AttributeValue>>) -> Vec<Arc<AttributeValue>> {
    let mut kept: Vec<Arc<AttributeValue>> = Vec::with_capacity(values.len());
    for value in values {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}

fn intersection(one: Vec<Arc<AttributeValue>>, two: Vec<Arc<AttributeValue>>) -> Vec<Arc<AttributeValue>> {
    one.into_iter().filter(|value| two.contains(value)).collect()
}

/// What the condition says about the sort key, where a range of keys can answer it.
fn sort_test(condition: &Condition, name: &str) -> Option<KeyTest> {
    match condition {
        Condition::Between { value, lower: Operand::Value(lower), upper: Operand::Value(upper) }
            if is_attribute(value, name) =>
        {
            Some(KeyTest::Between(lower.clone(), upper.clone()))
        }
        Condition::BeginsWith(value, Operand::Value(prefix)) if is_attribute(value, name) => {
            Some(KeyTest::BeginsWith(prefix.clone()))
        }
        other => {
            let (operator, value) = comparison(other, name)?;
            let value = value.clone();
            match operator {
                Comparator::Equal => Some(KeyTest::Equal(value)),
                Comparator::NotEqual => None,
                Comparator::Less => Some(KeyTest::Less(value)),
                Comparator::LessOrEqual => Some(KeyTest::LessOrEqual(value)),
                Comparator::Greater => Some(KeyTest::Greater(value)),
                Comparator::GreaterOrEqual => Some(KeyTest::GreaterOrEqual(value)),
            }
        }
    }
}

/// One test that all rows pass which pass all tests: an equality, else the bounds on both sides where there are two,
/// else the first. The rows are checked once more where it says less than all.
fn narrowest(mut tests: Vec<KeyTest>) -> Option<KeyTest> {
    if let Some(at) = tests.iter().position(|test| matches!(test, KeyTest::Equal(_))) {
        return Some(tests.swap_remove(at));
    }
    let lower = tests.iter().find_map(|test| match test {
        KeyTest::Greater(value) | KeyTest::GreaterOrEqual(value) => Some(value.clone()),
        _ => None,
    });
    let upper = tests.iter().find_map(|test| match test {
        KeyTest::Less(value) | KeyTest::LessOrEqual(value) => Some(value.clone()),
        _ => None,
    });
    match (lower, upper) {
        (Some(lower), Some(upper)) => Some(KeyTest::Between(lower, upper)),
        _ => tests.into_iter().next(),
    }
}
