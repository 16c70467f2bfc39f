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
//!
//! The ORs and INs that speak of the key are multiplied out: each branch is one read, at most [`READS_MAX`] of them. Two
//! branches that read the same rows are refused, unless one says of the sort key what it is not (recorded by
//! paritysuite/dynamodb-conformance, October 2026; the limit and repeated values in IN: reports of users).

use std::cell::Cell;
use std::cmp::Ordering;
use std::sync::Arc;

use dynamo_protocol::value::{AttributeValue, Item};

use crate::compare::{begins_with, order};
use crate::condition::{Comparator, Condition, Operand};
use crate::error::ExpressionError;
use crate::key_condition::KeyTest;

/// The most reads that a statement is taken apart into.
const READS_MAX: usize = 50;

/// The partitions that a condition can be true in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitions {
    /// Each read once, in ascending order of the values and then of the rows, where they have one.
    pub partitions: Vec<Partition>,
    /// What is left to be checked of each row; `None` where the partitions and their tests say all.
    pub residual: Option<Condition>,
    /// The attributes that each branch looks at beyond the key, in the order of the text, one branch after the other in
    /// that of the partitions. A branch that nothing can fulfil looks at none.
    pub looked_at: Vec<Vec<String>>,
}

impl Partitions {
    /// How many values of the partition key there are.
    pub fn values(&self) -> usize {
        let is_new = |at: &usize| *at == 0 || self.partitions[at - 1].value != self.partitions[*at].value;
        (0..self.partitions.len()).filter(is_new).count()
    }

    /// The same in another order of the values, and of the rows of each.
    #[must_use]
    pub fn arranged(mut self, values_descend: bool, rows_descend: bool) -> Partitions {
        self.partitions.sort_by(|one, two| {
            let turned = |ordering: Ordering, descends| if descends { ordering.reverse() } else { ordering };
            let values = turned(order(&one.value, &two.value).unwrap_or(Ordering::Equal), values_descend);
            values.then_with(|| turned(one.rows().by_first(&two.rows()), rows_descend))
        });
        self
    }
}

/// One read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The partition key's value.
    pub value: AttributeValue,
    /// What rows must fulfil at least; `None` for all of them.
    pub sort: Option<KeyTest>,
}

impl Partition {
    fn rows(&self) -> Rows {
        self.sort.as_ref().map_or(Rows::ALL, Rows::of)
    }
}

/// One item's key, and the rest of the condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimaryKey {
    /// Exactly the key attributes.
    pub key: Item,
    /// What else must hold.
    pub residual: Option<Condition>,
}

impl PrimaryKey {
    /// The key attribute that the rest of the condition wants to have another value.
    pub fn contradicted(&self) -> Option<&str> {
        let rest = self.residual.as_ref().map(conjuncts).unwrap_or_default();
        let (name, _) = self.key.iter().find(|(name, value)| {
            rest.iter().any(|condition| equal_value(condition, name).is_some_and(|other| **other != **value))
        })?;
        Some(name)
    }
}

/// How a condition may name the value of a key attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// By `=` only, as for what is written or checked.
    Equality,
    /// Also by an IN with one value, as for what is read.
    EqualityOrIn,
}

/// The item that `condition` names: a value for every attribute of `names`, joined by AND. What says the same of a key
/// once more is not left over.
pub fn primary_key(condition: Option<&Condition>, names: &[&str], naming: Naming) -> Option<PrimaryKey> {
    let mut rest = conjuncts(condition?);
    let mut key = Item::new();
    for name in names {
        let value = rest.iter().find_map(|condition| named_value(condition, name, naming))?;
        rest.retain(|condition| named_value(condition, name, naming) != Some(value));
        key.insert((*name).to_owned(), AttributeValue::clone(value));
    }
    Some(PrimaryKey { key, residual: all(rest) })
}

/// The partitions that `condition` is about, or nothing where it may be true in any.
///
/// # Errors
/// Two branches that read the same rows; too many of them.
pub fn partitions(
    condition: &Condition,
    partition: &str,
    sort: Option<&str>,
) -> Result<Option<Partitions>, ExpressionError> {
    let keys = Keys { partition, sort, contradicts: Cell::new(false) };
    if !keys.are_bound(condition) {
        return Ok(None);
    }
    let branches = keys.branches(condition)?;
    let same_filters = branches.windows(2).all(|pair| pair[0].filters == pair[1].filters);
    let mut is_exact = same_filters && branches.iter().all(|branch| branch.tests.len() <= 1);
    let filters = branches.first().map(|branch| all(branch.filters.clone())).unwrap_or_default();
    let mut looked_at: Vec<(Option<Arc<AttributeValue>>, Vec<String>)> =
        branches.iter().map(|branch| (branch.value.clone(), branch.looked_at())).collect();
    looked_at.sort_by(|(one, _), (two, _)| match (one, two) {
        (Some(one), Some(two)) => order(one, two).unwrap_or(Ordering::Equal),
        _ => Ordering::Equal,
    });
    let mut looked_at: Vec<Vec<String>> = looked_at.into_iter().map(|(_, names)| names).collect();
    if keys.contradicts.get() {
        looked_at.push(Vec::new());
    }
    let mut found: Vec<Partition> = Vec::new();
    let mut left = branches;
    while let Some(value) = left.first().and_then(|branch| branch.value.clone()) {
        let (group, others): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|branch| branch.value.as_ref() == Some(&value));
        left = others;
        refuse_overlap(&group)?;
        let value = Arc::unwrap_or_clone(value);
        // Reads that share rows, or may, would give them twice.
        if group.len() > 1 && group.iter().any(|branch| branch.denies || branch.tests.len() > 1) {
            is_exact = false;
            found.push(Partition { value, sort: None });
        } else {
            let read = |branch: Branch<'_>| Partition { value: value.clone(), sort: narrowest(branch.tests) };
            found.extend(group.into_iter().map(read));
        }
    }
    let residual = if is_exact { filters } else { Some(condition.clone()) };
    Ok(Some(Partitions { partitions: found, residual, looked_at }.arranged(false, false)))
}

/// One way in which a condition can be true: what it says of the key, and the rest.
#[derive(Clone, Debug, Default)]
struct Branch<'c> {
    value: Option<Arc<AttributeValue>>,
    tests: Vec<KeyTest>,
    /// It says what the sort key is not.
    denies: bool,
    filters: Vec<&'c Condition>,
}

impl<'c> Branch<'c> {
    fn rows(&self) -> Rows {
        self.tests.iter().map(Rows::of).fold(Rows::ALL, Rows::both)
    }

    fn looked_at(&self) -> Vec<String> {
        self.filters.iter().flat_map(|filter| filter.paths()).map(|path| path.root().to_owned()).collect()
    }

    /// Both at once; `None` where they want two values of the partition key.
    fn and(&self, other: &Branch<'c>) -> Option<Branch<'c>> {
        let value = match (&self.value, &other.value) {
            (Some(one), Some(two)) if one != two => return None,
            (one, two) => one.clone().or_else(|| two.clone()),
        };
        let tests = self.tests.iter().chain(&other.tests).cloned().collect();
        let filters = self.filters.iter().chain(&other.filters).copied().collect();
        Some(Branch { value, tests, denies: self.denies || other.denies, filters })
    }
}

/// The names of a key's attributes.
struct Keys<'n> {
    partition: &'n str,
    sort: Option<&'n str>,
    /// Whether a branch wants two values of the partition key.
    contradicts: Cell<bool>,
}

impl Keys<'_> {
    /// Whether every branch binds the partition key.
    fn are_bound(&self, condition: &Condition) -> bool {
        match condition {
            Condition::And(operands) => operands.iter().any(|operand| self.are_bound(operand)),
            Condition::Or(operands) => operands.iter().all(|operand| self.are_bound(operand)),
            other => values(other, self.partition).is_some(),
        }
    }

    /// Whether the condition says something of the key that a read can be made of.
    fn are_tested(&self, condition: &Condition) -> bool {
        match condition {
            Condition::And(operands) | Condition::Or(operands) => {
                operands.iter().any(|operand| self.are_tested(operand))
            }
            other => {
                let of_sort = |sort| values(other, sort).is_some() || sort_test(other, sort).is_some();
                values(other, self.partition).is_some() || self.sort.is_some_and(of_sort)
            }
        }
    }

    /// The branches of a condition.
    fn branches<'c>(&self, condition: &'c Condition) -> Result<Vec<Branch<'c>>, ExpressionError> {
        let branches = match condition {
            Condition::And(operands) => {
                let mut product = vec![Branch::default()];
                for operand in operands {
                    let factors = self.branches(operand)?;
                    // Before anything is multiplied: a statement can name millions of branches.
                    limited(product.len() * factors.len())?;
                    let pairs = product.iter().flat_map(|one| factors.iter().map(move |two| one.and(two)));
                    let both: Vec<Option<Branch<'c>>> = pairs.collect();
                    self.contradicts.set(self.contradicts.get() || both.iter().any(Option::is_none));
                    product = both.into_iter().flatten().collect();
                }
                product
            }
            Condition::Or(operands) if self.are_tested(condition) => {
                let mut sum = Vec::new();
                for operand in operands {
                    sum.extend(self.branches(operand)?);
                    limited(sum.len())?;
                }
                sum
            }
            other => self.leaf(other),
        };
        limited(branches.len())?;
        Ok(branches)
    }

    fn leaf<'c>(&self, condition: &'c Condition) -> Vec<Branch<'c>> {
        if let Some(values) = values(condition, self.partition) {
            return values.into_iter().map(|value| Branch { value: Some(value), ..Branch::default() }).collect();
        }
        let Some(sort) = self.sort else { return vec![Branch { filters: vec![condition], ..Branch::default() }] };
        if let Some(values) = values(condition, sort) {
            let equal = |value| Branch { tests: vec![KeyTest::Equal(value)], ..Branch::default() };
            return values.into_iter().map(equal).collect();
        }
        match sort_test(condition, sort) {
            Some(test) => vec![Branch { tests: vec![test], ..Branch::default() }],
            None => vec![Branch { denies: denies(condition, sort), filters: vec![condition], ..Branch::default() }],
        }
    }
}

fn limited(reads: usize) -> Result<(), ExpressionError> {
    match reads {
        0..=READS_MAX => Ok(()),
        _ => Err(ExpressionError::bare("Too many decomposed read operations for a given query.")),
    }
}

/// Two branches of one partition that do not deny anything of the sort key read different rows.
fn refuse_overlap(group: &[Branch<'_>]) -> Result<(), ExpressionError> {
    let rows: Vec<Rows> = group.iter().filter(|branch| !branch.denies).map(Branch::rows).collect();
    let overlaps = rows.iter().enumerate().any(|(at, one)| rows[at + 1..].iter().any(|two| one.meets(two)));
    match overlaps {
        false => Ok(()),
        true => Err(ExpressionError::bare("Overlapping conditions with range keys are not supported in where clause")),
    }
}

/// Whether the condition says what the attribute is not.
fn denies(condition: &Condition, name: &str) -> bool {
    match condition {
        Condition::Not(inner) => inner.paths().iter().any(|path| path.root() == name),
        other => matches!(comparison(other, name), Some((Comparator::NotEqual, _))),
    }
}

/// A range of sort keys, by its ends and whether each belongs to it.
#[derive(Clone, Debug, PartialEq)]
struct Rows {
    first: Option<(AttributeValue, bool)>,
    last: Option<(AttributeValue, bool)>,
    /// All that begin with this.
    prefix: Option<AttributeValue>,
}

impl Rows {
    const ALL: Rows = Rows { first: None, last: None, prefix: None };

    fn of(test: &KeyTest) -> Rows {
        let end = |value: &Arc<AttributeValue>, inside| Some((AttributeValue::clone(value), inside));
        match test {
            KeyTest::Equal(value) => Rows { first: end(value, true), last: end(value, true), prefix: None },
            KeyTest::Less(value) => Rows { last: end(value, false), ..Rows::ALL },
            KeyTest::LessOrEqual(value) => Rows { last: end(value, true), ..Rows::ALL },
            KeyTest::Greater(value) => Rows { first: end(value, false), ..Rows::ALL },
            KeyTest::GreaterOrEqual(value) => Rows { first: end(value, true), ..Rows::ALL },
            KeyTest::Between(lower, upper) => Rows { first: end(lower, true), last: end(upper, true), prefix: None },
            KeyTest::BeginsWith(prefix) => {
                Rows { first: end(prefix, true), prefix: Some(AttributeValue::clone(prefix)), last: None }
            }
            KeyTest::NotIndexable => Rows::ALL,
        }
    }

    /// What is in both; as good as that where prefixes meet bounds.
    fn both(self, other: Rows) -> Rows {
        let first = match (self.first, other.first) {
            (Some(one), Some(two)) => match order(&one.0, &two.0) {
                Some(Ordering::Less) => Some(two),
                Some(Ordering::Equal) => Some((one.0, one.1 && two.1)),
                _ => Some(one),
            },
            (one, two) => one.or(two),
        };
        let last = match (self.last, other.last) {
            (Some(one), Some(two)) => match order(&one.0, &two.0) {
                Some(Ordering::Greater) => Some(two),
                Some(Ordering::Equal) => Some((one.0, one.1 && two.1)),
                _ => Some(one),
            },
            (one, two) => one.or(two),
        };
        Rows { first, last, prefix: self.prefix.or(other.prefix) }
    }

    /// Whether some key may be in both.
    fn meets(&self, other: &Rows) -> bool {
        let ends = || [&self.first, &self.last, &other.first, &other.last].into_iter().flatten();
        if ends().any(|(one, _)| ends().any(|(two, _)| order(one, two).is_none())) {
            // Values of two types: one of them is no sort key's, which is another mistake.
            return false;
        }
        let met = self.clone().both(other.clone());
        let behind = |value: &AttributeValue, rows: &Rows| {
            let prefix = rows.prefix.as_ref();
            prefix.is_some_and(|prefix| !begins_with(value, prefix) && order(value, prefix) == Some(Ordering::Greater))
        };
        let Some((first, first_inside)) = &met.first else { return true };
        if behind(first, self) || behind(first, other) {
            return false;
        }
        match &met.last {
            None => true,
            Some((last, last_inside)) => match order(first, last) {
                Some(Ordering::Less) => true,
                Some(Ordering::Equal) => *first_inside && *last_inside,
                Some(Ordering::Greater) | None => false,
            },
        }
    }

    /// By the first key.
    fn by_first(&self, other: &Rows) -> Ordering {
        match (&self.first, &other.first) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some((one, one_inside)), Some((two, two_inside))) => {
                order(one, two).unwrap_or(Ordering::Equal).then_with(|| two_inside.cmp(one_inside))
            }
        }
    }
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

/// The one value that the attribute must have.
fn equal_value<'c>(condition: &'c Condition, name: &str) -> Option<&'c Arc<AttributeValue>> {
    match condition {
        Condition::In { value, candidates } if is_attribute(value, name) => match &candidates[..] {
            [Operand::Value(only)] => Some(only),
            _ => None,
        },
        other => match comparison(other, name)? {
            (Comparator::Equal, value) => Some(value),
            _ => None,
        },
    }
}

/// As [`equal_value`], of the conditions that may name a key.
fn named_value<'c>(condition: &'c Condition, name: &str, naming: Naming) -> Option<&'c Arc<AttributeValue>> {
    let may_name = naming == Naming::EqualityOrIn || !matches!(condition, Condition::In { .. });
    equal_value(condition, name).filter(|_| may_name)
}

/// The values that an equality or IN lets the attribute have; `None` where the condition is neither.
fn values(condition: &Condition, name: &str) -> Option<Vec<Arc<AttributeValue>>> {
    match condition {
        Condition::In { value, candidates } if is_attribute(value, name) => {
            let value = |candidate: &Operand| match candidate {
                Operand::Value(value) => Some(value.clone()),
                _ => None,
            };
            candidates.iter().map(value).collect()
        }
        other => equal_value(other, name).map(|value| vec![value.clone()]),
    }
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
