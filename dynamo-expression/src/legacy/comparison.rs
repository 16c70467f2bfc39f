//! One `ComparisonOperator` with its values.

use std::sync::Arc;

use dynamo_protocol::value::AttributeValue;

use crate::compare::order;
use crate::condition::{Comparator, Condition, Operand};
use crate::error::ExpressionError;
use crate::path::Path;

/// `ComparisonOperator` and `AttributeValueList`, as in `KeyConditions`, `QueryFilter` and `ScanFilter`.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The operator's wire name, one of the 13, such as `NOT_CONTAINS`.
    pub operator: &'a str,
    /// The values; empty where the member is absent.
    pub values: &'a [AttributeValue],
}

impl Comparison<'_> {
    /// Checks number, types and order of the values.
    ///
    /// # Errors
    /// In this order: a wrong number; a type that the operator does not take; different types; a range upside down.
    pub(super) fn check(&self) -> Result<(), ExpressionError> {
        let operator = self.operator;
        let count = self.values.len();
        let counted = match operator {
            "NULL" | "NOT_NULL" => count == 0,
            "BETWEEN" => count == 2,
            "IN" => count >= 1,
            _ => count == 1,
        };
        if !counted {
            let text = format!("Invalid number of argument(s) for the {operator} ComparisonOperator");
            return Err(ExpressionError::parameters(text));
        }
        let allowed = allowed_types(operator);
        if let Some(value) = self.values.iter().find(|value| !allowed.contains(&value.type_name())) {
            let text =
                format!("ComparisonOperator {operator} is not valid for {} AttributeValue type", value.type_name());
            return Err(ExpressionError::parameters(text));
        }
        if self.values.iter().any(|value| value.type_name() != self.values[0].type_name()) {
            let text = "AttributeValues inside AttributeValueList must be of same type";
            return Err(ExpressionError::parameters(text));
        }
        match self.values {
            [lower, upper] if operator == "BETWEEN" && order(lower, upper).is_some_and(|order| order.is_gt()) => {
                Err(ExpressionError::bare(
                    "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
                ))
            }
            _ => Ok(()),
        }
    }

    /// The condition on one attribute; the comparison was checked.
    pub(super) fn condition(&self, attribute: &str) -> Condition {
        let path = || Path::top(attribute);
        let value = |place: usize| Operand::Value(Arc::new(self.values[place].clone()));
        let compare = |operator| Condition::Compare { operator, left: Operand::Path(path()), right: value(0) };
        let contains = || Condition::Contains(Operand::Path(path()), value(0));
        match self.operator {
            "NULL" => Condition::NotExists(path()),
            "NOT_NULL" => Condition::Exists(path()),
            "NE" => compare(Comparator::NotEqual),
            "LT" => compare(Comparator::Less),
            "LE" => compare(Comparator::LessOrEqual),
            "GT" => compare(Comparator::Greater),
            "GE" => compare(Comparator::GreaterOrEqual),
            "BETWEEN" => Condition::Between { value: Operand::Path(path()), lower: value(0), upper: value(1) },
            "IN" => {
                let candidates = (0..self.values.len()).map(value).collect();
                Condition::In { value: Operand::Path(path()), candidates }
            }
            "BEGINS_WITH" => Condition::BeginsWith(Operand::Path(path()), value(0)),
            "CONTAINS" => contains(),
            // A missing attribute does not "not contain" anything, unlike under NOT in an expression.
            "NOT_CONTAINS" => Condition::And(vec![Condition::Exists(path()), Condition::Not(Box::new(contains()))]),
            _ => compare(Comparator::Equal),
        }
    }
}

fn allowed_types(operator: &str) -> &'static [&'static str] {
    match operator {
        "LT" | "LE" | "GT" | "GE" | "IN" | "BETWEEN" => &["S", "N", "B"],
        "BEGINS_WITH" => &["S", "B"],
        "CONTAINS" | "NOT_CONTAINS" => &["S", "N", "B", "BOOL", "NULL"],
        _ => &["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"],
    }
}
