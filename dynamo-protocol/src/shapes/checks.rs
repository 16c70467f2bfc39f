//! What is wrong with a request that could be read: collected while it is read, reported afterwards in DynamoDB's
//! order and words.
//!
//! Two layers come out of here, in this order:
//!
//! - **Model constraints** (missing members, lengths, ranges, patterns, enums). The classic layer reports all of them,
//!   at most ten, each with the offending value. The newer layer, seen since June 2026 on the operations of
//!   [`Layer::Current`], stops at the first length or range that the model states, names the member as the API does,
//!   and drops the value; everything else it still reports the classic way, and with a required member missing it
//!   falls back to the classic way altogether.
//! - **Contents of attribute values** (one type each, sets, numbers, depth): the first one wins. The operations word
//!   them in three ways, see [`Wording`].
//!
//! Sources: the public service model (constraints); paritysuite/dynamodb-conformance, captures of June to October 2026
//! (the newer layer); observed behaviour of DynamoDB's classic layer (order of members, limit of ten).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::ApiError;
use crate::limits::ATTRIBUTE_NAME_BYTES_MAX;
use crate::number::{NumberError, is_scaled_in_32_bits};

use super::echo::{cut, joined};
use super::path::Path;

/// At most so many violations are reported at once.
pub(crate) const REPORTED_MAX: usize = 10;

/// The statements of a batch that may have errors of their own.
const STATEMENTS_MAX: u32 = 25;

/// Which layer checks an operation's model constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// Reports everything, with values.
    Classic,
    /// Stops at the first length or range.
    Current,
}

/// How an operation words bad attribute values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wording {
    /// Current texts behind `1 validation error detected: ` (PutItem, UpdateItem, DeleteItem).
    Enveloped,
    /// Current texts as they are (GetItem, BatchGetItem, Query).
    Bare,
    /// Older texts, expression values wrapped (BatchWriteItem, transactions, Scan).
    Older,
    /// Older texts, and no number whose power of ten takes more than 32 bits (PartiQL).
    Statement,
}

/// Past so many levels the operations of the newer layer read the whole request the classic way (observed October 2026
/// between 40 and 63).
const CURRENT_LEVELS_MAX: usize = 62;

/// Levels of a value that a transaction's expressions may have, the leaf's included: 33 are taken and 41 are refused
/// (captured); nothing is known of those between.
const TRANSACTED_LEVELS_MAX: usize = 33;

/// Everything found wrong so far.
#[derive(Default)]
pub(crate) struct Checks {
    /// A value is nested past [`CURRENT_LEVELS_MAX`].
    pub(super) abyss: bool,
    /// Those that come first in DynamoDB's order, at most [`REPORTED_MAX`]; others are never looked at, and a request may
    /// hold millions.
    violations: Vec<Violation>,
    /// The first of [`Rule::Bound`], and of [`Rule::Alone`].
    bound: Option<Violation>,
    alone: Option<Violation>,
    /// Required members of the request that are missing.
    missing: Vec<&'static str>,
    /// A mistake with a text of its own, due after the model's constraints.
    said: Option<(Vec<u32>, &'static str)>,
    contents: Vec<Content>,
    /// The first of each element of a batch of statements, which fail alone.
    of_elements: BTreeMap<u32, Content>,
}

#[derive(Clone)]
struct Violation {
    order: Vec<u32>,
    classic: Arc<String>,
    current: Option<String>,
}

/// What kind of constraint was broken; decides what the newer layer does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// A required member of the request, named here, is missing.
    MissingTop(&'static str),
    /// A length or range that the model states.
    Bound,
    /// The one enum that stops UpdateItem.
    Alone,
    /// Anything else.
    Other,
}

struct Content {
    order: Vec<u32>,
    placeholder: Option<String>,
    /// Inside `ExclusiveStartKey`.
    start_key: bool,
    problem: Problem,
}

/// What can be wrong with the content of an attribute value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// No type at all.
    Empty,
    /// More than one type.
    Several,
    /// `NULL` that is not true.
    NullFalse,
    /// `SS` without members.
    EmptyStrings,
    /// `NS` without members.
    EmptyNumbers,
    /// `BS` without members.
    EmptyBinaries,
    /// `SS` with a member twice; the members as sent.
    DuplicateStrings(Vec<String>),
    /// `NS` with a member twice.
    DuplicateNumbers,
    /// `BS` with a member twice; the members as sent.
    DuplicateBinaries(Vec<Vec<u8>>),
    /// Not a number DynamoDB stores, as sent.
    Number(NumberError, String),
    /// More than 32 levels.
    TooDeep,
    /// An attribute without a name.
    EmptyName,
}

impl Checks {
    /// A required member is missing.
    #[cold]
    pub(crate) fn missing(&mut self, path: &Path<'_>) {
        let rule = path.top_member().map_or(Rule::Other, Rule::MissingTop);
        self.add(path, rule, || {
            let classic =
                format!("Value null at '{}' failed to satisfy constraint: Member must not be null", path.classic());
            (classic, None)
        });
    }

    /// A length or range is out of the model's bounds; `value` as the classic layer echoes it.
    #[cold]
    pub(crate) fn out_of_bounds(&mut self, path: &Path<'_>, value: &str, constraint: &str) {
        self.add(path, Rule::Bound, || {
            let current = format!("Value at '{}' failed to satisfy constraint: {constraint}", path.current());
            (classic_text(path, value, constraint), Some(current))
        });
    }

    /// Any other constraint is broken.
    #[cold]
    pub(crate) fn broken(&mut self, path: &Path<'_>, value: &str, constraint: &str) {
        self.add(path, Rule::Other, || (classic_text(path, value, constraint), None));
    }

    /// The same is broken so many times; the text, which shows all of a value, is made once.
    #[cold]
    pub(crate) fn broken_alike(&mut self, path: &Path<'_>, value: &str, constraint: &str, times: usize) {
        let mut text = None;
        for _ in 0..times {
            self.add(path, Rule::Other, || {
                let text = text.get_or_insert_with(|| Arc::new(classic_text(path, value, constraint)));
                (Arc::clone(text), None)
            });
        }
    }

    /// Keeps a violation if it may be reported; only then its texts are made: the classic one, and the current one where
    /// it is another.
    fn add<T: Into<Arc<String>>>(&mut self, path: &Path<'_>, rule: Rule, texts: impl FnOnce() -> (T, Option<String>)) {
        if let Rule::MissingTop(name) = rule {
            self.missing.push(name);
        }
        let order = path.order();
        let place = self.violations.partition_point(|earlier| earlier.order <= order);
        let first = match rule {
            Rule::Bound => Some(&mut self.bound),
            Rule::Alone => Some(&mut self.alone),
            Rule::MissingTop(_) | Rule::Other => None,
        };
        let first = first.filter(|first| first.as_ref().is_none_or(|first| order < first.order));
        if place >= REPORTED_MAX && first.is_none() {
            return;
        }
        let (classic, current) = texts();
        let violation = Violation { order, classic: classic.into(), current };
        if let Some(first) = first {
            *first = Some(violation.clone());
        }
        self.violations.insert(place, violation);
        self.violations.truncate(REPORTED_MAX);
    }

    /// A member is missing that the service asks for in words of its own.
    #[cold]
    pub(crate) fn said(&mut self, path: &Path<'_>, text: &'static str) {
        let order = path.order();
        if self.said.as_ref().is_none_or(|(first, _)| order < *first) {
            self.said = Some((order, text));
        }
    }

    /// An attribute has too long a name, in an item or inside a value.
    #[cold]
    pub(crate) fn long_name(&mut self, path: &Path<'_>) {
        self.add(path, Rule::Other, || {
            let most = ATTRIBUTE_NAME_BYTES_MAX + 1;
            (format!("Attribute name is too large, must be less than {most} bytes"), None)
        });
    }

    /// A text is not one of an enum's values; `current` is the newer layer's list where it has its own.
    #[cold]
    pub(crate) fn not_listed(&mut self, path: &Path<'_>, value: &str, listed: &str, current: Option<&'static str>) {
        let rule = if current.is_some() { Rule::Alone } else { Rule::Other };
        self.add(path, rule, || {
            let classic = classic_text(path, value, &format!("Member must satisfy enum value set: {listed}"));
            let current = current
                .map(|listed| format!("Failed to satisfy constraint: Member must satisfy enum value set: {listed}"));
            (classic, current)
        });
    }

    /// The content of an attribute value is wrong.
    #[cold]
    pub(crate) fn content(&mut self, path: &Path<'_>, problem: Problem) {
        self.content_at(path.order(), path, problem);
    }

    /// An attribute value has so many levels, which is too many. What is below the last level that is read stands as a
    /// null, so the value is still deeper than any in an item: a transaction's condition compares one that is a level too
    /// deep with what there is, and its update is refused for the item that it would make (30 of 33 regions, October 2026).
    #[cold]
    pub(crate) fn too_deep(&mut self, path: &Path<'_>, levels: usize) {
        self.abyss |= levels > CURRENT_LEVELS_MAX;
        if !path.is_in_transacted_expression() || levels > TRANSACTED_LEVELS_MAX {
            self.content(path, Problem::TooDeep);
        }
    }

    /// An attribute without a name: in an item itself (`path` is the item's) it is met before the item's values,
    /// deeper down (`path` is the outermost value's) after all of them.
    #[cold]
    pub(crate) fn empty_name(&mut self, path: &Path<'_>, in_item: bool) {
        let mut order = path.order();
        if !in_item {
            order.pop();
            order.push(u32::MAX);
        }
        self.content_at(order, path, Problem::EmptyName);
    }

    fn content_at(&mut self, order: Vec<u32>, path: &Path<'_>, problem: Problem) {
        let content = |order: &Vec<u32>, problem: Problem| Content {
            order: order.clone(),
            placeholder: path.placeholder().map(str::to_owned),
            start_key: path.is_in_start_key(),
            problem,
        };
        if let Some(element) = order.get(1).copied().filter(|element| *element < STATEMENTS_MAX)
            && self.of_elements.get(&element).is_none_or(|first| order < first.order)
        {
            self.of_elements.insert(element, content(&order, problem.clone()));
        }
        // Only the first will be reported: keep one, however many a hostile request holds.
        if self.contents.first().is_none_or(|first| order < first.order) {
            self.contents = vec![content(&order, problem)];
        }
    }

    /// Reports broken model constraints, if any.
    pub(crate) fn constraints(&mut self, layer: Layer) -> Result<(), ApiError> {
        if !self.violations.is_empty() {
            return Err(self.report(layer));
        }
        self.said.take().map_or(Ok(()), |(_, text)| Err(ApiError::validation(text)))
    }

    /// Reports the first bad attribute value, if any.
    pub(crate) fn contents(&self, wording: Wording) -> Result<(), ApiError> {
        match self.contents.first() {
            None => Ok(()),
            Some(_) if self.abyss && wording == Wording::Enveloped => self.contents(Wording::Older),
            Some(content) => Err(ApiError::validation(content.text(wording))),
        }
    }

    /// What is wrong with the values of a start key, if that is the first bad value.
    pub(crate) fn start_key_contents(&self, wording: Wording) -> Option<ApiError> {
        if self.contents.first()?.start_key { self.contents(wording).err() } else { None }
    }

    /// The control plane asks for a missing table name before anything else, in words of its own.
    pub(crate) fn table_name_present(&self) -> Result<(), ApiError> {
        if self.missing.contains(&"TableName") {
            let text = "The parameter 'TableName' is required but was not present in the request";
            return Err(ApiError::validation(text));
        }
        Ok(())
    }

    /// The first bad attribute value below a list that is the request's member: the element's position, and the error.
    pub(crate) fn first_element_content(&self, wording: Wording) -> Option<(usize, ApiError)> {
        let position = *self.contents.first()?.order.get(1)?;
        Some((position as usize, self.contents(wording).err()?))
    }

    /// The first bad attribute value of each element of a list that is the request's member, by position.
    pub(crate) fn element_contents(&self, wording: Wording) -> BTreeMap<usize, ApiError> {
        let error =
            |(element, content): (&u32, &Content)| (*element as usize, ApiError::validation(content.text(wording)));
        self.of_elements.iter().map(error).collect()
    }

    #[cold]
    fn report(&mut self, layer: Layer) -> ApiError {
        let violations = std::mem::take(&mut self.violations);
        if layer == Layer::Classic || !self.missing.is_empty() || self.abyss {
            return collected(violations.into_iter().map(|violation| violation.classic));
        }
        if let Some(first) = self.bound.take() {
            return collected(first.current.into_iter().map(Arc::new));
        }
        collected(violations.into_iter().map(|violation| violation.current.map_or(violation.classic, Arc::new)))
    }

    /// UpdateItem and Query stop at the enums that have a text of their own, each in its own way; `enveloped` says
    /// whether the count stands before it. To be called before [`Checks::constraints`].
    pub(crate) fn enum_alone(&self, enveloped: bool) -> Result<(), ApiError> {
        let others = self.bound.is_some() || !self.missing.is_empty();
        let Some(first) = &self.alone else { return Ok(()) };
        let classic = others || (self.abyss && enveloped);
        let Some(text) = first.current.clone().filter(|_| !classic) else { return Ok(()) };
        Err(if enveloped { collected(std::iter::once(Arc::new(text))) } else { ApiError::validation(text) })
    }
}

impl Content {
    fn text(&self, wording: Wording) -> String {
        // As recorded from the service by dynalite's suite: bad shapes in a start key say so, bad numbers and repeated
        // members do not.
        if self.start_key && self.problem.is_of_shape() {
            return format!("The provided starting key is invalid: {}", self.problem.older());
        }
        match (wording, &self.placeholder) {
            (Wording::Enveloped, _) => format!("1 validation error detected: {}", self.problem.current()),
            (Wording::Bare, _) => self.problem.current(),
            (Wording::Statement, _) => self.problem.of_statement(),
            (Wording::Older, None) => self.problem.older(),
            (Wording::Older, Some(key)) => {
                format!("ExpressionAttributeValues contains invalid value: {} for key {key}", self.problem.older())
            }
        }
    }
}

const INVALID: &str = "One or more parameter values were invalid: ";

impl Problem {
    /// Whether it shows without looking at numbers or comparing members.
    fn is_of_shape(&self) -> bool {
        use Problem::{Empty, EmptyBinaries, EmptyStrings, NullFalse, Several};
        matches!(self, Empty | Several | NullFalse | EmptyStrings | EmptyBinaries)
    }

    /// The newer layer's text: members in quotes, sorted up to the first repeat.
    fn current(&self) -> String {
        match self {
            Problem::DuplicateStrings(members) => {
                format!(
                    "{INVALID}Input collection [{}] contains duplicates.",
                    up_to_repeat(members, String::clone, ", ")
                )
            }
            Problem::DuplicateBinaries(members) => {
                format!(
                    "{INVALID}Input collection [{}]of type BS contains duplicates.",
                    up_to_repeat(members, base64, ",")
                )
            }
            Problem::DuplicateNumbers => format!("{INVALID}Input collection contains duplicates."),
            Problem::Number(NumberError::NotNumeric(text), _) => {
                format!("The parameter cannot be converted to a numeric value: {text}")
            }
            Problem::Number(error, _) => error.to_string(),
            other => other.older(),
        }
    }

    /// What PartiQL says of a parameter.
    fn of_statement(&self) -> String {
        match self {
            Problem::Number(_, text) if !is_scaled_in_32_bits(text) => {
                NumberError::NotNumeric(text.clone()).to_string()
            }
            other => other.older(),
        }
    }

    /// The older layer's text: members as sent, and a number's power of ten in 32 bits (observed October 2026).
    fn older(&self) -> String {
        let text = match self {
            Problem::Empty => "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
            Problem::Several => {
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported \
                 datatypes"
            }
            Problem::NullFalse => return format!("{INVALID}Null attribute value types must have the value of true"),
            Problem::EmptyStrings => return format!("{INVALID}An string set  may not be empty"),
            Problem::EmptyNumbers => return format!("{INVALID}An number set  may not be empty"),
            Problem::EmptyBinaries => return format!("{INVALID}Binary sets should not be empty"),
            Problem::DuplicateStrings(members) => {
                let members = joined(members.iter().cloned(), ", ");
                return format!("{INVALID}Input collection [{members}] contains duplicates.");
            }
            Problem::DuplicateNumbers => "Input collection contains duplicates",
            Problem::DuplicateBinaries(members) => {
                let members = joined(members.iter().map(base64), ", ");
                return format!("{INVALID}Input collection [{members}]of type BS contains duplicates.");
            }
            Problem::Number(NumberError::OverflowOf32Bits, _) => return NumberError::Underflow.to_string(),
            Problem::Number(error, _) => return error.to_string(),
            Problem::TooDeep => {
                "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond \
                 supported limit"
            }
            Problem::EmptyName => "Empty attribute name",
        };
        text.to_owned()
    }
}

/// The members before the first repeat in order, then the repeat, then the rest as sent.
fn up_to_repeat<T: Ord>(members: &[T], show: impl Fn(&T) -> String, separator: &str) -> String {
    let mut seen = BTreeSet::new();
    let repeat = members.iter().position(|member| !seen.insert(member)).unwrap_or(0);
    let mut shown: Vec<&T> = members.iter().collect();
    shown[..repeat].sort();
    joined(shown.into_iter().map(|member| format!("\"{}\"", show(member))), separator)
}

fn base64(bytes: &Vec<u8>) -> String {
    BASE64.encode(bytes)
}

fn classic_text(path: &Path<'_>, value: &str, constraint: &str) -> String {
    let (value, path) = (cut(value), path.classic());
    // In one piece, since a value may be shown at length.
    let mut text = String::with_capacity(value.len() + path.len() + constraint.len() + 64);
    for part in ["Value '", &value, "' at '", &path, "' failed to satisfy constraint: ", constraint] {
        text.push_str(part);
    }
    text
}

fn collected(texts: impl Iterator<Item = Arc<String>>) -> ApiError {
    let texts: Vec<Arc<String>> = texts.take(REPORTED_MAX).collect();
    let texts: Vec<&str> = texts.iter().map(|text| text.as_str()).collect();
    let plural = if texts.len() == 1 { "" } else { "s" };
    ApiError::validation(format!("{} validation error{plural} detected: {}", texts.len(), texts.join("; ")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where a violation stands, and what kind it is.
    type Found = (u32, u32, u8);

    fn noted(found: &[Found]) -> Checks {
        let mut checks = Checks::default();
        for (member, element, kind) in found {
            let member = Path::ROOT.member(*member, "Member");
            let path = member.element(*element);
            match kind {
                0 => checks.out_of_bounds(&path, "v", "bound"),
                1 => checks.not_listed(&path, "v", "[A]", Some("[B]")),
                _ => checks.broken(&path, "v", "other"),
            }
        }
        checks
    }

    /// All violations in order, of which a report is made.
    fn all(found: &[Found]) -> Vec<Found> {
        let mut sorted = found.to_vec();
        sorted.sort_by_key(|(member, element, _)| (*member, *element));
        sorted
    }

    fn place((_, element, _): Found) -> String {
        format!("'member.{}.member'", element + 1)
    }

    proptest! {
        /// Only ten are kept, and they are those that keeping all would report.
        #[test]
        fn problems_kept_are_problems_reported(found in prop::collection::vec((0..3u32, 0..40u32, 0..3u8), 1..60)) {
            let sorted = all(&found);
            let classic = noted(&found).constraints(Layer::Classic).unwrap_err();
            let count = sorted.len().min(REPORTED_MAX);
            let expected = format!("{count} validation error{} detected: ", if count == 1 { "" } else { "s" });
            prop_assert!(classic.message().starts_with(&expected), "{}", classic.message());
            let reported: Vec<&str> = classic.message().split("; ").collect();
            prop_assert_eq!(reported.len(), count);
            for (text, found) in reported.iter().zip(&sorted) {
                prop_assert!(text.contains(&place(*found)), "{} in {}", place(*found), text);
            }
            let current = noted(&found).constraints(Layer::Current).unwrap_err();
            if let Some((_, element, _)) = sorted.iter().find(|(_, _, kind)| *kind == 0) {
                let expected = format!(
                    "1 validation error detected: Value at 'Member.{}.member' failed to satisfy constraint: bound",
                    element + 1
                );
                prop_assert_eq!(current.message(), expected);
            }
            let alone = noted(&found).enum_alone(false);
            let expected = found.iter().any(|(_, _, kind)| *kind == 1) && found.iter().all(|(_, _, kind)| *kind != 0);
            prop_assert_eq!(alone.is_err(), expected);
        }
    }
}
