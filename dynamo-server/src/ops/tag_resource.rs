//! TagResource: sets tags of a table.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::TagResourceInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    reply::tag_resource(
        &call.ddl(|body, catalog| plan::tag_resource::plan(TagResourceInput::from_json(body)?, catalog)).await?,
    )
}
