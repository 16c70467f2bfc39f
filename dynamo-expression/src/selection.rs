//! A set of paths as a tree, and the part of an item that it selects.

use std::borrow::Cow;
use std::collections::BTreeMap;

use dynamo_protocol::value::{AttributeValue, Item};

use crate::attributes::Attributes;
use crate::path::{Path, Step};

/// What is selected of the top-level attributes.
pub type Selections = BTreeMap<String, Selection>;

/// What is selected of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of it.
    All,
    /// Members of a map; nothing where the value is none.
    Members(BTreeMap<String, Selection>),
    /// Elements of a list, in the order of their positions; nothing where the value is none.
    Elements(BTreeMap<u32, Selection>),
}

/// The tree of paths that neither overlap nor conflict; of paths that do, the later one counts.
pub fn of<'a>(paths: impl Iterator<Item = &'a Path>) -> Selections {
    let mut roots = Selections::new();
    for path in paths {
        let mut place = roots.entry(path.root().to_owned()).or_insert(Selection::All);
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
pub fn select(selections: &Selections, attributes: &dyn Attributes) -> Item {
    let mut item = Item::new();
    for (name, selection) in selections {
        if let Some(value) = attributes.attribute(name)
            && let Some(part) = selection.part(value)
        {
            item.insert(name.clone(), part);
        }
    }
    item
}

impl Selection {
    fn members(&mut self) -> &mut BTreeMap<String, Selection> {
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
    pub fn part(&self, value: Cow<'_, AttributeValue>) -> Option<AttributeValue> {
        match (self, value.as_ref()) {
            (Selection::All, _) => Some(value.into_owned()),
            (Selection::Members(selected), AttributeValue::M(members)) => {
                let part: Item = selected
                    .iter()
                    .filter_map(|(name, inner)| Some((name.clone(), inner.part(Cow::Borrowed(members.get(name)?))?)))
                    .collect();
                (!part.is_empty()).then_some(AttributeValue::M(part))
            }
            (Selection::Elements(selected), AttributeValue::L(elements)) => {
                let part: Vec<AttributeValue> = selected
                    .iter()
                    .filter_map(|(index, inner)| inner.part(Cow::Borrowed(elements.get(*index as usize)?)))
                    .collect();
                (!part.is_empty()).then_some(AttributeValue::L(part))
            }
            _ => None,
        }
    }
}
