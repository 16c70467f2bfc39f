//! Key conditions: what a Query looks for.
//!
//! A key condition is a condition of a restricted shape: comparisons of key attributes with values, joined by AND.
//! Which attributes are keys is known only when the table is, so checking goes in two steps: the shape
//! ([`KeyCondition::from_condition`]) and, against the keys of the table or index, [`KeyCondition::plan`].
//!
//! Keys are lists of attributes, because an index may have up to four partition and four sort attributes. The rule for
//! lists contains the one for the usual single attributes: every partition attribute needs an equality, the sort
//! attributes that are given must be a prefix of the list, and only the last one given may have something else than
//! an equality.

use std::sync::Arc;

use dynamo_protocol::value::AttributeValue;

use crate::compare::{begins_with, order};
use crate::condition::{Comparator, Condition, Operand};
use crate::error::{ExpressionError, ExpressionKind};
use crate::path::Path;

/// Conditions on attributes, at most one for each, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCondition {
    pub(crate) clauses: Vec<KeyClause>,
    /// Whether it came as `KeyConditions`, whose number of conditions is told in other words.
    pub(crate) legacy: bool,
}

/// A condition on one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyClause {
    /// The name of the attribute.
    pub attribute: String,
    /// What it must fulfil.
    pub test: KeyTest,
}

/// What a key attribute must fulfil.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTest {
    /// `= value`
    Equal(Arc<AttributeValue>),
    /// `< value`
    Less(Arc<AttributeValue>),
    /// `<= value`
    LessOrEqual(Arc<AttributeValue>),
    /// `> value`
    Greater(Arc<AttributeValue>),
    /// `>= value`
    GreaterOrEqual(Arc<AttributeValue>),
    /// `BETWEEN lower AND upper`
    Between(Arc<AttributeValue>, Arc<AttributeValue>),
    /// `begins_with(attribute, prefix)`
    BeginsWith(Arc<AttributeValue>),
    /// An operator of `KeyConditions` that no key can be looked up by.
    NotIndexable,
}

/// One attribute of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyColumn<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type: `S`, `N` or `B`.
    pub kind: &'a str,
}

/// A key condition that fits a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMatch {
    /// The values of all partition attributes, in the order of the key.
    pub partition: Vec<AttributeValue>,
    /// The values of the first sort attributes, in the order of the key; possibly none.
    pub sort: Vec<AttributeValue>,
    /// A condition other than an equality on the sort attribute that follows.
    pub range: Option<KeyTest>,
}

impl KeyTest {
    /// Whether a key attribute of that value fulfils it.
    pub fn accepts(&self, value: &AttributeValue) -> bool {
        let is =
            |bound: &AttributeValue, wanted: fn(std::cmp::Ordering) -> bool| order(value, bound).is_some_and(wanted);
        match self {
            KeyTest::Equal(bound) => *value == **bound,
            KeyTest::Less(bound) => is(bound, std::cmp::Ordering::is_lt),
            KeyTest::LessOrEqual(bound) => is(bound, std::cmp::Ordering::is_le),
            KeyTest::Greater(bound) => is(bound, std::cmp::Ordering::is_gt),
            KeyTest::GreaterOrEqual(bound) => is(bound, std::cmp::Ordering::is_ge),
            KeyTest::Between(lower, upper) => {
                is(lower, std::cmp::Ordering::is_ge) && is(upper, std::cmp::Ordering::is_le)
            }
            KeyTest::BeginsWith(prefix) => begins_with(value, prefix),
            KeyTest::NotIndexable => false,
        }
    }

    /// The values in it.
    pub fn values(&self) -> impl Iterator<Item = &AttributeValue> {
        let (one, two) = match self {
            KeyTest::Equal(one)
            | KeyTest::Less(one)
            | KeyTest::LessOrEqual(one)
            | KeyTest::Greater(one)
            | KeyTest::GreaterOrEqual(one)
            | KeyTest::BeginsWith(one) => (Some(one), None),
            KeyTest::Between(one, two) => (Some(one), Some(two)),
            KeyTest::NotIndexable => (None, None),
        };
        one.into_iter().chain(two).map(Arc::as_ref)
    }
}

impl KeyCondition {
    /// Checks that a parsed `KeyConditionExpression` has the shape of a key condition, clause by clause.
    ///
    /// # Errors
    /// What has no place in a key condition, in DynamoDB's words.
    pub fn from_condition(condition: Condition) -> Result<Self, ExpressionError> {
        let mut clauses = Vec::new();
        collect(condition, &mut clauses)?;
        Ok(KeyCondition { clauses, legacy: false })
    }

    /// These conditions, at most one for each attribute.
    pub fn of_clauses(clauses: Vec<KeyClause>) -> Self {
        KeyCondition { clauses, legacy: false }
    }

    /// The conditions, in the order of the text.
    pub fn clauses(&self) -> &[KeyClause] {
        &self.clauses
    }

    /// Checks the condition against the attributes of a key.
    ///
    /// # Errors
    /// In this order: too many conditions; a key attribute without its condition; operators that cannot look up a
    /// key; values of the wrong type; a partition attribute without an equality, a gap in the sort attributes.
    pub fn plan(&self, partition: &[KeyColumn<'_>], sort: &[KeyColumn<'_>]) -> Result<KeyMatch, ExpressionError> {
        self.check_count(partition.len() + sort.len())?;
        self.check_presence(partition, sort)?;
        if self.clauses.iter().any(|clause| clause.test == KeyTest::NotIndexable) {
            return Err(ExpressionError::bare("Attempted conditional constraint is not an indexable operation"));
        }
        for column in partition.iter().chain(sort) {
            self.check_type(column)?;
        }
        let partition: Result<Vec<_>, _> = partition.iter().map(|column| self.partition_value(column)).collect();
        let mut matched = KeyMatch { partition: partition?, sort: Vec::new(), range: None };
        self.check_prefix(sort)?;
        for test in sort.iter().map_while(|column| self.test(column.name)) {
            match test {
                KeyTest::Equal(value) => matched.sort.push((**value).clone()),
                other => matched.range = Some(other.clone()),
            }
        }
        Ok(matched)
    }

    fn test(&self, attribute: &str) -> Option<&KeyTest> {
        self.clauses.iter().find(|clause| clause.attribute == attribute).map(|clause| &clause.test)
    }

    fn check_count(&self, columns: usize) -> Result<(), ExpressionError> {
        let count = self.clauses.len();
        if count <= columns {
            return Ok(());
        }
        // An index may have more than two key attributes since 2025; before, and still for KeyConditions, the texts
        // knew only one or two.
        if self.legacy {
            return Err(if count > 2 { wrong_count() } else { not_supported() });
        }
        Err(ExpressionError::bare(format!(
            "The number of query conditions ({count}) exceeds the number of key attributes defined in the schema \
             ({columns})"
        )))
    }

    /// Every partition attribute has a condition, and a condition that is on no key attribute stands in the place of
    /// the first sort attribute without one.
    fn check_presence(&self, partition: &[KeyColumn<'_>], sort: &[KeyColumn<'_>]) -> Result<(), ExpressionError> {
        self.check_equalities(partition)?;
        let missing = partition.iter().find(|column| self.test(column.name).is_none());
        let is_key = |name: &str| partition.iter().chain(sort).any(|column| column.name == name);
        let stray = self.clauses.iter().any(|clause| !is_key(&clause.attribute));
        let missing = match missing {
            None if stray => sort.iter().find(|column| self.test(column.name).is_none()),
            missing => missing,
        };
        match missing {
            Some(column) => {
                let text = format!("Query condition missed key schema element: {}", column.name);
                Err(ExpressionError::bare(text))
            }
            None => Ok(()),
        }
    }

    /// A key of several partition attributes says what it wants of them in words of its own. The beginning and the end
    /// of the text are made after the one for sort attributes; what AWS's own says is known to name the role and the
    /// equality (ScyllaDB's Alternator suite, 2026).
    fn check_equalities(&self, partition: &[KeyColumn<'_>]) -> Result<(), ExpressionError> {
        let is_equal = |column: &&KeyColumn<'_>| matches!(self.test(column.name), Some(KeyTest::Equal(_)));
        let others: Vec<&str> = partition.iter().filter(|column| !is_equal(column)).map(|column| column.name).collect();
        if partition.len() < 2 || others.is_empty() {
            return Ok(());
        }
        Err(ExpressionError::bare(format!(
            "HASH key attributes {} must have equality conditions specified in the query",
            others.join(", ")
        )))
    }

    fn check_type(&self, column: &KeyColumn<'_>) -> Result<(), ExpressionError> {
        let Some(test) = self.test(column.name) else { return Ok(()) };
        if test.values().all(|value| value.type_name() == column.kind) {
            return Ok(());
        }
        Err(ExpressionError::parameters("Condition parameter type does not match schema type"))
    }

    fn partition_value(&self, column: &KeyColumn<'_>) -> Result<AttributeValue, ExpressionError> {
        match self.test(column.name) {
            Some(KeyTest::Equal(value)) => Ok((**value).clone()),
            _ => Err(not_supported()),
        }
    }

    /// The sort attributes before the last one with a condition all need equalities.
    fn check_prefix(&self, sort: &[KeyColumn<'_>]) -> Result<(), ExpressionError> {
        let Some(last) = sort.iter().rposition(|column| self.test(column.name).is_some()) else { return Ok(()) };
        let gaps: Vec<&str> = sort[..last]
            .iter()
            .filter(|column| !matches!(self.test(column.name), Some(KeyTest::Equal(_))))
            .map(|column| column.name)
            .collect();
        if gaps.is_empty() {
            return Ok(());
        }
        Err(ExpressionError::bare(format!(
            "RANGE key attributes {} must have equality conditions specified in the query because a condition is \
             present on key attribute {}",
            gaps.join(", "),
            sort[last].name
        )))
    }
}

fn not_supported() -> ExpressionError {
    ExpressionError::bare("Query key condition not supported")
}

fn invalid(text: impl std::fmt::Display) -> ExpressionError {
    ExpressionError::invalid(ExpressionKind::KeyCondition, text)
}

fn collect(condition: Condition, clauses: &mut Vec<KeyClause>) -> Result<(), ExpressionError> {
    let clause = match condition {
        Condition::And(operands) => return operands.into_iter().try_for_each(|operand| collect(operand, clauses)),
        Condition::Compare { operator: Comparator::NotEqual, .. } => return Err(wrong_operator("<>")),
        Condition::Compare { operator, left, right } => comparison(operator, left, right)?,
        Condition::Between { value, lower, upper } => {
            let [lower, upper] = [lower, upper];
            let (attribute, mut bounds) = key_first("BETWEEN", value, vec![lower, upper])?;
            let upper = bounds.pop().expect("two operands came back as two values");
            let lower = bounds.pop().expect("two operands came back as two values");
            KeyClause { attribute, test: KeyTest::Between(lower, upper) }
        }
        Condition::BeginsWith(value, prefix) => {
            let (attribute, mut prefix) = key_first("begins_with", value, vec![prefix])?;
            let prefix = prefix.pop().expect("one operand came back as one value");
            KeyClause { attribute, test: KeyTest::BeginsWith(prefix) }
        }
        other => return Err(wrong_operator(operator_name(&other))),
    };
    if clauses.iter().any(|known| known.attribute == clause.attribute) {
        return Err(invalid("KeyConditionExpressions must only contain one condition per key"));
    }
    clauses.push(clause);
    Ok(())
}

fn wrong_operator(name: &str) -> ExpressionError {
    ExpressionError::bare(format!("Invalid operator used in KeyConditionExpression: {name}"))
}

/// Like the text about operators it names the member itself, so nothing stands before it.
fn wrong_condition(text: impl std::fmt::Display) -> ExpressionError {
    ExpressionError::bare(format!("Invalid condition in KeyConditionExpression: {text}"))
}

fn operator_name(condition: &Condition) -> &'static str {
    match condition {
        Condition::And(_) => "AND",
        Condition::Or(_) => "OR",
        Condition::Not(_) => "NOT",
        Condition::Compare { operator, .. } => operator.symbol(),
        Condition::Between { .. } => "BETWEEN",
        Condition::In { .. } => "IN",
        Condition::Exists(_) => "attribute_exists",
        Condition::NotExists(_) => "attribute_not_exists",
        Condition::HasType(..) => "attribute_type",
        Condition::BeginsWith(..) => "begins_with",
        Condition::Contains(..) => "contains",
    }
}

fn comparison(operator: Comparator, left: Operand, right: Operand) -> Result<KeyClause, ExpressionError> {
    let key_is_left = matches!(left, Operand::Path(_));
    let (attribute, mut values) = one_attribute(vec![left, right])?;
    let value = values.pop().expect("of two operands one is the attribute");
    let test = match if key_is_left { operator } else { operator.mirrored() } {
        Comparator::Equal => KeyTest::Equal(value),
        Comparator::Less => KeyTest::Less(value),
        Comparator::LessOrEqual => KeyTest::LessOrEqual(value),
        Comparator::Greater => KeyTest::Greater(value),
        Comparator::GreaterOrEqual => KeyTest::GreaterOrEqual(value),
        Comparator::NotEqual => return Err(wrong_operator("<>")),
    };
    Ok(KeyClause { attribute, test })
}

/// The attribute and the values of an operator that needs the attribute first.
fn key_first(
    operator: &str,
    first: Operand,
    others: Vec<Operand>,
) -> Result<(String, Vec<Arc<AttributeValue>>), ExpressionError> {
    if matches!(first, Operand::Value(_)) {
        return Err(wrong_condition(format_args!(
            "{operator} operator must have the key attribute as its first operand"
        )));
    }
    let mut operands = vec![first];
    operands.extend(others);
    one_attribute(operands)
}

/// Separates the one attribute from the values, looking at the operands in their order.
fn one_attribute(operands: Vec<Operand>) -> Result<(String, Vec<Arc<AttributeValue>>), ExpressionError> {
    let mut attribute: Option<Path> = None;
    let mut values = Vec::new();
    for operand in operands {
        match operand {
            Operand::Value(value) => values.push(value),
            Operand::Size(_) | Operand::Truth(_) => {
                return Err(invalid("KeyConditionExpressions cannot contain nested operations"));
            }
            Operand::Path(_) if attribute.is_some() => {
                return Err(wrong_condition("Multiple attribute names used in one condition"));
            }
            Operand::Path(path) if path.is_nested() => {
                return Err(invalid("KeyConditionExpressions cannot have conditions on nested attributes"));
            }
            Operand::Path(path) => attribute = Some(path),
        }
    }
    match attribute {
        Some(path) => Ok((path.root().to_owned(), values)),
        None => Err(wrong_condition("No key attribute specified")),
    }
}

/// The text of before an index could have more than two key attributes.
pub(crate) fn wrong_count() -> ExpressionError {
    ExpressionError::bare("Conditions can be of length 1 or 2 only")
}
