//! The second half of UpdateItem's size limit: what the statement writes may not come to more than 400 KB, either.
//!
//! UpdateItem accepts an update where `max(finished item, charge) <= 400 KB`. The charge is a function of the update
//! expression alone: 3 bytes, and for each clause
//!
//! | clause | bytes |
//! |---|---|
//! | `SET target = operand` | 19 + target + operand |
//! | `ADD target :v` | 19 + target + value |
//! | `REMOVE target`, `DELETE target :v` | 1 + target |
//!
//! | operand | bytes |
//! |---|---|
//! | `:v` | its billed size |
//! | path | 1, and 14 + the element for each element |
//! | `x + y` / `x - y` | 34 / 37, and both operands |
//! | `if_not_exists(path, x)` | 39, and both operands |
//! | `list_append(x, y)` | 37, and both operands |
//!
//! A target costs its first name, and 4 + the element for each later one; an element is a name's bytes or an index's
//! digits. Neither `AttributeUpdates` nor the updates of transactions are charged.
//!
//! Source: paritysuite/dynamodb-conformance, captures in eu-west-2 of August and October 2026 (80 probes). Ten regions
//! do not have this half; the other 22 do, and so do we.

use dynamo_expression::{Action, Origin, Path, Step, Update, Value};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::limits::ITEM_BYTES_MAX;
use dynamo_protocol::size::attribute_bytes;

use crate::messages;

const BASE: usize = 3;
const WRITE: usize = 19;
const TAKE: usize = 1;
const TARGET_STEP: usize = 4;
const PATH: usize = 1;
const PATH_ELEMENT: usize = 14;
const PLUS: usize = 34;
const MINUS: usize = 37;
const IF_NOT_EXISTS: usize = 39;
const LIST_APPEND: usize = 37;

/// Refuses an update expression that is charged more than an item may have.
///
/// # Errors
/// The size limit's text.
pub(super) fn check_charge(update: &Update) -> Result<(), ApiError> {
    if update.origin() == Origin::Expression && is_too_much(update) {
        return Err(ApiError::validation(messages::ITEM_TO_UPDATE_TOO_LARGE));
    }
    Ok(())
}

/// Stops weighing where it is too much: a value of 2 MB can be written hundreds of times.
fn is_too_much(update: &Update) -> bool {
    let mut left = ITEM_BYTES_MAX.checked_sub(BASE);
    update.actions().iter().any(|action| {
        left = left.and_then(|left| left.checked_sub(clause(action)));
        left.is_none()
    })
}

fn clause(action: &Action) -> usize {
    let target = target(action.path());
    match action {
        Action::Set(_, value) => WRITE + target + operand(value),
        Action::Add(_, value) => WRITE + target + attribute_bytes(value),
        Action::Remove(_) | Action::Delete(..) => TAKE + target,
    }
}

fn operand(value: &Value) -> usize {
    match value {
        Value::Value(value) => attribute_bytes(value),
        Value::Path(path) => source(path),
        Value::IfNotExists(path, fallback) => IF_NOT_EXISTS + source(path) + operand(fallback),
        Value::ListAppend(left, right) => LIST_APPEND + operand(left) + operand(right),
        Value::Plus(left, right) => PLUS + operand(left) + operand(right),
        Value::Minus(left, right) => MINUS + operand(left) + operand(right),
    }
}

fn target(path: &Path) -> usize {
    path.root().len() + path.steps().iter().map(|step| TARGET_STEP + element(step)).sum::<usize>()
}

fn source(path: &Path) -> usize {
    let steps = path.steps().iter().map(|step| PATH_ELEMENT + element(step));
    PATH + PATH_ELEMENT + path.root().len() + steps.sum::<usize>()
}

fn element(step: &Step) -> usize {
    match step {
        Step::Name(name) => name.len(),
        Step::Index(index) => index.to_string().len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use dynamo_expression::Placeholders;
    use dynamo_protocol::number::Number;
    use dynamo_protocol::value::AttributeValue;

    #[test]
    fn clauses_cost_what_was_captured() {
        let values = BTreeMap::from([
            (":s".to_owned(), AttributeValue::S("y".repeat(10))),
            (":n".to_owned(), AttributeValue::N(Number::from_i64(1))),
            (":l".to_owned(), AttributeValue::L(vec![AttributeValue::S("y".repeat(10))])),
        ]);
        for (text, expected) in [
            ("SET b = :s", 19 + 1 + 10),
            ("SET b[10] = :s", 19 + 1 + 4 + 2 + 10),
            ("SET b.leaf = :s", 19 + 1 + 4 + 4 + 10),
            ("SET c = abcdefghij", 19 + 1 + 1 + 14 + 10),
            ("SET c = m.z", 19 + 1 + 1 + 15 + 15),
            ("SET c = l[10]", 19 + 1 + 1 + 15 + 16),
            ("SET l = list_append(l, :l)", 19 + 1 + 37 + 16 + 14),
            ("SET c = if_not_exists(c, :s)", 19 + 1 + 39 + 16 + 10),
            ("SET n = n + :n", 19 + 1 + 34 + 16 + 2),
            ("SET n = n - :n", 19 + 1 + 37 + 16 + 2),
            ("ADD abcdefghij :n", 19 + 10 + 2),
            ("REMOVE m.yyyyyyyyyy", 1 + 1 + 4 + 10),
            ("REMOVE r", 2),
        ] {
            let placeholders = Placeholders::new(None, Some(&values));
            let update = placeholders.update(text).unwrap();
            assert_eq!(update.actions().iter().map(clause).sum::<usize>(), expected, "{text}");
        }
    }
}
