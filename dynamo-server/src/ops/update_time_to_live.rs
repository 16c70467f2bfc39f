//! UpdateTimeToLive: sets or clears the attribute of expiry.

use dynamo_engine::catalog::MemoryCatalog;
use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateTimeToLiveInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let window_ms = u64::try_from(call.node.ttl_update_window().as_millis()).unwrap_or(u64::MAX);
    let too_recent_ms = (window_ms > 0).then(|| call.node.router.wall_ms().saturating_sub(window_ms));
    let plan = move |body: &[u8], catalog: &MemoryCatalog| {
        plan::update_time_to_live::plan(UpdateTimeToLiveInput::from_json(body)?, catalog, too_recent_ms)
    };
    reply::update_time_to_live(&call.ddl(plan).await?)
}
