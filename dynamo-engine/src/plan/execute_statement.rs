//! ExecuteStatement: one PartiQL statement, which reads in pages or writes one item.

use dynamo_expression::partiql::{Select, Statement};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::ops::ExecuteStatementInput;

use super::PlanError;
use super::partiql::{self, PagePosition, SelectRequest, SelectStep};
use super::write::{PlannedCommand, WritePlan};
use crate::capacity::Consumed;
use crate::catalog::Catalog;
use crate::command::Command;
use crate::read::{CapacityReport, Execution, PAGE_BYTES_MAX, ReadPlan};
use crate::reply::{ReplySpec, StatementReply};

/// Parses the statement.
///
/// # Errors
/// The client's mistakes that need no table.
pub fn parse(input: &ExecuteStatementInput) -> Result<Statement, ApiError> {
    partiql::parse(&input.statement, input.parameters.as_ref())
}

/// Plans a statement that writes.
///
/// # Errors
/// The client's mistakes, and an unknown table.
pub fn write(
    input: &ExecuteStatementInput,
    statement: &Statement,
    catalog: &dyn Catalog,
) -> Result<WritePlan, PlanError> {
    let planned = partiql::write(statement, false, catalog)??;
    let reply = StatementReply::new(
        &planned.table,
        &planned.table_name,
        planned.is_insert,
        input.return_consumed_capacity,
        input.return_values_on_condition_check_failure,
    )
    .returning(planned.returns, planned.touched);
    Ok(WritePlan {
        writes: vec![PlannedCommand { token: planned.token, command: Command::Write(planned.write) }],
        reply: ReplySpec::Statement(reply),
    })
}

/// The answer to a SELECT while it is being put together, one read after the other.
pub struct SelectAnswer {
    position: PagePosition,
    digest: u128,
    limit: Option<u64>,
    evaluated: u64,
    bytes: usize,
    report: CapacityReport,
    consumed: Consumed,
    /// The items so far, as JSON with commas between them.
    items: Vec<u8>,
    last_key: Option<Vec<u8>>,
    next_token: Option<String>,
}

/// The next read of a SELECT.
pub enum SelectRead {
    /// A read that is the whole answer.
    Whole(ReadPlan),
    /// A page, and how many partitions come after it.
    Page(ReadPlan, usize),
    /// Nothing is left to read.
    Nothing,
}

impl SelectRead {
    /// The plan, and for a page how many partitions come after it; nothing where nothing is left.
    pub fn into_plan(self) -> Option<(ReadPlan, Option<usize>)> {
        match self {
            SelectRead::Whole(plan) => Some((plan, None)),
            SelectRead::Page(plan, more) => Some((plan, Some(more))),
            SelectRead::Nothing => None,
        }
    }
}

impl SelectAnswer {
    /// An answer that begins where the request's token says.
    ///
    /// # Errors
    /// A token that is none, or another statement's.
    pub fn begin(input: &ExecuteStatementInput, select: &Select) -> Result<SelectAnswer, ApiError> {
        let digest = partiql::digest(&input.statement, input.parameters.as_ref());
        let report = CapacityReport::new(input.return_consumed_capacity, select.target.table.clone());
        Ok(SelectAnswer {
            position: PagePosition::read(input.next_token.as_deref(), digest)?,
            digest,
            limit: input.limit.and_then(|limit| u64::try_from(limit).ok()),
            evaluated: 0,
            bytes: 0,
            consumed: report.tally(),
            report,
            items: Vec::new(),
            last_key: None,
            next_token: None,
        })
    }

    /// Plans the next read.
    ///
    /// # Errors
    /// The client's mistakes, and an unknown table.
    pub fn next(&self, consistent: bool, select: &Select, catalog: &dyn Catalog) -> Result<SelectRead, PlanError> {
        let request = SelectRequest {
            consistent,
            limit: self.limit.map(|limit| limit.saturating_sub(self.evaluated)),
            bytes_max: PAGE_BYTES_MAX.saturating_sub(self.bytes),
            position: &self.position,
            report: self.report.clone(),
        };
        Ok(match partiql::select(select, request, catalog)? {
            SelectStep::Item(read) => SelectRead::Whole(read),
            SelectStep::Page { read, more } => SelectRead::Page(read, more),
            SelectStep::Nothing => SelectRead::Nothing,
        })
    }

    /// Takes the rows of a page that has been read, `more` partitions before the last; whether the answer is complete.
    ///
    /// # Errors
    /// Where the read was not a page.
    pub fn take(&mut self, read: Execution, more: usize) -> Result<bool, ApiError> {
        let page = read.into_page().ok_or_else(ApiError::internal)?;
        self.evaluated += page.evaluated;
        self.bytes += page.bytes;
        self.consumed.add(&page.consumed);
        let rows =
            page.items.strip_prefix(b"[").and_then(|rows| rows.strip_suffix(b"]")).ok_or_else(ApiError::internal)?;
        if !rows.is_empty() && !self.items.is_empty() {
            self.items.push(b',');
        }
        self.items.extend_from_slice(rows);
        if let Some(key) = page.last_key {
            self.next_token = Some(PagePosition::token(self.position.partition, &key, self.digest));
            self.last_key = Some(key);
            return Ok(true);
        }
        if more == 0 {
            return Ok(true);
        }
        self.position = PagePosition { partition: self.position.partition + 1, start_key: None };
        if self.bytes > PAGE_BYTES_MAX || self.limit.is_some_and(|limit| self.evaluated >= limit) {
            self.next_token = Some(PagePosition::token(self.position.partition, &[], self.digest));
            return Ok(true);
        }
        Ok(false)
    }

    /// The reply's body.
    pub fn into_body(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.items.len() + 128);
        let mut json = JsonWriter::new(&mut out);
        json.begin_object();
        if self.report.is_wanted() {
            json.key("ConsumedCapacity");
            self.report.write(&self.consumed, false, &mut json);
        }
        json.key("Items").raw(|out| {
            out.push(b'[');
            out.extend_from_slice(&self.items);
            out.push(b']');
        });
        if let Some(key) = &self.last_key {
            json.key("LastEvaluatedKey").raw(|out| out.extend_from_slice(key));
        }
        if let Some(token) = &self.next_token {
            json.key("NextToken").str(token);
        }
        json.end_object();
        out
    }
}
