//! GetRecords: what an iterator leads to. Its token names the data shard, so that no catalog is asked.

use std::sync::Arc;

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::Room;
use dynamo_protocol::ops::GetRecordsInput;

use super::Call;
use crate::env::Env;
use crate::guard::{Handler, ReadFailure};
use crate::memory::AnswerRoom;
use crate::node::INLINE_BYTES_MAX;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let now_ms = call.node.router.wall_ms();
    let asked = call.decode(move |body| plan::get_records::plan(GetRecordsInput::from_json(body)?, now_ms)).await?;
    let shard = asked.iterator.shard.data_shard;
    let response = call.node.reader.ask_stream(Handler::GetRecords, shard, asked.request, call.deadline).await;
    let response = response.map_err(ReadFailure::into_api_error)?;
    if response.weight() <= INLINE_BYTES_MAX {
        return reply::get_records(&asked.iterator, &response, now_ms, call.context, None);
    }
    // What was read and what is made of it count while they wait for their turn, and the answer until its client has it.
    let Some(taken) = call.node.memory().take_for_answer(3 * response.weight()) else {
        return Err(ApiError::throughput_exceeded());
    };
    let room = AnswerRoom::of(taken);
    call.keep_room(Some(Arc::clone(&room) as Arc<dyn Room>));
    let (iterator, context) = (asked.iterator, call.context.clone().into_owned());
    let rendered = call
        .node
        .off_loop
        .run::<E, _>(call.deadline, move || {
            let rendered = reply::get_records(&iterator, &response, now_ms, &context, Some(&*room));
            room.settle(rendered.as_ref().map_or(0, Vec::capacity));
            rendered
        })
        .await;
    rendered.unwrap_or_else(|error| Err(error.into_api_error()))
}
