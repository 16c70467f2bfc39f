//! ExecuteTransaction: up to a hundred PartiQL statements, all reads of single items or all writes, of one moment.
//!
//! What is wrong is found in three steps, as DynamoDB does (captures of September 2026):
//!
//! 1. a statement by itself: the transaction is refused, with the number of the first such statement;
//! 2. a statement against its table, which may be missing, and its item: the transaction is cancelled, and each such
//!    statement has its reason;
//! 3. two statements on one item.

use std::sync::Arc;

use dynamo_expression::partiql::{Select, Statement};
use dynamo_protocol::error::{ApiError, CancellationReason};
use dynamo_protocol::ops::ExecuteTransactionInput;
use dynamo_protocol::shapes::ReturnValuesOnConditionCheckFailure;

use super::partiql::{self, check_columns, only_item, shape};
use super::transact_write_items::{check_distinct, check_payload, transaction};
use super::write::{WritePlan, collection_key};
use super::{ItemKey, PlanError, lookup};
use crate::catalog::Catalog;
use crate::command::Change;
use crate::read::{CapacityReport, ReadPlan, TransactItem, TransactRead};
use crate::reply::TransactReply;

/// The statements of a transaction.
pub struct StatementTransaction {
    /// The request.
    input: ExecuteTransactionInput,
    /// Its statements, parsed, in their order: all reads or all writes.
    statements: Vec<Statement>,
}

impl StatementTransaction {
    /// Parses the statements of a request.
    ///
    /// # Errors
    /// The first statement that is wrong; reads and writes in one transaction.
    pub fn parse(input: ExecuteTransactionInput) -> Result<StatementTransaction, ApiError> {
        let requests = input.transact_statements.iter().enumerate();
        let statements = requests.map(|(at, request)| {
            partiql::parse(&request.statement, request.parameters.as_ref()).map_err(|error| located(at, error))
        });
        let statements: Vec<Statement> = statements.collect::<Result<_, _>>()?;
        let reads = statements.iter().filter(|statement| statement.is_read()).count();
        if reads != 0 && reads != statements.len() {
            return Err(ApiError::validation(
                "ExecuteTransaction API does not support both read and write operations in the same request.",
            ));
        }
        Ok(StatementTransaction { input, statements })
    }

    /// Whether the transaction writes or checks conditions.
    pub fn is_write(&self) -> bool {
        self.statements.iter().any(|statement| !statement.is_read())
    }

    /// Plans a transaction of reads. A table that is not known cancels it where that is `confirmed`.
    ///
    /// # Errors
    /// The client's mistakes; a table that is not known and not confirmed to be so.
    pub fn read(&self, confirmed: bool, catalog: &dyn Catalog) -> Result<ReadPlan, PlanError> {
        let planned = self.statements.iter().map(|statement| {
            let Statement::Select(select) = statement else { return Err(PlanError::Client(ApiError::internal())) };
            let report = CapacityReport::new(self.input.return_consumed_capacity, select.target.table.clone());
            get(select, report, catalog)
        });
        let items = all_or_cancelled(planned, confirmed)?;
        check_distinct(items.iter().map(|item| &item.key.row[..]))?;
        Ok(TransactRead { items }.into())
    }

    /// Plans a transaction of writes and condition checks; `confirmed` as in [`StatementTransaction::read`].
    ///
    /// # Errors
    /// As [`StatementTransaction::read`].
    pub fn write(&self, confirmed: bool, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
        let planned = self.statements.iter().map(|statement| partiql::write(statement, true, catalog));
        let planned = all_or_cancelled(planned, confirmed)?;
        check_payload(planned.iter().map(|statement| statement.billed_bytes).sum())?;
        let mut reply = TransactReply::new(self.input.return_consumed_capacity, None).for_statements();
        let token = planned.first().map(|statement| statement.token).ok_or_else(ApiError::internal)?;
        let mut writes = Vec::with_capacity(planned.len());
        for (statement, request) in planned.into_iter().zip(&self.input.transact_statements) {
            let is_check = matches!(statement.write.change, Change::Check);
            let collection =
                if is_check { Default::default() } else { collection_key(&statement.table, &statement.key) };
            let shows_item =
                request.return_values_on_condition_check_failure == Some(ReturnValuesOnConditionCheckFailure::AllOld);
            reply.action(&statement.table, &statement.table_name, shows_item, collection);
            if statement.is_insert {
                reply.last_is_insert();
            }
            writes.push(statement.write);
        }
        check_distinct(writes.iter().map(|write| &write.key[..]))?;
        Ok(transaction(token, writes, self.input.client_request_token.clone(), reply))
    }
}

/// The read of a SELECT that names one item and nothing else, or what is wrong with the item's key.
fn get(
    select: &Select,
    report: CapacityReport,
    catalog: &dyn Catalog,
) -> Result<Result<TransactItem, ApiError>, PlanError> {
    check_columns(select, catalog)?;
    let table = lookup::table(catalog, &select.target.table)?;
    if select.target.index.is_some() {
        return Err(PlanError::validation("Reads on indices are not supported within transactions."));
    }
    let refusal = "Select statements within ExecuteTransaction must specify the primary key in the where clause.";
    let key = only_item(&table, select, refusal)?;
    let item = |key| TransactItem { key, shape: shape(select), report, table: Arc::clone(&table), shows_empty: true };
    Ok(ItemKey::of(&table, &key).map(item))
}

/// All statements; the first one that is wrong by itself; or a cancellation with the reasons of those that do not fit
/// their tables.
fn all_or_cancelled<T>(
    planned: impl Iterator<Item = Result<Result<T, ApiError>, PlanError>>,
    confirmed: bool,
) -> Result<Vec<T>, PlanError> {
    let mut statements = Vec::new();
    for (at, planned) in planned.enumerate() {
        statements.push(match planned {
            Ok(planned) => planned.map_err(|error| CancellationReason::validation(error.message())),
            Err(PlanError::UnknownTable(_)) if confirmed => Err(CancellationReason::resource_not_found()),
            Err(error) => return Err(at_statement(at, error)),
        });
    }
    if statements.iter().all(Result::is_ok) {
        return Ok(statements.into_iter().flatten().collect());
    }
    let reasons = statements.into_iter().map(|statement| statement.err().unwrap_or_else(CancellationReason::none));
    Err(PlanError::Client(ApiError::transaction_canceled(reasons.collect())))
}

/// The mistake of one statement, with its number.
fn at_statement(at: usize, error: PlanError) -> PlanError {
    match error {
        PlanError::Client(error) => PlanError::Client(located(at, error)),
        other => other,
    }
}

fn located(at: usize, error: ApiError) -> ApiError {
    ApiError::new(error.kind(), format!("Validation failed in TransactStatements[{at}]: {}", error.message()))
}
