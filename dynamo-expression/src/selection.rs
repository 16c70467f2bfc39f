//! A set of paths as a tree, and the part of an item that it selects.

use std::borrow::Cow;
use std::collections::BTreeMap;

use dynamo_protocol::value::{AttributeValue, Item};

use crate::attributes::Attributes;
use crate::name::Name;
use crate::path::{Path, Step};
use crate::steps::{LOOKUP, OutOfSteps, Steps};

/// What is selected of the top-level attributes.
pub type Selections = BTreeMap<Name, Selection>;

/// What is selected of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of it.
    All,
    /// Members of a map; nothing where the value is none.
    Members(BTreeMap<Name, Selection>),
    /// Elements of a list, in the order of their positions; nothing where the value is none.
    Elements(BTreeMap<u32, Selection>),
}

/// The tree of paths that neither overlap nor conflict; of paths that do, the later one counts.
pub fn of<'a>(paths: impl Iterator<Item = &'a Path>) -> Selections {
    let mut roots = Selections::new();
    for path in paths {
        let mut place = roots.entry(path.root_name().clone()).or_insert(Selection::All);
        for step in path.steps() {
            place = match step {
                Step::Name(name) => place.members().entry(name.clone()).or_insert(Selection::All),
                Step::Index(index) => place.elements().entry(*index).or_insert(Selection::All),
            };
        }
        *place = Selection::All;
    }
    roots
}

/// The selected part of an item: only what is there, with lists closed up.
///
/// # Errors
/// [`OutOfSteps`].
pub fn select(selections: &Selections, attributes: &dyn Attributes, steps: &Steps) -> Result<Item, OutOfSteps> {
    let mut item = Item::new();
    for (name, selection) in selections {
        steps.spend(LOOKUP)?;
        if let Some(value) = attributes.attribute(name, steps)?
            && let Some(part) = selection.part(value, steps)?
        {
            item.insert(name.to_string(), part);
        }
    }
    Ok(item)
}

impl Selection {
    fn members(&mut self) -> &mut BTreeMap<Name, Selection> {
        if !matches!(self, Selection::Members(_)) {
            *self = Selection::Members(BTreeMap::new());
        }
        match self {
            Selection::Members(members) => members,
            _ => unreachable!("just made so"),
        }
    }

    fn elements(&mut self) -> &mut BTreeMap<u32, Selection> {
        if !matches!(self, Selection::Elements(_)) {
            *self = Selection::Elements(BTreeMap::new());
        }
        match self {
            Selection::Elements(elements) => elements,
            _ => unreachable!("just made so"),
        }
    }

    /// The selected part of a value, or nothing where none of it is there.
    ///
    /// # Errors
    /// [`OutOfSteps`].
    pub fn part(&self, value: Cow<'_, AttributeValue>, steps: &Steps) -> Result<Option<AttributeValue>, OutOfSteps> {
        match (self, value.as_ref()) {
            (Selection::All, _) => Ok(Some(value.into_owned())),
            (Selection::Members(selected), AttributeValue::M(members)) => {
                steps.spend(LOOKUP * selected.len())?;
                let mut parts = Item::new();
                for (name, inner) in selected {
                    if let Some(member) = members.get(&**name)
                        && let Some(part) = inner.part(Cow::Borrowed(member), steps)?
                    {
                        parts.insert(name.to_string(), part);
                    }
                }
                Ok((!parts.is_empty()).then_some(AttributeValue::M(parts)))
            }
            (Selection::Elements(selected), AttributeValue::L(elements)) => {
                steps.spend(LOOKUP * selected.len())?;
                let mut parts = Vec::new();
                for (index, inner) in selected {
                    if let Some(element) = elements.get(*index as usize) {
                        parts.extend(inner.part(Cow::Borrowed(element), steps)?);
                    }
                }
                Ok((!parts.is_empty()).then_some(AttributeValue::L(parts)))
            }
            _ => Ok(None),
        }
    }
}
