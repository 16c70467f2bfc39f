//! ExecuteTransaction: up to a hundred PartiQL statements, all reads of single items or all writes, of one moment.
//!
//! What is wrong with a statement fails the transaction, with the number of the statement.

use dynamo_expression::partiql::{PrimaryKey, Select, Statement};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ExecuteTransactionInput;
use dynamo_protocol::shapes::ReturnValuesOnConditionCheckFailure;

use super::partiql::{self, check_key_types, named_item, shape};
use super::transact_write_items::{check_distinct, check_payload, transaction};
use super::write::{WritePlan, collection_key};
use super::{ItemKey, PlanError, lookup};
use crate::catalog::Catalog;
use crate::command::Change;
use crate::read::{CapacityReport, ReadPlan, TransactItem, TransactRead};
use crate::reply::TransactReply;

/// The statements of a transaction.
pub struct StatementTransaction {
    input: ExecuteTransactionInput,
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

    /// Plans a transaction of reads.
    ///
    /// # Errors
    /// The client's mistakes, and an unknown table.
    pub fn read(&self, catalog: &dyn Catalog) -> Result<ReadPlan, PlanError> {
        let mut items = Vec::with_capacity(self.statements.len());
        for (at, statement) in self.statements.iter().enumerate() {
            let Statement::Select(select) = statement else { return Err(PlanError::Client(ApiError::internal())) };
            let report = CapacityReport::new(self.input.return_consumed_capacity, select.target.table.clone());
            items.push(get(select, report, catalog).map_err(|error| at_statement(at, error))?);
        }
        check_distinct(items.iter().map(|item| &item.key.row[..]))?;
        Ok(TransactRead { items }.into())
    }

    /// Plans a transaction of writes and condition checks.
    ///
    /// # Errors
    /// The client's mistakes, and an unknown table.
    pub fn write(&self, catalog: &dyn Catalog) -> Result<WritePlan, PlanError> {
        let mut reply = TransactReply::new(self.input.return_consumed_capacity, None).for_statements();
        let mut tokens = Vec::with_capacity(self.statements.len());
        let mut writes = Vec::with_capacity(self.statements.len());
        let mut payload = 0;
        for (at, (statement, request)) in self.statements.iter().zip(&self.input.transact_statements).enumerate() {
            let planned = partiql::write(statement, true, catalog).map_err(|error| at_statement(at, error))?;
            payload += planned.billed_bytes;
            let is_check = matches!(planned.write.change, Change::Check);
            let collection = if is_check { Default::default() } else { collection_key(&planned.table, &planned.key) };
            let shows_item =
                request.return_values_on_condition_check_failure == Some(ReturnValuesOnConditionCheckFailure::AllOld);
            reply.action(&planned.table, &planned.table_name, shows_item, collection);
            if planned.is_insert {
                reply.last_is_insert();
            }
            tokens.push(planned.token);
            writes.push(planned.write);
        }
        check_payload(payload)?;
        check_distinct(writes.iter().map(|write| &write.key[..]))?;
        let token = tokens.first().copied().ok_or_else(ApiError::internal)?;
        Ok(transaction(token, writes, self.input.client_request_token.clone(), reply))
    }
}

/// The read of a SELECT that names one item and nothing else.
fn get(select: &Select, report: CapacityReport, catalog: &dyn Catalog) -> Result<TransactItem, PlanError> {
    let table = lookup::table(catalog, &select.target.table)?;
    if select.target.index.is_some() {
        return Err(PlanError::validation("Reads on indices are not supported within transactions."));
    }
    let Some(PrimaryKey { key, residual: None }) = named_item(&table, select.condition.as_ref()) else {
        return Err(PlanError::validation(
            "Select statements within ExecuteTransaction must specify the primary key in the where clause.",
        ));
    };
    check_key_types(table.keys.attributes(), &key)?;
    let key = ItemKey::of(&table, &key)?;
    Ok(TransactItem { key, shape: shape(select), report, table, shows_empty: true })
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
