//! The right side of SET.

use std::sync::Arc;

use dynamo_protocol::number::{Number, NumberError};
use dynamo_protocol::size::attribute_bytes;
use dynamo_protocol::value::{AttributeValue, Item};

use crate::error::ExpressionError;
use crate::path::Path;

/// How a value is computed from the item as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The value at a path, which must be there.
    Path(Path),
    /// A value of the request, shared by all places that use its placeholder.
    Value(Arc<AttributeValue>),
    /// The value at a path, or the other one where it is missing.
    IfNotExists(Path, Box<Value>),
    /// Two lists, one behind the other.
    ListAppend(Box<Value>, Box<Value>),
    /// The sum of two numbers.
    Plus(Box<Value>, Box<Value>),
    /// The difference of two numbers.
    Minus(Box<Value>, Box<Value>),
}

/// A value that is known but not yet made: what it consists of stays where it is.
pub(super) enum Outline<'a> {
    /// This value, of the item or of the request.
    Whole(&'a AttributeValue),
    /// A number that was computed.
    Number(Number),
    /// Lists, one behind the other.
    Lists(Vec<&'a [AttributeValue]>),
    /// The members of two sets.
    Union(&'a AttributeValue, &'a AttributeValue),
    /// The members of a set that are not in the other.
    Difference(&'a AttributeValue, &'a AttributeValue),
}

impl<'a> Outline<'a> {
    /// Bytes that the value is billed at least.
    pub fn bytes_min(&self) -> usize {
        match self {
            Outline::Whole(value) => attribute_bytes(value),
            Outline::Number(number) => number.billed_bytes(),
            Outline::Lists(lists) => {
                3 + lists.iter().copied().flatten().map(|element| 1 + attribute_bytes(element)).sum::<usize>()
            }
            Outline::Union(one, two) => attribute_bytes(one).max(attribute_bytes(two)),
            Outline::Difference(..) => 0,
        }
    }

    /// The value itself; `None` for a set without members.
    pub fn made(self) -> Option<AttributeValue> {
        use AttributeValue::{Bs, Ns, Ss};
        Some(match self {
            Outline::Whole(value) => value.clone(),
            Outline::Number(number) => AttributeValue::N(number),
            Outline::Lists(lists) => AttributeValue::L(lists.concat()),
            Outline::Union(Ss(one), Ss(two)) => Ss(union(one, two)),
            Outline::Union(Ns(one), Ns(two)) => Ns(union(one, two)),
            Outline::Union(Bs(one), Bs(two)) => Bs(union(one, two)),
            Outline::Difference(Ss(old), Ss(less)) => Ss(difference(old, less)?),
            Outline::Difference(Ns(old), Ns(less)) => Ns(difference(old, less)?),
            Outline::Difference(Bs(old), Bs(less)) => Bs(difference(old, less)?),
            // Only sets of one type are outlined so.
            Outline::Union(old, _) | Outline::Difference(old, _) => old.clone(),
        })
    }

    fn as_number(&self) -> Option<Number> {
        match self {
            Outline::Whole(AttributeValue::N(number)) | Outline::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn into_lists(self) -> Option<Vec<&'a [AttributeValue]>> {
        match self {
            Outline::Whole(AttributeValue::L(list)) => Some(vec![list]),
            Outline::Lists(lists) => Some(lists),
            _ => None,
        }
    }
}

fn union<T: Ord + Clone>(old: &[T], more: &[T]) -> Vec<T> {
    let mut members = [old, more].concat();
    members.sort_unstable();
    members.dedup();
    members
}

fn difference<T: Ord + Clone>(old: &[T], less: &[T]) -> Option<Vec<T>> {
    let rest: Vec<T> = old.iter().filter(|member| less.binary_search(member).is_err()).cloned().collect();
    (!rest.is_empty()).then_some(rest)
}

impl Value {
    /// Calls `each` with every path that the value is computed from.
    pub(super) fn each_path<'a>(&'a self, each: &mut dyn FnMut(&'a Path)) {
        match self {
            Value::Path(path) => each(path),
            Value::Value(_) => {}
            Value::IfNotExists(path, fallback) => {
                each(path);
                fallback.each_path(each);
            }
            Value::ListAppend(left, right) | Value::Plus(left, right) | Value::Minus(left, right) => {
                left.each_path(each);
                right.each_path(each);
            }
        }
    }

    /// Computes the value.
    ///
    /// # Errors
    /// A path without a value, an operand of the wrong type, a result that is no DynamoDB number.
    pub(super) fn outline<'a>(&'a self, item: &'a Item) -> Result<Outline<'a>, ExpressionError> {
        match self {
            Value::Path(path) => path.find_in(item).map(Outline::Whole).ok_or_else(missing),
            Value::Value(value) => Ok(Outline::Whole(value)),
            Value::IfNotExists(path, fallback) => match path.find_in(item) {
                Some(value) => Ok(Outline::Whole(value)),
                None => fallback.outline(item),
            },
            Value::ListAppend(left, right) => {
                let (left, right) = (left.outline(item)?, right.outline(item)?);
                let mut lists = left.into_lists().ok_or_else(wrong_type)?;
                lists.append(&mut right.into_lists().ok_or_else(wrong_type)?);
                Ok(Outline::Lists(lists))
            }
            Value::Plus(left, right) => {
                let (left, right) = numbers(&left.outline(item)?, &right.outline(item)?)?;
                sum(left.checked_add(&right))
            }
            Value::Minus(left, right) => {
                let (left, right) = numbers(&left.outline(item)?, &right.outline(item)?)?;
                sum(left.checked_sub(&right))
            }
        }
    }
}

fn numbers(left: &Outline<'_>, right: &Outline<'_>) -> Result<(Number, Number), ExpressionError> {
    match (left.as_number(), right.as_number()) {
        (Some(left), Some(right)) => Ok((left, right)),
        _ => Err(wrong_type()),
    }
}

fn sum(result: Result<Number, NumberError>) -> Result<Outline<'static>, ExpressionError> {
    match result {
        Ok(number) => Ok(Outline::Number(number)),
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
