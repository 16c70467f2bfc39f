//! Streams through the SDK, as programs read them: every change once, in order for each item, over one shard and several.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, DeleteRequest, Put, PutRequest, StreamSpecification, TimeToLiveSpecification,
    TransactWriteItem, Update, WriteRequest,
};
use aws_sdk_dynamodbstreams::Client as Streams;
use aws_sdk_dynamodbstreams::primitives::DateTime;
use aws_sdk_dynamodbstreams::types::{
    AttributeValue as Streamed, OperationType, Record, Shard, ShardFilter, ShardFilterType, ShardIteratorType,
    StreamStatus, StreamViewType,
};
use dynamo_engine::stream::{ShardIterator, StreamPolicy, StreamShardId};
use dynamo_server::Server;
use dynamo_server::config::Config;
use tests::sdk::{create_table, failure, n, s};
use tests::stream::{describe, everything, follow, iterator, read, sequence};

use crate::start_as;

/// How long anything is waited for: far longer than it takes.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// A server with so many shards, and clients for items and for streams.
async fn start(shards: u32) -> (Server, Client, Streams) {
    start_with_policy(shards, StreamPolicy::default()).await
}

async fn start_with_policy(shards: u32, policy: StreamPolicy) -> (Server, Client, Streams) {
    let ttl_interval = Some(Duration::from_millis(50));
    let config = Config { shards: Some(shards), streams: policy, ttl_interval, ..Config::default() };
    let (server, client) = start_as(config).await;
    let streams = tests::sdk::streams(&server.endpoint_url());
    (server, client, streams)
}

/// Switches the stream of `tbl` on or off; its ARN.
async fn switch(client: &Client, view: Option<&str>) -> String {
    let specification = StreamSpecification::builder()
        .stream_enabled(view.is_some())
        .set_stream_view_type(view.map(|view| view.into()))
        .build()
        .expect("complete");
    let update = client.update_table().table_name("tbl").stream_specification(specification).send().await;
    let table = update.expect("switched").table_description.expect("a description");
    assert_eq!(table.stream_specification().is_some(), view.is_some());
    table.latest_stream_arn.expect("an ARN")
}

fn names(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.event_name().expect("a name").as_str()).collect()
}

/// Writes in every way to forty items, some of them several times; how many changes that were.
async fn write(client: &Client) -> usize {
    let item = |number: usize, value: &str| {
        HashMap::from([("pk".to_owned(), s(format!("item-{number}"))), ("v".to_owned(), s(value))])
    };
    let key = |number: usize| HashMap::from([("pk".to_owned(), s(format!("item-{number}")))]);
    for round in ["one", "two", "two"] {
        for number in 0..20 {
            client.put_item().table_name("tbl").set_item(Some(item(number, round))).send().await.expect("put");
        }
    }
    let puts = (20..40).map(|number| {
        let put = PutRequest::builder().set_item(Some(item(number, "batch"))).build().expect("complete");
        WriteRequest::builder().put_request(put).build()
    });
    client.batch_write_item().request_items("tbl", puts.collect()).send().await.expect("a batch");
    let update = |number: usize| {
        let update = Update::builder().table_name("tbl").set_key(Some(key(number))).update_expression("SET v = :v");
        let update = update.expression_attribute_values(":v", s("transaction")).build().expect("complete");
        TransactWriteItem::builder().update(update).build()
    };
    let put = Put::builder().table_name("tbl").set_item(Some(item(40, "transaction"))).build().expect("complete");
    let delete = Delete::builder().table_name("tbl").set_key(Some(key(21))).build().expect("complete");
    let actions = (0..10)
        .map(update)
        .chain([TransactWriteItem::builder().put(put).build(), TransactWriteItem::builder().delete(delete).build()]);
    client.transact_write_items().set_transact_items(Some(actions.collect())).send().await.expect("a transaction");
    for (statement, number) in
        [("UPDATE tbl SET v = 'statement' WHERE pk = ?", 11), ("DELETE FROM tbl WHERE pk = ?", 12)]
    {
        let parameter = s(format!("item-{number}"));
        client.execute_statement().statement(statement).parameters(parameter).send().await.expect("a statement");
    }
    let deletes = [13, 14, 99].map(|number| {
        let delete = DeleteRequest::builder().set_key(Some(key(number))).build().expect("complete");
        WriteRequest::builder().delete_request(delete).build()
    });
    client.batch_write_item().request_items("tbl", deletes.to_vec()).send().await.expect("a batch");
    20 + 20 + 20 + 12 + 2 + 2
}

#[tokio::test]
async fn every_change_is_there_once_and_in_order() {
    for shards in [1, 4] {
        let (_server, client, streams) = start(shards).await;
        create_table(&client, "tbl", false).await;
        client.put_item().table_name("tbl").item("pk", s("before")).send().await.expect("put");
        let arn = switch(&client, Some("NEW_AND_OLD_IMAGES")).await;
        let changes = write(&client).await;
        for limit in [3, 1000] {
            let records = everything(&streams, &arn, limit).await;
            assert_eq!(records.len(), changes, "{shards} shards");
            let items = follow(&records);
            for (key, image) in &items {
                let get = client.get_item().table_name("tbl").key("pk", s(key)).consistent_read(true).send().await;
                let there = get.expect("read").item.expect("there");
                assert_eq!(there["v"].as_s(), image["v"].as_s().map_err(|_| &there["v"]));
            }
            let scan = client.scan().table_name("tbl").consistent_read(true).send().await.expect("scanned");
            assert_eq!(scan.count() as usize, items.len() + 1, "what was there before makes no record");
        }
        let description = describe(&streams, &arn, 100).await;
        assert_eq!(description.shards().len(), shards as usize);
        assert_eq!(description.stream_status(), Some(&StreamStatus::Enabled));
        assert_eq!(description.stream_view_type(), Some(&StreamViewType::NewAndOldImages));
        assert_eq!(description.table_name(), Some("tbl"));
        assert_eq!(description.key_schema().len(), 1);
        assert!(description.creation_request_date_time().is_some());
    }
}

#[tokio::test]
async fn a_stream_that_is_over_can_be_read_and_has_a_successor() {
    for shards in [1, 4] {
        let (_server, client, streams) = start(shards).await;
        create_table(&client, "tbl", false).await;
        let first = switch(&client, Some("NEW_IMAGE")).await;
        client.put_item().table_name("tbl").item("pk", s("a")).send().await.expect("put");
        assert_eq!(switch(&client, None).await, first, "the name stays");
        client.put_item().table_name("tbl").item("pk", s("b")).send().await.expect("put");
        let second = switch(&client, Some("OLD_IMAGE")).await;
        assert_ne!(second, first);
        client.delete_item().table_name("tbl").key("pk", s("b")).send().await.expect("deleted");
        client.delete_table().table_name("tbl").send().await.expect("deleted");
        create_table(&client, "tbl", false).await;
        let third = switch(&client, Some("KEYS_ONLY")).await;
        let listed = streams.list_streams().table_name("tbl").send().await.expect("listed");
        let arns: Vec<_> = listed.streams().iter().map(|stream| stream.stream_arn().expect("an ARN")).collect();
        assert_eq!(arns, [&first, &second, &third]);
        for (arn, status, events) in [
            (&first, StreamStatus::Disabled, vec!["INSERT"]),
            (&second, StreamStatus::Disabled, vec!["REMOVE"]),
            (&third, StreamStatus::Enabled, vec![]),
        ] {
            let description = describe(&streams, arn, 100).await;
            assert_eq!(description.stream_status(), Some(&status), "{arn}");
            let is_open = |shard: &Shard| {
                shard.sequence_number_range().is_some_and(|range| range.ending_sequence_number().is_none())
            };
            assert!(description.shards().iter().all(|shard| is_open(shard) == (status == StreamStatus::Enabled)));
            let records = everything(&streams, arn, 10).await;
            assert_eq!(names(&records), events, "{arn}");
            for change in records.iter().filter_map(Record::dynamodb) {
                let images = (change.new_image().is_some(), change.old_image().is_some());
                assert_eq!(images, (arn == &first, arn == &second));
            }
        }
        let page = streams.list_streams().table_name("tbl").limit(2).send().await.expect("listed");
        assert_eq!(page.last_evaluated_stream_arn(), Some(second.as_str()));
        let rest = streams.list_streams().exclusive_start_stream_arn(&second).send().await.expect("listed");
        assert_eq!(rest.streams().first().and_then(|stream| stream.stream_arn()), Some(third.as_str()));
    }
}

#[tokio::test]
async fn an_iterator_begins_where_it_was_asked_to() {
    let (_server, client, streams) = start(1).await;
    create_table(&client, "tbl", false).await;
    let arn = switch(&client, Some("KEYS_ONLY")).await;
    let put = async |key: &str| {
        client.put_item().table_name("tbl").item("pk", s(key)).send().await.expect("put");
    };
    put("one").await;
    // The next record's second is another one.
    let first = everything(&streams, &arn, 10).await;
    let second_of =
        |record: &Record| record.dynamodb().and_then(|change| change.approximate_creation_date_time).expect("a time");
    let next_second = second_of(&first[0]).secs() + 1;
    let wall =
        || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    while wall() < next_second {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    put("two").await;
    put("three").await;
    let all = everything(&streams, &arn, 10).await;
    let shard = describe(&streams, &arn, 1).await.shards()[0].shard_id().expect("an id").to_owned();
    let numbers: Vec<&str> = all.iter().map(sequence).collect();
    for (kind, number, expected) in [
        (ShardIteratorType::TrimHorizon, None, &numbers[..]),
        (ShardIteratorType::AtSequenceNumber, Some(numbers[1]), &numbers[1..]),
        (ShardIteratorType::AfterSequenceNumber, Some(numbers[1]), &numbers[2..]),
        (ShardIteratorType::AfterSequenceNumber, Some(numbers[2]), &[]),
        (ShardIteratorType::Latest, None, &[]),
    ] {
        let begin = iterator(&streams, &arn, &shard, kind, number).await;
        for _ in 0..2 {
            let (found, has_ended) = read(&streams, begin.clone(), 2).await;
            assert_eq!(found.iter().map(sequence).collect::<Vec<_>>(), expected, "the same iterator gives the same");
            assert!(!has_ended);
        }
    }
    let at = async |time: DateTime| {
        let kind = ShardIteratorType::AtTimestamp;
        let request = streams.get_shard_iterator().stream_arn(&arn).shard_id(&shard).shard_iterator_type(kind);
        request.timestamp(time).send().await
    };
    for (time, expected) in [(0, &numbers[..]), (next_second, &numbers[1..])] {
        let begin = at(DateTime::from_secs(time)).await.expect("an iterator").shard_iterator.expect("an iterator");
        let (found, _) = read(&streams, begin, 1000).await;
        assert_eq!(found.iter().map(sequence).collect::<Vec<_>>(), expected);
    }
    assert_eq!(failure(at(DateTime::from_secs(wall() + 3600)).await).0, "ValidationException");
}

#[tokio::test]
async fn an_iterator_is_good_for_fifteen_minutes_and_for_its_shard() {
    let (_server, client, streams) = start(4).await;
    create_table(&client, "tbl", false).await;
    let arn = switch(&client, Some("KEYS_ONLY")).await;
    let description = describe(&streams, &arn, 100).await;
    let shard = description.shards()[0].shard_id().expect("an id");
    let fresh = iterator(&streams, &arn, shard, ShardIteratorType::Latest, None).await;
    assert!(fresh.starts_with(&format!("{arn}|1|")), "{fresh}");
    let get = async |iterator: String| streams.get_records().shard_iterator(iterator).send().await;
    assert!(get(fresh.clone()).await.is_ok());
    let parsed: ShardIterator = fresh.parse().expect("an iterator of ours");
    let aged =
        |minutes: u64| ShardIterator { issued_ms: parsed.issued_ms - minutes * 60_000, ..parsed.clone() }.to_string();
    assert!(get(aged(14)).await.is_ok());
    let (code, message) = failure(get(aged(16)).await);
    assert_eq!(code, "ExpiredIteratorException");
    assert_eq!(message, "The provided iterator exceeds the maximum age allowed.");
    // That of another stream's ARN, of no ARN, and with one character changed.
    let (_, token) = fresh.rsplit_once('|').expect("an iterator has parts");
    for wrong in [format!("{}x|1|{token}", arn), token.to_owned(), fresh.replace("|1|", "|2|"), "x".repeat(2048)] {
        assert_eq!(failure(get(wrong).await).0, "ValidationException");
    }
    let elsewhere = ShardIterator {
        shard: StreamShardId { created_ms: parsed.shard.created_ms + 1, ..parsed.shard },
        ..parsed.clone()
    };
    assert_eq!(failure(get(elsewhere.to_string()).await).0, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_page_has_a_megabyte_at_most() {
    let (_server, client, streams) = start(1).await;
    create_table(&client, "tbl", false).await;
    let arn = switch(&client, Some("NEW_IMAGE")).await;
    let large = "x".repeat(300 * 1024);
    for number in 0..7 {
        let request = client.put_item().table_name("tbl").item("pk", s(format!("{number}"))).item("v", s(&large));
        request.item("n", n(number)).send().await.expect("put");
    }
    let shard = describe(&streams, &arn, 1).await.shards()[0].shard_id().expect("an id").to_owned();
    let mut next = iterator(&streams, &arn, &shard, ShardIteratorType::TrimHorizon, None).await;
    let mut counts = Vec::new();
    loop {
        let page = streams.get_records().shard_iterator(next).send().await.expect("a page");
        let bytes: i64 = page.records().iter().filter_map(|record| record.dynamodb()?.size_bytes).sum();
        assert!(bytes <= 1 << 20);
        counts.push(page.records().len());
        if page.records().is_empty() {
            break;
        }
        next = page.next_shard_iterator.expect("the shard is open");
    }
    assert_eq!(counts, [3, 3, 1, 0]);
}

#[tokio::test]
async fn unknown_streams_and_shards() {
    let (_server, client, streams) = start(4).await;
    create_table(&client, "tbl", false).await;
    let arn = switch(&client, Some("KEYS_ONLY")).await;
    let unknown = arn.replace("/stream/2", "/stream/1");
    let (code, message) = failure(streams.describe_stream().stream_arn(&unknown).send().await);
    assert_eq!(
        (code.as_str(), message),
        ("ResourceNotFoundException", format!("Requested resource not found: Stream: {unknown} not found"))
    );
    let shard = describe(&streams, &arn, 1).await.shards()[3].shard_id().expect("an id").to_owned();
    let behind = streams.describe_stream().stream_arn(&arn).exclusive_start_shard_id(&shard).send().await;
    assert_eq!(behind.expect("described").stream_description.expect("one").shards().len(), 0);
    let filter = ShardFilter::builder().r#type(ShardFilterType::ChildShards).shard_id(&shard).build();
    let children = streams.describe_stream().stream_arn(&arn).shard_filter(filter).send().await;
    assert_eq!(children.expect("described").stream_description.expect("one").shards().len(), 0);
    for shard in ["shardId-00000001414576573621-f55eea83", "shardId-00000001414576573621-00000000"] {
        let request = streams.get_shard_iterator().stream_arn(&arn).shard_id(shard);
        let (code, message) = failure(request.shard_iterator_type(ShardIteratorType::Latest).send().await);
        assert_eq!(
            (code.as_str(), message.as_str()),
            ("ResourceNotFoundException", "Requested resource not found: Shard does not exist")
        );
    }
    let listed = streams.list_streams().table_name("none").send().await.expect("listed");
    assert!(listed.streams().is_empty() && listed.last_evaluated_stream_arn().is_none());
}

/// Values of all types come as they were written.
#[tokio::test]
async fn values_of_every_type() {
    let (_server, client, streams) = start(1).await;
    create_table(&client, "tbl", false).await;
    let arn = switch(&client, Some("NEW_IMAGE")).await;
    let values = [
        ("n", n("1.5e10")),
        ("b", AttributeValue::B(vec![0, 255].into())),
        ("ns", AttributeValue::Ns(vec!["1".to_owned(), "2".to_owned()])),
        ("l", AttributeValue::L(vec![AttributeValue::Null(true), AttributeValue::Bool(false)])),
        ("m", AttributeValue::M(HashMap::from([("x".to_owned(), s("y"))]))),
    ];
    let mut put = client.put_item().table_name("tbl").item("pk", s("a"));
    for (name, value) in values {
        put = put.item(name, value);
    }
    put.send().await.expect("put");
    let records = everything(&streams, &arn, 10).await;
    let image = records[0].dynamodb().and_then(|change| change.new_image()).expect("an image");
    assert_eq!(image["n"], Streamed::N("15000000000".to_owned()));
    assert_eq!(image["b"], Streamed::B(vec![0, 255].into()));
    assert_eq!(image["ns"], Streamed::Ns(vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(image["l"], Streamed::L(vec![Streamed::Null(true), Streamed::Bool(false)]));
    assert_eq!(image["m"], Streamed::M(HashMap::from([("x".to_owned(), Streamed::S("y".to_owned()))])));
    assert_eq!(records[0].event_source(), Some("aws:dynamodb"));
    assert_eq!(records[0].aws_region(), Some("eu-west-1"));
    assert_eq!(records[0].event_version(), Some("1.1"));
    assert!(records[0].user_identity().is_none());
}

/// Writes to twenty items, over and over, until the stream is as it should be.
async fn write_until(client: &Client, streams: &Streams, arn: &str, is_so: impl Fn(&[Shard]) -> bool) -> Vec<Shard> {
    let began = Instant::now();
    for round in 0.. {
        for number in 0..20 {
            let put = client.put_item().table_name("tbl").item("pk", s(format!("{number}"))).item("round", n(round));
            put.send().await.expect("put");
        }
        let shards = describe(streams, arn, 100).await.shards.expect("a list");
        if is_so(&shards) {
            return shards;
        }
        assert!(began.elapsed() < WAIT_MAX, "{shards:?}");
    }
    unreachable!("rounds have no end")
}

#[tokio::test]
async fn a_shard_that_is_full_goes_on_in_its_child() {
    for shards in [1, 3] {
        let policy = StreamPolicy { roll_ms: 200, ..StreamPolicy::default() };
        let (_server, client, streams) = start_with_policy(shards, policy).await;
        create_table(&client, "tbl", false).await;
        let arn = switch(&client, Some("NEW_AND_OLD_IMAGES")).await;
        let is_grandchild = |shard: &Shard, all: &[Shard]| {
            let parent = all.iter().find(|other| other.shard_id.is_some() && other.shard_id == shard.parent_shard_id);
            parent.is_some_and(|parent| parent.parent_shard_id().is_some())
        };
        write_until(&client, &streams, &arn, |all| {
            all.iter().filter(|shard| is_grandchild(shard, all)).count() >= shards as usize
        })
        .await;
        switch(&client, None).await;
        let all = describe(&streams, &arn, 100).await.shards.expect("a list");
        for shard in &all {
            let id = shard.shard_id().expect("an id");
            let filter = ShardFilter::builder().r#type(ShardFilterType::ChildShards).shard_id(id).build();
            let answer = streams.describe_stream().stream_arn(&arn).shard_filter(filter).send().await;
            let children = answer.expect("described").stream_description.expect("one").shards.expect("a list");
            let expected: Vec<&Shard> = all.iter().filter(|child| child.parent_shard_id() == Some(id)).collect();
            assert_eq!(children.iter().collect::<Vec<_>>(), expected);
            assert!(expected.len() <= 1);
        }
        let roots = all.iter().filter(|shard| shard.parent_shard_id().is_none()).count();
        assert_eq!(roots, shards as usize);
        let items = follow(&everything(&streams, &arn, 7).await);
        let scan = client.scan().table_name("tbl").consistent_read(true).send().await.expect("scanned");
        for item in scan.items() {
            let image = &items[item["pk"].as_s().expect("text")];
            assert_eq!(item["round"].as_n().ok(), image["round"].as_n().ok());
        }
    }
}

#[tokio::test]
async fn records_older_than_the_retention_are_trimmed() {
    let policy = StreamPolicy { retention_ms: 300, ..StreamPolicy::default() };
    let (_server, client, streams) = start_with_policy(1, policy).await;
    create_table(&client, "tbl", false).await;
    let arn = switch(&client, Some("KEYS_ONLY")).await;
    client.put_item().table_name("tbl").item("pk", s("old")).send().await.expect("put");
    let shard = describe(&streams, &arn, 1).await.shards()[0].shard_id().expect("an id").to_owned();
    let begin = iterator(&streams, &arn, &shard, ShardIteratorType::TrimHorizon, None).await;
    let began = Instant::now();
    let error = loop {
        match streams.get_records().shard_iterator(&begin).send().await {
            Ok(_) => assert!(began.elapsed() < WAIT_MAX, "nothing is trimmed"),
            error => break failure(error),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let message = "The data you are trying to access has been trimmed";
    assert_eq!((error.0.as_str(), error.1.as_str()), ("TrimmedDataAccessException", message));
    let first = describe(&streams, &arn, 1).await.shards()[0].sequence_number_range().expect("a range").clone();
    let request = streams.get_shard_iterator().stream_arn(&arn).shard_id(&shard);
    let request = request.shard_iterator_type(ShardIteratorType::AtSequenceNumber);
    let request = request.sequence_number(first.starting_sequence_number().expect("a start"));
    assert_eq!(failure(request.send().await).0, "TrimmedDataAccessException");
    let horizon = iterator(&streams, &arn, &shard, ShardIteratorType::TrimHorizon, None).await;
    let (records, has_ended) = read(&streams, horizon, 10).await;
    assert!(records.is_empty() && !has_ended);
}

#[tokio::test]
async fn an_item_that_expires_is_removed_by_the_service() {
    let (_server, client, streams) = start(2).await;
    create_table(&client, "tbl", false).await;
    let arn = switch(&client, Some("OLD_IMAGE")).await;
    let specification =
        TimeToLiveSpecification::builder().attribute_name("until").enabled(true).build().expect("complete");
    client.update_time_to_live().table_name("tbl").time_to_live_specification(specification).send().await.expect("set");
    let second_ago = DateTime::from(std::time::SystemTime::now()).secs() - 1;
    client.put_item().table_name("tbl").item("pk", s("a")).item("until", n(second_ago)).send().await.expect("put");
    client.put_item().table_name("tbl").item("pk", s("b")).send().await.expect("put");
    let began = Instant::now();
    while client
        .get_item()
        .table_name("tbl")
        .key("pk", s("a"))
        .consistent_read(true)
        .send()
        .await
        .expect("read")
        .item
        .is_some()
    {
        assert!(began.elapsed() < WAIT_MAX, "it does not expire");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client.delete_item().table_name("tbl").key("pk", s("b")).send().await.expect("deleted");
    let records = everything(&streams, &arn, 10).await;
    let removed: BTreeMap<&str, Option<(&str, &str)>> = records
        .iter()
        .filter(|record| record.event_name() == Some(&OperationType::Remove))
        .map(|record| {
            let change = record.dynamodb().expect("a change");
            let key = change.keys().and_then(|keys| keys["pk"].as_s().ok()).expect("a key");
            assert!(change.old_image().is_some());
            let who =
                record.user_identity().map(|who| (who.r#type().expect("a type"), who.principal_id().expect("an id")));
            (key.as_str(), who)
        })
        .collect();
    let service = Some(("Service", "dynamodb.amazonaws.com"));
    assert_eq!(removed, BTreeMap::from([("a", service), ("b", None)]));
}
