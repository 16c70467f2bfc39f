//! BatchExecuteStatement: up to 25 PartiQL statements, each on its own, all reads of single items or all writes.
//!
//! What is wrong with one statement is the answer to that one; only a mixture of reads and writes and two statements on
//! one item fail the batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use dynamo_expression::partiql::{Select, Statement};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::BatchExecuteStatementInput;

use super::partiql::{self, check_columns, check_key_types, only_item, refuse_multi_attribute, shape};
use super::write::{PlannedCommand, WritePlan};
use super::{ItemKey, PlanError, lookup};
use crate::catalog::Catalog;
use crate::command::Command;
use crate::read::Source;
use crate::read::{CapacityReport, ReadPlan, StatementGet, StatementRead, StatementSlot, StatementStyle};
use crate::reply::{ReplySpec, StatementBatchReply, StatementReply};

/// The statements of a batch.
pub struct Batch {
    /// The request.
    input: BatchExecuteStatementInput,
    /// In the order of the request: a statement, or what is wrong with it.
    statements: Vec<Result<Statement, ApiError>>,
}

impl Batch {
    /// Parses the statements of a request.
    ///
    /// # Errors
    /// Reads and writes in one batch.
    pub fn parse(input: BatchExecuteStatementInput) -> Result<Batch, ApiError> {
        let statements: Vec<_> = input
            .statements
            .iter()
            .enumerate()
            .map(|(at, request)| match input.bad_values.get(&at) {
                Some(error) => Err(error.clone()),
                None => partiql::parse(&request.statement, request.parameters.as_ref()),
            })
            .collect();
        let reads = statements.iter().flatten().filter(|statement| statement.is_read()).count();
        if reads != 0 && reads != statements.iter().flatten().count() {
            return Err(ApiError::validation("Read and write requests together in the same batch is not supported."));
        }
        Ok(Batch { input, statements })
    }

    /// Whether the batch writes; one without any sound statement does not.
    pub fn is_write(&self) -> bool {
        self.statements.iter().flatten().any(|statement| !statement.is_read())
    }

    /// Plans a batch of reads. A table that is not known is the answer to its statement where that is `confirmed`.
    ///
    /// # Errors
    /// Two statements on one item; a table that is not known and not confirmed to be so.
    pub fn read(&self, confirmed: bool, catalog: &dyn Catalog) -> Result<ReadPlan, PlanError> {
        let mut slots = Vec::with_capacity(self.statements.len());
        for (statement, request) in self.statements.iter().zip(&self.input.statements) {
            let planned = match statement {
                Ok(Statement::Select(select)) => {
                    let report = CapacityReport::new(self.input.return_consumed_capacity, select.target.table.clone());
                    get(select, request.consistent_read.unwrap_or(false), report, catalog)
                }
                Ok(_) => Err(PlanError::Client(ApiError::internal())),
                Err(error) => Err(PlanError::Client(error.clone())),
            };
            slots.push(match settled(planned, confirmed)? {
                Ok(get) => StatementSlot::Get(get),
                Err(error) => StatementSlot::Failed(error),
            });
        }
        let read = StatementRead { slots, style: StatementStyle::Responses };
        check_distinct(read.gets().map(|get| &get.key.row[..]))?;
        Ok(read.into())
    }

    /// Plans a batch of writes; `confirmed` as in [`Batch::read`].
    ///
    /// # Errors
    /// As [`Batch::read`].
    pub fn write(&self, confirmed: bool, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
        let mut reply = StatementBatchReply::default();
        let mut writes = Vec::with_capacity(self.statements.len());
        let mut rows = Vec::with_capacity(self.statements.len());
        for (statement, request) in self.statements.iter().zip(&self.input.statements) {
            let planned = match statement {
                Ok(statement) => {
                    partiql::write(statement, false, catalog).and_then(|planned| planned.map_err(PlanError::Client))
                }
                Err(error) => Err(PlanError::Client(error.clone())),
            };
            match settled(planned, confirmed)? {
                Ok(planned) => {
                    rows.push(planned.write.key.clone());
                    let (mode, on_failure) =
                        (self.input.return_consumed_capacity, request.return_values_on_condition_check_failure);
                    let said =
                        StatementReply::new(&planned.table, &planned.table_name, planned.is_insert, mode, on_failure);
                    reply.write(said.returning(planned.returns, planned.touched));
                    writes.push(PlannedCommand { token: planned.token, command: Command::Write(planned.write) });
                }
                Err(error) => reply.failed(error),
            }
        }
        check_distinct(rows.iter().map(Vec::as_slice))?;
        Ok(WritePlan { writes, reply: ReplySpec::StatementBatch(reply) })
    }
}

/// The read of a SELECT that names one item.
fn get(
    select: &Select,
    consistent: bool,
    report: CapacityReport,
    catalog: &dyn Catalog,
) -> Result<StatementGet, PlanError> {
    check_columns(select, catalog)?;
    let table = lookup::table(catalog, &select.target.table)?;
    if let Some(index) = &select.target.index {
        refuse_multi_attribute(&Source::new(Arc::clone(&table), Some(index))?)?;
    }
    let refusal = "Select statements within BatchExecuteStatement must specify the primary key in the where clause.";
    let key = only_item(&table, select, refusal)?;
    check_key_types(table.keys.attributes(), &key)?;
    let key = ItemKey::of(&table, &key)?;
    Ok(StatementGet { key, shape: shape(select), filter: None, consistent, report, table })
}

/// A plan, or the answer to its statement; an unknown table is that only once it is confirmed.
fn settled<T>(planned: Result<T, PlanError>, confirmed: bool) -> Result<Result<T, ApiError>, PlanError> {
    match planned {
        Err(error @ PlanError::UnknownTable(_)) if !confirmed => Err(error),
        planned => Ok(planned.map_err(PlanError::into_api_error)),
    }
}

fn check_distinct<'a>(rows: impl Iterator<Item = &'a [u8]>) -> Result<(), PlanError> {
    let mut seen = BTreeSet::new();
    for row in rows {
        if !seen.insert(row) {
            return Err(PlanError::validation("Provided list of item keys contains duplicates"));
        }
    }
    Ok(())
}
