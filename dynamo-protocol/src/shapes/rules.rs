//! The model's constraints on single members, to be named behind `=>` in a structure's declaration.

use std::collections::BTreeMap;

use crate::limits::{NAME_LENGTH_MAX, NAME_LENGTH_MIN, TABLE_ARN_LENGTH_MAX};

use super::checks::{Checks, REPORTED_MAX};
use super::echo::Echo;
use super::path::Path;
use super::wire::Wire;

const NAME_PATTERN: &str = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+";
const MAP_KEYS: &str = "Map keys must satisfy constraint: [Member must have length less than or equal to 255, Member \
                        must have length greater than or equal to 3, Member must satisfy regular expression pattern: \
                        [a-zA-Z0-9_.-]+]";

/// Whether a text can name a table or an index, its length aside.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// A table's name or ARN. The model bounds it as an ARN; a name is held to the rules for names.
pub(crate) fn table_name(text: &str, path: &Path<'_>, checks: &mut Checks) {
    if text.starts_with("arn:") {
        return length::<1, TABLE_ARN_LENGTH_MAX>(text, path, checks);
    }
    plain_table_name(text, path, checks);
}

/// A table's name, as the data plane checks it: the model's own bound is that of an ARN.
fn plain_table_name(text: &str, path: &Path<'_>, checks: &mut Checks) {
    if text.is_empty() {
        return length::<1, TABLE_ARN_LENGTH_MAX>(text, path, checks);
    }
    pattern(text, path, checks);
    name_length(text, path, checks);
}

/// A table's name or ARN, as the control plane checks it (observed 2026-10-09: the length is reported first).
pub(crate) fn managed_table_name(text: &str, path: &Path<'_>, checks: &mut Checks) {
    if text.starts_with("arn:") {
        return length::<1, TABLE_ARN_LENGTH_MAX>(text, path, checks);
    }
    new_name(text, path, checks);
}

/// The name of a table or an index to be made or changed: the length is reported first.
pub(crate) fn new_name(text: &str, path: &Path<'_>, checks: &mut Checks) {
    name_length(text, path, checks);
    pattern(text, path, checks);
}

/// The name of an index to be read, or of a table to go on behind: the pattern is reported first.
pub(crate) fn known_name(text: &str, path: &Path<'_>, checks: &mut Checks) {
    pattern(text, path, checks);
    length::<NAME_LENGTH_MIN, NAME_LENGTH_MAX>(text, path, checks);
}

fn pattern(text: &str, path: &Path<'_>, checks: &mut Checks) {
    if !is_name(text) {
        checks.broken(path, text, NAME_PATTERN);
    }
}

/// A name's length where the model does not state it, so that no layer stops at it.
fn name_length(text: &str, path: &Path<'_>, checks: &mut Checks) {
    if text.len() < NAME_LENGTH_MIN {
        checks.broken(path, text, &at_least("length", NAME_LENGTH_MIN as i64));
    } else if text.chars().count() > NAME_LENGTH_MAX {
        checks.broken(path, text, &at_most("length", NAME_LENGTH_MAX as i64));
    }
}

/// A text of `MIN` to `MAX` characters.
pub(crate) fn length<const MIN: usize, const MAX: usize>(text: &str, path: &Path<'_>, checks: &mut Checks) {
    if text.len() < MIN {
        checks.out_of_bounds(path, text, &at_least("length", MIN as i64));
    } else if text.len() > MAX && text.chars().count() > MAX {
        checks.out_of_bounds(path, text, &at_most("length", MAX as i64));
    }
}

/// A list of `MIN` to `MAX` elements.
pub(crate) fn elements<const MIN: usize, const MAX: usize, T: Wire>(
    list: &Vec<T>,
    path: &Path<'_>,
    checks: &mut Checks,
) {
    if list.len() < MIN {
        checks.out_of_bounds(path, &echoed(list), &at_least("length", MIN as i64));
    } else if list.len() > MAX {
        checks.out_of_bounds(path, &echoed(list), &at_most("length", MAX as i64));
    }
}

/// A list with at least one element.
pub(crate) fn not_empty<T: Wire>(list: &Vec<T>, path: &Path<'_>, checks: &mut Checks) {
    elements::<1, { usize::MAX }, T>(list, path, checks);
}

/// A whole number from `MIN` to `MAX`.
pub(crate) fn range<const MIN: i64, const MAX: i64>(
    value: &(impl Copy + Into<i64> + Wire),
    path: &Path<'_>,
    checks: &mut Checks,
) {
    let number: i64 = (*value).into();
    if number < MIN {
        checks.out_of_bounds(path, &number.to_string(), &at_least("value", MIN));
    } else if number > MAX {
        checks.out_of_bounds(path, &number.to_string(), &at_most("value", MAX));
    }
}

/// A map whose keys are tables' names or ARNs; `echo` is the map as the message shows it.
pub(crate) fn table_keys<T>(
    map: &BTreeMap<String, T>,
    path: &Path<'_>,
    checks: &mut Checks,
    echo: impl Fn() -> String,
) {
    let is_table = |key: &String| {
        key.starts_with("arn:") || (is_name(key) && (NAME_LENGTH_MIN..=NAME_LENGTH_MAX).contains(&key.len()))
    };
    // They all say the same, and no more are reported.
    let wrong = map.keys().filter(|key| !is_table(key)).take(REPORTED_MAX).count();
    if wrong > 0 {
        checks.broken_alike(path, &echo(), MAP_KEYS, wrong);
    }
}

/// A list whose elements have `MIN` to `MAX` bytes.
pub(crate) fn members<const MIN: usize, const MAX: usize>(list: &Vec<String>, path: &Path<'_>, checks: &mut Checks) {
    if !list.iter().all(|element| (MIN..=MAX).contains(&element.len())) {
        let both = format!("[{}, {}]", at_most("length", MAX as i64), at_least("length", MIN as i64));
        checks.broken(path, &echoed(list), &format!("Member must satisfy constraint: {both}"));
    }
}

/// A value as Java prints it, cut where it is long.
pub(crate) fn echoed<T: Wire>(value: &T) -> String {
    let mut out = Echo::default();
    value.echo(&mut out);
    out.into_text()
}

fn at_least(what: &str, bound: i64) -> String {
    format!("Member must have {what} greater than or equal to {bound}")
}

fn at_most(what: &str, bound: i64) -> String {
    format!("Member must have {what} less than or equal to {bound}")
}
