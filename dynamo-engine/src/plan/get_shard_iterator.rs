//! GetShardIterator: what the place that is asked for has to be, before its shard is asked where it is.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::ops::GetShardIteratorInput;
use dynamo_protocol::shapes::ShardIteratorType;

use super::{PlanError, stream};
use crate::catalog::Catalog;
use crate::stream::{SequenceNumber, ShardIterator, StreamRequest, StreamResponse, StreamShardId, StreamStart};

/// An iterator to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetShardIterator {
    /// What its shard has to be asked.
    pub request: StreamRequest,
    /// The shard.
    pub shard: StreamShardId,
    /// The iterator, but for its place.
    iterator: ShardIterator,
}

/// What the request asks for at that moment.
///
/// # Errors
/// A place that is said in a wrong way, an unknown shard; [`PlanError::UnknownTable`] where there is no such stream.
pub fn plan(input: GetShardIteratorInput, now_ms: u64, catalog: &dyn Catalog) -> Result<GetShardIterator, PlanError> {
    let start = start(&input, now_ms)?;
    let description = stream::find(&input.stream_arn, catalog)?;
    let shard = input.shard_id.parse().map_err(|_| ApiError::stream_shard_not_found())?;
    let iterator = ShardIterator {
        arn: input.stream_arn,
        stream: description.id,
        shard,
        view: description.view,
        from: SequenceNumber::MIN,
        issued_ms: now_ms,
    };
    Ok(GetShardIterator { request: StreamRequest::Locate { stream: description.id, shard, start }, shard, iterator })
}

/// The place, whose parameters have to be those of its type. The exceptions are recorded, the words are not.
fn start(input: &GetShardIteratorInput, now_ms: u64) -> Result<StreamStart, ApiError> {
    let kind = input.shard_iterator_type;
    let (wants_number, wants_time) = match kind {
        ShardIteratorType::TrimHorizon | ShardIteratorType::Latest => (false, false),
        ShardIteratorType::AtSequenceNumber | ShardIteratorType::AfterSequenceNumber => (true, false),
        ShardIteratorType::AtTimestamp => (false, true),
    };
    for (member, is_wanted, is_there) in [
        ("SequenceNumber", wants_number, input.sequence_number.is_some()),
        ("Timestamp", wants_time, input.timestamp.is_some()),
    ] {
        if is_wanted != is_there {
            let must = if is_wanted { "is required" } else { "must not be specified" };
            return Err(invalid(format!("{member} {must} for ShardIteratorType {kind}")));
        }
    }
    let number = || stream::sequence_number(input.sequence_number.as_deref().unwrap_or_default());
    Ok(match kind {
        ShardIteratorType::TrimHorizon => StreamStart::TrimHorizon,
        ShardIteratorType::Latest => StreamStart::Latest,
        ShardIteratorType::AtSequenceNumber => StreamStart::At(number()?),
        ShardIteratorType::AfterSequenceNumber => StreamStart::After(number()?),
        ShardIteratorType::AtTimestamp => {
            // One before 1970 is older than every record, as any other one before the horizon.
            let ms = input.timestamp.map_or(0, |timestamp| u64::try_from(timestamp.millis).unwrap_or(0));
            if ms > now_ms {
                return Err(invalid("Timestamp lies in the future".to_owned()));
            }
            StreamStart::AtTime(ms)
        }
    })
}

fn invalid(why: String) -> ApiError {
    ApiError::validation(format!("One or more parameter values were invalid: {why}"))
}

impl GetShardIterator {
    /// The iterator, now that the shard has said where it begins.
    ///
    /// # Errors
    /// A place that is not to be had. A response that is no answer to the request is an InternalServerError.
    pub fn iterator(&self, response: &StreamResponse) -> Result<ShardIterator, ApiError> {
        match response {
            StreamResponse::Located(from) => Ok(ShardIterator { from: *from, ..self.iterator.clone() }),
            StreamResponse::NoShard => Err(ApiError::stream_shard_not_found()),
            StreamResponse::Trimmed => Err(ApiError::trimmed_data_access()),
            StreamResponse::OutOfRange => Err(invalid("SequenceNumber is not one of the shard".to_owned())),
            StreamResponse::Shards(_) | StreamResponse::Records { .. } => Err(ApiError::internal()),
        }
    }
}

#[cfg(test)]
mod tests {
    use dynamo_protocol::shapes::Timestamp;
    use shard_router::ShardId;

    use super::*;
    use crate::catalog::{MemoryCatalog, StreamView, fixture};
    use crate::context::RequestContext;
    use crate::reply::timestamp;

    const NOW_MS: u64 = 1_800_000_000_000;
    const SHARD: StreamShardId = StreamShardId { created_ms: 5, data_shard: ShardId(2) };

    fn input(kind: ShardIteratorType, number: Option<&str>, ms: Option<i64>) -> GetShardIteratorInput {
        let label = timestamp::label(fixture::orders().stream.unwrap().since_ms);
        GetShardIteratorInput {
            stream_arn: RequestContext::default().stream_arn("orders", &label),
            shard_id: SHARD.to_string(),
            shard_iterator_type: kind,
            sequence_number: number.map(str::to_owned),
            timestamp: ms.map(|millis| Timestamp { millis }),
        }
    }

    #[test]
    fn every_type_has_its_place() {
        let catalog = MemoryCatalog::new([fixture::orders()]);
        let number = SequenceNumber::new(258);
        let text = number.to_string();
        for (input, start) in [
            (input(ShardIteratorType::TrimHorizon, None, None), StreamStart::TrimHorizon),
            (input(ShardIteratorType::Latest, None, None), StreamStart::Latest),
            (input(ShardIteratorType::AtSequenceNumber, Some(&text), None), StreamStart::At(number)),
            (input(ShardIteratorType::AfterSequenceNumber, Some(&text), None), StreamStart::After(number)),
            (input(ShardIteratorType::AtTimestamp, None, Some(NOW_MS as i64)), StreamStart::AtTime(NOW_MS)),
            (input(ShardIteratorType::AtTimestamp, None, Some(-1)), StreamStart::AtTime(0)),
        ] {
            let arn = input.stream_arn.clone();
            let planned = plan(input, NOW_MS, &catalog).unwrap();
            let stream = fixture::orders().stream_id().unwrap();
            assert_eq!(planned.request, StreamRequest::Locate { stream, shard: SHARD, start });
            let iterator = planned.iterator(&StreamResponse::Located(number)).unwrap();
            let view = StreamView::NewAndOldImages;
            assert_eq!(iterator, ShardIterator { arn, stream, shard: SHARD, view, from: number, issued_ms: NOW_MS });
        }
    }

    #[test]
    fn bad_requests_are_refused() {
        let catalog = MemoryCatalog::new([fixture::orders()]);
        let refused = |input| plan(input, NOW_MS, &catalog).unwrap_err().into_api_error().to_string();
        let number = SequenceNumber::MIN.to_string();
        use ShardIteratorType::{AfterSequenceNumber, AtSequenceNumber, AtTimestamp, Latest, TrimHorizon};
        for (input, expected) in [
            (
                input(AtSequenceNumber, None, None),
                "SequenceNumber is required for ShardIteratorType AT_SEQUENCE_NUMBER",
            ),
            (input(AfterSequenceNumber, None, Some(5)), "SequenceNumber is required"),
            (
                input(TrimHorizon, Some(&number), None),
                "SequenceNumber must not be specified for ShardIteratorType TRIM",
            ),
            (input(Latest, None, Some(5)), "Timestamp must not be specified for ShardIteratorType LATEST"),
            (input(AtTimestamp, None, None), "Timestamp is required for ShardIteratorType AT_TIMESTAMP"),
            (input(AtTimestamp, Some(&number), Some(5)), "SequenceNumber must not be specified"),
            (input(AtTimestamp, None, Some(NOW_MS as i64 + 1)), "Timestamp lies in the future"),
            (input(AtSequenceNumber, Some("twenty-one-characters"), None), "Invalid SequenceNumber"),
        ] {
            let text = refused(input);
            assert!(text.starts_with("ValidationException: ") && text.contains(expected), "{text}");
        }
        let shard =
            GetShardIteratorInput { shard_id: "shardId-no-shard-at-all-here".to_owned(), ..input(Latest, None, None) };
        assert_eq!(refused(shard), "ResourceNotFoundException: Requested resource not found: Shard does not exist");
        let stream_arn = RequestContext::default().stream_arn("others", &timestamp::label(1));
        let stream = GetShardIteratorInput { stream_arn, ..input(Latest, None, None) };
        assert!(refused(stream).contains("not found: Stream: arn:aws:dynamodb:us-east-1:000000000000:table/others/"));
    }

    #[test]
    fn answers_of_the_shard() {
        let catalog = MemoryCatalog::new([fixture::orders()]);
        let planned = plan(input(ShardIteratorType::Latest, None, None), NOW_MS, &catalog).unwrap();
        for (response, expected) in [
            (StreamResponse::NoShard, "ResourceNotFoundException"),
            (StreamResponse::Trimmed, "TrimmedDataAccessException"),
            (StreamResponse::OutOfRange, "ValidationException"),
            (StreamResponse::Shards(Vec::new()), "InternalServerError"),
        ] {
            assert!(planned.iterator(&response).unwrap_err().to_string().starts_with(expected));
        }
    }
}
