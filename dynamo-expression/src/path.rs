//! Document paths: a top-level attribute and the way from it to a nested value.

use std::borrow::Cow;
use std::fmt;

use dynamo_protocol::value::{AttributeValue, Item};

use crate::attributes::Attributes;
use crate::name::Name;
use crate::steps::{LOOKUP, OutOfSteps, Steps};

/// A document path, placeholders already replaced: `a.#b[3]` with `#b` = `x.y` is root `a`, steps `x.y`, `[3]`.
///
/// `Display` is the form of DynamoDB's messages: `[a, x.y, [3]]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    root: Name,
    steps: Vec<Step>,
}

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Into a map, by the member's name.
    Name(Name),
    /// Into a list, by position from 0.
    Index(u32),
}

impl Path {
    /// The path of a top-level attribute.
    pub fn top(name: impl Into<Name>) -> Self {
        Path { root: name.into(), steps: Vec::new() }
    }

    /// A path with steps below the top-level attribute.
    pub fn new(root: impl Into<Name>, steps: Vec<Step>) -> Self {
        Path { root: root.into(), steps }
    }

    /// The top-level attribute.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The same, to be shared.
    pub(crate) fn root_name(&self) -> &Name {
        &self.root
    }

    /// The steps below it.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether the path leads below the top level.
    pub fn is_nested(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Its names, the attribute's first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let below = self.steps.iter().filter_map(|step| match step {
            Step::Name(name) => Some(&**name),
            Step::Index(_) => None,
        });
        std::iter::once(&*self.root).chain(below)
    }

    /// The value at the end of the path, or nothing where any part of the way is missing or of another type.
    ///
    /// # Errors
    /// [`OutOfSteps`].
    pub fn find<'a>(
        &self,
        attributes: &'a dyn Attributes,
        steps: &Steps,
    ) -> Result<Option<Cow<'a, AttributeValue>>, OutOfSteps> {
        steps.spend(LOOKUP * (1 + self.steps.len()))?;
        Ok(match attributes.attribute(&self.root, steps)? {
            None => None,
            Some(Cow::Borrowed(value)) => walk(value, &self.steps).map(Cow::Borrowed),
            Some(Cow::Owned(value)) if self.steps.is_empty() => Some(Cow::Owned(value)),
            Some(Cow::Owned(value)) => walk(&value, &self.steps).cloned().map(Cow::Owned),
        })
    }

    /// Whether there is a value at the end of the path.
    ///
    /// # Errors
    /// [`OutOfSteps`].
    pub(crate) fn leads_somewhere(&self, attributes: &dyn Attributes, steps: &Steps) -> Result<bool, OutOfSteps> {
        if !self.steps.is_empty() {
            return Ok(self.find(attributes, steps)?.is_some());
        }
        steps.spend(LOOKUP)?;
        attributes.has(&self.root, steps)
    }

    /// The value at the end of the path in an item held as a tree.
    pub fn find_in<'a>(&self, item: &'a Item) -> Option<&'a AttributeValue> {
        walk(item.get(&*self.root)?, &self.steps)
    }

    /// Whether `self` is `other` or leads to something above it.
    pub(crate) fn is_prefix_of(&self, other: &Path) -> bool {
        self.root == other.root && other.steps.starts_with(&self.steps)
    }

    /// Whether the two paths take the same value once for a map and once for a list.
    pub(crate) fn disagrees_with(&self, other: &Path) -> bool {
        if self.root != other.root {
            return false;
        }
        let fork = self.steps.iter().zip(&other.steps).find(|(one, two)| one != two);
        matches!(fork, Some((Step::Name(_), Step::Index(_)) | (Step::Index(_), Step::Name(_))))
    }
}

fn walk<'a>(mut value: &'a AttributeValue, steps: &[Step]) -> Option<&'a AttributeValue> {
    for step in steps {
        value = match (value, step) {
            (AttributeValue::M(members), Step::Name(name)) => members.get(&**name)?,
            (AttributeValue::L(elements), Step::Index(index)) => elements.get(*index as usize)?,
            _ => return None,
        };
    }
    Some(value)
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}", self.root)?;
        for step in &self.steps {
            match step {
                Step::Name(name) => write!(f, ", {name}")?,
                Step::Index(index) => write!(f, ", [{index}]")?,
            }
        }
        f.write_str("]")
    }
}
