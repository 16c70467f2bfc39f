//! Items that expire, as programs use them: enabled on a table that is filled, over a restart, by another attribute.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{TimeToLiveSpecification, TimeToLiveStatus};
use dynamo_server::{Config, Server};
use tests::sdk::{create_table, n, s};

/// How long anything is waited for: far longer than it takes.
const WAIT_MAX: Duration = Duration::from_secs(60);

async fn start(dir: &Path) -> (Server, Client) {
    let config = Config {
        port: 0,
        data_dir: Some(dir.to_owned()),
        shards: Some(4),
        ttl_interval: Some(Duration::from_millis(100)),
        ..Config::default()
    };
    let server = Box::pin(Server::start(config)).await.expect("it starts");
    let client = tests::sdk::client(&server.endpoint_url());
    (server, client)
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

async fn set(client: &Client, attribute: &str, enabled: bool) {
    let specification = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(enabled).build();
    let update = client.update_time_to_live().table_name("sessions").time_to_live_specification(specification.unwrap());
    update.send().await.expect("set");
}

async fn put(client: &Client, key: &str, attribute: &str, expiry: u64) {
    let put = client.put_item().table_name("sessions").item("pk", s(key)).item(attribute, n(expiry));
    put.send().await.expect("put");
}

/// Waits until just these are left.
async fn settle(client: &Client, expected: &[&str]) {
    let mut left = Vec::new();
    let waited = tokio::time::timeout(WAIT_MAX, async {
        while left != expected {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let page = client.scan().table_name("sessions").consistent_read(true).send().await.expect("scanned");
            left = page.items().iter().map(|item| item["pk"].as_s().expect("a key").clone()).collect();
            left.sort();
        }
    });
    let is_over = waited.await.is_err();
    assert!(!is_over, "{left:?} are left, not {expected:?}");
}

#[tokio::test]
async fn sessions_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (server, client) = start(folder.path()).await;
    create_table(&client, "sessions", false).await;
    for number in 0..20 {
        put(&client, &format!("old {number}"), "expires", now_s() - 60).await;
    }
    put(&client, "live", "expires", now_s() + 3_600).await;
    put(&client, "other", "until", now_s() - 60).await;
    set(&client, "expires", true).await;
    let described = client.describe_time_to_live().table_name("sessions").send().await.expect("described");
    let description = described.time_to_live_description().expect("there");
    assert_eq!(description.time_to_live_status(), Some(&TimeToLiveStatus::Enabled));
    settle(&client, &["live", "other"]).await;
    put(&client, "short", "expires", now_s() + 1).await;
    server.stop().await;

    let (_server, client) = start(folder.path()).await;
    settle(&client, &["live", "other"]).await;
    // By another attribute: what was found for the first one does not count any more.
    set(&client, "expires", false).await;
    put(&client, "kept", "expires", now_s() - 60).await;
    set(&client, "until", true).await;
    settle(&client, &["kept", "live"]).await;
    put(&client, "short", "until", now_s() + 1).await;
    settle(&client, &["kept", "live"]).await;
}
