//! From the names in a request of the stream operations to streams.

use dynamo_protocol::arn::StreamArn;
use dynamo_protocol::error::ApiError;

use super::PlanError;
use crate::catalog::{Catalog, StreamDescription};
use crate::reply::timestamp;
use crate::stream::SequenceNumber;

/// The stream that an ARN names. Any region and account will do: there is one shared database.
///
/// # Errors
/// What is no stream's ARN; [`PlanError::UnknownTable`] where there is no such stream.
pub(super) fn find(arn: &str, catalog: &dyn Catalog) -> Result<StreamDescription, PlanError> {
    let named = parse(arn)?;
    let missing = || PlanError::unknown_table(named.table, ApiError::stream_not_found(arn));
    let since_ms = timestamp::parse_label(named.label).ok_or_else(missing)?;
    let streams = catalog.streams(Some(named.table));
    streams.into_iter().find(|stream| stream.id.since_ms == since_ms).ok_or_else(missing)
}

/// The parts of a stream's ARN.
///
/// # Errors
/// What is none. The text is that of the service's SDK tests of 2015; recorded is only the exception.
pub(super) fn parse(arn: &str) -> Result<StreamArn<'_>, ApiError> {
    StreamArn::parse(arn).ok_or_else(|| ApiError::validation("Invalid StreamArn"))
}

/// The number of a record.
///
/// # Errors
/// What is none.
pub(super) fn sequence_number(text: &str) -> Result<SequenceNumber, ApiError> {
    text.parse().map_err(|_| ApiError::validation(format!("Invalid SequenceNumber: {text}")))
}
