//! Making the changes of an update.
//!
//! Three steps: every action becomes a [`Change`], computed from the untouched item; the changes are arranged as a
//! tree along their paths, which is possible because they neither overlap nor conflict; and the tree is laid over the
//! item, first to see that every path leads somewhere, then to change it. Within one list, replacements come first,
//! then elements behind the end are appended in the order of their indexes, then elements are taken out:
//!
//! ```text
//! l = [a, b, c]      SET l[7] = x, l[5] = y, l[0] = z REMOVE l[1], l[9]      l = [z, c, y, x]
//! ```

use std::collections::BTreeMap;

use dynamo_protocol::value::{AttributeValue, Item};

use crate::error::ExpressionError;
use crate::path::{Path, Step};
use crate::update::value::{no_number, wrong_type};
use crate::update::{Action, Origin, Update};

/// What happens at the end of one path.
enum Change {
    Set(AttributeValue),
    Remove,
    /// Nothing; but the path must be one that could be changed.
    Keep,
}

enum Node<'u> {
    Leaf(Change),
    Members(BTreeMap<&'u str, Node<'u>>),
    Elements(BTreeMap<u32, Node<'u>>),
}

pub fn apply(update: &Update, item: &mut Item) -> Result<(), ExpressionError> {
    let mut tree = BTreeMap::new();
    for action in update.actions() {
        let change = change(action, item, update.origin())?;
        plant(&mut tree, action.path(), change)?;
    }
    check_members(item, &tree)?;
    change_members(item, tree);
    Ok(())
}

fn change(action: &Action, item: &Item, origin: Origin) -> Result<Change, ExpressionError> {
    match action {
        Action::Set(_, value) => Ok(Change::Set(value.eval(item)?.into_owned())),
        Action::Remove(_) => Ok(Change::Remove),
        Action::Add(path, addend) => add(path.find_in(item), addend, origin),
        Action::Delete(path, members) => delete(path.find_in(item), members, origin),
    }
}

fn add(old: Option<&AttributeValue>, addend: &AttributeValue, origin: Origin) -> Result<Change, ExpressionError> {
    let sum = match (old, addend) {
        (None, addend) => addend.clone(),
        (Some(AttributeValue::N(old)), AttributeValue::N(addend)) => match old.checked_add(addend) {
            Ok(sum) => AttributeValue::N(sum),
            Err(error) => return Err(no_number(&error)),
        },
        (Some(AttributeValue::Ss(old)), AttributeValue::Ss(more)) => AttributeValue::Ss(union(old, more)),
        (Some(AttributeValue::Ns(old)), AttributeValue::Ns(more)) => AttributeValue::Ns(union(old, more)),
        (Some(AttributeValue::Bs(old)), AttributeValue::Bs(more)) => AttributeValue::Bs(union(old, more)),
        (Some(AttributeValue::L(old)), AttributeValue::L(more)) if origin == Origin::AttributeUpdates => {
            AttributeValue::L([old.as_slice(), more].concat())
        }
        _ => return Err(mismatch(origin)),
    };
    Ok(Change::Set(sum))
}

fn delete(old: Option<&AttributeValue>, members: &AttributeValue, origin: Origin) -> Result<Change, ExpressionError> {
    match (old, members) {
        (None, _) => Ok(Change::Keep),
        (Some(AttributeValue::Ss(old)), AttributeValue::Ss(less)) => {
            Ok(rest(difference(old, less), AttributeValue::Ss))
        }
        (Some(AttributeValue::Ns(old)), AttributeValue::Ns(less)) => {
            Ok(rest(difference(old, less), AttributeValue::Ns))
        }
        (Some(AttributeValue::Bs(old)), AttributeValue::Bs(less)) => {
            Ok(rest(difference(old, less), AttributeValue::Bs))
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

fn union<T: Ord + Clone>(old: &[T], more: &[T]) -> Vec<T> {
    let mut members = [old, more].concat();
    members.sort_unstable();
    members.dedup();
    members
}

fn difference<T: Ord + Clone>(old: &[T], less: &[T]) -> Vec<T> {
    old.iter().filter(|member| less.binary_search(member).is_err()).cloned().collect()
}

fn rest<T>(members: Vec<T>, set: fn(Vec<T>) -> AttributeValue) -> Change {
    if members.is_empty() { Change::Remove } else { Change::Set(set(members)) }
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
    // From the end, so that the positions of the others stay as they were.
    for index in removed.into_iter().rev() {
        elements.remove(index);
    }
}
