//! A SELECT as a read: of one item, of the partitions that it names, or of the whole table or index.

use std::sync::Arc;

use dynamo_expression::partiql::{Naming, Partition, Partitions, PrimaryKey, Select, partitions};
use dynamo_expression::{KeyClause, KeyCondition, KeyTest};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::value::{AttributeValue, Item};
use ordered_kv::Direction;
use shard_router::TokenRange;

use super::super::key_condition::KeyBounds;
use super::super::paths::{check_filter_projected, check_scalars};
use super::super::select::Selection;
use super::super::start_key::Examined;
use super::super::{ItemKey, PlanError, lookup};
use super::{
    PagePosition, check_columns, check_key_types, key_type, named_item, paths, projection, refuse_multi_attribute,
    shape,
};
use crate::catalog::{Catalog, KeyAttribute};
use crate::read::Source;
use crate::read::{
    CapacityReport, PAGE_BYTES_MAX, PageRead, PageStyle, PartitionSpan, ReadPlan, Span, StatementGet, StatementRead,
    StatementSlot, StatementStyle,
};

/// What of a SELECT is to be read next.
pub(in crate::plan) struct SelectRequest<'a> {
    /// Strongly consistent, so billed twice.
    pub consistent: bool,
    /// The most items to evaluate.
    pub limit: Option<u64>,
    /// Where the page begins.
    pub position: &'a PagePosition,
    /// What to report of the capacity.
    pub report: CapacityReport,
}

/// The next read of a SELECT.
pub(in crate::plan) enum SelectStep {
    /// One item, which is all that there is.
    Item(ReadPlan),
    /// A page of rows, of the partitions that the statement names or of the ring.
    Page(ReadPlan),
    /// There is nothing to read: no value of the partition key satisfies the condition.
    Nothing,
}

/// Plans the part of a SELECT that begins at the request's position.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub(in crate::plan) fn select(
    select: &Select,
    request: SelectRequest<'_>,
    catalog: &dyn Catalog,
) -> Result<SelectStep, PlanError> {
    check_columns(select, catalog)?;
    if !select.order.is_empty() && select.condition.is_none() {
        return Err(PlanError::validation("Must have WHERE clause in the statement when using ORDER BY clause."));
    }
    let table = lookup::table(catalog, &select.target.table)?;
    let source = Source::new(table, select.target.index.as_deref()).map_err(unnamed_index)?;
    refuse_multi_attribute(&source)?;
    if request.consistent && source.global_index().is_some() {
        return Err(PlanError::validation("Strongly consistent read is not supported on Global Secondary Indexes"));
    }
    check_scalars(paths(select), &source.table)?;
    let partition_name = source.keys().partition.first().map(|attribute| attribute.name.clone());
    let partition_name = partition_name.ok_or_else(ApiError::internal)?;
    let sort_name = source.keys().sort.first().map(|attribute| attribute.name.clone());
    let found = match &select.condition {
        None => None,
        Some(condition) => partitions(condition, &partition_name, sort_name.as_deref())?,
    };
    let order = order(select, &source, found.as_ref(), &partition_name, sort_name.as_deref())?;
    if source.index().is_none()
        && let Some(PrimaryKey { key, residual }) =
            named_item(&source.table, select.condition.as_ref(), Naming::EqualityOrIn)
    {
        check_key_types(source.table.keys.attributes(), &key)?;
        let get = StatementGet {
            key: ItemKey::of(&source.table, &key)?,
            shape: shape(select),
            filter: residual,
            consistent: request.consistent,
            report: request.report,
            table: source.table,
        };
        let read = StatementRead { slots: vec![StatementSlot::Get(get)], style: StatementStyle::Items };
        return Ok(SelectStep::Item(read.into()));
    }
    let mut selection = Selection::new(None, projection(select), &source)?;
    selection.shape = Some(shape(select));
    let Some(found) = found else {
        let span = ring(&source, request.position)?;
        let page = page(source, span, Direction::Forward, select.condition.clone(), selection, request);
        return Ok(SelectStep::Page(page.into()));
    };
    let rows_descend = order.rows == Direction::Backward;
    check_projected(&source, &found.looked_at)?;
    let Partitions { partitions, residual, .. } = found.arranged(order.partitions_descend, rows_descend);
    for partition in &partitions {
        check_partition_types(&source, partition)?;
    }
    let mut spans = Vec::with_capacity(partitions.len());
    for partition in partitions.iter().skip(request.position.partition) {
        // Only the first one may have been read in part.
        let start_key = request.position.start_key.as_ref().filter(|_| spans.is_empty());
        let key = (&partition_name[..], sort_name.as_deref());
        spans.push(partition_span(&source, partition, key, order.rows, start_key)?);
    }
    if spans.is_empty() {
        return Ok(SelectStep::Nothing);
    }
    let page = page(source, Span::Partitions(spans), order.rows, residual, selection, request);
    Ok(SelectStep::Page(page.into()))
}

fn page(
    source: Source,
    span: Span,
    direction: Direction,
    filter: Option<dynamo_expression::Condition>,
    selection: Selection,
    request: SelectRequest<'_>,
) -> PageRead {
    PageRead {
        span,
        direction,
        limit: request.limit,
        bytes_max: PAGE_BYTES_MAX,
        filter,
        shape: selection.shape,
        fetch: selection.fetch,
        consistent: request.consistent,
        report: request.report,
        style: PageStyle::Items,
        source,
    }
}

/// In which order a SELECT returns its rows.
struct Order {
    /// Whether partitions come from the largest key value to the smallest.
    partitions_descend: bool,
    /// The order of rows within each.
    rows: Direction,
}

/// What ORDER BY asks for. Without it both the partitions and their rows ascend; one that names the partition key alone
/// makes the rows descend (recorded, whatever it says of the partitions).
fn order(
    select: &Select,
    source: &Source,
    found: Option<&Partitions>,
    partition_name: &str,
    sort_name: Option<&str>,
) -> Result<Order, PlanError> {
    if select.order.is_empty() {
        return Ok(Order { partitions_descend: false, rows: Direction::Forward });
    }
    let Some(found) = found else {
        return Err(PlanError::validation(
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.",
        ));
    };
    if let Some(stray) = select.order.iter().find(|key| !source.keys().contains(&key.name)) {
        return Err(PlanError::validation(format!(
            "Attribute {} in ORDER BY clause must be part of the primary key",
            stray.name
        )));
    }
    let key_of = |name: &str| select.order.iter().find(|key| key.name == name);
    if found.values() > 1 && key_of(partition_name).is_none() {
        return Err(PlanError::validation(
            "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.",
        ));
    }
    let rows_descend = sort_name.and_then(key_of).is_none_or(|key| key.descending);
    Ok(Order {
        partitions_descend: key_of(partition_name).is_some_and(|key| key.descending),
        rows: if rows_descend { Direction::Backward } else { Direction::Forward },
    })
}

/// Refuses a statement of which no branch can be answered from the index. The service looks only at the branch whose
/// partition comes first in its own order; a client cannot know which one that is, so any branch will do here.
fn check_projected(source: &Source, branches: &[Vec<String>]) -> Result<(), ApiError> {
    let is_answered = |branch: &Vec<String>| branch.iter().all(|name| source.projects(name));
    match branches.iter().any(is_answered) {
        true => Ok(()),
        false => check_filter_projected(branches.first().into_iter().flatten().map(String::as_str), source),
    }
}

/// The values of the key have the schema's types.
fn check_partition_types(source: &Source, partition: &Partition) -> Result<(), PlanError> {
    let mut attributes = source.keys().attributes();
    let of_other_type = |name: &KeyAttribute, value: &AttributeValue| value.type_name() != name.kind.name();
    if let Some(attribute) = attributes.next().filter(|attribute| of_other_type(attribute, &partition.value)) {
        return Err(key_type(&attribute.name).into());
    }
    match (attributes.next(), &partition.sort) {
        (Some(attribute), Some(test)) if test.values().any(|value| of_other_type(attribute, value)) => {
            Err(key_type(&attribute.name).into())
        }
        _ => Ok(()),
    }
}

/// The rows of one partition that its test selects, behind the start key where there is one.
fn partition_span(
    source: &Source,
    partition: &Partition,
    (partition_name, sort_name): (&str, Option<&str>),
    direction: Direction,
    start_key: Option<&Item>,
) -> Result<PartitionSpan, PlanError> {
    let mut clauses = vec![KeyClause {
        attribute: partition_name.to_owned(),
        test: KeyTest::Equal(Arc::new(partition.value.clone())),
    }];
    if let (Some(name), Some(test)) = (sort_name, &partition.sort) {
        clauses.push(KeyClause { attribute: name.to_owned(), test: test.clone() });
    }
    let condition = KeyCondition::of_clauses(clauses);
    let mut span = KeyBounds::new(source, &condition)?.span()?;
    if let Some(key) = start_key {
        let start = Examined::new(source, key);
        start.check_table_key()?;
        span.cut(&start.place()?, direction);
    }
    Ok(span)
}

/// The rest of the ring from the position on.
fn ring(source: &Source, position: &PagePosition) -> Result<Span, PlanError> {
    let Some(key) = &position.start_key else { return Ok(Span::Tokens { span: TokenRange::FULL, after: None }) };
    let start = Examined::new(source, key);
    start.check_table_key()?;
    let start = start.place()?;
    let span = TokenRange::new(start.token, TokenRange::FULL.last()).ok_or_else(ApiError::internal)?;
    Ok(Span::Tokens { span, after: Some(start.row) })
}

/// PartiQL does not name the index that it does not find.
fn unnamed_index(error: PlanError) -> PlanError {
    match error {
        PlanError::UnknownIndex(error) if error.message().starts_with("The table does not have") => {
            PlanError::UnknownIndex(ApiError::validation("The table does not have the specified index"))
        }
        other => other,
    }
}
