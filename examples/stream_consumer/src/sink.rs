//! What is done with the changes.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use aws_sdk_dynamodbstreams::types::{OperationType, Record, StreamRecord};
use serde_json::{Value, json};

use crate::Error;
use crate::convert;
use crate::database::{Database, code};
use crate::leases::Lease;

/// Changes of one transaction: DynamoDB takes 100 actions, one of which is the checkpoint.
const TRANSACTION_MAX: usize = 99;

/// Bytes of the changes of one transaction; DynamoDB takes 4 MB.
const TRANSACTION_BYTES_MAX: i64 = 3 << 20;

/// How long to wait until a program that has failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How long between two looks whether a program has ended.
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// How often a transaction is tried that conflicts with others.
const CONFLICTS_MAX: usize = 1000;

/// What is done with the changes.
#[derive(Clone, Debug)]
pub enum Sink {
    /// Each is printed as a line.
    Print,
    /// Each page of them is given to a program.
    Run(PathBuf),
    /// Each is done to another table.
    Copy(String),
}

impl Sink {
    /// Handles the records of one page, in their order, and writes down how far it came; whether the lease is still ours.
    ///
    /// # Errors
    /// What cannot be handled.
    pub async fn handle(
        &self,
        records: &[Record],
        stream: &str,
        lease: &mut Lease,
        database: &Database,
    ) -> Result<bool, Error> {
        let Some(last) = records.last() else { return Ok(true) };
        match self {
            Sink::Print => print(records, stream)?,
            Sink::Run(program) => {
                let events: Vec<Value> = records.iter().map(|record| convert::event(record, stream)).collect();
                let event = json!({ "Records": events }).to_string();
                loop {
                    match run(lease, program, &event).await? {
                        End::Done => break,
                        End::Failed(why) => {
                            eprintln!("stream-consumer: {}: {why}; it is tried again", program.display());
                            tokio::time::sleep(RETRY_PAUSE).await;
                        }
                        End::LeaseLost => return Ok(false),
                    }
                }
            }
            Sink::Copy(table) => return copy(records, table, lease, database).await,
        }
        lease.checkpoint(position(last)?).await
    }
}

/// A line for each, all of which have gone out when this returns.
fn print(records: &[Record], stream: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    for record in records {
        writeln!(out, "{}", convert::event(record, stream))?;
    }
    Ok(out.flush()?)
}

/// Runs the program once, which finds the event in its standard input; while it runs the lease is renewed, and where it is
/// lost the program is ended.
async fn run(lease: &mut Lease, program: &Path, event: &str) -> Result<End, Error> {
    let mut child = match Command::new(program).stdin(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return Ok(End::Failed(error.to_string())),
    };
    if let Some(mut input) = child.stdin.take() {
        let event = event.to_owned();
        // A program may end without having read everything; what counts is how it ends.
        tokio::task::spawn_blocking(move || _ = input.write_all(event.as_bytes()));
    }
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(End::Done),
            Some(status) => return Ok(End::Failed(status.to_string())),
            None if lease.renew().await? => tokio::time::sleep(LOOK_PAUSE).await,
            None => {
                child.kill()?;
                child.wait()?;
                return Ok(End::LeaseLost);
            }
        }
    }
}

/// How a program ended.
enum End {
    Done,
    Failed(String),
    LeaseLost,
}

/// Does the changes to `table`, each batch together with its checkpoint.
async fn copy(records: &[Record], table: &str, lease: &mut Lease, database: &Database) -> Result<bool, Error> {
    let mut rest = records;
    while !rest.is_empty() {
        let (batch, behind) = rest.split_at(batch_length(rest));
        rest = behind;
        let Some(last) = batch.last() else { break };
        let position = position(last)?;
        let mut actions = Vec::with_capacity(batch.len() + 1);
        for record in batch {
            actions.push(action(record, table)?);
        }
        actions.push(TransactWriteItem::builder().update(lease.checkpoint_action(position)?).build());
        // The same for every attempt: one whose answer was lost is not done twice.
        let token = token();
        let ask = |client: Client| {
            let request = client.transact_write_items().set_transact_items(Some(actions.clone()));
            request.client_request_token(&token).send()
        };
        for attempt in 1.. {
            match database.items(&ask).await {
                Ok(_) => {
                    lease.is_checkpointed(position);
                    break;
                }
                Err(error) if code(&error) == "TransactionCanceledException" && attempt < CONFLICTS_MAX => {
                    // By a conflict with another transaction; or somebody else has the lease.
                    if !lease.is_mine().await? {
                        return Ok(false);
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(true)
}

/// How many of the next records fit into one transaction, which takes no item twice.
fn batch_length(records: &[Record]) -> usize {
    let mut keys = BTreeSet::new();
    let mut bytes = 0;
    let fits = |record: &&Record| {
        let change = record.dynamodb();
        bytes += change.and_then(StreamRecord::size_bytes).unwrap_or_default();
        let key = change.and_then(StreamRecord::keys).map(|keys| {
            let mut parts: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            parts.sort();
            parts
        });
        keys.insert(key) && bytes <= TRANSACTION_BYTES_MAX
    };
    records.iter().take(TRANSACTION_MAX).take_while(fits).count().max(1)
}

fn action(record: &Record, table: &str) -> Result<TransactWriteItem, Error> {
    let change = record.dynamodb().ok_or("a record without a change")?;
    let action = TransactWriteItem::builder();
    if record.event_name() == Some(&OperationType::Remove) {
        let key = convert::item(change.keys().ok_or("a record without keys")?);
        return Ok(action.delete(Delete::builder().table_name(table).set_key(Some(key)).build()?).build());
    }
    let item = convert::item(change.new_image().ok_or("copying needs a stream of new images")?);
    Ok(action.put(Put::builder().table_name(table).set_item(Some(item)).build()?).build())
}

fn position(record: &Record) -> Result<&str, Error> {
    Ok(record.dynamodb().and_then(StreamRecord::sequence_number).ok_or("a record without a sequence number")?)
}

/// A token that no other transaction has.
fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    format!("{:08x}-{now:016x}", std::process::id())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_dynamodbstreams::types::AttributeValue;

    use super::*;

    #[test]
    fn a_transaction_takes_no_item_twice() {
        let record = |key: &str, bytes: i64| {
            let keys = HashMap::from([("k".to_owned(), AttributeValue::S(key.to_owned()))]);
            Record::builder().dynamodb(StreamRecord::builder().set_keys(Some(keys)).size_bytes(bytes).build()).build()
        };
        let length = |records: &[Record]| batch_length(records);
        assert_eq!(length(&[record("a", 1), record("b", 1), record("a", 1)]), 2);
        assert_eq!(length(&[record("a", 2 << 20), record("b", 1 << 20), record("c", 1)]), 2);
        assert_eq!(length(&[record("a", 4 << 20), record("b", 1)]), 1, "it could not become less");
        let many: Vec<Record> = (0..150).map(|number| record(&number.to_string(), 1)).collect();
        assert_eq!(length(&many), TRANSACTION_MAX);
    }
}
