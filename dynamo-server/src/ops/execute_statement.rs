//! ExecuteStatement: one PartiQL statement.

use std::sync::Arc;

use dynamo_engine::plan::execute_statement::{self as plan, SelectAnswer, SelectRead};
use dynamo_expression::partiql::{Select, Statement};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ExecuteStatementInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let parse = |body: &[u8]| {
        let input = ExecuteStatementInput::from_json(body)?;
        let statement = plan::parse(&input)?;
        Ok((input, statement))
    };
    let parsed = Arc::new(call.decode(parse).await?);
    match &parsed.1 {
        Statement::Select(select) => self::select(call, &parsed.0, select).await,
        _ => call.write(move |_, catalog| plan::write(&parsed.0, &parsed.1, catalog)).await,
    }
}

/// Reads one partition of the statement after the other, until the page is full.
async fn select<E: Env>(
    call: &Call<'_, E>,
    input: &ExecuteStatementInput,
    select: &Select,
) -> Result<Vec<u8>, ApiError> {
    let consistent = input.consistent_read.unwrap_or(false);
    let mut answer = SelectAnswer::begin(input, select)?;
    loop {
        let next = || answer.next(consistent, select, &*call.node.catalog());
        let (read, more) = match call.execute(next, SelectRead::into_plan).await? {
            None => return Ok(answer.into_body()),
            Some((read, None)) => return Ok(read.into_body()),
            Some((read, Some(more))) => (read, more),
        };
        if answer.take(read, more)? {
            return Ok(answer.into_body());
        }
    }
}
