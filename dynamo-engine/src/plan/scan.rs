//! Scan.
//!
//! A scan walks the ring in the order of tokens. A segment of a parallel scan is an equal part of the ring; a start
//! key resumes at its token, computed again from its partition key, so no cursor knows of shards.

use dynamo_expression::legacy::attributes_to_get;
use dynamo_expression::{ExpressionKind, Placeholders};
use dynamo_protocol::ops::{ScanBody, ScanInput};
use ordered_kv::Direction;
use shard_router::{Token, TokenRange};

use crate::catalog::Catalog;
use crate::read::{CapacityReport, PAGE_BYTES_MAX, PageRead, PageStyle, ReadPlan, Span};

use super::select::{Selection, check_select};
use super::start_key::{Examined, StartKey, invalid};
use super::{PlanError, legacy, lookup, paths};
use crate::read::Source;

/// A part of a parallel scan.
#[derive(Clone, Copy)]
struct Segment {
    /// From 0, below `total`.
    number: u32,
    /// How many parts there are.
    total: u32,
}

impl Segment {
    /// Its part of the ring: the parts of all segments are equal, to one token, and together they are the ring.
    fn range(self) -> TokenRange {
        let bound = |number: u32| ((u128::from(number) << 64) / u128::from(self.total)) as u64;
        let last = if self.number + 1 == self.total { u64::MAX } else { bound(self.number + 1) - 1 };
        TokenRange::new(Token(bound(self.number)), Token(last)).expect("a million segments fit the ring")
    }
}

/// Plans a Scan.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn plan(input: ScanInput, catalog: &dyn Catalog) -> Result<ReadPlan, PlanError> {
    let ScanInput { body: input, bad_start_key } = input;
    check_select(input.select, input.projection(), input.index_name.is_some()).map_err(PlanError::validation)?;
    // The legacy parameters are looked at before the segments, and before the values of the start key.
    let projection = input.projection().map(|said| said.older(attributes_to_get)).transpose()?;
    let filter = input.filter().map(|said| said.older(legacy::filter)).transpose()?;
    bad_start_key.map_or(Ok(()), Err)?;
    let segment = segment(&input)?;
    let names = input.expression_attribute_names.as_ref();
    let placeholders = Placeholders::new(names, input.expression_attribute_values.as_ref());
    let condition = |text| placeholders.condition(ExpressionKind::Filter, text).map(Some);
    let filter = filter.map(|said| said.newer(condition)).transpose()?.flatten();
    let projection = projection.map(|said| said.newer(|text| placeholders.projection(text))).transpose()?;
    placeholders.finish()?;
    let table = lookup::table(catalog, &input.table_name)?;
    let source = Source::new(table, input.index_name.as_deref())?;
    let consistent = input.consistent_read.unwrap_or(false);
    source.check_consistency(consistent)?;
    let start_key = input.exclusive_start_key.as_ref().map(|key| Examined::new(&source, key));
    start_key.as_ref().map_or(Ok(()), Examined::check_scan)?;
    let selection = Selection::new(input.select, projection.clone(), &source)?;
    let span = span(segment, start_key.as_ref())?;
    let filter_paths = filter.iter().flat_map(|filter| filter.paths());
    let projection_paths = projection.iter().flat_map(|projection| projection.paths());
    paths::check_scalars(filter_paths.chain(projection_paths), &source.table)?;
    Ok(PageRead {
        span,
        direction: Direction::Forward,
        limit: input.limit.and_then(|limit| u64::try_from(limit).ok()),
        bytes_max: PAGE_BYTES_MAX,
        filter,
        shape: selection.shape,
        fetch: selection.fetch,
        consistent,
        report: CapacityReport::new(input.return_consumed_capacity, input.table_name),
        style: PageStyle::Reply,
        source,
    }
    .into())
}

/// The segment asked for: both parameters or none, and the number below the total.
fn segment(input: &ScanBody) -> Result<Segment, PlanError> {
    match (input.segment, input.total_segments) {
        (None, None) => Ok(Segment { number: 0, total: 1 }),
        (Some(_), None) => Err(PlanError::validation(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is \
             present",
        )),
        (None, Some(_)) => Err(PlanError::validation(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is \
             present",
        )),
        (Some(number), Some(total)) if number >= total => Err(PlanError::validation(format!(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {number} is \
             not less than TotalSegments: {total}"
        ))),
        (Some(number), Some(total)) => Ok(Segment { number: number as u32, total: total as u32 }),
    }
}

/// The segment's part of the ring, from the start key on.
fn span(segment: Segment, start_key: Option<&Examined<'_>>) -> Result<Span, PlanError> {
    let span = segment.range();
    let Some(start_key) = start_key else {
        return Ok(Span::Tokens { span, after: None });
    };
    start_key.check_table_key()?;
    let StartKey { token, row } = start_key.place()?;
    if !span.contains(token) {
        return Err(PlanError::Client(invalid(&format!(
            "Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: {} Segment: \
             {}",
            segment.total, segment.number
        ))));
    }
    let rest = TokenRange::new(token, span.last()).expect("the segment contains the token");
    Ok(Span::Tokens { span: rest, after: Some(row) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_tile_the_ring() {
        for total in [1, 2, 3, 7, 1000, 1_000_000] {
            let mut next = 0_u64;
            for number in 0..total {
                let range = Segment { number, total }.range();
                assert_eq!(range.first(), Token(next));
                next = range.last().0.wrapping_add(1);
            }
            assert_eq!(next, 0, "the last one ends at the end of the ring");
        }
        assert_eq!(Segment { number: 0, total: 1 }.range(), TokenRange::FULL);
    }
}
