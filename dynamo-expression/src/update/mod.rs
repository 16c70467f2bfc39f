//! Updates: what an `UpdateExpression` (or the `AttributeUpdates` of old) does to an item.
//!
//! All values are computed from the item as it was before; then all changes are made at once ([`Update::apply`]). So
//! `SET a = b, b = a` exchanges two attributes, and the list indexes of `REMOVE l[0], l[1]` are those of the list
//! before any of them is gone.
//!
//! What an update makes can be far larger than the update (`SET a = list_append(v, v), b = list_append(v, v), …`). So
//! the values are first only outlined, sharing what they are made of, and weighed: they all end up in the item, and
//! where they alone are more than an item may have, nothing is copied.

mod apply;
mod value;

use std::sync::Arc;

use dynamo_protocol::value::{AttributeValue, Item};

use crate::attributes::Attributes;
use crate::path::Path;
use crate::selection;
use crate::steps::Steps;

pub use value::Value;

/// A checked update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// In the order of the text. Their paths neither overlap nor conflict.
    actions: Vec<Action>,
    /// Where the update comes from; it decides the words for types that do not fit and whether lists can be added.
    origin: Origin,
}

/// Which request member an update came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `UpdateExpression`.
    Expression,
    /// `AttributeUpdates`.
    AttributeUpdates,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Replaces or creates the value at the path.
    Set(Path, Value),
    /// Removes the value at the path, if it is there.
    Remove(Path),
    /// Adds to the number at the path (0 where there is none), or unites with the set there (empty where there is
    /// none).
    Add(Path, Arc<AttributeValue>),
    /// Takes members out of the set at the path, and the set with its last member.
    Delete(Path, Arc<AttributeValue>),
}

impl Action {
    /// The path that it changes.
    pub fn path(&self) -> &Path {
        match self {
            Action::Set(path, _) | Action::Remove(path) | Action::Add(path, _) | Action::Delete(path, _) => path,
        }
    }
}

impl Update {
    /// An update by expression; the paths neither overlap nor conflict.
    pub fn new(actions: Vec<Action>) -> Self {
        Update { actions, origin: Origin::Expression }
    }

    /// An update of the given origin.
    pub(crate) fn from_origin(origin: Origin, actions: Vec<Action>) -> Self {
        Update { actions, origin }
    }

    /// The changes, in the order of the text.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Which request member the update came in.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The paths that are changed, in the order of the text.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.actions.iter().map(Action::path)
    }

    /// The top-level attributes that the update reads or changes: nothing else of an item matters to it. Sorted, each once.
    pub fn attributes(&self) -> Vec<&str> {
        let mut names = Vec::with_capacity(self.actions.len());
        for action in &self.actions {
            names.push(action.path().root());
            if let Action::Set(_, value) = action {
                value.each_path(&mut |path| names.push(path.root()));
            }
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether the update can only take away (REMOVE, DELETE), so that it must not create an item. One without any
    /// action (an empty `AttributeUpdates`) does create it.
    ///
    /// Where there is no item, such an update does nothing at all: not even its paths are checked, though `REMOVE a.b`
    /// on an item without `a` is an error (seen on the service by Scylla's tests). So ask before [`Update::apply`].
    pub fn writes_only_removes(&self) -> bool {
        !self.actions.is_empty()
            && self.actions.iter().all(|action| matches!(action, Action::Remove(_) | Action::Delete(..)))
    }

    /// The part of an item that `UPDATED_OLD` (the item before) and `UPDATED_NEW` (the item after) return: a
    /// projection onto the paths that the update names.
    ///
    /// A list index names a position in the list that is given, so after `SET l[9] = :v` on a list of two elements
    /// `UPDATED_NEW` has nothing of `l`, and after `REMOVE l[0]` it has what moved to that place. This is what
    /// DynamoDB does, too.
    pub fn touched(&self, item: &dyn Attributes) -> Item {
        let touched = selection::select(&selection::of(self.paths()), item, &Steps::unlimited());
        touched.expect("there are steps without end")
    }
}
