//! UpdateTable: settings at once, indexes step by step behind the reply.

use dynamo_engine::apply::ddl::DdlOutcome;
use dynamo_engine::catalog::TableStats;
use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateTableInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let outcome =
        call.ddl(|body, catalog| plan::update_table::plan(UpdateTableInput::from_json(body)?, catalog)).await?;
    let stats = match &outcome {
        DdlOutcome::Changed { after, .. } => call.stats(after)?,
        _ => TableStats::default(),
    };
    reply::update_table(&outcome, &stats, call.context)
}
