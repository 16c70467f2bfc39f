//! Select, AttributesToGet and ProjectionExpression: which attributes of each row are wanted.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::shapes::Select;

use std::collections::BTreeSet;

use dynamo_expression::{Path, Projection};

use crate::read::Shape;
use crate::read::Source;
use dynamo_protocol::parameters::Said;

/// How a page's rows are shaped, and whether index rows are enough for that.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    /// What to return of each row; `None` only counts.
    pub shape: Option<Shape>,
    /// Whether the items behind the rows of a local index must be read.
    pub fetch: bool,
}

/// Refuses combinations of `Select` with the other parameters.
///
/// # Errors
/// The message, which Query wraps and Scan does not.
pub(crate) fn check_select(
    select: Option<Select>,
    projection: Option<Said<'_, &[String]>>,
    has_index: bool,
) -> Result<(), String> {
    let given = projection.map(|said| match said {
        Said::Legacy(_) => "AttributesToGet",
        Said::Expression(_) => "ProjectionExpression",
    });
    let chosen = match select {
        None => return Ok(()),
        Some(Select::SpecificAttributes) if given.is_some() => return Ok(()),
        Some(Select::SpecificAttributes) => {
            return Err("Must specify the AttributesToGet or ProjectionExpression when choosing to get \
                        SPECIFIC_ATTRIBUTES"
                .to_owned());
        }
        Some(Select::AllAttributes) => "ALL_ATTRIBUTES",
        Some(Select::AllProjectedAttributes) => "ALL_PROJECTED_ATTRIBUTES",
        Some(Select::Count) => "only the Count",
    };
    if let Some(name) = given {
        return Err(format!("Cannot specify the {name} when choosing to get {chosen}"));
    }
    if select == Some(Select::AllProjectedAttributes) && !has_index {
        return Err("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName".to_owned());
    }
    Ok(())
}

impl Selection {
    /// What `select` and `projection` ask of the rows of `source`.
    ///
    /// # Errors
    /// A global index gives only what it projects.
    pub fn new(select: Option<Select>, projection: Option<Projection>, source: &Source) -> Result<Selection, ApiError> {
        let missing = missing_attributes(select, projection.as_ref(), source);
        if let (Some(index), Some(missing)) = (source.global_index(), &missing) {
            return Err(not_in_global_index(&index.name, missing));
        }
        let shape = (select != Some(Select::Count)).then(|| Shape::of(projection));
        Ok(Selection { shape, fetch: missing.is_some() })
    }
}

/// What is wanted and not in the rows of `source`.
enum Missing {
    /// Everything that is not projected.
    All,
    /// These attributes.
    Names(Vec<String>),
}

fn missing_attributes(select: Option<Select>, projection: Option<&Projection>, source: &Source) -> Option<Missing> {
    if source.holds_whole_items() {
        return None;
    }
    if select == Some(Select::AllAttributes) {
        return Some(Missing::All);
    }
    let mut seen = BTreeSet::new();
    let roots = projection?.paths().iter().map(Path::root).filter(|name| !source.projects(name));
    let names: Vec<String> = roots.filter(|name| seen.insert(*name)).map(str::to_owned).collect();
    (!names.is_empty()).then_some(Missing::Names(names))
}

fn not_in_global_index(index: &str, missing: &Missing) -> ApiError {
    ApiError::validation(match missing {
        Missing::All => format!(
            "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global \
             secondary index {index} because its projection type is not ALL"
        ),
        Missing::Names(names) => format!(
            "One or more parameter values were invalid: Global secondary index {index} does not project [{}]",
            names.join(", ")
        ),
    })
}
