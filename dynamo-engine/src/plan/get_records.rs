//! GetRecords: everything it needs is in its iterator.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::limits::{GET_RECORDS_BYTES_MAX, GET_RECORDS_PAGE};
use dynamo_protocol::ops::GetRecordsInput;

use crate::stream::{ShardIterator, StreamRequest};

/// Records to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetRecords {
    /// Where.
    pub iterator: ShardIterator,
    /// What the iterator's shard has to be asked.
    pub request: StreamRequest,
}

/// What the request asks for at that moment.
///
/// # Errors
/// What is no iterator, or none any more.
pub fn plan(input: GetRecordsInput, now_ms: u64) -> Result<GetRecords, ApiError> {
    // The exception is recorded, the words are not.
    let iterator: ShardIterator =
        input.shard_iterator.parse().map_err(|_| ApiError::validation("Invalid ShardIterator"))?;
    if iterator.is_expired(now_ms) {
        return Err(ApiError::expired_iterator());
    }
    let request = StreamRequest::Records {
        stream: iterator.stream,
        shard: iterator.shard,
        from: iterator.from,
        limit: input.limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(GET_RECORDS_PAGE as u32),
        bytes_max: GET_RECORDS_BYTES_MAX as u64,
    };
    Ok(GetRecords { iterator, request })
}

#[cfg(test)]
mod tests {
    use shard_router::ShardId;

    use super::*;
    use crate::catalog::{StreamView, TableId};
    use crate::stream::{SequenceNumber, StreamId, StreamShardId};

    #[test]
    fn an_iterator_says_everything() {
        let iterator = ShardIterator {
            arn: "arn".to_owned(),
            stream: StreamId { table: TableId(7), since_ms: 5 },
            shard: StreamShardId { created_ms: 6, data_shard: ShardId(2) },
            view: StreamView::KeysOnly,
            from: SequenceNumber::new(9),
            issued_ms: 1000,
        };
        let get = |text: &str, limit, now_ms| plan(GetRecordsInput { shard_iterator: text.to_owned(), limit }, now_ms);
        let planned = get(&iterator.to_string(), Some(3), 1000).unwrap();
        let request = |limit| StreamRequest::Records {
            stream: iterator.stream,
            shard: iterator.shard,
            from: iterator.from,
            limit,
            bytes_max: 1 << 20,
        };
        assert_eq!(planned, GetRecords { iterator: iterator.clone(), request: request(3) });
        assert_eq!(get(&iterator.to_string(), None, 0).unwrap().request, request(1000));
        let refused = |text: &str, now_ms| get(text, None, now_ms).unwrap_err().to_string();
        assert_eq!(
            refused(&iterator.to_string(), 1001 + 15 * 60 * 1000),
            "ExpiredIteratorException: The provided iterator exceeds the maximum age allowed."
        );
        assert_eq!(refused("garbage", 0), "ValidationException: Invalid ShardIterator");
    }
}
