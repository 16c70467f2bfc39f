//! Which shards there are, and which of them may be read now.

use std::collections::BTreeMap;

use aws_sdk_dynamodbstreams::types::StreamStatus;

use crate::Error;
use crate::database::{Database, code};

/// A shard of one of the table's streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The stream.
    pub stream: String,
    /// The shard.
    pub id: String,
    /// The shard that it follows, which may be gone.
    pub parent: Option<String>,
}

impl Shard {
    /// The key of its row in the table of checkpoints.
    pub fn key(&self) -> String {
        key(&self.stream, &self.id)
    }
}

fn key(stream: &str, shard: &str) -> String {
    format!("{stream}/{shard}")
}

/// What is there to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    /// The shards of every stream, the oldest stream first.
    pub shards: Vec<Shard>,
    /// Whether some stream is not switched off.
    pub is_live: bool,
}

/// All shards of all streams that the table, or earlier ones of its name, have or had.
///
/// # Errors
/// What the database refuses to tell.
pub async fn discover(database: &Database, table: &str) -> Result<Discovered, Error> {
    let mut streams = Vec::new();
    let mut after = None;
    loop {
        let ask = |client: aws_sdk_dynamodbstreams::Client| {
            client.list_streams().table_name(table).set_exclusive_start_stream_arn(after.clone()).send()
        };
        let page = database.streams(ask).await?;
        streams.extend(
            page.streams()
                .iter()
                .filter_map(|stream| Some((stream.stream_label()?.to_owned(), stream.stream_arn()?.to_owned()))),
        );
        after = page.last_evaluated_stream_arn;
        if after.is_none() {
            break;
        }
    }
    streams.sort();
    let mut discovered = Discovered::default();
    for (_, stream) in streams {
        describe(database, stream, &mut discovered).await?;
    }
    Ok(discovered)
}

async fn describe(database: &Database, stream: String, into: &mut Discovered) -> Result<(), Error> {
    let mut after = None;
    loop {
        let ask = |client: aws_sdk_dynamodbstreams::Client| {
            client.describe_stream().stream_arn(&stream).set_exclusive_start_shard_id(after.clone()).send()
        };
        let description = match database.streams(ask).await {
            Ok(page) => page.stream_description,
            // It went between the two questions.
            Err(error) if code(&error) == "ResourceNotFoundException" => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let Some(description) = description else { return Ok(()) };
        into.is_live |= description.stream_status != Some(StreamStatus::Disabled);
        for shard in description.shards.unwrap_or_default() {
            let Some(id) = shard.shard_id else { continue };
            into.shards.push(Shard { stream: stream.clone(), id, parent: shard.parent_shard_id });
        }
        after = description.last_evaluated_shard_id;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// The shards to be read now: not read to their ends, while what came before them is: their parents, and all shards of
/// older streams. `done` says of each key whether it has been read to its end.
pub fn ready<'a>(shards: &'a [Shard], done: &BTreeMap<String, bool>) -> Vec<&'a Shard> {
    let is_done = |key: &str| done.get(key).copied().unwrap_or(false);
    let is_there = |key: &str| shards.iter().any(|shard| shard.key() == key);
    let Some(first_open) = shards.iter().find(|shard| !is_done(&shard.key())) else { return Vec::new() };
    let is_ready = |shard: &&Shard| {
        let parent = shard.parent.as_ref().map(|parent| key(&shard.stream, parent));
        // A parent that is no longer there has nothing left to be read.
        shard.stream == first_open.stream
            && !is_done(&shard.key())
            && parent.is_none_or(|parent| is_done(&parent) || !is_there(&parent))
    };
    shards.iter().filter(is_ready).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(stream: &str, id: &str, parent: Option<&str>) -> Shard {
        Shard { stream: stream.to_owned(), id: id.to_owned(), parent: parent.map(str::to_owned) }
    }

    #[test]
    fn parents_first_and_older_streams_first() {
        let shards = [
            shard("one", "a", Some("trimmed")),
            shard("one", "b", None),
            shard("one", "a2", Some("a")),
            shard("two", "a", None),
        ];
        let mut done = BTreeMap::new();
        let mut ready_after = |key: Option<&str>| -> Vec<String> {
            done.extend(key.map(|key| (key.to_owned(), true)));
            ready(&shards, &done).iter().map(|shard| shard.key()).collect()
        };
        assert_eq!(ready_after(None), ["one/a", "one/b"]);
        assert_eq!(ready_after(Some("one/a")), ["one/b", "one/a2"]);
        assert_eq!(ready_after(Some("one/a2")), ["one/b"]);
        assert_eq!(ready_after(Some("one/b")), ["two/a"]);
        assert!(ready_after(Some("two/a")).is_empty());
    }
}
