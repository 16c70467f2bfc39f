//! UpdateTimeToLive: sets or clears the attribute of expiry.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::UpdateTimeToLiveInput;

use super::attempt;
use crate::env::Env;
use crate::node::Node;

pub(super) async fn run<E: Env>(node: &Node<E>, body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let plan = || plan::update_time_to_live::plan(UpdateTimeToLiveInput::from_json(body)?, &*node.catalog());
    reply::update_time_to_live(&attempt::ddl(node, plan).await?)
}
