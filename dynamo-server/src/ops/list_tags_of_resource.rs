//! ListTagsOfResource: the tags of a table.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ListTagsOfResourceInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let plan = || plan::tag_resource::plan_list(ListTagsOfResourceInput::from_json(call.body)?, &*call.node.catalog());
    let table = call.look(plan).await?;
    Ok(reply::list_tags_of_resource(&table))
}
