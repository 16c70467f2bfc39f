//! The names and values that a request brings along for its expressions.
//!
//! All expressions of one request (or of one action of a transaction) share their placeholders, and each placeholder
//! must be used by at least one of them. So a [`Placeholders`] is made once, gives out the parsed expressions, keeps
//! count of what they used, and is asked at the end whether anything was left over.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use dynamo_protocol::limits::{EXPRESSION_SUBSTITUTIONS_BYTES_MAX, PLACEHOLDER_BYTES_MAX};
use dynamo_protocol::size::attribute_bytes;
use dynamo_protocol::value::AttributeValue;

use crate::error::{ExpressionError, ExpressionKind};
use crate::name::Name;
use crate::path::{Path, Step};
use crate::tree::{RawName, RawPath, RawStep};

/// `ExpressionAttributeNames` and `ExpressionAttributeValues` of one request.
///
/// The maps themselves are checked when the first expression is asked for, so that their faults are reported before
/// those of any expression, as DynamoDB does.
pub struct Placeholders<'r> {
    names: Option<&'r BTreeMap<String, String>>,
    values: Option<&'r BTreeMap<String, AttributeValue>>,
    /// Whether the errors go into the envelope of the new validation layer.
    enveloped: bool,
    /// Whether the maps were found to be well-formed.
    well_formed: Cell<bool>,
    /// What was used so far, in the form in which expressions share it: each once, however often it is used.
    used_names: RefCell<BTreeMap<&'r str, Name>>,
    used_values: RefCell<BTreeMap<&'r str, Arc<AttributeValue>>>,
}

impl<'r> Placeholders<'r> {
    /// The placeholders of a request, whose errors are reported bare.
    pub fn new(
        names: Option<&'r BTreeMap<String, String>>,
        values: Option<&'r BTreeMap<String, AttributeValue>>,
    ) -> Self {
        Placeholders {
            names,
            values,
            enveloped: false,
            well_formed: Cell::new(false),
            used_names: RefCell::default(),
            used_values: RefCell::default(),
        }
    }

    /// The same, for PutItem, UpdateItem and DeleteItem: their errors carry `1 validation error detected: `.
    #[must_use]
    pub fn enveloped(mut self) -> Self {
        self.enveloped = true;
        self
    }

    /// Checks that every name and every value was used by some expression given out before.
    ///
    /// # Errors
    /// `Value provided in ExpressionAttribute… unused in expressions: keys: {…}`, names first.
    pub fn finish(&self) -> Result<(), ExpressionError> {
        self.report(|| {
            self.check_maps()?;
            unused("ExpressionAttributeNames", self.names, &self.used_names.borrow())?;
            unused("ExpressionAttributeValues", self.values, &self.used_values.borrow())
        })
    }

    pub(crate) fn report<T>(&self, attempt: impl FnOnce() -> Result<T, ExpressionError>) -> Result<T, ExpressionError> {
        attempt().map_err(|error| if self.enveloped { error.enveloped() } else { error })
    }

    pub(crate) fn check_maps(&self) -> Result<(), ExpressionError> {
        if self.well_formed.get() {
            return Ok(());
        }
        let mut bytes = 0;
        if let Some(names) = self.names {
            check_keys("ExpressionAttributeNames", '#', names.keys())?;
            if let Some((key, _)) = names.iter().find(|(_, name)| name.is_empty()) {
                let text =
                    format!("ExpressionAttributeNames contains invalid value: Empty attribute name for key {key}");
                return Err(ExpressionError::bare(text));
            }
            bytes += names.iter().map(|(key, name)| key.len() + name.len()).sum::<usize>();
            check_size("ExpressionAttributeNames", bytes)?;
        }
        if let Some(values) = self.values {
            check_keys("ExpressionAttributeValues", ':', values.keys())?;
            bytes += values.iter().map(|(key, value)| key.len() + attribute_bytes(value)).sum::<usize>();
            check_size("ExpressionAttributeValues", bytes)?;
        }
        self.well_formed.set(true);
        Ok(())
    }

    /// Replaces the placeholders of a path.
    pub(crate) fn path(&self, kind: ExpressionKind, raw: &RawPath<'_>) -> Result<Path, ExpressionError> {
        let root = self.name(kind, raw.root)?;
        let mut steps = Vec::with_capacity(raw.steps.len());
        for step in &raw.steps {
            steps.push(match *step {
                RawStep::Name(name) => Step::Name(self.name(kind, name)?),
                RawStep::Index(index) => Step::Index(index),
            });
        }
        Ok(Path::new(root, steps))
    }

    fn name(&self, kind: ExpressionKind, raw: RawName<'_>) -> Result<Name, ExpressionError> {
        let placeholder = match raw {
            RawName::Literal(name) => return Ok(name.into()),
            RawName::Placeholder(placeholder) => placeholder,
        };
        match self.names.and_then(|names| names.get_key_value(placeholder)) {
            Some((key, name)) => Ok(self.used_names.borrow_mut().entry(key).or_insert_with(|| name.into()).clone()),
            None => Err(ExpressionError::invalid(
                kind,
                format!(
                    "An expression attribute name used in the document path is not defined; attribute name: \
                     {placeholder}"
                ),
            )),
        }
    }

    /// The value behind a placeholder.
    pub(crate) fn value(
        &self,
        kind: ExpressionKind,
        placeholder: &str,
    ) -> Result<Arc<AttributeValue>, ExpressionError> {
        match self.values.and_then(|values| values.get_key_value(placeholder)) {
            Some((key, value)) => {
                let mut used = self.used_values.borrow_mut();
                Ok(Arc::clone(used.entry(key).or_insert_with(|| Arc::new(value.clone()))))
            }
            None => Err(ExpressionError::invalid(
                kind,
                format!(
                    "An expression attribute value used in expression is not defined; attribute value: {placeholder}"
                ),
            )),
        }
    }
}

fn check_keys<'k>(
    member: &str,
    sigil: char,
    keys: impl ExactSizeIterator<Item = &'k String>,
) -> Result<(), ExpressionError> {
    if keys.len() == 0 {
        return Err(ExpressionError::bare(format!("{member} must not be empty")));
    }
    for key in keys {
        let word = key.strip_prefix(sigil).unwrap_or_default();
        if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            let text = format!("{member} contains invalid key: Syntax error; key: \"{key}\"");
            return Err(ExpressionError::bare(text));
        }
        if key.len() > PLACEHOLDER_BYTES_MAX {
            let text = format!(
                "{member} contains invalid key: The expression attribute map contains a key that is too long; \
                 key: \"{key}\""
            );
            return Err(ExpressionError::bare(text));
        }
    }
    Ok(())
}

fn check_size(member: &str, bytes: usize) -> Result<(), ExpressionError> {
    if bytes > EXPRESSION_SUBSTITUTIONS_BYTES_MAX {
        return Err(ExpressionError::bare(format!("{member} exceeds max size")));
    }
    Ok(())
}

fn unused<V, U>(
    member: &str,
    given: Option<&BTreeMap<String, V>>,
    used: &BTreeMap<&str, U>,
) -> Result<(), ExpressionError> {
    let Some(given) = given else { return Ok(()) };
    if used.len() == given.len() {
        return Ok(());
    }
    let unused: Vec<&str> = given.keys().map(String::as_str).filter(|key| !used.contains_key(key)).collect();
    let keys = unused.join(", ");
    Err(ExpressionError::bare(format!("Value provided in {member} unused in expressions: keys: {{{keys}}}")))
}
