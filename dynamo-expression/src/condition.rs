//! Conditions and filters, and their evaluation.
//!
//! A condition never fails on data. An operand that is missing, or of a type that the operator does not have, makes
//! its comparison false, except that `<>` is true whenever `=` is false: `a <> :v` holds for an item without `a`.
//!
//! Evaluation is linear in what each operator looks at, copies no value, and counts its [`Steps`].

use std::borrow::Cow;
use std::sync::Arc;

use dynamo_protocol::number::Number;
use dynamo_protocol::value::AttributeValue;

use crate::attributes::Attributes;
use crate::compare::{begins_with, contains, cost, order, size};
use crate::path::Path;
use crate::steps::{CONDITION, OutOfSteps, Steps};
pub use crate::tree::Comparator;

/// A condition whose placeholders are replaced and which was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// All hold; true where there are none.
    And(Vec<Condition>),
    /// At least one holds.
    Or(Vec<Condition>),
    /// Does not hold.
    Not(Box<Condition>),
    /// `left operator right`.
    Compare {
        /// One of the six.
        operator: Comparator,
        /// Left of it.
        left: Operand,
        /// Right of it.
        right: Operand,
    },
    /// `value BETWEEN lower AND upper`, both included.
    Between {
        /// What is looked at.
        value: Operand,
        /// The smallest that is accepted.
        lower: Operand,
        /// The largest that is accepted.
        upper: Operand,
    },
    /// `value IN (candidates…)`.
    In {
        /// What is looked at.
        value: Operand,
        /// What it may be equal to.
        candidates: Vec<Operand>,
    },
    /// `attribute_exists(path)`.
    Exists(Path),
    /// `attribute_not_exists(path)`.
    NotExists(Path),
    /// `attribute_type(value, :type)`; the type by its wire name, such as `SS`.
    HasType(Operand, TypeName),
    /// `begins_with(value, prefix)`.
    BeginsWith(Operand, Operand),
    /// `contains(value, part)`.
    Contains(Operand, Operand),
}

/// What a condition looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A value of the item.
    Path(Path),
    /// A value of the request, shared by all places that use its placeholder.
    Value(Arc<AttributeValue>),
    /// `size(operand)`.
    Size(Box<Operand>),
    /// Whether a condition holds, as a boolean; only PartiQL has it.
    Truth(Box<Condition>),
}

/// One of the ten wire names of types, as [`AttributeValue::type_name`] gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeName(&'static str);

impl TypeName {
    /// All, in the order of DynamoDB's messages; the codec writes a name's position in this list.
    pub const ALL: [&'static str; 10] = ["S", "SS", "N", "NS", "B", "BS", "BOOL", "NULL", "L", "M"];

    /// The type of that name, if there is one.
    pub fn parse(name: &str) -> Option<TypeName> {
        Self::ALL.into_iter().find(|known| *known == name).map(TypeName)
    }

    /// The name.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl Condition {
    /// The condition that always holds.
    pub fn always() -> Self {
        Condition::And(Vec::new())
    }

    /// Whether the item fulfils the condition. An absent item is `None::<Item>`: an item without attributes.
    ///
    /// # Errors
    /// [`OutOfSteps`]: the condition is neither true nor false.
    pub fn eval(&self, attributes: &dyn Attributes, steps: &Steps) -> Result<bool, OutOfSteps> {
        steps.spend(CONDITION)?;
        match self {
            Condition::And(operands) => {
                for operand in operands {
                    if !operand.eval(attributes, steps)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Or(operands) => {
                for operand in operands {
                    if operand.eval(attributes, steps)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(operand) => Ok(!operand.eval(attributes, steps)?),
            Condition::Compare { operator, left, right } => {
                let (left, right) = (left.value(attributes, steps)?, right.value(attributes, steps)?);
                compare(*operator, left.as_deref(), right.as_deref(), steps)
            }
            Condition::Between { value, lower, upper } => {
                let value = value.value(attributes, steps)?;
                let lower = lower.value(attributes, steps)?;
                if !compare(Comparator::GreaterOrEqual, value.as_deref(), lower.as_deref(), steps)? {
                    return Ok(false);
                }
                let upper = upper.value(attributes, steps)?;
                compare(Comparator::LessOrEqual, value.as_deref(), upper.as_deref(), steps)
            }
            Condition::In { value, candidates } => {
                let Some(value) = value.value(attributes, steps)? else { return Ok(false) };
                for candidate in candidates {
                    if let Some(candidate) = candidate.value(attributes, steps)?
                        && compare(Comparator::Equal, Some(&candidate), Some(&value), steps)?
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Exists(path) => path.leads_somewhere(attributes, steps),
            Condition::NotExists(path) => Ok(!path.leads_somewhere(attributes, steps)?),
            Condition::HasType(operand, name) => {
                Ok(operand.value(attributes, steps)?.is_some_and(|value| value.type_name() == name.as_str()))
            }
            Condition::BeginsWith(operand, prefix) => {
                match (operand.value(attributes, steps)?, prefix.value(attributes, steps)?) {
                    (Some(value), Some(prefix)) => {
                        steps.spend(cost::begins_with(&prefix))?;
                        Ok(begins_with(&value, &prefix))
                    }
                    _ => Ok(false),
                }
            }
            Condition::Contains(operand, part) => {
                match (operand.value(attributes, steps)?, part.value(attributes, steps)?) {
                    (Some(value), Some(part)) => {
                        steps.spend(cost::contains(&value, &part))?;
                        Ok(contains(&value, &part))
                    }
                    _ => Ok(false),
                }
            }
        }
    }

    /// Every path that the condition looks at, in the order of the text, repetitions included.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        self.collect_paths(&mut paths);
        paths
    }

    fn collect_paths<'a>(&'a self, paths: &mut Vec<&'a Path>) {
        match self {
            Condition::And(operands) | Condition::Or(operands) => {
                operands.iter().for_each(|operand| operand.collect_paths(paths));
            }
            Condition::Not(operand) => operand.collect_paths(paths),
            Condition::Compare { left, right, .. } => {
                [left, right].into_iter().for_each(|operand| operand.collect_paths(paths));
            }
            Condition::Between { value, lower, upper } => {
                [value, lower, upper].into_iter().for_each(|operand| operand.collect_paths(paths));
            }
            Condition::In { value, candidates } => {
                value.collect_paths(paths);
                candidates.iter().for_each(|operand| operand.collect_paths(paths));
            }
            Condition::Exists(path) | Condition::NotExists(path) => paths.push(path),
            Condition::HasType(value, _) => value.collect_paths(paths),
            Condition::BeginsWith(one, two) | Condition::Contains(one, two) => {
                [one, two].into_iter().for_each(|operand| operand.collect_paths(paths));
            }
        }
    }
}

fn compare(
    operator: Comparator,
    left: Option<&AttributeValue>,
    right: Option<&AttributeValue>,
    steps: &Steps,
) -> Result<bool, OutOfSteps> {
    let (Some(left), Some(right)) = (left, right) else { return Ok(operator == Comparator::NotEqual) };
    steps.spend(cost::comparison(left, right))?;
    Ok(match operator {
        Comparator::Equal => left == right,
        Comparator::NotEqual => left != right,
        Comparator::Less => order(left, right).is_some_and(|order| order.is_lt()),
        Comparator::LessOrEqual => order(left, right).is_some_and(|order| order.is_le()),
        Comparator::Greater => order(left, right).is_some_and(|order| order.is_gt()),
        Comparator::GreaterOrEqual => order(left, right).is_some_and(|order| order.is_ge()),
    })
}

impl Operand {
    /// The value, where there is one.
    ///
    /// # Errors
    /// [`OutOfSteps`].
    pub fn value<'a>(
        &'a self,
        attributes: &'a dyn Attributes,
        steps: &Steps,
    ) -> Result<Option<Cow<'a, AttributeValue>>, OutOfSteps> {
        match self {
            Operand::Path(path) => path.find(attributes, steps),
            Operand::Value(value) => Ok(Some(Cow::Borrowed(value))),
            Operand::Size(operand) => {
                let Some(value) = operand.value(attributes, steps)? else { return Ok(None) };
                steps.spend(cost::size(&value))?;
                Ok(size(&value).map(|size| Cow::Owned(AttributeValue::N(Number::from_u64(size)))))
            }
            Operand::Truth(condition) => Ok(Some(Cow::Owned(AttributeValue::Bool(condition.eval(attributes, steps)?)))),
        }
    }

    fn collect_paths<'a>(&'a self, paths: &mut Vec<&'a Path>) {
        match self {
            Operand::Path(path) => paths.push(path),
            Operand::Value(_) => {}
            Operand::Size(operand) => operand.collect_paths(paths),
            Operand::Truth(condition) => condition.collect_paths(paths),
        }
    }
}
