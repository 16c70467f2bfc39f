//! GetShardIterator: a place in a shard of a stream, as a token.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::GetShardIteratorInput;

use super::Call;
use crate::env::Env;
use crate::guard::{Handler, ReadFailure};

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let now_ms = call.node.router.wall_ms();
    let asked = call
        .look(move |body, catalog| {
            plan::get_shard_iterator::plan(GetShardIteratorInput::from_json(body)?, now_ms, catalog)
        })
        .await?;
    let (shard, request) = (asked.shard.data_shard, asked.request.clone());
    let response = call.node.reader.ask_stream(Handler::GetShardIterator, shard, request, call.deadline).await;
    let iterator = asked.iterator(&response.map_err(ReadFailure::into_api_error)?)?;
    Ok(reply::get_shard_iterator(&iterator))
}
