//! Query.
//!
//! The order in which mistakes are reported is the service's: parameters that exclude each other, expressions, the
//! table and index, the start key's partition, the key condition's partition, the rest of the start key, the rest of
//! the key condition, the filter, the selection.

use dynamo_expression::legacy::attributes_to_get;
use dynamo_expression::{Condition, ENVELOPE, ExpressionKind, KeyCondition, Path, Placeholders, Projection};
use dynamo_protocol::ops::QueryInput;
use dynamo_protocol::parameters::Said;
use ordered_kv::Direction;

use crate::catalog::Catalog;
use crate::read::{CapacityReport, PAGE_BYTES_MAX, PageRead, PageStyle, PartitionSpan, ReadPlan, Span};

use super::key_condition::KeyBounds;
use super::select::{Selection, check_select};
use super::start_key::Examined;
use super::{PlanError, legacy, lookup, paths};
use crate::read::Source;

/// The request's conditions, parsed.
struct Expressions {
    /// Which rows of the partition are read.
    key: KeyCondition,
    /// Which of them are returned.
    filter: Option<Condition>,
    /// What of those.
    projection: Option<Projection>,
}

/// Plans a Query.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: QueryInput, catalog: &dyn Catalog) -> Result<ReadPlan, PlanError> {
    check_select(input.select, input.projection(), input.index_name.is_some())
        .map_err(|message| PlanError::validation(format!("{ENVELOPE}{message}")))?;
    let expressions = parse(&input)?;
    let table = lookup::table(catalog, &input.table_name)?;
    let source = Source::new(table, input.index_name.as_deref())?;
    let consistent = input.consistent_read.unwrap_or(false);
    source.check_consistency(consistent)?;
    let direction = match input.scan_index_forward {
        Some(false) => Direction::Backward,
        _ => Direction::Forward,
    };
    let span = span(&input, &source, &expressions.key, direction)?;
    check_filter(&input, &source, expressions.filter.as_ref())?;
    let selection = Selection::new(input.select, expressions.projection.clone(), &source)?;
    let filter_paths = expressions.filter.iter().flat_map(|filter| filter.paths());
    let projection_paths = expressions.projection.iter().flat_map(|projection| projection.paths());
    paths::check_scalars(filter_paths.chain(projection_paths), &source.table)?;
    Ok(PageRead {
        span: Span::Partitions(vec![span]),
        direction,
        // The only item of a partition ends its page whatever the limit, or the page could not be continued.
        limit: input.limit.and_then(|limit| u64::try_from(limit).ok()).filter(|_| !source.is_one_item_each()),
        bytes_max: PAGE_BYTES_MAX,
        filter: expressions.filter,
        shape: selection.shape,
        fetch: selection.fetch,
        consistent,
        report: CapacityReport::new(input.return_consumed_capacity, input.table_name),
        style: PageStyle::Reply,
        source,
    }
    .into())
}

/// Every condition in its older or its newer form; the older ones are looked at first.
fn parse(input: &QueryInput) -> Result<Expressions, PlanError> {
    let of_index = input.index_name.is_some();
    let projection = input.projection().map(|said| said.older(attributes_to_get)).transpose()?;
    let filter = input.filter().map(|said| said.older(legacy::filter)).transpose()?;
    let key = input.key_condition().map(|said| said.older(|key| legacy::key_condition(key, of_index))).transpose()?;
    let key = key.ok_or_else(|| {
        PlanError::validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        )
    })?;
    let names = input.expression_attribute_names.as_ref();
    let placeholders = Placeholders::new(names, input.expression_attribute_values.as_ref());
    // Whether an expression is one for keys is looked at once all expressions are read.
    let key = match key {
        Said::Legacy(key) => Ok(key),
        Said::Expression(text) => Err(placeholders.key_expression(text)?),
    };
    let condition = |text| placeholders.condition(ExpressionKind::Filter, text).map(Some);
    let filter = filter.map(|said| said.newer(condition)).transpose()?.flatten();
    let projection = projection.map(|said| said.newer(|text| placeholders.projection(text))).transpose()?;
    let key = key.or_else(KeyCondition::from_condition)?;
    placeholders.finish()?;
    Ok(Expressions { key, filter, projection })
}

/// The rows that the key condition selects, behind the start key.
fn span(
    input: &QueryInput,
    source: &Source,
    condition: &KeyCondition,
    direction: Direction,
) -> Result<PartitionSpan, PlanError> {
    let start_key = input.exclusive_start_key.as_ref().map(|key| Examined::new(source, key));
    start_key.as_ref().map_or(Ok(()), Examined::check_partition)?;
    let bounds = KeyBounds::new(source, condition)?;
    start_key.as_ref().map_or(Ok(()), Examined::check_rest)?;
    let mut span = bounds.span()?;
    if let Some(start_key) = start_key {
        bounds.check_start(start_key.item())?;
        span.cut(&start_key.place()?, direction);
    }
    Ok(span)
}

fn check_filter(input: &QueryInput, source: &Source, filter: Option<&Condition>) -> Result<(), PlanError> {
    let Some(filter) = filter else {
        return Ok(());
    };
    let parameter = match input.filter() {
        Some(Said::Legacy(_)) => "QueryFilter",
        _ => "Filter Expression",
    };
    paths::check_filter_without_keys(filter.paths(), source, parameter)?;
    paths::check_filter_projected(filter.paths().into_iter().map(Path::root), source)?;
    Ok(())
}
