//! DescribeStream: a stream and its shards, as all data shards have them at this moment.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeStreamInput;

use super::Call;
use crate::env::Env;
use crate::guard::ReadFailure;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let asked =
        call.look(|body, catalog| plan::describe_stream::plan(DescribeStreamInput::from_json(body)?, catalog)).await?;
    let shards =
        call.node.reader.stream_shards(asked.stream.id, call.deadline).await.map_err(ReadFailure::into_api_error)?;
    Ok(reply::describe_stream(&asked.stream, &asked.page(shards), call.context))
}
