//! DescribeContinuousBackups: that there are none yet.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeContinuousBackupsInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    call.look(|body, catalog| {
        plan::describe_table::plan_continuous_backups(DescribeContinuousBackupsInput::from_json(body)?, catalog)
    })
    .await?;
    Ok(reply::describe_continuous_backups())
}
