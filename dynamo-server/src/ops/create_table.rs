//! CreateTable: a table that is ready at once.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::CreateTableInput;

use super::{Call, refuse_stream};
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let outcome = call
        .ddl(|body, _| {
            let input = CreateTableInput::from_json(body)?;
            let stream = input.stream_specification.clone();
            let command = plan::create_table::plan(input)?;
            refuse_stream(stream.as_ref())?;
            Ok(command)
        })
        .await?;
    reply::create_table(&outcome, call.context)
}
