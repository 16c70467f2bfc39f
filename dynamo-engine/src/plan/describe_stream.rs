//! DescribeStream: the stream from the catalog; its shards are gathered from the data shards, and paged here.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::limits::DESCRIBE_STREAM_PAGE;
use dynamo_protocol::ops::DescribeStreamInput;

use super::{PlanError, stream};
use crate::catalog::{Catalog, StreamDescription};
use crate::reply::ShardPage;
use crate::stream::StreamShard;

/// What is asked about a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeStream {
    /// The stream.
    pub stream: StreamDescription,
    /// The most stream shards to return.
    limit: usize,
    /// Only stream shards behind this id.
    after: Option<String>,
    /// Only children of this stream shard.
    children_of: Option<String>,
}

/// What the request asks for.
///
/// # Errors
/// What is no stream's ARN, a filter that says too little; [`PlanError::UnknownTable`] where there is no such stream.
pub fn plan(input: DescribeStreamInput, catalog: &dyn Catalog) -> Result<DescribeStream, PlanError> {
    let children_of = match input.shard_filter {
        None => None,
        Some(filter) => match (filter.kind, filter.shard_id) {
            (Some(_), Some(shard)) => Some(shard),
            // Not recorded.
            (None, _) => return Err(invalid("ShardFilter needs a Type")),
            (_, None) => return Err(invalid("ShardFilter of type CHILD_SHARDS needs a ShardId")),
        },
    };
    Ok(DescribeStream {
        stream: stream::find(&input.stream_arn, catalog)?,
        limit: input.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DESCRIBE_STREAM_PAGE),
        after: input.exclusive_start_shard_id,
        children_of,
    })
}

fn invalid(why: &str) -> PlanError {
    ApiError::validation(format!("One or more parameter values were invalid: {why}")).into()
}

impl DescribeStream {
    /// The page of all shards of the stream. Behind a shard that there is none of there is nothing.
    pub fn page(&self, mut shards: Vec<StreamShard>) -> ShardPage {
        shards.sort_by_key(|shard| shard.id);
        if let Some(after) = &self.after {
            let behind =
                shards.iter().position(|shard| shard.id.to_string() == *after).map_or(shards.len(), |at| at + 1);
            shards.drain(..behind);
        }
        if let Some(parent) = &self.children_of {
            shards.retain(|shard| shard.parent.is_some_and(|its| its.to_string() == *parent));
        }
        let has_more = shards.len() > self.limit;
        shards.truncate(self.limit);
        ShardPage { shards, has_more }
    }
}

#[cfg(test)]
mod tests {
    use dynamo_protocol::shapes::{ShardFilter, ShardFilterType};
    use shard_router::ShardId;

    use super::*;
    use crate::catalog::{MemoryCatalog, fixture};
    use crate::context::RequestContext;
    use crate::reply::timestamp;
    use crate::stream::{SequenceNumber, StreamShardId};

    fn id(created_ms: u64, data_shard: u32) -> StreamShardId {
        StreamShardId { created_ms, data_shard: ShardId(data_shard) }
    }

    fn arn(table: &str, since_ms: u64) -> String {
        RequestContext::default().stream_arn(table, &timestamp::label(since_ms))
    }

    fn input() -> DescribeStreamInput {
        let stream_arn = arn("orders", fixture::orders().stream.unwrap().since_ms);
        DescribeStreamInput { stream_arn, ..DescribeStreamInput::default() }
    }

    #[test]
    fn pages() {
        let catalog = MemoryCatalog::new([fixture::orders()]);
        let stream = fixture::orders().stream_id().unwrap();
        let open = |id, parent| StreamShard::open(stream, id, parent, SequenceNumber::MIN, shard_router::Token(0));
        let shards = [
            open(id(9, 1), Some(id(1, 1))),
            open(id(1, 1), None),
            open(id(1, 0), Some(id(0, 0))),
            open(id(20, 0), Some(id(1, 0))),
        ];
        let page = |limit, after: Option<StreamShardId>, children_of: Option<StreamShardId>| {
            let shard_filter = children_of.map(|parent| ShardFilter {
                kind: Some(ShardFilterType::ChildShards),
                shard_id: Some(parent.to_string()),
            });
            let exclusive_start_shard_id = after.map(|after| after.to_string());
            let input = DescribeStreamInput { limit, exclusive_start_shard_id, shard_filter, ..input() };
            let page = plan(input, &catalog).unwrap().page(shards.to_vec());
            (page.shards.iter().map(|shard| shard.id).collect::<Vec<_>>(), page.has_more)
        };
        assert_eq!(page(None, None, None), (vec![id(1, 0), id(1, 1), id(9, 1), id(20, 0)], false));
        assert_eq!(page(Some(1), None, None), (vec![id(1, 0)], true));
        assert_eq!(page(Some(2), Some(id(1, 0)), None), (vec![id(1, 1), id(9, 1)], true));
        assert_eq!(page(Some(2), Some(id(1, 1)), None), (vec![id(9, 1), id(20, 0)], false));
        assert_eq!(page(None, Some(id(20, 0)), None), (vec![], false));
        assert_eq!(page(None, Some(id(2, 0)), None), (vec![], false), "no such shard");
        assert_eq!(page(None, None, Some(id(1, 1))), (vec![id(9, 1)], false));
        assert_eq!(page(None, None, Some(id(0, 0))), (vec![id(1, 0)], false), "of a parent that is gone");
        assert_eq!(page(None, Some(id(1, 0)), Some(id(0, 0))), (vec![], false));
        assert_eq!(page(None, None, Some(id(20, 0))), (vec![], false));
    }

    #[test]
    fn bad_requests_are_refused() {
        let catalog = MemoryCatalog::new([fixture::orders()]);
        let refused = |input| plan(input, &catalog).unwrap_err().into_api_error().message().to_owned();
        for (stream_arn, expected) in [
            ("garbage-that-is-longer-than-thirty-seven".to_owned(), "Invalid StreamArn".to_owned()),
            (RequestContext::default().table_arn("a-table-that-is-no-stream"), "Invalid StreamArn".to_owned()),
        ]
        .into_iter()
        .chain(
            [arn("orders", 1), arn("others", 1), RequestContext::default().stream_arn("orders", "latest")].map(|arn| {
                let expected = format!("Requested resource not found: Stream: {arn} not found");
                (arn, expected)
            }),
        ) {
            assert_eq!(refused(DescribeStreamInput { stream_arn, ..input() }), expected);
        }
        let filter = |kind, shard_id: Option<&str>| {
            let shard_filter = Some(ShardFilter { kind, shard_id: shard_id.map(str::to_owned) });
            refused(DescribeStreamInput { shard_filter, ..input() })
        };
        assert!(filter(None, Some("shard")).contains("ShardFilter needs a Type"));
        assert!(filter(Some(ShardFilterType::ChildShards), None).contains("needs a ShardId"));
    }
}
