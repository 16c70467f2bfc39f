//! Scripts of whole requests: `Operation {body}`, and under it `--> status answer`. See `scripts/`.
//!
//! `UPDATE_SCRIPTS=1 cargo test -p tests --test wire script` writes what the server answers into the scripts; the diff is
//! what gets reviewed. `«y*1000»` stands for a string of a thousand `y`s. Ids, ARNs and times are printed as `…`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::raw::{Answer, Connection};

use crate::server;

/// Members whose values differ from run to run.
const OPAQUE: [&str; 10] = [
    "TableId",
    "TableArn",
    "IndexArn",
    "LatestStreamArn",
    "LatestStreamLabel",
    "CreationDateTime",
    "LastIncreaseDateTime",
    "LastDecreaseDateTime",
    "LastUpdateToPayPerRequestDateTime",
    "LastUpdateDateTime",
];

/// Longest body of an answer that a script shows.
const SHOWN_BYTES_MAX: usize = 2000;

#[tokio::test]
async fn tables() {
    check("tables").await;
}

#[tokio::test]
async fn settings_that_change_in_the_background() {
    check("settings").await;
}

#[tokio::test]
async fn time_to_live() {
    check("ttl").await;
}

#[tokio::test]
async fn values() {
    check("values").await;
}

#[tokio::test]
async fn numbers() {
    check("numbers").await;
}

#[tokio::test]
async fn legacy_parameters() {
    check("legacy").await;
}

#[tokio::test]
async fn expressions() {
    check("expressions").await;
}

#[tokio::test]
async fn consumed_capacity() {
    check("capacity").await;
}

#[tokio::test]
async fn batches_and_transactions() {
    check("batches").await;
}

#[tokio::test]
async fn updates() {
    check("updates").await;
}

#[tokio::test]
async fn queries_and_scans() {
    check("queries").await;
}

#[tokio::test]
async fn transactions() {
    check("transactions").await;
}

#[tokio::test]
async fn partiql() {
    check("partiql").await;
}

#[tokio::test]
async fn layers_of_validation() {
    check("layers").await;
}

#[tokio::test]
async fn unsupported_parameters_and_operations() {
    check("unsupported").await;
}

/// Runs one script on a server of its own and compares what it printed with what the file says.
async fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire/scripts").join(name).with_extension("txt");
    let expected = fs::read_to_string(&path).expect("the script exists");
    let (_server, mut connection) = server().await;
    let mut actual = String::new();
    for line in expected.lines().filter(|line| !line.starts_with("-->")) {
        actual.push_str(line);
        actual.push('\n');
        if let Some((operation, body)) = request(line) {
            let answer = call(&mut connection, operation, body).await;
            writeln!(actual, "--> {}", shown(&answer)).expect("a string takes everything");
        }
    }
    if std::env::var_os("UPDATE_SCRIPTS").is_some() {
        fs::write(&path, actual).expect("the script is writable");
        return;
    }
    let differing = expected.lines().zip(actual.lines()).enumerate().find(|(_, (left, right))| left != right);
    if let Some((at, (left, right))) = differing {
        panic!("{name}.txt, line {}:\nexpected {left}\nanswered {right}", at + 1);
    }
    assert_eq!(expected, actual, "{name}.txt has an end that was not reached");
}

/// The request of a line, unless it is a comment or empty.
fn request(line: &str) -> Option<(&str, &str)> {
    if line.starts_with('#') { None } else { line.split_once(' ') }
}

async fn call(connection: &mut Connection, operation: &str, body: &str) -> Answer {
    let mut json: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    grow(&mut json);
    connection.post(operation, &[], json.to_string().as_bytes()).await;
    connection.answer().await
}

/// Replaces `«y*1000»` by what it stands for.
fn grow(value: &mut Value) {
    match value {
        Value::String(text) => grow_text(text),
        Value::Array(values) => values.iter_mut().for_each(grow),
        Value::Object(members) => {
            for (mut name, mut inner) in std::mem::take(members) {
                grow_text(&mut name);
                grow(&mut inner);
                members.insert(name, inner);
            }
        }
        _ => {}
    }
}

fn grow_text(text: &mut String) {
    let short = text.strip_prefix('«').and_then(|rest| rest.strip_suffix('»')).and_then(|rest| rest.split_once('*'));
    if let Some((what, count)) = short {
        *text = what.repeat(count.parse().expect("a count"));
    }
}

/// One line for an answer: an error's name and words, or the body.
fn shown(answer: &Answer) -> String {
    let mut json = answer.json();
    if answer.status == 200 {
        hide(&mut json);
        return cut(format!("200 {json}"));
    }
    let (kind, message) = answer.error();
    match json.get("CancellationReasons") {
        Some(reasons) => cut(format!("{} {kind}: {message} {reasons}", answer.status)),
        None => cut(format!("{} {kind}: {message}", answer.status)),
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                if OPAQUE.contains(&name.as_str()) {
                    *inner = Value::from("…");
                } else {
                    hide(inner);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide),
        _ => {}
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(SHOWN_BYTES_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
