//! ListStreams: the streams that can be read, also those that are over.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ListStreamsInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let page =
        call.look(|body, catalog| Ok(plan::list_streams::plan(ListStreamsInput::from_json(body)?, catalog)?)).await?;
    Ok(reply::list_streams(&page, call.context))
}
