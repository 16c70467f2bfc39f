//! Projections: which parts of an item are returned.

use std::sync::OnceLock;

use dynamo_protocol::value::Item;

use crate::attributes::Attributes;
use crate::error::{ExpressionError, ExpressionKind};
use crate::path::Path;
use crate::selection::{self, Selections};
use crate::steps::{OutOfSteps, Steps};

/// A checked `ProjectionExpression`, or the `AttributesToGet` of old.
#[derive(Clone, Debug)]
pub struct Projection {
    /// In the order of the text.
    paths: Vec<Path>,
    /// The same as a tree; made when it is first asked for, since most projections name whole attributes.
    selections: OnceLock<Selections>,
}

impl PartialEq for Projection {
    fn eq(&self, other: &Projection) -> bool {
        self.paths == other.paths
    }
}

impl Eq for Projection {}

impl Projection {
    /// A projection of paths that neither overlap nor conflict.
    pub fn new(paths: Vec<Path>) -> Self {
        Projection { paths, selections: OnceLock::new() }
    }

    /// The same, after checking the paths.
    pub(crate) fn checked(paths: Vec<Path>) -> Result<Self, ExpressionError> {
        crate::overlap::check(ExpressionKind::Projection, paths.iter())?;
        Ok(Self::new(paths))
    }

    /// The paths, in the order of the text.
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// The paths as a tree, for those who project something else than a tree of values.
    pub fn selections(&self) -> &Selections {
        self.selections.get_or_init(|| selection::of(self.paths.iter()))
    }

    /// The projected part of an item, possibly empty. Elements of a list keep their order and close up; a map or list
    /// none of whose selected parts exist is left out.
    ///
    /// # Errors
    /// [`OutOfSteps`].
    pub fn project(&self, attributes: &dyn Attributes, steps: &Steps) -> Result<Item, OutOfSteps> {
        selection::select(self.selections(), attributes, steps)
    }
}
