//! UpdateTimeToLive: sets or clears the attribute of expiry.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateTimeToLiveInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    reply::update_time_to_live(
        &call
            .ddl(|body, catalog| plan::update_time_to_live::plan(UpdateTimeToLiveInput::from_json(body)?, catalog))
            .await?,
    )
}
