//! ExecuteStatement: one PartiQL statement.

use std::sync::Arc;

use dynamo_engine::plan::execute_statement as plan;
use dynamo_engine::read::Access;
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
        statement => {
            tracing::debug!(table = statement.table(), "a statement writes one item");
            call.write(move |_, catalog| plan::write(&parsed.0, &parsed.1, catalog)).await
        }
    }
}

async fn select<E: Env>(
    call: &Call<'_, E>,
    input: &ExecuteStatementInput,
    select: &Select,
) -> Result<Vec<u8>, ApiError> {
    let (plan, read) = call.execute(|| plan::select(input, select, &*call.node.catalog.installed())).await?;
    note_access(call, select, plan.access);
    plan.into_body(read)
}

/// Says how a SELECT was carried out. A scan is what its writer may not have meant, so they are counted, too.
fn note_access<E: Env>(call: &Call<'_, E>, select: &Select, access: Access) {
    tracing::debug!(table = select.target.table, index = select.target.index, %access, "a statement reads");
    if access == Access::Scan {
        call.node.reader.count_statement_scan();
    }
}
