//! Conditions and filters, and their evaluation.
//!
//! A condition never fails on data. An operand that is missing, or of a type that the operator does not have, makes
//! its comparison false, except that `<>` is true whenever `=` is false: `a <> :v` holds for an item without `a`.

use std::borrow::Cow;

use dynamo_protocol::number::Number;
use dynamo_protocol::value::AttributeValue;

use crate::attributes::Attributes;
use crate::compare::{begins_with, contains, order, size};
use crate::path::Path;
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
    /// A value of the request.
    Value(AttributeValue),
    /// `size(operand)`.
    Size(Box<Operand>),
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
    pub fn eval(&self, attributes: &dyn Attributes) -> bool {
        match self {
            Condition::And(operands) => operands.iter().all(|operand| operand.eval(attributes)),
            Condition::Or(operands) => operands.iter().any(|operand| operand.eval(attributes)),
            Condition::Not(operand) => !operand.eval(attributes),
            Condition::Compare { operator, left, right } => {
                compare(*operator, left.value(attributes).as_deref(), right.value(attributes).as_deref())
            }
            Condition::Between { value, lower, upper } => {
                let value = value.value(attributes);
                compare(Comparator::GreaterOrEqual, value.as_deref(), lower.value(attributes).as_deref())
                    && compare(Comparator::LessOrEqual, value.as_deref(), upper.value(attributes).as_deref())
            }
            Condition::In { value, candidates } => {
                let Some(value) = value.value(attributes) else { return false };
                candidates.iter().any(|candidate| candidate.value(attributes).is_some_and(|other| other == value))
            }
            Condition::Exists(path) => path.find(attributes).is_some(),
            Condition::NotExists(path) => path.find(attributes).is_none(),
            Condition::HasType(value, name) => {
                value.value(attributes).is_some_and(|value| value.type_name() == name.as_str())
            }
            Condition::BeginsWith(value, prefix) => both(value, prefix, attributes, begins_with),
            Condition::Contains(value, part) => both(value, part, attributes, contains),
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
            Condition::Compare { left, right, .. } => paths.extend([left, right].into_iter().filter_map(Operand::path)),
            Condition::Between { value, lower, upper } => {
                paths.extend([value, lower, upper].into_iter().filter_map(Operand::path));
            }
            Condition::In { value, candidates } => {
                paths.extend(value.path());
                paths.extend(candidates.iter().filter_map(Operand::path));
            }
            Condition::Exists(path) | Condition::NotExists(path) => paths.push(path),
            Condition::HasType(value, _) => paths.extend(value.path()),
            Condition::BeginsWith(one, two) | Condition::Contains(one, two) => {
                paths.extend([one, two].into_iter().filter_map(Operand::path));
            }
        }
    }
}

fn both(
    one: &Operand,
    two: &Operand,
    attributes: &dyn Attributes,
    relation: fn(&AttributeValue, &AttributeValue) -> bool,
) -> bool {
    match (one.value(attributes), two.value(attributes)) {
        (Some(one), Some(two)) => relation(&one, &two),
        _ => false,
    }
}

fn compare(operator: Comparator, left: Option<&AttributeValue>, right: Option<&AttributeValue>) -> bool {
    let (Some(left), Some(right)) = (left, right) else { return operator == Comparator::NotEqual };
    match operator {
        Comparator::Equal => left == right,
        Comparator::NotEqual => left != right,
        Comparator::Less => order(left, right).is_some_and(|order| order.is_lt()),
        Comparator::LessOrEqual => order(left, right).is_some_and(|order| order.is_le()),
        Comparator::Greater => order(left, right).is_some_and(|order| order.is_gt()),
        Comparator::GreaterOrEqual => order(left, right).is_some_and(|order| order.is_ge()),
    }
}

impl Operand {
    /// The value, where there is one.
    pub fn value<'a>(&'a self, attributes: &'a dyn Attributes) -> Option<Cow<'a, AttributeValue>> {
        match self {
            Operand::Path(path) => path.find(attributes),
            Operand::Value(value) => Some(Cow::Borrowed(value)),
            Operand::Size(operand) => {
                let size = size(operand.value(attributes)?.as_ref())?;
                Some(Cow::Owned(AttributeValue::N(Number::from_u64(size))))
            }
        }
    }

    /// The path that it looks at, if any.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Operand::Path(path) => Some(path),
            Operand::Value(_) => None,
            Operand::Size(operand) => operand.path(),
        }
    }
}
