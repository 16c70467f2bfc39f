//! DescribeContinuousBackups: that there are none yet.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeContinuousBackupsInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let plan = || {
        plan::describe_table::plan_continuous_backups(
            DescribeContinuousBackupsInput::from_json(call.body)?,
            &*call.node.catalog(),
        )
    };
    call.look(plan).await?;
    Ok(reply::describe_continuous_backups())
}
