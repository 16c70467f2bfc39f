//! Reads one shard, as long as its lease is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::ShardIteratorType;

use crate::Error;
use crate::database::{Database, code};
use crate::leases::Lease;
use crate::sink::Sink;
use crate::streams::Shard;

/// How long to wait after a page without records.
const IDLE_PAUSE: Duration = Duration::from_millis(200);

/// Reads the shard from behind its checkpoint to its end, or until the lease is lost, or is to be given back.
///
/// # Errors
/// What the database refuses, or the sink.
pub async fn read(
    database: Database,
    shard: Shard,
    mut lease: Lease,
    sink: Sink,
    gives_back: Arc<AtomicBool>,
) -> Result<(), Error> {
    let mut next = None;
    loop {
        let iterator = match next.take() {
            Some(iterator) => iterator,
            None => match locate(&database, &shard, lease.position()).await? {
                Some(iterator) => iterator,
                None => return finish(&mut lease).await,
            },
        };
        let ask = |client: Client| client.get_records().shard_iterator(&iterator).send();
        let page = match database.streams(ask).await {
            Ok(page) => page,
            Err(error) => match code(&error) {
                // Another iterator is made for the checkpoint.
                "ExpiredIteratorException" | "TrimmedDataAccessException" => continue,
                "ResourceNotFoundException" => return finish(&mut lease).await,
                _ => return Err(error.into()),
            },
        };
        if !sink.handle(page.records(), &shard.stream, &mut lease, &database).await? || !lease.renew().await? {
            return Ok(());
        }
        if page.next_shard_iterator.is_none() {
            return finish(&mut lease).await;
        }
        if gives_back.load(Ordering::Relaxed) {
            return lease.release().await.map(|_| ());
        }
        if page.records().is_empty() {
            tokio::time::sleep(IDLE_PAUSE).await;
        }
        next = page.next_shard_iterator;
    }
}

async fn finish(lease: &mut Lease) -> Result<(), Error> {
    lease.finish().await.map(|_| ())
}

/// An iterator that begins behind this record, or with the first one; `None` where the shard is gone.
async fn locate(database: &Database, shard: &Shard, position: Option<&str>) -> Result<Option<String>, Error> {
    let mut position = position;
    loop {
        let kind =
            if position.is_some() { ShardIteratorType::AfterSequenceNumber } else { ShardIteratorType::TrimHorizon };
        let ask = |client: Client| {
            let request = client.get_shard_iterator().stream_arn(&shard.stream).shard_id(&shard.id);
            request.shard_iterator_type(kind.clone()).set_sequence_number(position.map(str::to_owned)).send()
        };
        match database.streams(ask).await {
            Ok(answer) => return Ok(answer.shard_iterator),
            Err(error) => match code(&error) {
                "TrimmedDataAccessException" if position.is_some() => {
                    eprintln!("stream-consumer: {}: changes behind {position:?} were trimmed unread", shard.id);
                    position = None;
                }
                "ResourceNotFoundException" => return Ok(None),
                _ => return Err(error.into()),
            },
        }
    }
}
