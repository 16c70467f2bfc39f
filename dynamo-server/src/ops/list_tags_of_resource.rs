//! ListTagsOfResource: the tags of a table.

use dynamo_engine::{plan, reply};
use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::ListTagsOfResourceInput;

use super::Call;
use crate::env::Env;

pub(super) async fn run<E: Env>(call: &Call<'_, E>) -> Result<Vec<u8>, ApiError> {
    let table = call
        .look(|body, catalog| plan::tag_resource::plan_list(ListTagsOfResourceInput::from_json(body)?, catalog))
        .await?;
    Ok(reply::list_tags_of_resource(&table))
}
