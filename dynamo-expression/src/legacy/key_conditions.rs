//! `KeyConditions`.

use std::sync::Arc;

use crate::error::ExpressionError;
use crate::key_condition::{KeyClause, KeyCondition, KeyTest, wrong_count};
use crate::legacy::comparison::Comparison;

/// The key condition that `KeyConditions` stands for. `of_index` says that an index is asked, whose key may have more than
/// two attributes.
///
/// # Errors
/// The first malformed comparison, or a wrong number of them, in DynamoDB's words. Operators that no key can be looked
/// up by are refused by [`KeyCondition::plan`], behind a missing table and a missing key attribute; so are more conditions
/// than the index has key attributes.
pub fn key_conditions<'a>(
    attributes: impl IntoIterator<Item = (&'a str, Comparison<'a>)>,
    of_index: bool,
) -> Result<KeyCondition, ExpressionError> {
    let mut clauses = Vec::new();
    for (name, comparison) in attributes {
        comparison.check()?;
        clauses.push(KeyClause { attribute: name.to_owned(), test: test(&comparison) });
    }
    if clauses.is_empty() || (clauses.len() > 2 && !of_index) {
        return Err(wrong_count());
    }
    Ok(KeyCondition { clauses, legacy: true })
}

fn test(comparison: &Comparison<'_>) -> KeyTest {
    let value = |place: usize| Arc::new(comparison.values[place].clone());
    match comparison.operator {
        "EQ" => KeyTest::Equal(value(0)),
        "LT" => KeyTest::Less(value(0)),
        "LE" => KeyTest::LessOrEqual(value(0)),
        "GT" => KeyTest::Greater(value(0)),
        "GE" => KeyTest::GreaterOrEqual(value(0)),
        "BETWEEN" => KeyTest::Between(value(0), value(1)),
        "BEGINS_WITH" => KeyTest::BeginsWith(value(0)),
        _ => KeyTest::NotIndexable,
    }
}
