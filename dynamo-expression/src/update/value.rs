//! The right side of SET.

use std::borrow::Cow;

use dynamo_protocol::number::{Number, NumberError};
use dynamo_protocol::value::{AttributeValue, Item};

use crate::error::ExpressionError;
use crate::path::Path;

/// How a value is computed from the item as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The value at a path, which must be there.
    Path(Path),
    /// A value of the request.
    Value(AttributeValue),
    /// The value at a path, or the other one where it is missing.
    IfNotExists(Path, Box<Value>),
    /// Two lists, one behind the other.
    ListAppend(Box<Value>, Box<Value>),
    /// The sum of two numbers.
    Plus(Box<Value>, Box<Value>),
    /// The difference of two numbers.
    Minus(Box<Value>, Box<Value>),
}

impl Value {
    /// Computes the value.
    ///
    /// # Errors
    /// A path without a value, an operand of the wrong type, a result that is no DynamoDB number.
    pub fn eval<'a>(&'a self, item: &'a Item) -> Result<Cow<'a, AttributeValue>, ExpressionError> {
        match self {
            Value::Path(path) => path.find_in(item).map(Cow::Borrowed).ok_or_else(missing),
            Value::Value(value) => Ok(Cow::Borrowed(value)),
            Value::IfNotExists(path, fallback) => match path.find_in(item) {
                Some(value) => Ok(Cow::Borrowed(value)),
                None => fallback.eval(item),
            },
            Value::ListAppend(left, right) => {
                let (left, right) = (left.eval(item)?, right.eval(item)?);
                match (left.into_owned(), right.into_owned()) {
                    (AttributeValue::L(mut list), AttributeValue::L(tail)) => {
                        list.extend(tail);
                        Ok(Cow::Owned(AttributeValue::L(list)))
                    }
                    _ => Err(wrong_type()),
                }
            }
            Value::Plus(left, right) => {
                let (left, right) = numbers(left.eval(item)?.as_ref(), right.eval(item)?.as_ref())?;
                sum(left.checked_add(&right))
            }
            Value::Minus(left, right) => {
                let (left, right) = numbers(left.eval(item)?.as_ref(), right.eval(item)?.as_ref())?;
                sum(left.checked_sub(&right))
            }
        }
    }
}

fn numbers(left: &AttributeValue, right: &AttributeValue) -> Result<(Number, Number), ExpressionError> {
    match (left, right) {
        (AttributeValue::N(left), AttributeValue::N(right)) => Ok((*left, *right)),
        _ => Err(wrong_type()),
    }
}

fn sum(result: Result<Number, NumberError>) -> Result<Cow<'static, AttributeValue>, ExpressionError> {
    match result {
        Ok(number) => Ok(Cow::Owned(AttributeValue::N(number))),
        Err(error) => Err(no_number(&error)),
    }
}

/// A sum is not a DynamoDB number. One with more than 38 digits is called an overflow, too: `1e50 + 1` is answered so
/// (seen on the service by Scylla's tests).
pub(super) fn no_number(error: &NumberError) -> ExpressionError {
    let error = if *error == NumberError::TooManyDigits { &NumberError::Overflow } else { error };
    ExpressionError::bare(error.to_string())
}

fn missing() -> ExpressionError {
    ExpressionError::bare("The provided expression refers to an attribute that does not exist in the item")
}

/// An operand has a type that its operator or function does not take.
pub(super) fn wrong_type() -> ExpressionError {
    ExpressionError::bare("An operand in the update expression has an incorrect data type")
}
