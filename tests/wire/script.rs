//! Scripts of whole requests: `Operation {body}`, and under it `--> status answer`. See `scripts/`.
//!
//! `UPDATE_SCRIPTS=1 cargo test -p tests --test wire script` writes what the server answers into the scripts; the diff is
//! what gets reviewed. `«y*1000»` stands for a string of a thousand `y`s, `«ShardId 2»` for the second `ShardId` of the last
//! answer that had one. Ids, ARNs and times are printed as `…`; those of streams with a number, the same one for the same
//! text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tests::raw::{Answer, Connection};

use crate::server;

/// Members whose values differ from run to run.
const OPAQUE: [&str; 13] = [
    "TableId",
    "TableArn",
    "IndexArn",
    "ShardIterator",
    "NextShardIterator",
    "eventID",
    "ApproximateCreationDateTime",
    "CreationRequestDateTime",
    "CreationDateTime",
    "LastIncreaseDateTime",
    "LastDecreaseDateTime",
    "LastUpdateToPayPerRequestDateTime",
    "LastUpdateDateTime",
];

/// Members whose values differ from run to run, and are told apart.
const NAMED: [&str; 8] = [
    "LatestStreamArn",
    "LatestStreamLabel",
    "StreamArn",
    "StreamLabel",
    "LastEvaluatedStreamArn",
    "ShardId",
    "ParentShardId",
    "LastEvaluatedShardId",
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
async fn quirks_of_the_control_plane() {
    check("quirks").await;
}

#[tokio::test]
async fn quirks_of_names_and_settings() {
    check("quirks_settings").await;
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
async fn partiql_at_its_edges() {
    check("partiql_edges").await;
}

#[tokio::test]
async fn streams() {
    check("streams").await;
}

#[tokio::test]
async fn requests_of_client_libraries_and_tools() {
    check("clients").await;
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
    let mut memory = Memory::default();
    for line in expected.lines().filter(|line| !line.starts_with("-->")) {
        actual.push_str(line);
        actual.push('\n');
        if let Some((operation, body)) = request(line) {
            let answer = call(&mut connection, &memory, operation, body).await;
            writeln!(actual, "--> {}", shown(&mut memory, operation, &answer)).expect("a string takes everything");
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

/// What earlier answers said.
#[derive(Default)]
struct Memory {
    /// The values of each member in the last answer that had it.
    last: BTreeMap<String, Vec<String>>,
    /// The values of [`NAMED`] members, in the order in which they came up.
    named: Vec<String>,
}

impl Memory {
    /// Notes every member of an answer that has a text.
    fn learn(&mut self, json: &Value) {
        let mut found = BTreeMap::new();
        collect(json, &mut found);
        self.last.extend(found);
    }

    /// The number of a text.
    fn number(&mut self, text: &str) -> usize {
        let known = self.named.iter().position(|named| named == text);
        known.unwrap_or_else(|| {
            self.named.push(text.to_owned());
            self.named.len() - 1
        }) + 1
    }
}

fn collect(json: &Value, into: &mut BTreeMap<String, Vec<String>>) {
    match json {
        Value::Object(members) => {
            for (name, inner) in members {
                if let Value::String(text) = inner {
                    into.entry(name.clone()).or_default().push(text.clone());
                }
                collect(inner, into);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
        _ => {}
    }
}

async fn call(connection: &mut Connection, memory: &Memory, operation: &str, body: &str) -> Answer {
    let mut sent = body.to_owned();
    // A body without places to fill goes as it is: it may be nested deeper than serde reads.
    if body.contains('«') {
        let mut json: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
        grow(&mut json, memory);
        sent = json.to_string();
    }
    connection.post(operation, &[], sent.as_bytes()).await;
    connection.answer().await
}

/// Replaces `«y*1000»` and `«ShardId 2»` by what they stand for.
fn grow(value: &mut Value, memory: &Memory) {
    match value {
        Value::String(text) => grow_text(text, memory),
        Value::Array(values) => values.iter_mut().for_each(|value| grow(value, memory)),
        Value::Object(members) => {
            for (mut name, mut inner) in std::mem::take(members) {
                grow_text(&mut name, memory);
                grow(&mut inner, memory);
                members.insert(name, inner);
            }
        }
        _ => {}
    }
}

fn grow_text(text: &mut String, memory: &Memory) {
    let Some(short) = text.strip_prefix('«').and_then(|rest| rest.strip_suffix('»')) else { return };
    if let Some((what, count)) = short.split_once('*') {
        *text = what.repeat(count.parse().expect("a count"));
    } else if let Some((member, at)) = short.split_once(' ') {
        let at: usize = at.parse().expect("a place, from 1");
        let value = memory.last.get(member).and_then(|values| values.get(at - 1));
        *text = value.unwrap_or_else(|| panic!("no answer had so many of {member}: {:?}", memory.last)).clone();
    }
}

/// One line for an answer: an error's name and words, or the body.
fn shown(memory: &mut Memory, operation: &str, answer: &Answer) -> String {
    if answer.body.is_empty() {
        return answer.status.to_string();
    }
    let mut json = answer.json();
    if answer.status == 200 {
        memory.learn(&json);
        hide(&mut json, memory);
        let text = format!("200 {json}");
        // Of records every one is looked at.
        return if operation == "GetRecords" { text } else { cut(text) };
    }
    let (kind, message) = answer.error();
    match json.get("CancellationReasons") {
        Some(reasons) => cut(format!("{} {kind}: {message} {reasons}", answer.status)),
        None => cut(format!("{} {kind}: {message}", answer.status)),
    }
}

fn hide(value: &mut Value, memory: &mut Memory) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                match inner {
                    Value::String(text) if NAMED.contains(&name.as_str()) => {
                        *inner = format!("…{}", memory.number(text)).into();
                    }
                    _ if OPAQUE.contains(&name.as_str()) => *inner = Value::from("…"),
                    _ => hide(inner, memory),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| hide(value, memory)),
        _ => {}
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(SHOWN_BYTES_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
