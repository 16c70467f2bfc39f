//! What the suites share: a server to talk to, an SDK client, and a raw HTTP client that sends exactly what it is told.

use std::io::Write as _;

use serde_json::{Value, json};

pub mod binary;
pub mod cluster;
pub mod patience;
pub mod raw;
pub mod sdk;
pub mod stream;

/// Says that a test, or a part of one, cannot run on this machine, and why. Also to the file that
/// `DYNAMO_SERVER_PASSED_OVER` names: `./check` counts its lines at the end, since nobody sees what a test prints that passed.
pub fn pass_over(reason: &str) {
    println!("PASSED OVER: {reason}");
    let Some(path) = std::env::var_os("DYNAMO_SERVER_PASSED_OVER") else { return };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    let line = format!("{}\n", reason.replace('\n', " "));
    file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the file that counts can be written");
}

/// CreateTable of a table whose key is one text.
pub fn table_of(name: &str, key: &str) -> Value {
    json!({
        "TableName": name, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
    })
}
