//! DescribeContinuousBackups: that there are none yet.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::DescribeContinuousBackupsInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let plan = || {
        plan::describe_table::plan_continuous_backups(
            DescribeContinuousBackupsInput::from_json(body)?,
            &*node.catalog(),
        )
    };
    attempt::look(node, plan).await?;
    Ok(reply::describe_continuous_backups())
}
