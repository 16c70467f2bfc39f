//! Reading a stream to its ends, as a program does that is not interrupted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodbstreams::Client as Streams;
use aws_sdk_dynamodbstreams::types::{
    AttributeValue as Streamed, OperationType, Record, ShardIteratorType, StreamDescription,
};

/// A stream and all of its shards, page by page.
pub async fn describe(streams: &Streams, arn: &str, limit: i32) -> StreamDescription {
    let (mut shards, mut after) = (Vec::new(), None);
    loop {
        let page =
            streams.describe_stream().stream_arn(arn).limit(limit).set_exclusive_start_shard_id(after).send().await;
        let mut page = page.expect("described").stream_description.expect("a description");
        assert!(page.shards().len() <= limit as usize);
        shards.append(page.shards.as_mut().expect("a list"));
        after = page.last_evaluated_shard_id.take();
        if after.is_none() {
            page.shards = Some(shards);
            return page;
        }
        assert_eq!(after.as_deref(), shards.last().and_then(|shard| shard.shard_id()));
    }
}

/// An iterator.
pub async fn iterator(
    streams: &Streams,
    arn: &str,
    shard: &str,
    kind: ShardIteratorType,
    number: Option<&str>,
) -> String {
    let request = streams.get_shard_iterator().stream_arn(arn).shard_id(shard).shard_iterator_type(kind);
    let answer = request.set_sequence_number(number.map(str::to_owned)).send().await.expect("an iterator");
    answer.shard_iterator.expect("an iterator")
}

/// What a shard has: its records page by page, until there are none, and whether it has ended.
pub async fn read(streams: &Streams, mut iterator: String, limit: i32) -> (Vec<Record>, bool) {
    let mut records = Vec::new();
    loop {
        let page = streams.get_records().shard_iterator(&iterator).limit(limit).send().await.expect("a page");
        let is_empty = page.records().is_empty();
        assert!(page.records().len() <= limit as usize);
        records.extend(page.records.expect("always a list"));
        match page.next_shard_iterator {
            None => return (records, true),
            Some(_) if is_empty => return (records, false),
            Some(next) => iterator = next,
        }
    }
}

/// All records of a stream: the shards in the order in which they are listed, parents before their children.
pub async fn everything(streams: &Streams, arn: &str, limit: i32) -> Vec<Record> {
    let mut records = Vec::new();
    for shard in describe(streams, arn, 2).await.shards() {
        let id = shard.shard_id().expect("an id");
        let begin = iterator(streams, arn, id, ShardIteratorType::TrimHorizon, None).await;
        let (mut found, has_ended) = read(streams, begin, limit).await;
        let range = shard.sequence_number_range().expect("a range");
        // One that was open may have been closed meanwhile.
        assert!(has_ended || range.ending_sequence_number().is_none());
        let numbers: Vec<u128> = found.iter().map(|record| number(sequence(record))).collect();
        assert!(numbers.is_sorted_by(|one, other| one < other), "{numbers:?}");
        let first = number(range.starting_sequence_number().expect("a start"));
        assert!(numbers.iter().all(|number| *number >= first));
        records.append(&mut found);
    }
    records
}

/// The number of a record, as text.
pub fn sequence(record: &Record) -> &str {
    record.dynamodb().and_then(|change| change.sequence_number()).expect("a number")
}

/// The same, as a number.
pub fn number(text: &str) -> u128 {
    assert!((21..=40).contains(&text.len()), "{text}");
    text.parse().expect("digits")
}

/// An item as a record shows it.
pub type Image = Option<HashMap<String, Streamed>>;

/// Follows every item through its changes: each begins as the one before has ended. What is there in the end.
pub fn follow(records: &[Record]) -> BTreeMap<String, HashMap<String, Streamed>> {
    let mut items: BTreeMap<String, HashMap<String, Streamed>> = BTreeMap::new();
    for record in records {
        let change = record.dynamodb().expect("a change");
        let key = change.keys().and_then(|keys| keys["pk"].as_s().ok()).expect("a key").clone();
        let before: Image = items.get(&key).cloned();
        assert_eq!(before, change.old_image, "{key} as it was");
        let event = match (&before, &change.new_image) {
            (None, Some(_)) => OperationType::Insert,
            (Some(_), Some(_)) => OperationType::Modify,
            (_, None) => OperationType::Remove,
        };
        assert_eq!(record.event_name(), Some(&event));
        match change.new_image.clone() {
            Some(new) => items.insert(key, new),
            None => items.remove(&key),
        };
    }
    let ids: BTreeSet<&str> = records.iter().map(|record| record.event_id().expect("an id")).collect();
    assert_eq!(ids.len(), records.len(), "ids are unique");
    items
}
