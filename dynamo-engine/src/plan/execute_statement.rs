//! ExecuteStatement: one PartiQL statement, which reads in pages or writes one item.

use dynamo_expression::partiql::{Select, Statement};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::JsonWriter;
use dynamo_protocol::ops::ExecuteStatementInput;

use super::PlanError;
use super::partiql::{self, PagePosition, SelectRequest, SelectStep};
use super::write::{PlannedCommand, WritePlan};
use crate::catalog::Catalog;
use crate::command::Command;
use crate::read::{Access, CapacityReport, Execution, ReadPlan};
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

/// What a SELECT reads, and how its answer is made of that.
pub struct SelectPlan {
    /// The read; `None` where no row can satisfy the statement.
    pub read: Option<ReadPlan>,
    /// How it finds the rows.
    pub access: Access,
    /// How the answer is made.
    answer: SelectAnswer,
}

/// How the answer to a SELECT is made.
struct SelectAnswer {
    /// Whether the read is the whole answer.
    is_whole: bool,
    /// Where the page begins.
    position: PagePosition,
    /// Of statement and parameters: a page's token is good for no other.
    digest: u128,
    /// What to report of the capacity.
    report: CapacityReport,
}

/// Plans a page of a SELECT.
///
/// # Errors
/// The client's mistakes, a token that is none or another statement's among them, and an unknown table.
pub fn select(input: &ExecuteStatementInput, select: &Select, catalog: &dyn Catalog) -> Result<SelectPlan, PlanError> {
    let digest = partiql::digest(&input.statement, input.parameters.as_ref());
    let position = PagePosition::read(input.next_token.as_deref(), digest)?;
    let report = CapacityReport::new(input.return_consumed_capacity, select.target.table.clone());
    let request = SelectRequest {
        consistent: input.consistent_read.unwrap_or(false),
        limit: input.limit.and_then(|limit| u64::try_from(limit).ok()),
        position: &position,
        report: report.clone(),
    };
    let (read, is_whole) = match partiql::select(select, request, catalog)? {
        SelectStep::Item(read) => (Some(read), true),
        SelectStep::Page(read) => (Some(read), false),
        SelectStep::Nothing => (None, false),
    };
    let access = read.as_ref().map_or(Access::Ranges(0), ReadPlan::access);
    Ok(SelectPlan { read, access, answer: SelectAnswer { is_whole, position, digest, report } })
}

impl SelectPlan {
    /// The reply's body, from what was read.
    ///
    /// # Errors
    /// Where that is another plan's.
    pub fn into_body(self, read: Option<Execution>) -> Result<Vec<u8>, ApiError> {
        let SelectAnswer { is_whole, position, digest, report } = self.answer;
        let mut page = match read {
            Some(read) if is_whole => return Ok(read.into_body()),
            Some(read) => Some(read.into_page().ok_or_else(ApiError::internal)?),
            None => None,
        };
        let mut front = Vec::new();
        let mut json = JsonWriter::new(&mut front);
        json.begin_object();
        if report.is_wanted() {
            json.key("ConsumedCapacity");
            let nothing = report.tally();
            report.write(page.as_ref().map_or(&nothing, |page| &page.consumed), false, &mut json);
        }
        json.key("Items");
        // In front of the rows, in their buffer: there may be megabytes of them.
        let mut out = page.as_mut().map_or_else(|| b"[]".to_vec(), |page| std::mem::take(&mut page.items));
        out.splice(..0, front);
        let mut json = JsonWriter::resume(&mut out);
        if let Some((page, key)) = page.as_ref().and_then(|page| Some((page, page.last_key.as_ref()?))) {
            json.key("LastEvaluatedKey").raw(|out| out.extend_from_slice(key));
            json.key("NextToken").str(&PagePosition::token(position.partition + page.partition, key, digest));
        }
        json.end_object();
        Ok(out)
    }
}
