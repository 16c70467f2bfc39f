//! The AWS SDK for Rust, unchanged, against a server in this process: every operation once, the way programs use it.

mod batches;
mod items;
mod queries;
mod tables;
mod transactions;

use aws_sdk_dynamodb::Client;
use dynamo_server::Server;

/// A server of its own, and a client.
async fn start() -> (Server, Client) {
    let server = Server::in_memory().await.expect("it starts");
    let client = tests::sdk::client(&server.endpoint_url());
    (server, client)
}
