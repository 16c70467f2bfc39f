//! Making the changes of an update.
//!
//! Four steps: every action becomes an [`Intent`], computed from the untouched item; intents that fit into an item
//! become changes, which are the only copies of anything; the changes are arranged as a
//! tree along their paths, which is possible because they neither overlap nor conflict; and the tree is laid over the
//! item, first to see that every path leads somewhere, then to change it. Within one list, replacements come first,
//! then elements behind the end are appended in the order of their indexes, then elements are taken out:
//!
//! ```text
//! l = [a, b, c]      SET l[7] = x, l[5] = y, l[0] = z REMOVE l[1], l[9]      l = [z, c, y, x]
//! ```

use std::collections::BTreeMap;

use dynamo_protocol::limits::ITEM_BYTES_MAX;
use dynamo_protocol::value::{AttributeValue, Item};

use crate::error::{ExpressionError, ITEM_TO_UPDATE_TOO_LARGE};
use crate::path::{Path, Step};
use crate::update::value::{Outline, no_number, wrong_type};
use crate::update::{Action, Origin, Update};

/// What happens at the end of one path.
enum Change {
    Set(AttributeValue),
    Remove,
    /// Nothing; but the path must be one that could be changed.
    Keep,
}

/// The same before anything is copied.
enum Intent<'a> {
    Set(Outline<'a>),
    Remove,
    Keep,
}

impl Intent<'_> {
    fn bytes_min(&self) -> usize {
        match self {
            Intent::Set(outline) => outline.bytes_min(),
            Intent::Remove | Intent::Keep => 0,
        }
    }

    fn into_change(self) -> Change {
        match self {
            Intent::Set(outline) => outline.made().map_or(Change::Remove, Change::Set),
            Intent::Remove => Change::Remove,
            Intent::Keep => Change::Keep,
        }
    }
}

enum Node<'u> {
    Leaf(Change),
    Members(BTreeMap<&'u str, Node<'u>>),
    Elements(BTreeMap<u32, Node<'u>>),
}

impl Update {
    /// Changes the item, or as much of it as [`Update::attributes`] names. One that is a little too large may come out; what
    /// writes alone more than 400 KB does not.
    ///
    /// # Errors
    /// What is wrong with the item for this update, in DynamoDB's words; the item is then as it was.
    pub fn apply(&self, item: &mut Item) -> Result<(), ExpressionError> {
        let intents: Vec<Intent<'_>> =
            self.actions().iter().map(|action| intent(action, item, self.origin())).collect::<Result<_, _>>()?;
        let fits = fit_into_an_item(&intents);
        let mut tree = BTreeMap::new();
        for (action, intent) in self.actions().iter().zip(intents) {
            plant(&mut tree, action.path(), if fits { intent.into_change() } else { Change::Keep })?;
        }
        check_members(item, &tree)?;
        if !fits {
            return Err(ExpressionError::bare(ITEM_TO_UPDATE_TOO_LARGE));
        }
        change_members(item, tree);
        Ok(())
    }
}

/// Whether what is set is no more than an item may have. Stops weighing where it is.
fn fit_into_an_item(intents: &[Intent<'_>]) -> bool {
    let mut left = ITEM_BYTES_MAX;
    intents.iter().all(|intent| match left.checked_sub(intent.bytes_min()) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    })
}

fn intent<'a>(action: &'a Action, item: &'a Item, origin: Origin) -> Result<Intent<'a>, ExpressionError> {
    match action {
        Action::Set(_, value) => value.outline(item).map(Intent::Set),
        Action::Remove(_) => Ok(Intent::Remove),
        Action::Add(path, addend) => add(path.find_in(item), addend, origin).map(Intent::Set),
        Action::Delete(path, members) => delete(path.find_in(item), members, origin),
    }
}

fn add<'a>(
    old: Option<&'a AttributeValue>,
    addend: &'a AttributeValue,
    origin: Origin,
) -> Result<Outline<'a>, ExpressionError> {
    use AttributeValue::{Bs, L, N, Ns, Ss};
    match (old, addend) {
        (None, addend) => Ok(Outline::Whole(addend)),
        (Some(N(old)), N(addend)) => match old.checked_add(addend) {
            Ok(sum) => Ok(Outline::Number(sum)),
            Err(error) => Err(no_number(&error)),
        },
        (Some(old @ Ss(_)), Ss(_)) | (Some(old @ Ns(_)), Ns(_)) | (Some(old @ Bs(_)), Bs(_)) => {
            Ok(Outline::Union(old, addend))
        }
        (Some(L(old)), L(more)) if origin == Origin::AttributeUpdates => Ok(Outline::Lists(vec![old, more])),
        _ => Err(mismatch(origin)),
    }
}

fn delete<'a>(
    old: Option<&'a AttributeValue>,
    members: &'a AttributeValue,
    origin: Origin,
) -> Result<Intent<'a>, ExpressionError> {
    use AttributeValue::{Bs, Ns, Ss};
    match (old, members) {
        (None, _) => Ok(Intent::Keep),
        (Some(old @ Ss(_)), Ss(_)) | (Some(old @ Ns(_)), Ns(_)) | (Some(old @ Bs(_)), Bs(_)) => {
            Ok(Intent::Set(Outline::Difference(old, members)))
        }
        _ => Err(mismatch(origin)),
    }
}

fn mismatch(origin: Origin) -> ExpressionError {
    match origin {
        Origin::Expression => wrong_type(),
        Origin::AttributeUpdates => ExpressionError::bare("Type mismatch for attribute to update"),
    }
}

fn invalid_path() -> ExpressionError {
    ExpressionError::bare("The document path provided in the update expression is invalid for update")
}

/// Puts a change at the end of its path.
fn plant<'u>(tree: &mut BTreeMap<&'u str, Node<'u>>, path: &'u Path, change: Change) -> Result<(), ExpressionError> {
    let mut place = tree.entry(path.root()).or_insert_with(|| empty(path.steps()));
    for (depth, step) in path.steps().iter().enumerate() {
        let below = &path.steps()[depth + 1..];
        place = match (place, step) {
            (Node::Members(members), Step::Name(name)) => members.entry(name).or_insert_with(|| empty(below)),
            (Node::Elements(elements), Step::Index(index)) => elements.entry(*index).or_insert_with(|| empty(below)),
            // Only in an update that was not checked.
            _ => return Err(invalid_path()),
        };
    }
    *place = Node::Leaf(change);
    Ok(())
}

fn empty<'u>(steps: &[Step]) -> Node<'u> {
    match steps.first() {
        None => Node::Leaf(Change::Keep),
        Some(Step::Name(_)) => Node::Members(BTreeMap::new()),
        Some(Step::Index(_)) => Node::Elements(BTreeMap::new()),
    }
}

fn check_members(members: &Item, nodes: &BTreeMap<&str, Node<'_>>) -> Result<(), ExpressionError> {
    nodes.iter().try_for_each(|(name, node)| check(members.get(*name), node))
}

/// A path may lead to something new, but not through something new, nor through a value of the wrong type.
fn check(value: Option<&AttributeValue>, node: &Node<'_>) -> Result<(), ExpressionError> {
    match (node, value) {
        (Node::Leaf(_), _) => Ok(()),
        (Node::Members(nodes), Some(AttributeValue::M(members))) => check_members(members, nodes),
        (Node::Elements(nodes), Some(AttributeValue::L(elements))) => {
            nodes.iter().try_for_each(|(index, node)| check(elements.get(*index as usize), node))
        }
        _ => Err(invalid_path()),
    }
}

fn change_members(members: &mut Item, nodes: BTreeMap<&str, Node<'_>>) {
    for (name, node) in nodes {
        match node {
            Node::Leaf(Change::Set(value)) => {
                members.insert(name.to_owned(), value);
            }
            Node::Leaf(Change::Remove) => {
                members.remove(name);
            }
            node => {
                if let Some(value) = members.get_mut(name) {
                    change_inside(value, node);
                }
            }
        }
    }
}

fn change_inside(value: &mut AttributeValue, node: Node<'_>) {
    match (value, node) {
        (AttributeValue::M(members), Node::Members(nodes)) => change_members(members, nodes),
        (AttributeValue::L(elements), Node::Elements(nodes)) => change_elements(elements, nodes),
        _ => {}
    }
}

fn change_elements(elements: &mut Vec<AttributeValue>, nodes: BTreeMap<u32, Node<'_>>) {
    let length = elements.len();
    let mut removed = Vec::new();
    for (index, node) in nodes {
        let index = index as usize;
        match node {
            Node::Leaf(Change::Set(value)) if index < length => elements[index] = value,
            Node::Leaf(Change::Set(value)) => elements.push(value),
            Node::Leaf(Change::Remove) if index < length => removed.push(index),
            Node::Leaf(_) => {}
            node => change_inside(&mut elements[index], node),
        }
    }
    if !removed.is_empty() {
        let (mut removed, mut position) = (removed.into_iter().peekable(), 0..);
        elements.retain(|_| removed.next_if_eq(&position.next().expect("positions do not end")).is_none());
    }
}
