//! The AWS SDK for Rust, unchanged, against a server in this process: every operation once, the way programs use it.

mod batches;
mod expiry;
mod indexes;
mod items;
mod partiql;
mod queries;
mod streams;
mod tables;
mod transactions;

use aws_sdk_dynamodb::Client;
use dynamo_server::Server;
use dynamo_server::config::Config;

/// A server of its own, and a client.
async fn start() -> (Server, Client) {
    start_with(1).await
}

/// As [`start`], with so many shards.
async fn start_with(shards: u32) -> (Server, Client) {
    start_as(Config { shards: Some(shards), ..Config::default() }).await
}

/// As [`start`], configured so.
async fn start_as(config: Config) -> (Server, Client) {
    let config = Config { port: 0, data_dir: None, ..config };
    let server = Server::start(config).await.expect("it starts");
    let client = tests::sdk::client(&server.endpoint_url());
    (server, client)
}
