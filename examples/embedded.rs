//! A DynamoDB of one's own inside a program, for tests above all: one line starts it on a free port with isolated data.
//!
//! ```sh
//! cargo run --release -p examples --example embedded
//! ```
//!
//! Point any AWS SDK at `server.endpoint_url()`, with any region and any credentials; this example speaks plain HTTP,
//! so that it needs nothing else.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use dynamo_server::Server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::in_memory().await?;
    println!("listening on {}", server.endpoint_url());

    let address = server.address();
    // `Server` runs on this program's runtime; a blocking client must not occupy one of its threads.
    tokio::task::spawn_blocking(move || use_it(address)).await?.map_err(|error| error.to_string())?;

    server.stop().await;
    Ok(())
}

fn use_it(address: SocketAddr) -> std::io::Result<()> {
    let table = r#"{"TableName":"Music",
        "AttributeDefinitions":[{"AttributeName":"Artist","AttributeType":"S"},{"AttributeName":"Song","AttributeType":"S"}],
        "KeySchema":[{"AttributeName":"Artist","KeyType":"HASH"},{"AttributeName":"Song","KeyType":"RANGE"}],
        "BillingMode":"PAY_PER_REQUEST"}"#;
    let song =
        r#"{"TableName":"Music","Item":{"Artist":{"S":"Acme Band"},"Song":{"S":"Happy Day"},"Year":{"N":"2015"}}}"#;
    let question = r#"{"TableName":"Music","KeyConditionExpression":"Artist = :a",
        "ExpressionAttributeValues":{":a":{"S":"Acme Band"}},"ConsistentRead":true}"#;
    for (operation, body) in [("CreateTable", table), ("PutItem", song), ("Query", question)] {
        println!("{operation}: {}", call(address, operation, body)?);
    }
    Ok(())
}

/// Status line and body of one call.
fn call(address: SocketAddr, operation: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: DynamoDB_20120810.{operation}\r\nX-Amz-Date: 20260101T000000Z\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/dynamodb/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=0000000000000000000000000000000000000000000000000000000000000000\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    Ok(format!("{} {body}", head.lines().next().unwrap_or_default()))
}
