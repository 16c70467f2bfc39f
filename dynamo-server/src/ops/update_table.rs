//! UpdateTable: settings at once, indexes step by step behind the reply.

use dynamo_engine::apply::ddl::DdlOutcome;
use dynamo_engine::catalog::TableStats;
use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateTableInput;

use super::{Call, refuse_stream};
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let outcome = call
        .ddl(|body, catalog| {
            let input = UpdateTableInput::from_json(body)?;
            let stream = input.stream_specification.clone();
            let command = plan::update_table::plan(input, catalog)?;
            refuse_stream(stream.as_ref())?;
            Ok(command)
        })
        .await?;
    let stats = match &outcome {
        DdlOutcome::Changed { after, .. } => call.stats(after)?,
        _ => TableStats::default(),
    };
    reply::update_table(&outcome, &stats, call.context)
}
