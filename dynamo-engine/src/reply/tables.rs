//! Replies of CreateTable, UpdateTable, DeleteTable, DescribeTable and ListTables.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::JsonWriter;

use super::table_description::{Occasion, TableDescription};
use crate::apply::ddl::DdlOutcome;
use crate::catalog::{TableDescriptor, TablePhase, TableStats};
use crate::context::RequestContext;

/// One page of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNames {
    /// The names, in the order of their bytes.
    pub names: Vec<String>,
    /// The last of them, when more follow.
    pub last: Option<String>,
}

/// The body of CreateTable's reply.
///
/// # Errors
///
/// ResourceInUseException where the name was taken. A stale outcome is planned again before a reply is made.
pub fn create_table(outcome: &DdlOutcome, context: &RequestContext) -> Result<Vec<u8>, ApiError> {
    match outcome {
        DdlOutcome::Created(table) => {
            Ok(description("TableDescription", table, &TableStats::default(), context, Occasion::Created))
        }
        DdlOutcome::TableExists { name } => Err(ApiError::resource_in_use(format!("Table already exists: {name}"))),
        _ => Err(ApiError::internal()),
    }
}

/// The body of UpdateTable's reply; `stats` are the table's counts.
///
/// # Errors
///
/// Where the outcome is none of UpdateTable's.
pub fn update_table(outcome: &DdlOutcome, stats: &TableStats, context: &RequestContext) -> Result<Vec<u8>, ApiError> {
    match outcome {
        DdlOutcome::Changed { after, .. } => {
            Ok(description("TableDescription", after, stats, context, Occasion::Updated))
        }
        _ => Err(ApiError::internal()),
    }
}

/// The body of DeleteTable's reply.
///
/// # Errors
///
/// Where the outcome is none of DeleteTable's.
pub fn delete_table(outcome: &DdlOutcome, context: &RequestContext) -> Result<Vec<u8>, ApiError> {
    match outcome {
        DdlOutcome::Deleted(table) => {
            Ok(description("TableDescription", table, &TableStats::default(), context, Occasion::Deleted))
        }
        _ => Err(ApiError::internal()),
    }
}

/// The body of DescribeTable's reply for a table in that phase.
pub fn describe_table(
    table: &TableDescriptor,
    phase: TablePhase,
    stats: &TableStats,
    context: &RequestContext,
) -> Vec<u8> {
    description("Table", table, stats, context, Occasion::Described(phase))
}

fn description(
    member: &str,
    table: &TableDescriptor,
    stats: &TableStats,
    context: &RequestContext,
    occasion: Occasion,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object().key(member);
    TableDescription { table, stats, context, occasion }.write(&mut json);
    json.end_object();
    out
}

/// The body of ListTables' reply.
pub fn list_tables(page: &TableNames) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut json = JsonWriter::new(&mut out);
    json.begin_object();
    if let Some(last) = &page.last {
        json.key("LastEvaluatedTableName").str(last);
    }
    json.key("TableNames").begin_array();
    page.names.iter().for_each(|name| _ = json.str(name));
    json.end_array().end_object();
    out
}
