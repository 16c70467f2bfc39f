//! Replies of the stream operations.
//!
//! Source: AWS, *Amazon DynamoDB Streams API reference*; records as public suites recorded them.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::json::{JsonWriter, Room};

use super::settings::object;
use super::table_description::write_keys;
use super::timestamp;
use crate::catalog::StreamDescription;
use crate::context::RequestContext;
use crate::stream::{ShardIterator, StreamRecord, StreamResponse, StreamShard};

/// The version of a record's form.
const EVENT_VERSION: &str = "1.1";

/// One page of streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPage {
    /// The streams, in the order of their tables' names and their beginnings.
    pub streams: Vec<StreamDescription>,
    /// Whether more follow.
    pub has_more: bool,
}

/// One page of shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardPage {
    /// The shards, in the order of their ids.
    pub shards: Vec<StreamShard>,
    /// Whether more follow.
    pub has_more: bool,
}

/// The body of ListStreams' reply.
pub fn list_streams(page: &StreamPage, context: &RequestContext) -> Vec<u8> {
    object(|json| {
        if let Some(last) = page.streams.last().filter(|_| page.has_more) {
            json.key("LastEvaluatedStreamArn").str(&arn(last, context));
        }
        json.key("Streams").begin_array();
        for stream in &page.streams {
            json.begin_object();
            write_name(json, stream, context);
            json.end_object();
        }
        json.end_array();
    })
}

/// The body of DescribeStream's reply.
pub fn describe_stream(stream: &StreamDescription, page: &ShardPage, context: &RequestContext) -> Vec<u8> {
    object(|json| {
        json.key("StreamDescription").begin_object();
        json.key("CreationRequestDateTime").timestamp_ms(stream.id.since_ms);
        json.key("KeySchema");
        write_keys(json, &stream.keys);
        if let Some(last) = page.shards.last().filter(|_| page.has_more) {
            json.key("LastEvaluatedShardId").str(&last.id.to_string());
        }
        json.key("Shards").begin_array();
        page.shards.iter().for_each(|shard| write_shard(json, shard));
        json.end_array();
        write_name(json, stream, context);
        json.key("StreamStatus").str(stream.status.name());
        json.key("StreamViewType").str(stream.view.name());
        json.end_object();
    })
}

fn arn(stream: &StreamDescription, context: &RequestContext) -> String {
    context.stream_arn(&stream.table_name, &timestamp::label(stream.id.since_ms))
}

fn write_name(json: &mut JsonWriter<'_>, stream: &StreamDescription, context: &RequestContext) {
    json.key("StreamArn").str(&arn(stream, context));
    json.key("StreamLabel").str(&timestamp::label(stream.id.since_ms));
    json.key("TableName").str(&stream.table_name);
}

fn write_shard(json: &mut JsonWriter<'_>, shard: &StreamShard) {
    json.begin_object();
    if let Some(parent) = shard.parent {
        json.key("ParentShardId").str(&parent.to_string());
    }
    json.key("SequenceNumberRange").begin_object();
    if let Some(last) = shard.last {
        json.key("EndingSequenceNumber").str(&last.to_string());
    }
    json.key("StartingSequenceNumber").str(&shard.first.to_string());
    json.end_object();
    json.key("ShardId").str(&shard.id.to_string());
    json.end_object();
}

/// The body of GetShardIterator's reply.
pub fn get_shard_iterator(iterator: &ShardIterator) -> Vec<u8> {
    object(|json| _ = json.key("ShardIterator").str(&iterator.to_string()))
}

/// The body of GetRecords' reply: what the shard fetched to this iterator, and the iterator behind it, made at `now_ms`.
/// At the end of a shard that is closed there is none. Once it is large it asks for `room`.
///
/// # Errors
/// What is not to be had, and that there is no room; an InternalServerError where the response is no answer, or damaged.
pub fn get_records(
    iterator: &ShardIterator,
    response: &StreamResponse,
    now_ms: u64,
    context: &RequestContext,
    room: Option<&dyn Room>,
) -> Result<Vec<u8>, ApiError> {
    let (records, next) = match response {
        StreamResponse::Records { records, next } => (records, next),
        StreamResponse::NoShard => return Err(ApiError::stream_shard_not_found()),
        StreamResponse::Trimmed => return Err(ApiError::trimmed_data_access()),
        StreamResponse::OutOfRange | StreamResponse::Shards(_) | StreamResponse::Located(_) => {
            return Err(ApiError::internal());
        }
    };
    let mut out = Vec::with_capacity(256 + response.weight());
    let mut json = JsonWriter::new(&mut out).asking(room);
    json.begin_object();
    if let Some(from) = next {
        let next = ShardIterator { from: *from, issued_ms: now_ms, ..iterator.clone() };
        json.key("NextShardIterator").str(&next.to_string());
    }
    json.key("Records").begin_array();
    for (number, bytes) in records {
        let record = StreamRecord::parse(*number, bytes).map_err(|_| ApiError::internal())?;
        write_record(&mut json, &record, iterator, context)?;
        if json.is_out_of_room() {
            return Err(ApiError::throughput_exceeded());
        }
    }
    json.end_array().end_object();
    Ok(out)
}

fn write_record(
    json: &mut JsonWriter<'_>,
    record: &StreamRecord<'_>,
    iterator: &ShardIterator,
    context: &RequestContext,
) -> Result<(), ApiError> {
    json.begin_object();
    json.key("awsRegion").str(&context.region);
    json.key("dynamodb").begin_object();
    json.key("ApproximateCreationDateTime").u64(record.created_s());
    for (member, item) in [("Keys", Some(record.keys)), ("NewImage", record.new), ("OldImage", record.old)] {
        if let Some(item) = item {
            item.write_json(json.key(member)).map_err(|_| ApiError::internal())?;
        }
    }
    json.key("SequenceNumber").str(&record.sequence.to_string());
    json.key("SizeBytes").u64(record.size_bytes() as u64);
    json.key("StreamViewType").str(iterator.view.name());
    json.end_object();
    let id = record.sequence.event_id(iterator.stream, iterator.shard.data_shard);
    json.key("eventID").str(&format!("{id:032x}"));
    json.key("eventName").str(record.event.name());
    json.key("eventSource").str("aws:dynamodb");
    json.key("eventVersion").str(EVENT_VERSION);
    if record.by_ttl {
        json.key("userIdentity").begin_object();
        json.key("PrincipalId").str("dynamodb.amazonaws.com").key("Type").str("Service");
        json.end_object();
    }
    json.end_object();
    Ok(())
}

#[cfg(test)]
mod tests {
    use dynamo_protocol::value::{AttributeValue, Item};
    use ordered_kv::Value;
    use shard_router::{ShardId, Token};

    use super::*;
    use crate::catalog::{Catalog, MemoryCatalog, StreamView, fixture};
    use crate::item::ItemBody;
    use crate::stream::{EventName, SequenceNumber, StreamShardId};

    const NOW_MS: u64 = 1_800_000_000_000;

    fn stream() -> StreamDescription {
        MemoryCatalog::new([fixture::orders()]).streams(None).remove(0)
    }

    fn id(created_ms: u64) -> StreamShardId {
        StreamShardId { created_ms, data_shard: ShardId(2) }
    }

    fn iterator() -> ShardIterator {
        ShardIterator {
            arn: "arn".to_owned(),
            stream: stream().id,
            shard: id(5),
            view: StreamView::NewAndOldImages,
            from: SequenceNumber::new(7),
            issued_ms: 1,
        }
    }

    fn text(body: Vec<u8>) -> String {
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn streams_and_shards() {
        let context = RequestContext::for_region("eu-west-1");
        let name = r#""StreamArn":"arn:aws:dynamodb:eu-west-1:000000000000:table/orders/stream/2023-11-14T22:13:20.001","StreamLabel":"2023-11-14T22:13:20.001","TableName":"orders""#;
        let page = StreamPage { streams: vec![stream()], has_more: true };
        let last = r#""LastEvaluatedStreamArn":"arn:aws:dynamodb:eu-west-1:000000000000:table/orders/stream/2023-11-14T22:13:20.001""#;
        assert_eq!(text(list_streams(&page, &context)), format!(r#"{{{last},"Streams":[{{{name}}}]}}"#));
        let empty = StreamPage { streams: Vec::new(), has_more: false };
        assert_eq!(text(list_streams(&empty, &context)), r#"{"Streams":[]}"#);

        let open = StreamShard::open(stream().id, id(9), Some(id(5)), SequenceNumber::new(3), Token(0));
        let sealed = StreamShard {
            id: id(5),
            parent: None,
            first: SequenceNumber::new(1),
            last: Some(SequenceNumber::new(2)),
            ..open.clone()
        };
        let page = ShardPage { shards: vec![sealed, open], has_more: true };
        let body = text(describe_stream(&stream(), &page, &context));
        assert!(body.contains(concat!(
            r#""LastEvaluatedShardId":"shardId-00000000000000000009-00000002","Shards":[{"SequenceNumberRange":"#,
            r#"{"EndingSequenceNumber":"100000000000000000002","StartingSequenceNumber":"100000000000000000001"},"#,
            r#""ShardId":"shardId-00000000000000000005-00000002"},"#,
            r#"{"ParentShardId":"shardId-00000000000000000005-00000002","SequenceNumberRange":"#,
            r#"{"StartingSequenceNumber":"100000000000000000003"},"ShardId":"shardId-00000000000000000009-00000002"}],"#,
        )), "{body}");
        assert!(body.contains(r#""CreationRequestDateTime":1700000000.001,"KeySchema":[{"AttributeName":"#), "{body}");
        assert!(
            body.ends_with(&format!(r#"{name},"StreamStatus":"ENABLED","StreamViewType":"NEW_AND_OLD_IMAGES"}}}}"#)),
            "{body}"
        );
    }

    #[test]
    fn records_and_the_next_iterator() {
        let body = |names: &[&str]| {
            let item: Item = names.iter().map(|name| ((*name).to_owned(), AttributeValue::from(*name))).collect();
            ItemBody::encode(&item)
        };
        let (keys, new, old) = (body(&["k"]), body(&["k", "new"]), body(&["k", "o"]));
        let record = StreamRecord {
            sequence: SequenceNumber::new(7),
            created_ms: 1_999,
            event: EventName::Modify,
            by_ttl: false,
            keys: keys.view(),
            new: Some(new.view()),
            old: Some(old.view()),
        };
        let ttl = StreamRecord {
            sequence: SequenceNumber::new(8),
            event: EventName::Remove,
            by_ttl: true,
            new: None,
            ..record
        };
        let value = |record: StreamRecord<'_>| (record.sequence, Value::from(record.to_bytes()));
        let response =
            StreamResponse::Records { records: vec![value(record), value(ttl)], next: Some(SequenceNumber::new(9)) };
        let context = RequestContext::for_region("eu-west-1");
        let reply = |response: &StreamResponse| get_records(&iterator(), response, NOW_MS, &context, None);
        let next = ShardIterator { from: SequenceNumber::new(9), issued_ms: NOW_MS, ..iterator() };
        let ids = [7, 8].map(|number| {
            let id = SequenceNumber::new(number).event_id(stream().id, ShardId(2));
            format!("{id:032x}")
        });
        let expected = [
            r#"{"NextShardIterator":""#,
            &next.to_string(),
            r#"","Records":[{"awsRegion":"eu-west-1","dynamodb":{"ApproximateCreationDateTime":1,"Keys":{"k":{"S":"k"}},"#,
            r#""NewImage":{"k":{"S":"k"},"new":{"S":"new"}},"OldImage":{"k":{"S":"k"},"o":{"S":"o"}},"#,
            r#""SequenceNumber":"100000000000000000007","SizeBytes":14,"StreamViewType":"NEW_AND_OLD_IMAGES"},"#,
            r#""eventID":""#,
            &ids[0],
            r#"","eventName":"MODIFY","eventSource":"aws:dynamodb","eventVersion":"1.1"},"#,
            r#"{"awsRegion":"eu-west-1","dynamodb":{"ApproximateCreationDateTime":1,"Keys":{"k":{"S":"k"}},"#,
            r#""OldImage":{"k":{"S":"k"},"o":{"S":"o"}},"#,
            r#""SequenceNumber":"100000000000000000008","SizeBytes":6,"StreamViewType":"NEW_AND_OLD_IMAGES"},"#,
            r#""eventID":""#,
            &ids[1],
            r#"","eventName":"REMOVE","eventSource":"aws:dynamodb","eventVersion":"1.1","#,
            r#""userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"}}]}"#,
        ];
        assert_eq!(text(reply(&response).unwrap()), expected.concat());
        let end = StreamResponse::Records { records: Vec::new(), next: None };
        assert_eq!(text(reply(&end).unwrap()), r#"{"Records":[]}"#, "a closed shard has no next iterator");
        for (response, expected) in [
            (StreamResponse::NoShard, "ResourceNotFoundException: Requested resource not found: Shard does not exist"),
            (StreamResponse::Trimmed, "TrimmedDataAccessException: The data you are trying to access has been trimmed"),
            (StreamResponse::OutOfRange, "InternalServerError: Internal server error"),
        ] {
            assert_eq!(reply(&response).unwrap_err().to_string(), expected);
        }
    }
}
