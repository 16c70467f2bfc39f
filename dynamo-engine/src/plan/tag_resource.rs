//! TagResource, UntagResource, ListTagsOfResource.

use std::collections::BTreeSet;
use std::sync::Arc;

use dynamo_protocol::error::{ApiError, ErrorKind};
use dynamo_protocol::ops::{ListTagsOfResourceInput, TagResourceInput, UntagResourceInput};

use super::PlanError;
use super::create_table::pairs;
use super::ddl::{resource, tags};
use crate::catalog::{Catalog, DdlCommand, TableDescriptor, TableStep};
use crate::context::ACCOUNT;

/// The command that sets the tags.
///
/// # Errors
///
/// The client's mistakes; [`PlanError::UnknownTable`].
pub fn plan(input: TagResourceInput, catalog: &dyn Catalog) -> Result<DdlCommand, PlanError> {
    let name = resource::table_name(&input.resource_arn)?;
    if input.tags.is_empty() {
        return Err(ApiError::validation("Atleast one Tag needs to be provided as Input.").into());
    }
    let pairs = pairs(&input.tags);
    tags::check(&pairs)?;
    let table = table(catalog, name, || resource::not_found(&input.resource_arn))?;
    tags::check_sum(&table.tags, &pairs)?;
    let steps = pairs.into_iter().map(|(key, value)| TableStep::Tag { key, value }).collect();
    Ok(DdlCommand::ChangeTable { table: table.id, schema_version: table.schema_version, steps })
}

/// The command that removes tags; keys without a tag are no mistake.
///
/// # Errors
///
/// As [`plan`].
pub fn plan_untag(input: UntagResourceInput, catalog: &dyn Catalog) -> Result<DdlCommand, PlanError> {
    let name = resource::table_name(&input.resource_arn)?;
    if input.tag_keys.is_empty() {
        return Err(ApiError::validation("Atleast one Tag Key needs to be provided as Input.").into());
    }
    input.tag_keys.iter().try_for_each(|key| tags::check_key(key))?;
    tags::check_count(input.tag_keys.len())?;
    let table = table(catalog, name, || resource::not_found(&input.resource_arn))?;
    // Each key that has a tag, once: a request may name a million others.
    let there: BTreeSet<String> = input.tag_keys.into_iter().filter(|key| table.tags.contains_key(key)).collect();
    let steps = there.into_iter().map(|key| TableStep::Untag { key }).collect();
    Ok(DdlCommand::ChangeTable { table: table.id, schema_version: table.schema_version, steps })
}

/// The table whose tags are asked for. All fit on one page, so there is never a token to go on with, and the service
/// does not look at one that it is given.
///
/// # Errors
///
/// As [`plan`].
pub fn plan_list(input: ListTagsOfResourceInput, catalog: &dyn Catalog) -> Result<Arc<TableDescriptor>, PlanError> {
    let name = resource::table_name(&input.resource_arn)?;
    table(catalog, name, || listing_denied(&input.resource_arn))
}

fn table(
    catalog: &dyn Catalog,
    name: &str,
    missing: impl FnOnce() -> ApiError,
) -> Result<Arc<TableDescriptor>, PlanError> {
    catalog.table(name).ok_or_else(|| PlanError::unknown_table(name, missing()))
}

/// The answer to listing the tags of a table that is not there: as to somebody else's table.
///
/// Source: the service, asked for a table of this account number (public conformance suite, 2026).
fn listing_denied(arn: &str) -> ApiError {
    ApiError::new(
        ErrorKind::AccessDenied,
        format!(
            "User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: dynamodb:ListTagsOfResource \
             on resource: {arn}"
        ),
    )
}
