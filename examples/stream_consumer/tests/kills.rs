//! The program is killed or stopped again and again, and so is the database: each change takes effect in the copy once, and
//! in order for each item.
//!
//! Both tables have a stream of both images. In the end the changes of every item in one must be those in the other: a change
//! that was lost, done twice, or done in another order would show, whatever the tables look like in the end.

use std::collections::{BTreeMap, HashMap};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, StreamSpecification, StreamViewType, TimeToLiveSpecification, TransactWriteItem,
    Update,
};
use dynamo_engine::stream::StreamPolicy;
use dynamo_server::Server;
use dynamo_server::config::Config;
use tests::cluster::fleet::{Fleet, Shape};
use tests::cluster::rng::Rng;
use tests::sdk::{create_table, n, s};
use tests::stream::{Image, everything, follow};

/// Items that are written.
const ITEMS: u64 = 60;

/// Values that are written at least, so that there is something to be said.
const STAMPS_MIN: u64 = 500;

/// How long anything is waited for: far longer than it takes.
const WAIT_MAX: Duration = Duration::from_secs(180);

/// How long a lease of a consumer lasts.
const LEASE: Duration = Duration::from_millis(600);

/// Longer than a request of the cluster's clients may take.
const REQUEST_MAX: Duration = Duration::from_secs(3);

/// The program; killed when dropped.
struct Consumer {
    child: Child,
    arguments: Vec<String>,
}

impl Consumer {
    fn start(arguments: Vec<String>) -> Consumer {
        Consumer { child: spawn(&arguments), arguments }
    }

    /// kill -9, and another one in its place.
    fn replace(&mut self) {
        self.kill();
        self.child = spawn(&self.arguments);
    }

    /// Lets it stand still for longer than a lease: another one takes its shards, and it does not know when it goes on.
    async fn pause(&mut self) {
        self.signal("-STOP");
        tokio::time::sleep(3 * LEASE).await;
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{signal} cannot be sent");
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until it has read everything.
    async fn wait(&mut self) {
        let began = Instant::now();
        loop {
            match self.child.try_wait().expect("a child of ours can be waited for") {
                Some(status) => return assert!(status.success(), "the consumer ended with {status}"),
                None => assert!(began.elapsed() < WAIT_MAX, "the consumer does not come to an end"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(arguments: &[String]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_stream-consumer")).args(arguments).spawn().expect("it starts")
}

fn arguments(endpoints: &[String]) -> Vec<String> {
    let (endpoints, lease) = (endpoints.join(","), LEASE.as_millis().to_string());
    [
        "--endpoint",
        &endpoints,
        "--table",
        "source",
        "--copy-to",
        "copy",
        "--checkpoints",
        "checkpoints",
        "--lease-ms",
        &lease,
        "--until-disabled",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Asks until it is done: a node may be dead, a shard without a leader.
async fn insist<T, E: std::fmt::Debug>(mut ask: impl AsyncFnMut() -> Result<T, E>) -> T {
    let began = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(began.elapsed() < WAIT_MAX, "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn switch(client: &Client, table: &str, on: bool) {
    let both = on.then_some(StreamViewType::NewAndOldImages);
    let specification = StreamSpecification::builder().stream_enabled(on).set_stream_view_type(both).build();
    let specification = specification.expect("complete");
    let update =
        async || client.update_table().table_name(table).stream_specification(specification.clone()).send().await;
    let is_so = async || {
        let table = client.describe_table().table_name(table).send().await.expect("described").table.expect("one");
        table.stream_specification().is_some() == on
    };
    // One whose answer was lost is refused the second time.
    insist(async || match update().await {
        Err(_) if is_so().await => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    })
    .await;
}

/// Writes in every way, each time something else, through any of the nodes, until it is told to stop. What comes of a write
/// is nothing to it: the stream says what was done.
async fn write(clients: Vec<Client>, seed: u64, stop: Arc<AtomicBool>, stamps: Arc<AtomicU64>) {
    let mut rng = Rng::new(seed);
    let key = |item: u64| HashMap::from([("pk".to_owned(), s(format!("item-{item}")))]);
    while !stop.load(Ordering::Relaxed) {
        let client = &clients[rng.below(clients.len() as u64) as usize];
        let stamp = || n(stamps.fetch_add(1, Ordering::Relaxed));
        let item = |item: u64| {
            let mut attributes = key(item);
            attributes.insert("v".to_owned(), stamp());
            attributes
        };
        let at = rng.below(ITEMS);
        match rng.below(10) {
            0..3 => drop(client.put_item().table_name("source").set_item(Some(item(at))).send().await),
            // One that has expired.
            3 => {
                let put = client.put_item().table_name("source").set_item(Some(item(at)));
                drop(put.item("until", n(seconds() - 1)).send().await);
            }
            4..6 => {
                let update = client.update_item().table_name("source").set_key(Some(key(at)));
                let update = update.update_expression("SET w = :w ADD c :one");
                let update =
                    update.expression_attribute_values(":w", stamp()).expression_attribute_values(":one", n(1));
                drop(update.send().await);
            }
            6 => drop(client.delete_item().table_name("source").set_key(Some(key(at))).send().await),
            _ => {
                let put = Put::builder().table_name("source").set_item(Some(item(at))).build().expect("complete");
                let next = key((at + 1) % ITEMS);
                let update = Update::builder().table_name("source").set_key(Some(next)).update_expression("SET w = :w");
                let update = update.expression_attribute_values(":w", stamp()).build().expect("complete");
                let delete = Delete::builder().table_name("source").set_key(Some(key((at + 2) % ITEMS)));
                let actions = [
                    TransactWriteItem::builder().put(put).build(),
                    TransactWriteItem::builder().update(update).build(),
                    TransactWriteItem::builder().delete(delete.build().expect("complete")).build(),
                ];
                drop(client.transact_write_items().set_transact_items(Some(actions.to_vec())).send().await);
            }
        }
    }
}

/// Of now since 1970.
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// Waits until nothing can come of a write whose answer was lost: a transaction that is recovered after the stream was
/// switched off would be in the table alone. What is not decided when all requests are over holds its items until it is.
async fn settle(client: &Client) {
    tokio::time::sleep(REQUEST_MAX).await;
    for item in 0..ITEMS {
        let put = async || {
            let put = client.put_item().table_name("source").item("pk", s(format!("item-{item}")));
            put.item("v", s("settled")).send().await
        };
        insist(put).await;
    }
}

/// What a stream says.
struct Told {
    /// The images of every item, one after the other.
    histories: BTreeMap<String, Vec<Image>>,
    changes: usize,
    /// Of them, items that had expired.
    expired: usize,
}

/// Reads the stream of a table to its ends, and holds it against the table.
async fn told(endpoint: &str, table: &str) -> Told {
    let (client, streams) = (tests::sdk::client(endpoint), tests::sdk::streams(endpoint));
    let listed = streams.list_streams().table_name(table).send().await.expect("listed");
    let [stream] = listed.streams() else { panic!("one stream: {listed:?}") };
    let records = everything(&streams, stream.stream_arn().expect("an ARN"), 1000).await;
    let items = follow(&records);
    let (mut there, mut after) = (BTreeMap::new(), None);
    loop {
        let page = client.scan().table_name(table).consistent_read(true).set_exclusive_start_key(after).send().await;
        let page = page.expect("scanned");
        for item in page.items() {
            there.insert(item["pk"].as_s().expect("text").clone(), item.clone());
        }
        after = page.last_evaluated_key;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(there.keys().collect::<Vec<_>>(), items.keys().collect::<Vec<_>>(), "{table}");
    for (key, item) in &there {
        let text = |value: &AttributeValue| value.as_s().or_else(|_| value.as_n()).cloned().ok();
        for (name, value) in item {
            let streamed = &items[key][name];
            assert_eq!(text(value).as_ref(), streamed.as_s().or(streamed.as_n()).ok(), "{table} {key} {name}");
        }
        assert_eq!(item.len(), items[key].len(), "{table} {key}");
    }
    let mut histories = BTreeMap::<String, Vec<Image>>::new();
    for change in records.iter().filter_map(|record| record.dynamodb()) {
        let key = change.keys().and_then(|keys| keys["pk"].as_s().ok()).expect("a key").clone();
        histories.entry(key).or_default().push(change.new_image.clone());
    }
    let expired = records.iter().filter(|record| record.user_identity().is_some()).count();
    Told { histories, changes: records.len(), expired }
}

/// Lets writers write to the source while `harm` is done, then lets the consumers come to the end, and compares.
async fn replay(endpoints: &[String], mut consumers: Vec<Consumer>, harm: impl AsyncFnOnce(&mut [Consumer])) {
    let clients: Vec<Client> = endpoints.iter().map(|endpoint| tests::sdk::client(endpoint)).collect();
    let (stop, stamps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(1)));
    let writers: Vec<_> = (0..4)
        .map(|seed| tokio::spawn(write(clients.clone(), seed + 1, Arc::clone(&stop), Arc::clone(&stamps))))
        .collect();
    harm(&mut consumers).await;
    let began = Instant::now();
    while stamps.load(Ordering::Relaxed) < STAMPS_MIN {
        assert!(began.elapsed() < WAIT_MAX, "hardly anything is written");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("writers do not panic");
    }
    settle(&clients[0]).await;
    switch(&clients[0], "source", false).await;
    for consumer in &mut consumers {
        consumer.wait().await;
    }
    let source = told(&endpoints[0], "source").await;
    let copy = told(&endpoints[0], "copy").await;
    for (key, changes) in &source.histories {
        assert_eq!(copy.histories.get(key), Some(changes), "the changes of {key}");
    }
    assert_eq!((copy.changes, copy.histories.len()), (source.changes, source.histories.len()));
    println!("{} changes, {} of them by time to live, 0 lost, 0 repeated", source.changes, source.expired);
    assert!(source.changes > 100 && source.expired > 0, "too few to say anything");
}

async fn create(client: &Client) {
    for table in ["source", "copy"] {
        create_table(client, table, false).await;
        switch(client, table, true).await;
    }
    let expiry = TimeToLiveSpecification::builder().attribute_name("until").enabled(true).build().expect("complete");
    client.update_time_to_live().table_name("source").time_to_live_specification(expiry).send().await.expect("set");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_that_are_killed_lose_nothing_and_repeat_nothing() {
    let streams = StreamPolicy { roll_ms: 1_000, ..StreamPolicy::default() };
    let ttl_interval = Some(Duration::from_millis(100));
    let config = Config { port: 0, data_dir: None, shards: Some(3), streams, ttl_interval, ..Config::default() };
    let server = Server::start(config).await.expect("it starts");
    let endpoints = [server.endpoint_url()];
    create(&tests::sdk::client(&endpoints[0])).await;
    let consumers = (0..2).map(|_| Consumer::start(arguments(&endpoints))).collect();
    replay(&endpoints, consumers, async |consumers| {
        let mut rng = Rng::new(7);
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_millis(rng.between(200, 900))).await;
            let victim = &mut consumers[rng.below(2) as usize];
            match rng.below(3) {
                0 => victim.pause().await,
                _ => victim.replace(),
            }
        }
    })
    .await;
}

/// How many shards each consumer has, by the table of leases, the most first.
async fn shares(client: &Client) -> Vec<usize> {
    let page = client.scan().table_name("checkpoints").consistent_read(true).send().await;
    let mut counts = BTreeMap::<String, usize>::new();
    for row in page.map(|page| page.items.unwrap_or_default()).unwrap_or_default() {
        let owner = row.get("owner").and_then(|owner| owner.as_s().ok());
        owner.into_iter().for_each(|owner| *counts.entry(owner.clone()).or_default() += 1);
    }
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    counts
}

async fn wait_for_shares(client: &Client, wanted: &[usize]) {
    let began = Instant::now();
    loop {
        let found = shares(client).await;
        if found == wanted {
            return;
        }
        assert!(began.elapsed() < WAIT_MAX, "{found:?}, not {wanted:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Who comes gets his share from those who have more, and what a dead one had goes to the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_have_equal_shares() {
    let config = Config { port: 0, data_dir: None, shards: Some(5), ..Config::default() };
    let server = Server::start(config).await.expect("it starts");
    let endpoints = [server.endpoint_url()];
    let client = tests::sdk::client(&endpoints[0]);
    create(&client).await;
    let start = || Consumer::start(arguments(&endpoints));
    let first = start();
    wait_for_shares(&client, &[5]).await;
    let mut second = start();
    wait_for_shares(&client, &[3, 2]).await;
    let third = start();
    wait_for_shares(&client, &[2, 2, 1]).await;
    second.kill();
    wait_for_shares(&client, &[3, 2]).await;
    drop(first);
    wait_for_shares(&client, &[5]).await;
    drop(third);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_that_are_killed_lose_nothing_and_repeat_nothing() {
    let flags = ["--stream-shard-roll-s=1", "--ttl-interval-ms=100"].map(str::to_owned).to_vec();
    let shape = Shape { election_timeout: Duration::from_millis(600), flags, ..Shape::default() };
    let mut fleet = Fleet::found(shape).await;
    let endpoints: Vec<String> = fleet.ids().into_iter().map(|id| format!("http://{}", fleet.address(id))).collect();
    create(&tests::sdk::client(&endpoints[0])).await;
    replay(&endpoints, vec![Consumer::start(arguments(&endpoints))], async |consumers| {
        let mut rng = Rng::new(11);
        for round in 0..5 {
            tokio::time::sleep(Duration::from_millis(rng.between(800, 2_000))).await;
            let leader = fleet.some_leader(rng.below(3) as u32).await;
            fleet.kill(leader);
            tokio::time::sleep(Duration::from_millis(rng.between(800, 2_000))).await;
            fleet.start(leader).unwrap_or_else(|log| panic!("node {leader} did not start:\n{log}"));
            fleet.wait_live(leader).await;
            if round % 2 == 0 {
                consumers[0].replace();
            }
        }
        fleet.wait_leaders().await;
    })
    .await;
}
