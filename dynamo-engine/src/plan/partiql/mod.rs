//! PartiQL statements, planned into what the item operations are planned into.
//!
//! ```text
//! Statement ─┬─ SELECT by primary key ─▶ StatementRead (one keyed read)
//!            ├─ SELECT                ─▶ PageRead of a partition or of the ring, one after the other
//!            └─ INSERT, UPDATE, DELETE, EXISTS ─▶ ItemWrite
//! ```
//!
//! The rules that a statement has beyond its operation's are conditions: an INSERT wants its key free, an UPDATE wants
//! its item there, a DELETE takes a missing item for deleted.
//!
//! Source: `dynamo_expression::partiql` and the recordings named there.

mod page_token;
mod select;
mod write;

use dynamo_expression::partiql::{Naming, PrimaryKey, Select, Statement, partitions, primary_key};
use dynamo_expression::{Condition, Path, Projection};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::value::{AttributeValue, Item};

use crate::catalog::{Catalog, KeyAttribute, TableDescriptor};
use crate::read::{Shape, Source};

use super::{PlanError, lookup};

pub(super) use page_token::{PagePosition, digest};
pub(super) use select::{SelectRequest, SelectStep, select};
pub(super) use write::write;

/// Parses a request's statement.
///
/// # Errors
/// The client's mistakes that need no table.
pub(super) fn parse(text: &str, parameters: Option<&Vec<AttributeValue>>) -> Result<Statement, ApiError> {
    let parameters = parameters.map_or(&[][..], Vec::as_slice);
    Ok(Statement::parse(text, parameters)?)
}

/// The item that a condition names by a value for each attribute of the primary key.
pub(super) fn named_item(table: &TableDescriptor, condition: Option<&Condition>, naming: Naming) -> Option<PrimaryKey> {
    let names: Vec<&str> = table.keys.attributes().map(|attribute| attribute.name.as_str()).collect();
    primary_key(condition, &names, naming)
}

/// The item that a SELECT which may read no more than one names, and nothing else.
///
/// # Errors
/// What is wrong with the SELECT whatever it may read; otherwise `refusal`.
pub(super) fn only_item(table: &TableDescriptor, select: &Select, refusal: &str) -> Result<Item, PlanError> {
    let condition = select.condition.as_ref();
    if let (Some(condition), Some(first)) = (condition, table.keys.partition.first()) {
        partitions(condition, &first.name, table.keys.sort.first().map(|attribute| attribute.name.as_str()))?;
    }
    match named_item(table, condition, Naming::EqualityOrIn) {
        Some(PrimaryKey { key, residual: None }) if select.target.index.is_none() => Ok(key),
        _ => Err(PlanError::validation(refusal)),
    }
}

/// A SELECT whose columns are paths.
///
/// # Errors
/// What is wrong with the first one that is none, whether or not there is such a table, but behind an index that no
/// statement reads.
pub(super) fn check_columns(select: &Select, catalog: &dyn Catalog) -> Result<(), PlanError> {
    let Some(mismatch) = &select.mismatch else { return Ok(()) };
    if let Ok(table) = lookup::table(catalog, &select.target.table)
        && let Ok(source) = Source::new(table, select.target.index.as_deref())
    {
        refuse_multi_attribute(&source)?;
    }
    Err(mismatch.clone().into())
}

/// The values of a key have the schema's types.
///
/// # Errors
/// Names the first one that does not.
pub(super) fn check_key_types<'a>(
    attributes: impl Iterator<Item = &'a KeyAttribute>,
    key: &Item,
) -> Result<(), ApiError> {
    for attribute in attributes {
        if key.get(&attribute.name).is_some_and(|value| value.type_name() != attribute.kind.name()) {
            return Err(key_type(&attribute.name));
        }
    }
    Ok(())
}

/// An index with more than one attribute in a part of its key is not read by statements.
///
/// # Errors
/// That it is one.
pub(super) fn refuse_multi_attribute(source: &Source) -> Result<(), PlanError> {
    if source.keys().partition.len() > 1 || source.keys().sort.len() > 1 {
        return Err(PlanError::validation(
            "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys.",
        ));
    }
    Ok(())
}

fn key_type(name: &str) -> ApiError {
    ApiError::validation(format!("Key attribute's data type should match its data type in table's schema: Key {name}"))
}

/// What a SELECT returns of each row.
pub(super) fn shape(select: &Select) -> Shape {
    match &select.columns {
        None => Shape::Whole,
        Some(columns) if columns.iter().any(|column| column.path.is_nested()) => Shape::Columns(columns.clone()),
        Some(_) => Shape::of(projection(select)),
    }
}

/// The paths of a SELECT's columns.
pub(super) fn projection(select: &Select) -> Option<Projection> {
    let paths = |columns: &Vec<dynamo_expression::partiql::Column>| {
        Projection::new(columns.iter().map(|column| column.path.clone()).collect())
    };
    select.columns.as_ref().map(paths)
}

/// All paths that a SELECT looks at.
fn paths(select: &Select) -> impl Iterator<Item = &Path> {
    let columns = select.columns.iter().flatten().map(|column| &column.path);
    columns.chain(select.condition.iter().flat_map(Condition::paths))
}

/// EXISTS has a place in write transactions only.
pub(super) fn misplaced_exists() -> PlanError {
    PlanError::validation("EXISTS can only be used in ExecuteTransaction write requests.")
}

/// An index was named where only a table can be.
fn not_on_index() -> PlanError {
    PlanError::validation("This operation is not supported on an index")
}
